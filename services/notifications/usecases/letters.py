"""Letters: mails with a link that works once (invitations, resets). The link is kept sealed until it has left, then erased."""

import json

from services.notifications import storage
from services.notifications.model import EMAIL, WAITING, Delivery, letter_place
from shared.caller import SYSTEM, Caller
from shared.clock import SystemClock
from shared.contract import read
from shared.database import Database
from shared.faults import Invalid, invalid
from shared.fields import Email, Record, Text, Words
from shared.ids import new_id
from shared.keys import KeyRing
from shared.vault import Vault


class Content(Words):
    """What a letter holds when it is opened."""

    to = Email(required=True)
    link = Text(required=True, most=2000, pattern=r"https?://[^\s<>\"]+")


def send_letter(caller: Caller, request: Record, db: Database, clock: SystemClock, keys: KeyRing, vault: Vault) -> dict:
    """Put one letter on its way; the same `letter_id` again changes nothing.

    Raises Forbidden where it was sealed for something else or altered, Invalid where it holds no address or link.
    """
    caller.must_be(SYSTEM)
    content = _opened(caller, request, keys)
    now, delivery_id = clock.now(), new_id("dlv")
    sealed = vault.seal(json.dumps(content).encode(), *letter_place(caller.practice_id, delivery_id))
    with db.transaction() as session:
        storage.lock_practice(session, caller.practice_id)  # so that the same letter twice at once waits here
        if storage.letter_is_here(session, caller.practice_id, request.letter_id):
            return {}
        letter = Delivery(
            id=delivery_id, practice_id=caller.practice_id, kind=request.kind, channel=EMAIL, letter_id=request.letter_id,
            letter=sealed, status=WAITING, tries=0, created_at=now, due_at=now,
        )  # fmt: skip
        session.add(letter)
        return {}


def _opened(caller: Caller, request: Record, keys: KeyRing) -> Record:
    sealed = keys.open(request.sealed, f"letter|{caller.practice_id}|{request.letter_id}")
    try:
        return read(Content, json.loads(sealed))
    except (ValueError, Invalid):
        raise invalid("sealed", "What was sealed holds no address and link.") from None
