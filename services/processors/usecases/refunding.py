"""Giving a payment back, once: the same machine as a charge, and never more than was charged."""

from services.processors import storage
from services.processors.config import Room
from services.processors.model import CREATED, SENDING, SUCCEEDED, TOMBSTONE, Attempt, reference_of
from services.processors.orders import CHARGE, DECLINED, REFUND, Outcome
from services.processors.usecases import attempting
from services.processors.usecases.attempting import advance, ask, practice_of, settle, told
from shared.caller import ADMIN, PROVIDER, SYSTEM, Caller
from shared.faults import Conflict, NotFound
from shared.fields import Record
from shared.killpoints import reach

_TOO_MUCH = Outcome(DECLINED, refusal="invalid_request")


def refund(caller: Caller, request: Record, room: Room) -> dict:
    """Give back a part of a charge; the outcome as it stands when the processor has answered.

    Twice with the same refund_id is once. More than is left of the charge, or of a charge that did not happen, is
    `declined`. Raises NotFound for a payment that this practice never made, Conflict `payments_closed` after a restore and
    `no_processor` where the account that took it is gone.
    """
    caller.must_be(ADMIN, PROVIDER, SYSTEM)
    practice_id = practice_of(caller)
    if standing := attempting.read(room, practice_id, request.refund_id):
        return told(_a_refund(standing))
    reach("refund.before_insert")
    row, ours, fits = _begin(request, practice_id, room)
    if not ours:
        return told(_a_refund(row))
    reach("refund.after_insert")
    return told(_carry_out(room, row) if fits else settle(room, row, _TOO_MUCH, points="refund"))


def _a_refund(row: Attempt) -> Attempt:
    if row.kind != REFUND:
        raise NotFound()
    return row


def _begin(request: Record, practice_id: str, room: Room) -> tuple[Attempt, bool, bool]:
    """The attempt with its lease, whether it is ours, and whether so much is left; the charge is held meanwhile."""
    with room.database.transaction() as session:
        charge = storage.attempt(session, practice_id, request.payment_id, lock=True)
        if charge is None or charge.kind != CHARGE or charge.status == TOMBSTONE:
            raise NotFound()
        left = (charge.amount or 0) - storage.given_back(session, practice_id, charge.id)
        fits = charge.status == SUCCEEDED and charge.currency == request.currency and request.amount <= left
        account = storage.any_account(session, practice_id, charge.account_id or "")
        if account is None:
            raise Conflict("no_processor", "The account that took this payment is not here any more.")
        if account.closed_at:
            raise attempting.payments_closed()
        row = Attempt(
            practice_id=practice_id, id=request.refund_id, number=1, kind=REFUND, payment_id=charge.id,
            invoice_id=charge.invoice_id, account_id=account.id, processor_type=account.type,
            credentials_version=account.credentials_version,
            reference=reference_of(room.keys.hmac_key, request.refund_id, account.id, 1),
            amount=request.amount, currency=request.currency, status=CREATED, version=1, processor_ids={},
            look_ups=0, absences=0, created_at=room.clock.now(),
            lease_until=attempting.lease(room, room.adapters[account.type]),
        )  # fmt: skip
        ours = storage.add_attempt(session, row)
        standing = row if ours else storage.attempt(session, practice_id, row.id)
    assert standing is not None
    return standing, ours, fits


def _carry_out(room: Room, row: Attempt) -> Attempt:
    """Commit that it is being sent, send, record. There is nothing to prepare: the charge's ids are known."""
    reach("refund.before_prepare")
    reach("refund.after_prepare")
    return send(room, row)


def send(room: Room, row: Attempt) -> Attempt:
    """Send a refund that certainly was not given back yet: a new one, or one that waited for its charge to settle."""
    until = attempting.lease(room, room.adapters[row.processor_type or ""])
    sending = advance(room, row, status=SENDING, sent_at=room.clock.now(), lease_until=until, next_look_up_at=None, woken_at=None)
    if sending is None:
        standing = attempting.read(room, row.practice_id, row.id)
        assert standing is not None
        return standing
    reach("refund.before_send")
    outcome = ask(room, "refund", sending)
    reach("refund.after_send")
    outcome = outcome.as_asked(sending.amount or 0, sending.currency or "")
    reach("refund.after_reply")
    return settle(room, sending, outcome, points="refund")
