"""What a processor sends by itself: a genuine delivery only wakes the look-up of an order. It never carries truth."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.config import Room
from services.processors.model import OVERLAP, Account, credentials_place
from services.processors.orders import Nudge
from services.processors.usecases.attempting import Kept, opened
from shared.caller import SYSTEM, Caller
from shared.faults import Forbidden, NotFound, invalid
from shared.fields import Record
from shared.outbox import heard_before
from shared.tenancy import acting_for_all


@acting_for_all()  # whose account it names is known only when it is found
def receive_webhook(caller: Caller, request: Record, room: Room) -> dict:
    """Take one delivery: its signature is checked over the raw body, it is noted, and the order it names is looked at soon.

    Raises NotFound for an account that is not there, Forbidden where no kept secret made the signature. Twice is once.
    """
    caller.must_be(SYSTEM)
    body, headers = _raw(request.body), {name.lower(): value for name, value in request.headers.items()}
    with room.database.reading() as session:
        account = storage.taken_out(session, storage.account_anywhere(session, request.type, request.processor_id))
        if account is None or account.type not in room.adapters:
            raise NotFound()
        kept = _kept(session, account, room.clock.now())
    now = room.clock.now()
    nudge = _genuine(room.adapters[account.type], (opened(room, one) for one in kept), body, headers, now)
    if nudge is not None:
        with room.database.transaction() as session:
            noted = {"event_id": hashlib.sha256(nudge.event_id.encode()).hexdigest()[:40]}
            if not heard_before(session, noted, f"webhook.{account.id}", now):
                _wake(session, account, nudge, now)
    return {}


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("body", "This is not base64.") from None


def _kept(session: Session, account: Account, now: datetime) -> list[Kept]:
    """The account's credentials, newest first: for a day after one was replaced, what it signed is still genuine."""
    whose = (account.practice_id, account.id)
    rows = storage.credentials_in_use(session, *whose, now - OVERLAP)
    return [Kept(row.sealed, credentials_place(*whose, row.version)) for row in rows]


def _genuine(adapter: Adapter, secrets: Iterable[dict], body: bytes, headers: dict, now: datetime) -> Nudge | None:
    refused = Forbidden("webhook_refused", "The signature is not right.")
    for credentials in secrets:
        try:
            return adapter.read_webhook(credentials, body, headers, now)
        except Forbidden as no:
            refused = no
    raise refused


def _wake(session: Session, account: Account, nudge: Nudge, now: datetime) -> None:
    """The order that is named; where it can't be told which, all that are open at this account."""
    whose = (account.practice_id, account.id)
    found = storage.attempts_named(session, *whose, nudge.reference, nudge.ids) or storage.open_attempts(session, *whose)
    storage.wake(session, found, now)
