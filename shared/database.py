"""One service's database, PostgreSQL or SQLite, with the same promises on both. What is stored is the services' business.

A transaction commits at its end or not at all. On SQLite one connection serves the whole process under a lock, so a
transaction there must not give way to others: no call, no sleep, nothing over the network inside.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2.extensions
from eventlet import patcher
from eventlet.hubs import trampoline
from sqlalchemy import JSON, DateTime, Dialect, Engine, StaticPool, TableClause, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from shared.faults import Unavailable
from shared.tenancy import SETTING, acting

STATEMENT_SECONDS, LOCK_SECONDS, IDLE_SECONDS = 15, 10, 60
_PROMISES = (
    f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c lock_timeout={LOCK_SECONDS * 1000} "
    f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000} -c synchronous_commit=on -c timezone=UTC"
)


class Moment(TypeDecorator[datetime]):
    """A moment with its zone, kept in UTC to the microsecond; a naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment needs its zone.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON (JSONB on PostgreSQL); None is NULL. Where bytes must stay as they were, keep text instead."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True))


class Database:
    """Transactions on one database; `pool_size` connections at most (PostgreSQL), all of them lazily made.

    `durable` (SQLite): a commit outlives the power going. PostgreSQL always is.
    """

    def __init__(self, url: str, *, pool_size: int = 10, durable: bool = True):
        self.url = driver_url(url)
        logging.getLogger("sqlalchemy.engine.Engine").addFilter(_tells_no_rows)
        self._file: _File | None = None
        if self.url.get_backend_name() == "sqlite":
            self._file = _File.of(self.url)
            self._file.must_be(durable)
            self.engine: Engine = self._file.engine
        else:
            wait_greenly()
            self.engine = _postgres_engine(self.url, pool_size)
        self._readers = (
            self.engine.execution_options(reading=True, postgresql_readonly=True)
            if not self._file
            else (self.engine.execution_options(reading=True))
        )
        self._inside: set[int] = self._file.inside if self._file else set()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that is committed at the end, rolled back on any exception. Never inside another one."""
        with self._alone(), Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            after = session.info.pop("after_commit", ())
        for told in after:
            told()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads: a write in it is refused by the database."""
        with self._alone(), Session(self._readers, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a transaction inside a transaction; on SQLite, wait until nobody else is in one."""
        me = threading.get_ident()
        if me in self._inside:
            raise RuntimeError("A transaction was begun inside a transaction.")
        if self._file and not self._file.lock.acquire(timeout=LOCK_SECONDS):
            raise Unavailable("database_busy")
        self._inside.add(me)
        try:
            yield
        finally:
            self._inside.discard(me)
            if self._file:
                self._file.lock.release()

    def ping(self) -> None:
        """Nothing when the database answers; its own exception when not."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close what is open. A SQLite file stays open while others in this process use it."""
        if self._file:
            self._file.leave()
            self._file = None
        else:
            self.engine.dispose()

    close = dispose


def _tells_no_rows(record: logging.LogRecord) -> bool:
    """Whether SQLAlchemy may log this: at DEBUG it writes out each row that it read, whatever `hide_parameters` says."""
    return not str(record.msg).startswith("Row ")


def writers_have_ended(database: Database, within: float = 2 * IDLE_SECONDS) -> bool:
    """Wait until every transaction that is writing now has ended; False where one of them lasts longer than `within` seconds.

    On PostgreSQL no lock is taken, and readers don't count. On SQLite there is one writer at a time, and we wait to be it.
    """
    with database.transaction() as session:
        if session.get_bind().dialect.name != "postgresql":
            return True
        mark = session.scalar(text("SELECT CAST(pg_current_xact_id() AS text)"))  # those that write now have lower ones
    until = time.monotonic() + within
    while time.monotonic() < until:
        with database.reading() as session:
            if session.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(:mark AS xid8)"), {"mark": mark}):
                return True
        time.sleep(0.1)
    return False


def after_commit(session: Session, told: Callable[[], None]) -> None:
    """Call `told()` once the session's transaction is committed, and not if it is rolled back."""
    session.info.setdefault("after_commit", []).append(told)


def insert_new(session: Session, table: TableClause, row: dict) -> bool:
    """Insert it; False where its key is there already (on PostgreSQL after waiting for whoever is just writing it)."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return session.execute(dialect.insert(table).values(row).on_conflict_do_nothing()).rowcount == 1  # type: ignore[attr-defined]


def driver_url(url: str) -> URL:
    """The URL with the driver that works here: psycopg2, because the newer one blocks green threads."""
    parsed = make_url(url)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg2")
    return parsed


# A server that has gone without a word is noticed by these: nothing acknowledged for ten seconds, or no sign of life for 45.
_LINE = {"tcp_user_timeout": 10_000, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3}


def _postgres_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        pool_recycle=1800,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={"options": _PROMISES, "connect_timeout": 5, "application_name": "clientbilling", **_LINE},
    )
    event.listen(engine, "begin", _say_whose)
    return engine


def _say_whose(connection: Any) -> None:
    """Tell PostgreSQL, for this transaction, whose rows it may show: its policies are the second lock on tenancy."""
    connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (SETTING, acting()))


def wait_greenly() -> None:
    """Where eventlet has patched the process, let psycopg2 wait without stopping the other green threads."""
    if patcher.is_monkey_patched("socket"):
        psycopg2.extensions.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        reading = state == psycopg2.extensions.POLL_READ
        trampoline(connection.fileno(), read=reading, write=not reading)


class _File:
    """One SQLite file as this process shares it: a connection, a lock, and who is inside a transaction."""

    _open: dict[str, "_File"] = {}

    def __init__(self, url: URL):
        self.path = url.database or ""
        self.lock = threading.Lock()
        self.inside: set[int] = set()
        self.users = 0
        self._durable = False
        options = {"check_same_thread": False, "timeout": LOCK_SECONDS, "isolation_level": None}
        self.engine = create_engine(url, poolclass=StaticPool, hide_parameters=True, connect_args=options)
        event.listen(self.engine, "connect", self._connected)
        event.listen(self.engine, "begin", self._begin)

    @classmethod
    def of(cls, url: URL) -> "_File":
        if not url.database or url.database == ":memory:":
            return cls(url)
        path = str(Path(url.database).resolve())
        if path not in cls._open:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            cls._open[path] = cls(url.set(database=path))
        cls._open[path].users += 1
        return cls._open[path]

    def must_be(self, durable: bool) -> None:
        """Durable as soon as one of its users needs it; said before the first connection or at once."""
        if durable and not self._durable:
            self._durable = True
            self.engine.dispose()

    def _connected(self, connection: sqlite3.Connection, _record: Any) -> None:
        synchronous = "FULL" if self._durable else "NORMAL"
        for pragma in (f"busy_timeout={LOCK_SECONDS * 1000}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @staticmethod
    def _begin(connection: Any) -> None:
        """Straight at the driver: it is done for each transaction, and SQLAlchemy's way there costs as much as a small query."""
        reading, driver = connection.get_execution_options().get("reading", False), connection.connection.driver_connection
        begin = "BEGIN" if reading else "BEGIN IMMEDIATE"
        try:
            if connection.info.get("reading") is not reading:
                driver.execute(f"PRAGMA query_only={int(reading)}").close()
                connection.info["reading"] = reading
            driver.execute(begin).close()
        except sqlite3.OperationalError as trouble:
            raise OperationalError(begin, None, trouble) from trouble

    def leave(self) -> None:
        self.users -= 1
        if self.users <= 0:
            self._open.pop(self.path, None)
            self.engine.dispose()
