"""The line between the sandbox's adapter and its books: requests and answers get lost on it, hang, or arrive late. The books never lie."""

from collections.abc import Callable
from typing import Any

from services.processors.sandbox_books import SandboxBooks
from tests.simulation.scheduler import Scheduler

ASKED = ("charge", "refund", "close_reference", "look", "answer")
HANGS = 8.0  # seconds until the adapter gives an answer up


class LostLine(Exception):
    """What the network's library would raise; the product knows only that something was raised."""


class Bank:
    """SandboxBooks as seen through the line."""

    def __init__(self, books: SandboxBooks):
        self.books = books
        self.scheduler: Scheduler | None = None

    @property
    def clock(self) -> Any:
        return self.books.clock

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.books, name)
        return self._over_the_line(name, verb) if name in ASKED and self.scheduler else verb

    def _over_the_line(self, name: str, verb: Callable) -> Callable:
        scheduler = self.scheduler
        assert scheduler is not None

        def ask(*given: Any, **more: Any) -> Any:
            scheduler.pause(f"bank before {name}")
            if scheduler.happens("bank_drops"):
                scheduler.count("drops")
                raise LostLine
            if scheduler.happens("bank_late") and name in ("charge", "refund"):
                scheduler.count("delays")
                scheduler.after(scheduler.random.choice((0.5, 9.0, 30.0, 400.0)), lambda: verb(*given, **more) and None)
                scheduler.sleep(HANGS)
                raise LostLine
            answer = verb(*given, **more)
            scheduler.pause(f"bank after {name}")
            if scheduler.happens("bank_hangs"):
                scheduler.count("drops")
                scheduler.sleep(HANGS)
                raise LostLine
            if scheduler.happens("bank_loses_answer"):
                scheduler.count("drops")
                raise LostLine
            return answer

        return ask
