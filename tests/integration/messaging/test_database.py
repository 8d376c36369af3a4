"""One database behind two engines: what a transaction promises on SQLite and on PostgreSQL."""

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from shared.database import Database, Json, Moment, after_commit
from shared.migrating import at_head, upgrade

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("word", String(20)),
    Column("at", Moment),
    Column("facts", Json),
)
STEP = """
import time
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{revision}", {before!r}
def upgrade():
    time.sleep(0.3)
    op.{operation}
"""


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    METADATA.create_all(database.engine)
    yield database
    database.dispose()


def _count(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(THINGS))


def _write(database, *rows, fail=False, then=None):
    with database.transaction() as session:
        for row in rows:
            session.execute(insert(THINGS).values(row))
        if then:
            after_commit(session, then)
        if fail:
            raise KeyError("failed on purpose")


def test_a_transaction_is_whole_or_not_at_all(database):
    """What was written before an exception is gone with it; without one it stays."""
    with pytest.raises(KeyError):
        _write(database, {"word": "lost"}, fail=True)
    assert 0 == _count(database)
    with database.transaction() as session:
        session.execute(insert(THINGS).values(word="kept"))
    assert 1 == _count(database)


def test_rows_are_in_no_log_however_loud(database, caplog):
    """At DEBUG SQLAlchemy says which statements ran, with neither the values that went in nor the rows that came out."""
    with caplog.at_level(logging.DEBUG, logger="sqlalchemy.engine.Engine"):
        loud = Database(database.url.render_as_string(hide_password=False))
        with loud.transaction() as session:
            session.execute(insert(THINGS).values(word="canary"))
            assert "canary" == session.scalar(select(THINGS.c.word))
    assert "INSERT INTO things" in caplog.text
    assert "canary" not in caplog.text


def test_a_moment_comes_back_to_the_microsecond_in_utc(database):
    """Whatever zone it was given in; a naive one is refused."""
    moment = datetime(2026, 3, 1, 23, 59, 59, 123457, tzinfo=timezone(timedelta(hours=-5)))
    with database.transaction() as session:
        session.execute(insert(THINGS).values(at=moment, facts={"a": [1, None]}))
        row = session.execute(select(THINGS)).one()
    assert (moment, UTC, {"a": [1, None]}) == (row.at, row.at.tzinfo, row.facts)
    with pytest.raises(StatementError), database.transaction() as session:
        session.execute(insert(THINGS).values(at=datetime(2026, 1, 1)))


def test_moments_are_ordered_as_time_is(database):
    """Sorting and comparing in the database agree with the clock."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with database.transaction() as session:
        for number, microseconds in enumerate((5, 0, 1_000_000, 999_999), 1):
            session.execute(insert(THINGS).values(id=number, at=start + timedelta(microseconds=microseconds)))
        order = session.scalars(select(THINGS.c.id).order_by(THINGS.c.at)).all()
        later = session.scalars(select(THINGS.c.id).where(THINGS.c.at > start + timedelta(microseconds=5))).all()
    assert [2, 1, 4, 3] == order
    assert {3, 4} == set(later)


def test_a_reader_cannot_write(database):
    """The database itself refuses, and writing works again right after."""
    with pytest.raises(DBAPIError), database.reading() as session:
        session.execute(insert(THINGS).values(word="no"))
    with database.transaction() as session:
        session.execute(insert(THINGS).values(word="yes"))
    assert 1 == _count(database)


def test_a_transaction_inside_a_transaction_is_a_mistake(database):
    """It is refused at once rather than waiting for itself."""
    with pytest.raises(RuntimeError), database.transaction(), database.transaction():
        pass
    with pytest.raises(RuntimeError), database.reading(), database.transaction():
        pass


def test_what_follows_a_commit_waits_for_it(database):
    """It is called after the commit, once, and not after a rollback."""
    seen: list = []
    with database.transaction() as session:
        session.execute(insert(THINGS).values(word="kept"))
        after_commit(session, lambda: seen.append(_count(database)))
        assert [] == seen
    with pytest.raises(KeyError):
        _write(database, {"word": "lost"}, fail=True, then=lambda: seen.append("never"))
    assert [1] == seen


def test_twenty_threads_counting_lose_no_step(database):
    """Read, add one, write, from twenty threads with the row locked: two hundred steps are two hundred."""
    with database.transaction() as session:
        session.execute(insert(THINGS).values(id=1, word="0"))
    threads = [threading.Thread(target=_count_up, args=(database,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.reading() as session:
        assert "200" == session.scalar(select(THINGS.c.word))


def _count_up(database):
    for _ in range(10):
        with database.transaction() as session:
            number = int(session.scalar(select(THINGS.c.word).where(THINGS.c.id == 1).with_for_update()))
            session.execute(update(THINGS).where(THINGS.c.id == 1).values(word=str(number + 1)))


def test_an_error_does_not_repeat_what_was_stored(database):
    """A failing statement's message holds no value."""
    with pytest.raises(DBAPIError) as failed:
        _write(database, {"id": 1, "word": "private"}, {"id": 1, "word": "private"})
    assert "private" not in str(failed.value)


def test_money_is_on_the_disk_before_anybody_is_called(tmp_path):
    """SQLite writes through to the disk as soon as one user of the file needs it, whoever opened it first."""
    url = f"sqlite:///{tmp_path / 'money.db'}"
    careless = Database(url, durable=False)
    assert ("wal", 1, 1) == _pragmas(careless)
    careful = Database(url)
    assert ("wal", 2, 1) == _pragmas(careful) == _pragmas(careless)
    careless.dispose()
    assert ("wal", 2, 1) == _pragmas(careful)
    careful.dispose()


def _pragmas(database):
    with database.reading() as session:
        return tuple(session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys"))


def test_two_migrations_at_once_take_turns(database_url, tmp_path):
    """Two processes upgrade an empty database together: both succeed, each step was taken once, and it is at its head."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text("from sqlalchemy import MetaData\nfrom shared.migrating import run\nrun(MetaData())\n")
    first = STEP.format(revision="a1", before=None, operation='create_table("t", sa.Column("id", sa.Integer))')
    second = STEP.format(revision="a2", before="a1", operation='add_column("t", sa.Column("word", sa.Text))')
    (folder / "versions" / "a1.py").write_text(first)
    (folder / "versions" / "a2.py").write_text(second)
    assert not at_head("tax", database_url, folder)
    work = (
        f"from shared.migrating import upgrade; from pathlib import Path; upgrade('tax', {database_url!r}, Path({str(folder)!r}))"
    )
    both = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", work], cwd=Path(__file__).parents[3]) for _ in range(2)]
    assert [0, 0] == [process.wait(60) for process in both]
    upgrade("tax", database_url, folder)
    assert at_head("tax", database_url, folder)


def test_psycopg2_waits_greenly(stage):
    """Five sleeps of one second side by side: none waits for another."""
    facts = stage("storage.green")
    assert facts["asleep at once"] == (5 if stage.store == "postgresql" else 0)


def test_a_green_transaction_excludes_the_others(stage):
    """Fifty green threads read, give way to others before and after, and add one: no step is lost."""
    facts = stage("storage.excluding")
    assert 50 == facts["counted"]
    assert [] == facts["strangers inside"]
