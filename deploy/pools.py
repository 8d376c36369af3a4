"""How many database connections one process of each service may hold, so that the sum can be compared with what a server takes."""

from collections.abc import Iterator

from sqlalchemy import text

from shared.database import Database, driver_url
from shared.settings import Settings

GATEWAY_WORKERS, GATEWAY_THREADS = 2, 16  # processes of one `serve gateway`, and the threads of each
RELAY, TIMERS, BOOKS = 2, 2, 10


def pools(settings: Settings) -> dict[str, int]:
    """By the database's name; `processors` and `sandbox_books` are both held by a process of processors."""
    workers = settings.max_workers
    return {
        "gateway": GATEWAY_WORKERS * max(workers, GATEWAY_THREADS),
        "invoicing": workers + RELAY,
        "processors": workers + TIMERS + RELAY,
        "sandbox_books": BOOKS,
        "tax": workers,
        "notifications": workers,
    }


def compare(settings: Settings) -> Iterator[tuple[bool, str]]:
    """For each PostgreSQL server: whether it takes the connections of one process of each service that has a database there."""
    servers: dict[tuple, list[str]] = {}
    for name in pools(settings):
        url = driver_url(settings.database_url(name))
        if url.get_backend_name() == "postgresql":
            servers.setdefault((url.host, url.port or 5432), []).append(name)
    for (host, port), names in servers.items():
        held, taken = sum(pools(settings)[name] for name in names), _takes(settings.database_url(names[0]))
        advice = "" if held <= taken else ": raise max_connections or lower CLIENTBILLING_MAX_WORKERS"
        yield held <= taken, f"one process of each service holds {held} of {taken} connections of {host}:{port} at most{advice}"


def _takes(url: str) -> int:
    database = Database(url, pool_size=1)
    try:
        with database.reading() as session:
            limits = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            return int(session.scalar(text(limits)))
    finally:
        database.dispose()
