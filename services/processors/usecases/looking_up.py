"""Finding out how attempts stand: by question, and by the timer that ends leases and looks up what is open."""

import logging
from collections.abc import Callable
from datetime import timedelta

from services.processors import storage
from services.processors.config import Room
from services.processors.model import IN_FLIGHT, NOTHING_MOVED, OPEN, REQUIRES_ACTION, TO_SETTLE, Attempt
from services.processors.orders import CANCELED, CHARGE, NOT_KNOWN, REFUND, Outcome
from services.processors.usecases import refunding
from services.processors.usecases.attempting import (
    LEASE_BEYOND,
    advance,
    ask,
    bury,
    end_lease,
    look,
    practice_of,
    read,
    settle,
    told,
)
from shared.caller import ADMIN, PROVIDER, SYSTEM, Caller
from shared.faults import NotFound
from shared.fields import Record
from shared.mishap import log_mishap

log = logging.getLogger(__name__)

ASKABLE = OPEN  # an open attempt is the only kind that a question to the processor can teach anything about
SILENT_FOR = timedelta(seconds=20)  # for which the other look-ups at an account that did not answer are put off
AT_ONCE, TURNS = 20, 10  # attempts that one turn of the timer works on, and turns of one run: after an outage many are due


def standing(room: Room, practice_id: str, subject_id: str, kind: str) -> Attempt:
    """The attempt under an id: a tombstone for one never seen, and one whose lease has run out taken to its next state."""
    row = read(room, practice_id, subject_id) or bury(room, practice_id, subject_id, kind)
    if row.kind != kind:
        raise NotFound()
    if row.status in IN_FLIGHT and not row.leased(room.clock.now()):
        row = end_lease(room, row)
    return row


def read_charge(caller: Caller, request: Record, room: Room) -> dict:
    """How a charge stands. An id never seen is closed for good and `not_sent`; one that may be under way is `pending`."""
    return told(standing(room, practice_of(caller), request.payment_id, CHARGE))


def read_refund(caller: Caller, request: Record, room: Room) -> dict:
    """The same for a refund."""
    caller.must_be(ADMIN, PROVIDER, SYSTEM)
    return told(standing(room, practice_of(caller), request.refund_id, REFUND))


def check_charge(caller: Caller, request: Record, room: Room) -> dict:
    """Ask the processor now, where that can teach anything, and answer how the charge stands then."""
    return told(_checked(room, standing(room, practice_of(caller), request.payment_id, CHARGE)))


def check_refund(caller: Caller, request: Record, room: Room) -> dict:
    """The same for a refund."""
    caller.must_be(ADMIN, PROVIDER, SYSTEM)
    return told(_checked(room, standing(room, practice_of(caller), request.refund_id, REFUND)))


def cancel_refund(caller: Caller, request: Record, room: Room) -> dict:
    """Give up a refund that waits for its charge to settle; one that was sent can't be called back and is looked at instead."""
    caller.must_be(ADMIN, PROVIDER, SYSTEM)
    row = standing(room, practice_of(caller), request.refund_id, REFUND)
    if row.status == TO_SETTLE:
        row = settle(room, row, Outcome(CANCELED), only=TO_SETTLE)  # the timer may have begun to send it in this moment
    return told(row if row.status in NOTHING_MOVED else _checked(room, row))


def _checked(room: Room, row: Attempt) -> Attempt:
    if row.status == TO_SETTLE:
        return refunding.send(room, row)
    return settle(room, row, look(room, row), scheduled=False) if row.status in ASKABLE else row


def settle_due(room: Room) -> int:
    """One run of the timer, turn after turn while turns are full. Returns how many attempts were worked on."""
    worked = 0
    for _ in range(TURNS):
        turn = _one_turn(room)
        worked += turn
        if turn < AT_ONCE:
            break
    return worked


def _one_turn(room: Room) -> int:
    """End the leases that ran out, look up what is due."""
    now = room.clock.now()
    with room.database.reading() as session:
        over = storage.taken_out(session, storage.run_out(session, now, AT_ONCE))
    worked = _each(over, lambda row: end_lease(room, row))
    with room.database.reading() as session:
        due = storage.taken_out(session, storage.due_for_look_up(session, now, AT_ONCE))
    silent: set[tuple[str, str | None]] = set()
    return worked + _each(due, lambda row: _look_up(room, row, silent))


def _each(rows: list[Attempt], work: Callable[[Attempt], object]) -> int:
    """Work on each row; one that trips is logged, and those after it have their turn. Returns how many were worked on."""
    worked = 0
    for row in rows:
        try:
            worked += bool(work(row))
        except Exception as trouble:
            log_mishap(log, f"settling {row.reference}", trouble)
    return worked


def _look_up(room: Room, row: Attempt, silent: set) -> int:
    """One look-up that is due, unless another process claims it first or its processor has just been silent."""
    whose, now = (row.practice_id, row.account_id), room.clock.now()
    adapter = room.adapters[row.processor_type or ""]
    scheduled = row.next_look_up_at is not None and row.next_look_up_at <= now
    which = "next_look_up_at" if scheduled else "woken_at"
    if whose in silent:
        advance(room, row, **{which: now + SILENT_FOR / room.time_scale})  # others have their turn meanwhile
        return 0
    if row.status == TO_SETTLE:
        log.info("tried %s again: %s", row.reference, refunding.send(room, row).status)
        return 1
    claimed = advance(room, row, **{which: now + 2 * timedelta(seconds=adapter.read_deadline) + LEASE_BEYOND})
    if claimed is None:
        return 0
    over = claimed.status == REQUIRES_ACTION and claimed.expires_at is not None and claimed.expires_at <= room.clock.now()
    outcome = ask(room, "cancel", claimed) if over else look(room, claimed)
    if outcome.status == NOT_KNOWN and not outcome.absent:
        silent.add(whose)
    after = settle(room, claimed, outcome, scheduled=scheduled)
    log.info("looked up %s: %s", after.reference, after.status)
    return 1
