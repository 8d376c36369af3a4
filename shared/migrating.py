"""Bringing a service's database to the newest form: Alembic, driven from code. The steps lie with each service.

A service's `migrations/env.py` needs two lines: `from shared.migrating import run` and `run(Base.metadata)`.
"""

import importlib.util
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, NullPool, create_engine, event, text

from shared.database import driver_url, wait_greenly
from shared.roles import keep_apart


def upgrade(service: str, url: str, folder: Path | None = None, runtime_role: str = "") -> None:
    """Take every step that is missing, in one transaction; two processes at once take turns.

    `folder` holds `env.py` and `versions/`; by default it is found inside the service's own package. `runtime_role` is the
    PostgreSQL role that the service runs with, where it isn't the owner that migrates.
    """
    with _connected(url) as connection:
        if connection.dialect.name == "postgresql":
            lock = zlib.crc32(f"clientbilling.{service}".encode())
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        config = _config(service, folder)
        config.attributes.update(connection=connection, runtime_role=runtime_role)
        command.upgrade(config, "head")


def at_head(service: str, url: str, folder: Path | None = None) -> bool:
    """Whether the database has taken every step of `service`."""
    heads = set(ScriptDirectory.from_config(_config(service, folder)).get_heads())
    with _connected(url) as connection:
        return heads == set(MigrationContext.configure(connection).get_current_heads())


def run(metadata: MetaData) -> None:
    """What each `env.py` calls: take the steps on the connection that `upgrade` opened, then keep practices apart on it."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    keep_apart(connection, metadata, context.config.attributes["runtime_role"])


def _config(service: str, folder: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder or _folder(service)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _folder(service: str) -> Path:
    package = importlib.util.find_spec(f"services.{service}")
    places = package.submodule_search_locations if package else None
    for place in places or ():
        for found in sorted(Path(place).glob("**/migrations/env.py")):
            return found.parent
    raise FileNotFoundError(f"{service} has no migrations.")


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """One connection in one transaction, without the time-outs of serving; SQLite waits for its turn."""
    parsed = driver_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    if not sqlite:
        wait_greenly()
    options = {"isolation_level": None, "timeout": 60} if sqlite else {"options": "-c timezone=UTC"}
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True, connect_args=options)
    if sqlite:
        event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA journal_mode=WAL"))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
