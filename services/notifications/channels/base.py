"""What every channel that leaves the platform takes and says: a mail in, a plain problem out. `email` serves it; SMS is to fit."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """One message for one address. `id` stays the same over all tries, so that a reader's programme can fold doubles."""

    id: str
    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class NotDelivered(Exception):
    """This try failed. `problem` is for an admin's eyes and holds no address and no words of the other side.

    `for_good`: trying again can't help. `nobody_there`: the server itself is away, so others need not be tried now.
    """

    def __init__(self, problem: str, *, for_good: bool = False, nobody_there: bool = False):
        super().__init__(problem)
        self.problem, self.for_good, self.nobody_there = problem, for_good, nobody_there


class Channel(Protocol):
    """One way out."""

    def send(self, mail: Mail, now: datetime) -> None:
        """Hand the message over; it has been accepted when this returns. Raises NotDelivered."""
        ...
