"""Plays about the database under green threads."""

import eventlet
from sqlalchemy import insert, select, text, update

from shared.database import Database
from tests.integration.messaging.ground import EFFECTS, METADATA, play_settings


def _open():
    database = Database(play_settings().database_url("tax"))
    METADATA.create_all(database.engine)
    return database


def green() -> dict:
    """How many of five sleepers are asleep in the database at the same moment."""
    database = _open()
    if database.engine.dialect.name != "postgresql":
        return {"asleep at once": 0}
    sleepers = [eventlet.spawn(_sleep, database) for _ in range(5)]
    most = 0
    while not all(sleeper.dead for sleeper in sleepers):
        with database.reading() as session:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            most = max(most, session.scalar(text(query)))
        eventlet.sleep(0.05)
    return {"asleep at once": most}


def _sleep(database):
    with database.transaction() as session:
        session.execute(text("SELECT pg_sleep(1)"))


def excluding() -> dict:
    database = _open()
    inside: list = []
    strangers: list = []
    with database.transaction() as session:
        session.execute(insert(EFFECTS).values(id=1, what="0"))

    def step(number):
        eventlet.sleep(0)
        with database.transaction() as session:
            row = select(EFFECTS.c.what).where(EFFECTS.c.id == 1).with_for_update()
            count = int(session.scalar(row))
            inside.append(number)
            if database.engine.dialect.name == "sqlite" and len(inside) > 1:
                strangers.append(list(inside))
            session.execute(update(EFFECTS).where(EFFECTS.c.id == 1).values(what=str(count + 1)))
            inside.remove(number)
        eventlet.sleep(0)

    pool = eventlet.GreenPool(50)
    list(pool.imap(step, range(50)))
    with database.reading() as session:
        return {"counted": int(session.scalar(select(EFFECTS.c.what))), "strangers inside": strangers}
