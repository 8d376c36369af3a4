"""The daily check of each account's credentials: a processor that has begun to refuse them is noticed before a payer meets it."""

import hashlib
import logging
from datetime import datetime, timedelta

from services.processors import storage
from services.processors.config import Room
from services.processors.model import Account
from services.processors.usecases import accounts
from shared.mishap import log_mishap

log = logging.getLogger(__name__)

EVERY, AGAIN = timedelta(days=1), timedelta(hours=1)  # the second where the processor could not be reached
SPREAD = 3600  # seconds: each account comes so much earlier than a day, so that those of one moment drift apart


def check_due(room: Room) -> int:
    """Check every account whose day has passed; how many were checked. One process at a time takes each."""
    with room.database.reading() as session:
        due = storage.taken_out(session, storage.accounts_to_check(session, room.clock.now(), EVERY / room.time_scale))
    checked = 0
    for account in due:
        try:
            checked += _check(account, room)
        except Exception as trouble:
            log_mishap(log, f"checking {account.id}", trouble)
    return checked


def _check(account: Account, room: Room) -> bool:
    now = room.clock.now()
    if account.type not in room.adapters or not _claim(account, room, now + AGAIN / room.time_scale):
        return False
    if not accounts.check_again(account, room):
        log.warning("the credentials of account %s could not be checked; they are tried again later", account.id)
        return False
    with room.database.transaction() as session:
        storage.note_checked(session, account, now + (EVERY - _spread(account)) / room.time_scale)
    return True


def _claim(account: Account, room: Room, again: datetime) -> bool:
    with room.database.transaction() as session:
        return storage.claim_check(session, account, again)


def _spread(account: Account) -> timedelta:
    return timedelta(seconds=int(hashlib.sha256(account.id.encode()).hexdigest(), 16) % SPREAD)
