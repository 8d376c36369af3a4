"""What tax is made of, built once from the settings: its database and its clock."""

from dataclasses import dataclass

from shared.clock import SystemClock
from shared.database import Database
from shared.settings import Settings


@dataclass(frozen=True)
class Room:
    """Everything the use cases are given."""

    db: Database
    clock: SystemClock

    def close(self) -> None:
        self.db.dispose()


def build(settings: Settings) -> Room:
    """The room for one process; a quote can be asked again, so losing the last moments to a power cut is bearable."""
    return Room(Database(settings.database_url("tax"), pool_size=settings.max_workers), SystemClock())
