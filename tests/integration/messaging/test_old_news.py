"""Old news is forgotten on both engines: what went out, and the notes of what was heard; what never went out stays."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from shared import outbox
from shared.database import Database
from shared.ids import earliest_id, new_id
from shared.outbox import forget_old_news
from tests.integration.messaging.ground import INBOX, METADATA, OUTBOX

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    METADATA.create_all(database.engine)
    yield database
    database.dispose()


def _id(days: float) -> str:
    """Of news that is so many days old; the letters of it are of every kind."""
    return earliest_id("evt", NOW - timedelta(days=days))[:-16] + new_id("evt")[-16:]


def _sent(database, days: float, published: bool = True) -> str:
    at = NOW - timedelta(days=days)
    row = {"id": _id(days), "event": "said", "practice_id": "prc_1", "body": "{}", "created_at": at, "tries": 0}
    with database.transaction() as session:
        session.execute(insert(OUTBOX).values(**row, published_at=at if published else None))
    return row["id"]


def _heard(database, days: float, handler: str = "tax.said", its_id: str = "") -> str:
    row = {"event_id": its_id or _id(days), "handler": handler, "heard_at": NOW - timedelta(days=days)}
    with database.transaction() as session:
        session.execute(insert(INBOX).values(row))
    return row["event_id"]


def _left(database, column) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(column)))


def test_what_is_old_goes_and_nothing_else(database):
    """A month for news, a quarter of a year for notes of it, by each handler; news that never went out is kept however old it is.

    What is noted under a name that holds no time (a webhook's, a difference's) goes by when it was noted.
    """
    stays = {_sent(database, 29.9), _sent(database, 0), _sent(database, 400, published=False)}
    _sent(database, 30.1), _sent(database, 400)
    noted = {_heard(database, 89.9), _heard(database, 31), _heard(database, 0)}
    _heard(database, 91, "notifications.said", _heard(database, 91))
    noted |= {_heard(database, days, "webhook.pcr_1", letter * 40) for days, letter in ((0, "0"), (29, "e"), (89, "f"))}
    _heard(database, 91, "webhook.pcr_1", "1" * 40), _heard(database, 91, "comparison.pcr_1", "f1" * 20)
    forget_old_news(database, NOW, relays=False)
    assert (5, noted) == (len(_left(database, OUTBOX.c.id)), _left(database, INBOX.c.event_id))
    forget_old_news(database, NOW)
    assert (stays, noted) == (_left(database, OUTBOX.c.id), _left(database, INBOX.c.event_id))


def test_much_of_it_goes_in_portions_the_oldest_first(database, monkeypatch):
    """So that an hourly timer holds no lock for long."""
    monkeypatch.setattr(outbox, "AT_ONCE", 3)
    ids = [_sent(database, days) for days in range(100, 92, -1)]
    for its_id in ids:
        _heard(database, 100, its_id=its_id)
    for left in (5, 2, 0):
        forget_old_news(database, NOW)
        assert set(ids[8 - left :]) == _left(database, OUTBOX.c.id) == _left(database, INBOX.c.event_id)


def test_ids_are_ordered_as_time_is_in_the_database_too(database):
    """Whatever the database's own order of letters: a range of ids is a span of time."""
    ids = [_sent(database, days) for days in (300.5, 77, 3.21, 0.001, 0)]
    with database.reading() as session:
        assert ids == list(session.scalars(select(OUTBOX.c.id).order_by(OUTBOX.c.id)))
        bound = earliest_id("evt", NOW - timedelta(days=3.21))
        assert 2 == session.scalar(select(func.count()).select_from(OUTBOX).where(OUTBOX.c.id < bound))
