"""Taking a payment, once: the attempt is committed before the processor is asked, and no attempt is sent twice."""

from dataclasses import replace

from services.processors import storage
from services.processors.config import Room
from services.processors.model import (
    CREATED,
    ON_FILE,
    PENDING,
    PREPARED,
    REQUIRES_ACTION,
    SENDING,
    TOMBSTONE,
    Account,
    Attempt,
    reference_of,
)
from services.processors.orders import CHARGE, NEEDS_PAYER, NOT_KNOWN, NOT_SENT, Means, Outcome
from services.processors.orders import PREPARED as READY_TO_SEND
from services.processors.usecases import attempting, cards, failing_over, looking_up
from services.processors.usecases.attempting import advance, ask, practice_of, settle, told
from services.processors.usecases.opening import opened_means
from shared.caller import Caller
from shared.faults import Conflict, NotFound, invalid
from shared.fields import Record
from shared.killpoints import reach


def charge(caller: Caller, request: Record, room: Room) -> dict:
    """Charge a card; the outcome as it stands when the processor has answered, or `pending` if another is at it.

    On the processor's own page it is `requires_action`, with where the payer goes. Twice with the same payment_id is once: the
    second is answered from the row, whatever it says by then. Raises Conflict `no_processor` where the practice has no active
    account, `card_entry` where that takes cards another way, `payments_closed` after a restore, Forbidden where the card was
    sealed for something else.
    """
    practice_id = practice_of(caller)
    if standing := attempting.read(room, practice_id, request.payment_id):
        return told(_a_charge(standing))
    means = _means(caller, request, room)
    reach("pay.before_insert")
    row, ours = _begin(request, means, practice_id, room)
    if not ours:
        return told(_a_charge(row))
    if row.status == TOMBSTONE:
        raise _why_not(row)
    reach("pay.after_insert")
    if means is None:
        return told(settle(room, row, Outcome(NOT_SENT, refusal="processor_unavailable"), points="pay"))
    return told(_open_page(room, row, means) if means.on_page else _carry_out(room, row, means))


def _why_not(row: Attempt) -> Conflict:
    if row.processor_code == attempting.CLOSED:
        return attempting.payments_closed()
    if row.failure_code == "invalid_request":
        return Conflict("card_entry", "The practice takes cards another way by now. Open the pay page again.")
    return Conflict("no_processor", "The practice can't take cards yet.")


def _a_charge(row: Attempt) -> Attempt:
    if row.kind != CHARGE:
        raise NotFound()
    return row


def _means(caller: Caller, request: Record, room: Room) -> Means | None:
    """What the payer pays with; None where what was sealed is past its time. Raises Invalid unless it is one way of the three."""
    ways = (request.sealed_card, request.return_url, request.card_id)
    if len([way for way in ways if way is not None]) != 1:
        raise invalid("card", "Send a card, one on file, or where the payer comes back to.")
    if request.return_url is not None:
        return Means(return_url=request.return_url)
    if request.card_id is not None:
        return cards.on_file(room, caller, request.card_id, request.client_id)
    info = f"card|{caller.practice_id}|{request.invoice_id}|{request.payment_id}"
    return opened_means(room, request.sealed_card, info)


def _begin(request: Record, means: Means | None, practice_id: str, room: Room) -> tuple[Attempt, bool]:
    """The attempt with its lease; where no account can take it a tombstone, so that a repeat can't charge later."""
    now = room.clock.now()
    row = Attempt(
        practice_id=practice_id, id=request.payment_id, number=1, kind=CHARGE, payment_id=request.payment_id,
        invoice_id=request.invoice_id, amount=request.amount, currency=request.currency, status=TOMBSTONE, version=1,
        processor_ids={}, look_ups=0, absences=0, created_at=now,
    )  # fmt: skip
    with room.database.transaction() as session:
        account = storage.active_account(session, practice_id, hold=True)
        if account is None:
            row.failure_code, row.settled_at = "processor_unavailable", now
        elif account.closed_at:
            row.failure_code, row.processor_code, row.settled_at = "processor_unavailable", attempting.CLOSED, now
        elif means is not None and not _taken(account, means, room):
            row.failure_code, row.settled_at = "invalid_request", now
        else:
            row.card_entry = ON_FILE if means and means.on_file else account.card_entry
            row.on_page = bool(means and means.on_page)
            row.account_id, row.processor_type = account.id, account.type
            row.credentials_version = account.credentials_version
            row.reference = reference_of(room.keys.hmac_key, row.id, account.id, row.number)
            row.status, row.lease_until = CREATED, attempting.lease(room, room.adapters[account.type])
        ours = storage.add_attempt(session, row)
        standing = row if ours else storage.attempt(session, practice_id, row.id)
    assert standing is not None
    return standing, ours


def _taken(account: Account, means: Means, room: Room) -> bool:
    adapter = room.adapters[account.type]
    return account.takes(means, has_page="hosted_page" in adapter.card_entry, takes_tokens=adapter.takes_tokens)


def _open_page(room: Room, row: Attempt, means: Means) -> Attempt:
    """Open the processor's page. Its address leaves here only once it is committed: before that nobody can pay on it."""
    lease = attempting.lease(room, room.adapters[row.processor_type or ""])
    opening = advance(room, row, sent_at=room.clock.now(), lease_until=lease)
    if opening is None:
        return _overtaken(room, row, Outcome(NOT_SENT))
    reach("page.before_open")
    opened = ask(room, "open_page", opening, means)
    if opened.next_action:
        opened = replace(opened, next_action={**opened.next_action, "page": True})
    reach("page.after_open")
    standing = settle(room, opening, _nothing_moved(opened), points="page")
    if opened.status == NEEDS_PAYER and standing.status != REQUIRES_ACTION:
        return _overtaken(room, opening, opened)
    return standing


def _carry_out(room: Room, row: Attempt, means: Means) -> Attempt:
    """Prepare, commit what makes it findable, commit that it is being sent, send, record. Each step only from the one before."""
    adapter = room.adapters[row.processor_type or ""]
    reach("pay.before_prepare")
    prepared = ask(room, "prepare", row, means)
    reach("pay.after_prepare")
    if prepared.status != READY_TO_SEND:
        return _go_on(room, row, means, prepared) or settle(room, row, _nothing_moved(prepared), points="pay")
    found = {"processor_ids": prepared.ids, "card_brand": prepared.brand, "card_last4": prepared.last4}
    ready = advance(room, row, status=PREPARED, lease_until=attempting.lease(room, adapter), **found)
    if ready is None:
        return _overtaken(room, row, prepared)
    sending = advance(room, ready, status=SENDING, sent_at=room.clock.now(), lease_until=attempting.lease(room, adapter))
    if sending is None:
        return _overtaken(room, row, prepared)
    reach("pay.before_send")
    outcome = ask(room, "charge", sending, means)
    reach("pay.after_send")
    if elsewhere := _go_on(room, sending, means, outcome):
        return elsewhere
    outcome = attempting.take_back_a_part(room, sending, outcome)
    outcome = outcome.as_asked(sending.amount or 0, sending.currency or "")
    reach("pay.after_reply")
    return settle(room, sending, outcome, points="pay")


def _go_on(room: Room, row: Attempt, means: Means, outcome: Outcome) -> Attempt | None:
    """How it ends at the practice's next account, where this outcome lets it go there."""
    following = failing_over.next_try(room, row, outcome)
    if following is None:
        return None
    reach("failover.gone_on")
    return _carry_out(room, following, means)


def _nothing_moved(prepared: Outcome) -> Outcome:
    """Preparing moves no money, so not knowing how it ended is as good as not having begun."""
    if prepared.status == NOT_KNOWN:
        return replace(prepared, status=NOT_SENT, refusal=prepared.refusal or "processor_unavailable")
    return prepared


def _overtaken(room: Room, row: Attempt, prepared: Outcome) -> Attempt:
    """The lease ran out while we prepared, and the attempt is over: close what was prepared, answer what stands."""
    row.processor_ids = {**row.processor_ids, **prepared.ids}
    ask(room, "cancel", row)
    standing = attempting.read(room, row.practice_id, row.id)
    assert standing is not None
    return standing


def cancel_charge(caller: Caller, request: Record, room: Room) -> dict:
    """Give up a payment that waits for the payer or whose outcome is unknown; the processor has the last word.

    A charge that is under way stays pending; one that has happened is answered as succeeded.
    """
    row = looking_up.standing(room, practice_of(caller), request.payment_id, CHARGE)
    if row.status in looking_up.ASKABLE:
        reach("cancel.before_send")
        outcome = ask(room, "void" if row.status == PENDING else "cancel", row)
        reach("cancel.after_send")
        row = settle(room, row, outcome, scheduled=False, points="cancel")
    return told(row)


def answer_sandbox(caller: Caller, request: Record, room: Room) -> dict:
    """Complete what the sandbox's pretended bank asked the payer; NotFound where the sandbox has no such payment."""
    row = attempting.read(room, practice_of(caller), request.payment_id)
    if row is None or row.processor_type != "sandbox" or row.kind != CHARGE:
        raise NotFound()
    if row.status == REQUIRES_ACTION:
        room.books.answer(row.reference or "", request.approve)
        row = settle(room, row, ask(room, "find", row), scheduled=False)
    return told(row)
