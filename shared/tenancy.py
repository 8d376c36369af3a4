"""Whose rows the work in hand may touch: one practice's, or all of them for the named exceptions. The database keeps to it.

It is the second lock: every query takes the practice by itself. Said per green thread or thread (a new one begins with
nothing said, and then sees no row); `shared.database` tells PostgreSQL with each transaction, whose policies are in `shared.roles`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

SETTING = "clientbilling.practice"
EVERY_PRACTICE = "*"
_acting: ContextVar[str] = ContextVar("clientbilling_practice", default="")


@contextmanager
def acting_in(practice_id: str) -> Iterator[None]:
    """What is done inside reaches this practice's rows only."""
    if practice_id == EVERY_PRACTICE:
        raise ValueError("A practice has an id of its own.")
    with _acting_as(practice_id):
        yield


@contextmanager
def acting_for_all() -> Iterator[None]:
    """What is done inside reaches every practice's rows: timers, the relay, recognising who asks, operators' commands."""
    with _acting_as(EVERY_PRACTICE):
        yield


@contextmanager
def _acting_as(whom: str) -> Iterator[None]:
    token: Token[str] = _acting.set(whom)
    try:
        yield
    finally:
        _acting.reset(token)


def acting() -> str:
    """The practice's id, EVERY_PRACTICE, or nothing where nobody has said."""
    return _acting.get()
