"""Declined cards of one invoice, or of one client's cards on file, are counted: five in an hour, and no more are tried for a while."""

from datetime import timedelta
from typing import Any

from services.gateway.people import storage
from services.gateway.people.model import Decline
from services.gateway.people.secrets import derived
from shared.faults import LimitReached
from shared.ids import new_id

MOST, WITHIN = 5, timedelta(hours=1)


def must_be_few(asker: Any, subject_id: str) -> None:
    """Raises LimitReached after the fifth decline of this invoice (or client) within an hour; a repeat of a counted one is told again."""
    now = asker.gateway.clock.now()
    with storage.reading(asker.gateway.database) as s:
        if storage.is_counted(s, asker.practice_id, _id(asker)):
            return
        times = storage.declines_since(s, asker.practice_id, subject_id, now - WITHIN)
    if len(times) >= MOST:
        wait = int((times[-MOST] + WITHIN - now).total_seconds()) + 1
        raise LimitReached("too_many_declines", "Too many cards were declined here. Try again in an hour.", retry_after=wait)


def count(asker: Any, subject_id: str) -> None:
    """One more decline."""
    now = asker.gateway.clock.now()
    with asker.gateway.database.transaction() as s:
        storage.count_decline(s, Decline(id=_id(asker), practice_id=asker.practice_id, invoice_id=subject_id, at=now))


def _id(asker: Any) -> str:
    """One for each request, however often it is repeated: it follows from who asked and their idempotency key."""
    key = asker.caller.key
    if key is None:
        return new_id("dec")
    return "dec_" + derived(asker.gateway.keys.hmac_key, "decline", asker.caller.person_id, key.route, key.value)[:32]
