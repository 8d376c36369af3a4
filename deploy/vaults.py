"""What the vaults of all services hold, by their databases: where envelopes lie, and whether every one of them can be opened."""

import importlib
from collections.abc import Iterator

from shared.database import Database
from shared.envelopes import Envelopes
from shared.settings import Settings

MODELS = {
    "gateway": "services.gateway.people.model",
    "processors": "services.processors.model",
    "notifications": "services.notifications.model",
}


def envelopes_of(service: str) -> tuple[Envelopes, ...]:
    """The columns of a service that hold envelopes; none for one that keeps no secret."""
    return importlib.import_module(MODELS[service]).ENVELOPES if service in MODELS else ()


def missing_keys(settings: Settings, service: str) -> Iterator[str]:
    """The ids of keys that stored secrets of a service need and that are not held here."""
    vault, database = settings.vault(service), Database(settings.database_url(service), pool_size=1)
    try:
        for envelopes in envelopes_of(service):
            with database.reading() as session:
                yield from (key_id for key_id in envelopes.key_ids(session, set()) if not vault.holds(key_id))
    finally:
        database.dispose()
