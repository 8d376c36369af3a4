"""Invoicing's settings, read once when its container starts."""

from dataclasses import dataclass
from datetime import timedelta

from services.invoicing.storage import Storage
from shared.database import Database
from shared.settings import Settings


@dataclass(frozen=True)
class Pace:
    """How long invoicing waits: for processors' answer before it says 202, before the sweeper asks again, and before late money
    that could not be given back is given back anew."""

    answer_within: float = 20.0  # seconds; the gateway gives up at 25
    first_check: timedelta = timedelta(seconds=25)
    next_check: timedelta = timedelta(seconds=5)
    returns: tuple[timedelta, ...] = (
        timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=2),
    )  # fmt: skip

    @classmethod
    def read(cls, settings: Settings) -> "Pace":
        faster = settings.time_scale
        return cls(next_check=cls.next_check / faster, returns=tuple(pause / faster for pause in cls.returns))


def open_storage(settings: Settings) -> Storage:
    """Storage on invoicing's own database; money is here, so a commit must survive the power going."""
    return Storage(Database(settings.database_url("invoicing"), pool_size=settings.max_workers, durable=True))
