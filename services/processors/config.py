"""What one process of processors works with, made once from the settings. No rule lives here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.processors.adapters.base import Adapter
from services.processors.adapters.register import build_adapters
from services.processors.model import LISTS_LAG, PAGES_LAST
from services.processors.sandbox_books import SandboxBooks
from shared.clock import SystemClock
from shared.database import Database
from shared.keys import KeyRing
from shared.settings import Settings
from shared.vault import Vault


@dataclass(frozen=True)
class Room:
    """The collaborators of every use case: storage, the processors' adapters, keys and the clock."""

    database: Database
    adapters: Mapping[str, Adapter]
    keys: KeyRing
    vault: Vault
    clock: Any
    books: SandboxBooks
    time_scale: float = 1.0

    @property
    def lists_lag(self) -> timedelta:
        """How old something must be to be in a processor's own list, where that decides what opens again."""
        return LISTS_LAG / self.time_scale

    @property
    def all_listed_after(self) -> timedelta:
        """So long after an account was closed everything is listed that was begun before, paid on a page to its last minute too."""
        return (LISTS_LAG + PAGES_LAST) / self.time_scale

    def close(self) -> None:
        self.books.close()
        self.database.dispose()


def build(settings: Settings) -> Room:
    """The room that these settings describe; opens nothing yet."""
    clock, keys = SystemClock(), settings.keys("processors")
    books = SandboxBooks.of(settings, clock)
    return Room(
        database=Database(settings.database_url("processors"), pool_size=settings.max_workers + 2),
        adapters=build_adapters(settings, books),
        keys=keys,
        vault=settings.vault("processors"),
        clock=clock,
        books=books,
        time_scale=settings.time_scale,
    )
