"""The databases of all services: bring them to the newest shape, and ask whether they are."""

from pathlib import Path

from sqlalchemy.engine import make_url

from shared.database import Database
from shared.migrating import at_head, upgrade
from shared.roles import keep_apart
from shared.settings import Settings


def migrate_one(settings: Settings, service: str) -> None:
    """Bring one service's database to the newest shape; with processors', the tables of the sandbox's own books."""
    url = settings.database_url(service)
    _make_folder(url)
    upgrade(service, url, runtime_role=settings.runtime_role(service))
    if service == "processors":
        _make_sandbox_books(settings)


def _make_sandbox_books(settings: Settings) -> None:
    """The pretended processor makes its tables itself, where it may; here the owner makes them and the runtime role only uses them."""
    from services.processors import sandbox_books

    database = Database(settings.database_url("sandbox_books"))
    try:
        sandbox_books.make_tables(database)
        with database.transaction() as session:
            keep_apart(session.connection(), sandbox_books.metadata, settings.runtime_role("sandbox_books"))
    finally:
        database.dispose()


def is_current(settings: Settings, service: str) -> bool:
    return at_head(service, settings.database_url(service))


def _make_folder(url: str) -> None:
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and where.database:
        Path(where.database).parent.mkdir(parents=True, exist_ok=True)
