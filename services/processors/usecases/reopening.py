"""After a restore: an admin's word that what a closed account's list shows, and these records lack, is dealt with."""

import logging

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.config import Room
from services.processors.usecases.accounts import admin_of, described
from services.processors.usecases.repeating import once
from shared.caller import Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict
from shared.fields import Record
from shared.told import Told

log = logging.getLogger(__name__)


def open_payments(caller: Caller, request: Record, room: Room) -> Told:
    """Open an account; the practice's payments open when no other one waits.

    Also of a removed account, and of one whose list can't be had. Raises Conflict `not_compared_yet` while the list can't be complete.
    """
    practice_id = admin_of(caller)

    def act(session: Session) -> dict:
        storage.hold_accounts(session, practice_id)
        account = storage.lost_account(session, practice_id, request.processor_id)
        if account.restored_to is not None:
            if not account.can_open(room.clock.now(), room.all_listed_after):
                raise Conflict(
                    "not_compared_yet",
                    "What was begun before the restore may not be in the processor's own list yet. The account's page says when it is.",
                    allowed_actions=[],
                )
            log.info("payments of account %s are opened by %s", account.id, caller.member_id)
            storage.note_read(session, account)
            session.refresh(account)
        return described(account, room)

    return once(room, caller, Processors.open_payments, act)
