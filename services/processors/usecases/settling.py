"""What only a person can end: an admin's word on an attempt in review, and the evidence to look at before it is given."""

from services.processors import storage
from services.processors.config import Room
from services.processors.model import NOT_SENT, REVIEW, SUCCEEDED, Attempt
from services.processors.orders import CHARGE, REFUND
from services.processors.usecases.attempting import practice_of, tell_change, told
from shared.caller import ADMIN, PROVIDER, Caller
from shared.faults import Conflict, NotFound
from shared.fields import Record


def settle_charge(caller: Caller, request: Record, room: Room) -> dict:
    """An admin's word on a payment in review: it happened, or it did not. Said twice it is said once.

    Raises Conflict `still_being_checked` while a look-up can still answer, and `settled_otherwise` where it ended another way.
    """
    return told(_settled(caller, request.payment_id, CHARGE, request, room))


def settle_refund(caller: Caller, request: Record, room: Room) -> dict:
    """The same for a refund."""
    return told(_settled(caller, request.refund_id, REFUND, request, room))


def _settled(caller: Caller, subject_id: str, kind: str, request: Record, room: Room) -> Attempt:
    caller.must_be(ADMIN)
    practice_id, now = practice_of(caller), room.clock.now()
    with room.database.transaction() as session:
        row = storage.attempt(session, practice_id, subject_id, lock=True)
        if row is None or row.kind != kind:
            raise NotFound()
        wanted = SUCCEEDED if request.happened else NOT_SENT
        if row.status == REVIEW:
            changes = row.after_a_person(request.happened, caller.member_id, request.reason, now)
            tell_change(session, row, changes, now)
        elif row.status != wanted:
            raise _refusal(row)
    return row


def _refusal(row: Attempt) -> Conflict:
    if row.is_settled:
        return Conflict("settled_otherwise", "It has ended another way meanwhile. Look at the invoice.", allowed_actions=[])
    return Conflict(
        "still_being_checked",
        "The processor can still answer by itself. Ask it again; a person decides only when it can't.",
        allowed_actions=["check"],
    )


def read_evidence(caller: Caller, request: Record, room: Room) -> dict:
    """What is known of these payments and refunds of the practice: where they went, and what look-ups have found so far."""
    caller.must_be(ADMIN, PROVIDER)
    practice_id = practice_of(caller)
    with room.database.reading() as session:
        rows = storage.attempts(session, practice_id, request.ids)
        accounts = {row.account_id: storage.any_account(session, practice_id, row.account_id or "") for row in rows}
        return {"data": [_evidence(row, accounts[row.account_id], room) for row in rows]}


def _evidence(row: Attempt, account, room: Room) -> dict:
    adapter = room.adapters.get(row.processor_type or "")
    return {
        "id": row.id,
        "status": row.shown,
        "processor": adapter.title if adapter else None,
        "account": account.description if account else None,
        "reference": row.reference,
        "sent_at": row.sent_at,
        "look_ups": row.look_ups,
        "not_found": row.absences,
        "processor_code": row.processor_code,
        "next_look_at": row.next_look_up_at,
    }
