"""The clock that use cases are given. Nobody asks the time anywhere else, so that tests and demo data can set it."""

from datetime import UTC, datetime


class SystemClock:
    """The real time, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved; for tests and for the demo's past."""

    def __init__(self, at: datetime):
        self.at = at

    def now(self) -> datetime:
        return self.at
