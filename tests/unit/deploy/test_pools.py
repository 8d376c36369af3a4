"""The documented sum of database connections is what the services' own pools come to."""

from deploy.pools import GATEWAY_WORKERS, RELAY, pools
from services.gateway.app import create_app
from services.invoicing.config import open_storage
from services.notifications.config import build as build_notifications
from services.processors.config import build as build_processors
from services.tax.config import build as build_tax
from shared.keys import SERVICES, write_keys
from shared.settings import Settings


def test_the_sum_is_what_the_pools_hold(tmp_path):
    """Each service's pool, as it is built for PostgreSQL, has the size that the doctor and the operator's guide count with."""
    write_keys(tmp_path / "keys")
    names = (*SERVICES, "sandbox_books")
    urls = {f"CLIENTBILLING_{name.upper()}_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none" for name in names}
    settings = Settings({"CLIENTBILLING_DATA": str(tmp_path), "CLIENTBILLING_MAX_WORKERS": "17", **urls})
    processors = build_processors(settings)
    held = {
        "gateway": GATEWAY_WORKERS * _size(create_app(settings, object()).extensions["gateway"].database),
        "invoicing": _size(open_storage(settings).database) + RELAY,
        "processors": _size(processors.database) + RELAY,
        "sandbox_books": _size(processors.books.database),
        "tax": _size(build_tax(settings).db),
        "notifications": _size(build_notifications(settings).db),
    }
    assert held == pools(settings)


def _size(database) -> int:
    return database.engine.pool.size()
