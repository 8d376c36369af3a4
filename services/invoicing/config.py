"""Invoicing's settings, read once when its container starts."""

from dataclasses import dataclass
from datetime import timedelta

from services.invoicing.storage import Storage
from shared.database import Database
from shared.settings import Settings


@dataclass(frozen=True)
class Pace:
    """How long invoicing waits: for processors' answer before it says 202, and before the sweeper asks again."""

    answer_within: float = 20.0  # seconds; the gateway gives up at 25
    first_check: timedelta = timedelta(seconds=25)
    next_check: timedelta = timedelta(seconds=5)

    @classmethod
    def read(cls, settings: Settings) -> "Pace":
        return cls(next_check=timedelta(seconds=5 / settings.time_scale))


def open_storage(settings: Settings) -> Storage:
    """Storage on invoicing's own database; money is here, so a commit must survive the power going."""
    return Storage(Database(settings.database_url("invoicing"), pool_size=settings.max_workers, durable=True))
