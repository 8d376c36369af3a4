"""Paying by card: the payment is committed before anybody is asked for money, and settled once by whoever learns the end first."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from services.invoicing import ledger
from services.invoicing.config import Pace
from services.invoicing.model import Client, Invoice, Payment
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import failing, news, showing
from services.invoicing.usecases.sending import about
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Fault, Forbidden, NotFound, Refused, Rejected, Unavailable, invalid
from shared.fields import Record
from shared.killpoints import reach
from shared.told import Told

# what processors say of a charge -> the payment's status
FROM_OUTCOME = {
    "succeeded": "succeeded", "declined": "failed", "not_sent": "failed", "canceled": "canceled", "requires_action": "requires_action",
    "pending": "pending", "unknown": "unknown", "review": "review",
}  # fmt: skip
NOT_THE_PAYERS_FAULT = ("processor_credentials_refused", "processor_unavailable", "invalid_request", "unknown")
# processors' words for a page that shows what is so no longer, and for a practice that takes no cards (yet, or for now)
OUT_OF_DATE = ("card_entry", "card_not_on_file", "no_processor", "payments_closed")
NOT_CHARGED = "The card was not charged: the payment did not reach the processor. You can try again."


def pay_invoice(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Take one payment; the answer is the payment as it stands after at most some 22 seconds.

    Twice with the same key is once. Raises Conflict (another payment is live, or nothing is due), Refused (the card), Rejected
    (the practice's account at the processor), NotFound (not this practice's, or not theirs). What is not known stays live.
    """
    _must_be_allowed(caller, request)
    with storage.transaction() as tx:
        now = clock.now()
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        payment = tx.payment_by_id(caller.practice_id, request.payment_id)
        if payment is None:
            if told := tx.recall(caller, now, request.payment_id):
                return _replay(told)
            payment = _begin(tx, invoice, caller, request, now, pace)
        elif payment.invoice_id != invoice.id:
            raise NotFound()
        live = payment.is_live  # a message that comes again after the payment has ended asks nobody for money
        order = {
            "payment_id": payment.id, "invoice_id": invoice.id, "amount": payment.amount, "currency": payment.currency,
            "sealed_card": request.sealed_card, "return_url": request.return_url, "card_id": request.card_id,
            "client_id": invoice.client_id if request.card_id else None,
        }  # fmt: skip
    reach("pay.begun")
    outcome = _ask(bus, order, caller, pace) if live else None
    reach("pay.told")
    return _answer(caller, request.payment_id, outcome, storage, clock, pace)


def _must_be_allowed(caller: Caller, request: Record) -> None:
    """The client pays by any means; staff charge a card on file. Raises Forbidden."""
    if caller.role == CLIENT:
        return
    caller.must_be(ADMIN, PROVIDER)
    if request.card_id is None:
        raise Forbidden("clients_pay", "Only the client types a card. Staff can charge a card that the client keeps on file.")


def _ask(bus: Any, order: dict, caller: Caller, pace: Pace) -> Record | None:
    try:
        return bus.ask(Processors.charge, order, caller.with_key(None), within=pace.answer_within).data
    except Unavailable:  # not known here, as it may have broken after charging; the sweeper asks, and closes what never came
        return None
    except Fault as refused:  # a definite no before any money moved
        return _never_sent(order["payment_id"], refused)


def _begin(tx: Tx, invoice: Invoice, caller: Caller, request: Record, now: datetime, pace: Pace) -> Payment:
    invoice.must_allow("pay", CLIENT, False)
    amount = invoice.balance_due if request.amount is None else request.amount
    if amount > invoice.balance_due:
        raise invalid("amount", "This is more than what is due.")
    if amount != invoice.balance_due and not tx.practice(invoice.practice_id).partial_payments:
        raise invalid("amount", "This practice takes the whole balance at once.")
    payment = Payment(
        id=request.payment_id, practice_id=invoice.practice_id, invoice_id=invoice.id, client_id=invoice.client_id, status="pending",
        method="card", amount=amount, applied=0, credited=0, refunded=0, held=0, currency=invoice.currency, created_at=now,
        check_at=now + pace.first_check, charged_by=_charged_by(caller, request),
    )  # fmt: skip
    try:
        tx.add(payment)
    except IntegrityError:
        raise Conflict("payment_in_progress", "Another payment of this invoice is still being worked on.") from None
    invoice.live_payment_id = payment.id
    invoice.version += 1
    return payment


def _charged_by(caller: Caller, request: Record) -> dict[str, Any] | None:
    if caller.role == CLIENT:
        return None
    return {"role": caller.role, "member_id": caller.member_id, "name": caller.name, "reason": request.reason}


def _never_sent(payment_id: str, refused: Fault) -> Record:
    failure = {"code": "processor_unavailable", "message": refused.detail or NOT_CHARGED, "processor_code": refused.code}
    return Record(payment_id=payment_id, status="not_sent", failure=Record(failure))


def _answer(caller: Caller, payment_id: str, outcome: Record | None, storage: Storage, clock: Any, pace: Pace) -> Told:
    with storage.transaction() as tx:
        if outcome is not None:
            settle(tx, outcome, caller.practice_id, clock.now(), pace)
        told = tx.keep_first(payment_id, *kept_answer(tx.payment(caller, payment_id)))
        reach("pay.before_booked")
    reach("pay.booked")
    return _replay(told)


def kept_answer(payment: Payment) -> tuple[str, int]:
    """The exact answer to the payer who began this payment: 201, 202 while it is live, or a fault's text with 402 or 502."""
    payer = Caller(payment.practice_id, CLIENT, member_id=payment.client_id)
    text = showing.text_of(Invoicing.pay_invoice, showing.payment_of(payment, payer))
    if payment.status not in ("failed", "canceled"):
        return text, 201 if payment.status == "succeeded" else 202
    shown = json.loads(text)
    failure = shown["failure"] or {"code": "unknown", "message": NOT_CHARGED, "processor_code": None}
    family, code, status = _family(failure)
    fault = family(code, failure["message"], reason=failure["code"], processor_code=failure.get("processor_code"), payment=shown)
    return json.dumps(fault.to_wire(), ensure_ascii=False, separators=(",", ":")), status


def _family(failure: dict) -> tuple[type[Fault], str, int]:
    """How a failure is answered: what the payer's page did not know yet, what the practice has to mend, or the card's no."""
    if failure.get("processor_code") in OUT_OF_DATE:
        return Conflict, failure["processor_code"], 409
    if failure["code"] in NOT_THE_PAYERS_FAULT:
        return Rejected, "processor_rejected", 502
    return Refused, "card_declined", 402


def _replay(told: Told) -> Told:
    if told.status in (402, 409, 502):
        fault = Fault.from_wire(json.loads(told.text))
        fault.replayed = told.replayed
        raise fault
    return told


def settle(tx: Tx, outcome: Record, practice_id: str, now: datetime, pace: Pace) -> None:
    """Write down how a charge of this practice ended or stands. The same outcome again changes nothing; another one is worked.

    Every door comes through here: the answer to the call, the event, the sweeper and a person's check.
    """
    payment = tx.payment_by_id(practice_id, outcome.payment_id)
    if payment is None:
        return
    invoice = tx.invoice(Caller.system(practice_id), payment.invoice_id, lock=True)
    payment = tx.payment_by_id(practice_id, outcome.payment_id)  # as it stands now that nobody else can settle it
    assert payment is not None
    status = FROM_OUTCOME[outcome.status]
    if payment.status == "succeeded" or payment.status == status == "failed" or (not payment.is_live and status != "succeeded"):
        return
    _note_processor(payment, outcome)
    if status == "succeeded":
        _succeed(tx, invoice, payment, now)
    elif status in ("failed", "canceled"):
        _fail(tx, invoice, payment, status, now)
    else:
        _stay_live(tx, invoice, payment, status, outcome, now, pace)
    tx.session.flush()
    if not payment.is_live:
        tx.keep_first(payment.id, *kept_answer(payment))


def _note_processor(payment: Payment, outcome: Record) -> None:
    payment.processor_type = outcome.get("processor_type") or payment.processor_type
    payment.processor_id = outcome.get("processor_id") or payment.processor_id
    payment.processor_reference = outcome.get("reference") or payment.processor_reference
    payment.card = dict(outcome.card) if outcome.get("card") else payment.card
    payment.failure = dict(outcome.failure) if outcome.get("failure") else None


def _succeed(tx: Tx, invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Apply what the invoice can take; the rest is late money, booked to the client's credit and given back by itself."""
    free = invoice.status == "open" and invoice.live_payment_id in (None, payment.id)
    applied = min(payment.amount, invoice.balance_due) if free else 0
    late = payment.amount - applied
    payment.status, payment.settled_at, payment.check_at, payment.next_action = "succeeded", now, None, None
    payment.applied, payment.credited = applied, late
    client = tx.client(Caller.system(invoice.practice_id), invoice.client_id, lock=True)
    _end_live(invoice, payment)
    invoice.amount_paid += applied
    invoice.rebalance(now)
    tx.session.flush()
    postings = [("processor_clearing", payment.amount), ("receivable", -applied), ("client_credit", -late)]
    ledger.post(tx.session, "card_payment" if applied else "late_money", about(invoice, payment.id), postings, now)
    card = f" {payment.card['brand'].capitalize()} ending {payment.card['last4']}" if payment.card else " card"
    tx.remember(invoice, _who(tx, payment), now, "paid", f"Paid by{card}{_why(payment)}", payment.amount)
    news.tell(tx, Invoicing.payment_received, invoice, payment.amount, now)
    if late:
        _return_late_money(tx, invoice, client, payment, late, now)


def _why(payment: Payment) -> str:
    """Why staff charged a card on file, in the client's timeline; nothing where the payer paid."""
    if not payment.charged_by:
        return ""
    reason = payment.charged_by["reason"]
    return f", a card on file, charged because: {reason}" if reason else ", a card on file"


def _return_late_money(tx: Tx, invoice: Invoice, client: Client, payment: Payment, late: int, now: datetime) -> None:
    client.credit += late
    tx.add(failing.late_money_back(invoice, payment.id, late, now, now))
    text = "Money arrived that this invoice could no longer take; it is given back"
    tx.remember(invoice, Caller.system(invoice.practice_id), now, "late_money", text, late)


def _fail(tx: Tx, invoice: Invoice, payment: Payment, status: str, now: datetime) -> None:
    payment.status, payment.settled_at, payment.check_at, payment.next_action = status, now, None, None
    if payment.failure is None and status == "failed":
        payment.failure = {"code": "processor_unavailable", "message": NOT_CHARGED, "processor_code": None}
    if payment.failure is None:
        payment.failure = {"code": "unknown", "message": "This payment was canceled; nothing was charged.", "processor_code": None}
    _end_live(invoice, payment)
    invoice.version += 1
    what = "Payment canceled" if status == "canceled" else f"Payment failed: {payment.failure['message']}"
    tx.remember(invoice, _who(tx, payment), now, "payment_" + status, what[:500], payment.amount)
    if status == "failed":
        news.tell(tx, Invoicing.payment_failed, invoice, payment.amount, now)


def _stay_live(tx: Tx, invoice: Invoice, payment: Payment, status: str, outcome: Record, now: datetime, pace: Pace) -> None:
    if payment.status != status and status in ("unknown", "review"):
        text = "Checking with the processor" if status == "unknown" else "The processor can't tell; a person has to look"
        tx.remember(invoice, Caller.system(invoice.practice_id), now, "payment_" + status, text, payment.amount)
    payment.status = status
    if status != "requires_action":
        payment.next_action = None
    elif outcome.get("next_action"):  # news leaves it out: it may hold what only the payer should see
        payment.next_action = outcome.next_action
    payment.check_at = max(now + pace.next_check, outcome.get("next_look_at") or now)


def _end_live(invoice: Invoice, payment: Payment) -> None:
    if invoice.live_payment_id == payment.id:
        invoice.live_payment_id = None


def _who(tx: Tx, payment: Payment) -> Caller:
    if staff := payment.charged_by:
        return Caller(payment.practice_id, staff["role"], member_id=staff["member_id"], name=staff["name"])
    client = tx.client(Caller.system(payment.practice_id), payment.client_id)
    return Caller(payment.practice_id, CLIENT, member_id=payment.client_id, name=client.name)
