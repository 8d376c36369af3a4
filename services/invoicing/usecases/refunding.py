"""Refunds: attempts with the same machine as payments, never above what a payment still holds, posted when they are certain."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.invoicing import ledger
from services.invoicing.config import Pace
from services.invoicing.model import Invoice, Payment, Refund
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import failing, news, showing
from services.invoicing.usecases.sending import about
from shared import money
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Fault, NotFound, Rejected, Unavailable, invalid
from shared.fields import Record
from shared.ids import new_id
from shared.killpoints import reach
from shared.told import Told

FROM_OUTCOME = {
    "succeeded": "succeeded", "declined": "failed", "not_sent": "failed", "canceled": "failed", "pending": "pending",
    "unknown": "unknown", "review": "review", "waiting_for_settlement": "waiting_for_settlement", "requires_action": "unknown",
}  # fmt: skip

_TOO_SHORT = 1.0  # seconds; nothing is begun with less


def refund_invoice(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Give money back: of one payment, or without `payment_id` newest first over all; without an amount, all that is left.

    A card refund goes through the processor that took the payment; a recorded one is recorded. Raises Conflict or Invalid
    (more than is left), Rejected (the processor said no).
    """
    caller.must_be(ADMIN, PROVIDER)
    with storage.transaction() as tx:
        now = clock.now()
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        begun = tx.refund_by_id(caller.practice_id, request.refund_id)
        if begun is None:
            if told := tx.recall(caller, now, request.refund_id):
                return _replay(told)
            refunds = _begin(tx, invoice, caller, request, now, pace)
        elif begun.invoice_id != invoice.id:
            raise NotFound()
        else:  # the same message, delivered again
            refunds = [row for row in tx.refunds_of(invoice) if row.created_at == begun.created_at]
        orders = [order_of(refund) for refund in refunds if not refund.is_settled]
        ids = [refund.id for refund in refunds]
    reach("refund.begun")
    outcomes = _ask_in_turn(bus, orders, caller, clock, pace)
    reach("refund.told")
    with storage.transaction() as tx:
        now = clock.now()
        for outcome in outcomes:
            if outcome is not None:
                settle(tx, outcome, caller.practice_id, now, pace)
        told = tx.keep_first(request.refund_id, *_kept_answer(tx, caller.practice_id, ids))
        reach("refund.before_booked")
    reach("refund.booked")
    return _replay(told)


def _begin(tx: Tx, invoice: Invoice, caller: Caller, request: Record, now: datetime, pace: Pace) -> list[Refund]:
    payments = [payment for payment in tx.payments_of(invoice) if payment.refundable > 0]
    invoice.must_allow("refund", caller.role, bool(payments))
    if request.payment_id:
        payments = [payment for payment in payments if payment.id == request.payment_id]
        if not payments:
            raise invalid("payment_id", "This payment has nothing left to refund.")
    left = sum(payment.refundable for payment in payments)
    amount = left if request.amount is None else request.amount
    if amount > left:
        raise Conflict("amount_above_refundable", "That is more than what can still be refunded.", refundable=left,
                       allowed_actions=invoice.allowed_actions(caller.role, True))  # fmt: skip
    refunds: list[Refund] = []
    for payment in sorted(payments, key=lambda row: (row.created_at, row.id), reverse=True):
        part = min(amount, payment.refundable)
        if part:
            refunds.append(_begin_one(tx, invoice, payment, part, request, now, pace, first=not refunds))
            amount -= part
    for refund in refunds:
        _remember_begun(tx, invoice, caller, refund, now)
    return refunds


def _begin_one(
    tx: Tx, invoice: Invoice, payment: Payment, amount: int, request: Record, now: datetime, pace: Pace, *, first: bool
) -> Refund:
    card = payment.method == "card"
    refund = Refund(
        id=request.refund_id if first else new_id("ref"), practice_id=invoice.practice_id, invoice_id=invoice.id, payment_id=payment.id,
        client_id=invoice.client_id, status="pending", amount=amount, tax=0, currency=payment.currency, of_credit=False,
        reason=request.reason, created_at=now, check_at=now + pace.first_check if card else None,
    )  # fmt: skip
    payment.held += amount
    refund.tax = _tax_share(tx, invoice, amount)
    tx.add(refund)
    if not card:
        _post(tx, invoice, payment, refund, now)
    return refund


def _remember_begun(tx: Tx, invoice: Invoice, caller: Caller, refund: Refund, now: datetime) -> None:
    text = "Refunded" if refund.is_settled else "Refund begun"
    tx.remember(invoice, caller, now, "refund", f"{text}: {refund.reason}" if refund.reason else text, refund.amount)


def is_to_begin(tx: Tx, refund: Refund) -> bool:
    """Whether it returns late money and may still have to be sent; one whose money is back by another is closed instead."""
    return refund.of_credit and refund.status == "pending" and not failing.is_back(tx, refund)


def order_of(refund: Refund) -> dict:
    return {"refund_id": refund.id, "payment_id": refund.payment_id, "amount": refund.amount, "currency": refund.currency}


def _ask_in_turn(bus: Any, orders: list[dict], caller: Caller, clock: Any, pace: Pace) -> list[Record | None]:
    """What processors says of each order, all within the time that the asker is told something; None where it said nothing."""
    until = clock.now() + timedelta(seconds=pace.answer_within)
    return [_ask(bus, order, caller, (until - clock.now()).total_seconds()) for order in orders]


def _ask(bus: Any, order: dict, caller: Caller, within: float) -> Record | None:
    """None too where no time is left: it was not sent then, and the sweeper closes it."""
    if within < _TOO_SHORT:
        return None
    try:
        return bus.ask(Processors.refund, order, caller.with_key(None), within=within).data
    except Unavailable:  # not known here, as it may have broken after giving back
        return None
    except Fault as refused:
        failure = Record(code="processor_unavailable", message=refused.detail, processor_code=refused.code)
        return Record(refund_id=order["refund_id"], status="not_sent", failure=failure)


def _kept_answer(tx: Tx, practice_id: str, ids: list[str]) -> tuple[str, int]:
    refunds = [refund for refund in (tx.refund_by_id(practice_id, its_id) for its_id in ids) if refund is not None]
    shown = [showing.refund_of(refund, Caller.system(practice_id)) for refund in refunds]
    if len(refunds) == 1 and refunds[0].status == "failed":
        failure = refunds[0].failure or {}
        fault = Rejected(
            "processor_rejected", failure.get("message") or "The processor refused this refund.", reason=failure.get("code"),
            processor_code=failure.get("processor_code"), refund=json.loads(showing.text_of(Invoicing.read_refund, shown[0])),
        )  # fmt: skip
        return json.dumps(fault.to_wire(), ensure_ascii=False, separators=(",", ":")), 502
    status = 201 if all(refund.is_settled for refund in refunds) else 202
    answer = shown[0] if len(shown) == 1 else {"data": shown}
    return showing.text_of(Invoicing.refund_invoice, answer), status


def _replay(told: Told) -> Told:
    if told.status == 502:
        fault = Fault.from_wire(json.loads(told.text))
        fault.replayed = told.replayed
        raise fault
    return told


def settle(tx: Tx, outcome: Record, practice_id: str, now: datetime, pace: Pace) -> None:
    """Write down how a refund of this practice ended or stands; a succeeded one is posted once, whoever brings the news."""
    refund = tx.refund_by_id(practice_id, outcome.refund_id)
    if refund is None:
        return
    system = Caller.system(practice_id)
    invoice = tx.invoice(system, refund.invoice_id, lock=True)
    payment = tx.payment_by_id(practice_id, refund.payment_id)
    refund = tx.refund_by_id(practice_id, outcome.refund_id)
    assert refund is not None
    assert payment is not None
    status = FROM_OUTCOME[outcome.status]
    if refund.status == "failed" and status != "succeeded":
        refund.check_at = None
        return
    if refund.status == "succeeded" and status != "failed":
        refund.check_at = None
        return
    refund.failure = dict(outcome.failure) if outcome.get("failure") else None
    if refund.status == "succeeded":
        refund.check_at = None
        failing.take_back(tx, invoice, payment, refund, now)
        tx.remember(invoice, system, now, "refund_failed", "The refund failed afterwards: the money came back", refund.amount)
    elif status == "succeeded":
        if refund.status == "failed" and not refund.of_credit:
            payment.held += refund.amount  # it was given free when the refund seemed to have failed
        _post(tx, invoice, payment, refund, now)
        tx.remember(invoice, system, now, "refunded", "Refund confirmed by the processor", refund.amount)
    elif status == "failed":
        refund.status, refund.settled_at, refund.check_at = "failed", now, None
        payment.held -= 0 if refund.of_credit else refund.amount
        tx.remember(invoice, system, now, "refund_failed", "The refund did not happen", refund.amount)
        if refund.of_credit:
            failing.give_back_again(tx, invoice, refund, now, pace)
    else:
        refund.status = status
        refund.check_at = max(now + pace.next_check, outcome.get("next_look_at") or now)
    invoice.version += 1
    tx.session.flush()
    if all(row.is_settled for row in _asked_with(tx, refund)):
        answer_a_crashed_request(tx, practice_id, refund.id)


def hear(tx: Tx, news: Record, now: datetime, pace: Pace) -> None:
    """What news says is settled; where the refund has ended the other way processors is asked: news may be older than that."""
    refund = tx.refund_by_id(news.practice_id, news.refund_id)
    if refund is not None and {refund.status, FROM_OUTCOME[news.status]} == {"succeeded", "failed"}:
        refund.check_at = now
    else:
        settle(tx, news, news.practice_id, now, pace)


def answer_a_crashed_request(tx: Tx, practice_id: str, refund_id: str) -> None:
    """Keep how its refunds stand for a request whose process died before it could answer; others have their answer already."""
    refund = tx.refund_by_id(practice_id, refund_id)
    together = [] if refund is None or refund.of_credit else _asked_with(tx, refund)
    for row in together:  # the key was begun with the first one's id
        tx.keep_first(row.id, *_kept_answer(tx, practice_id, [each.id for each in together]))


def _asked_with(tx: Tx, refund: Refund) -> list[Refund]:
    """The refunds that one request was split into: they were begun in one transaction."""
    invoice = tx.invoice(Caller.system(refund.practice_id), refund.invoice_id)
    return [row for row in tx.refunds_of(invoice) if (row.created_at, row.of_credit) == (refund.created_at, refund.of_credit)]


def _post(tx: Tx, invoice: Invoice, payment: Payment, refund: Refund, now: datetime) -> None:
    """Post a certain refund; the invoice's status in this transaction decides which row of the postings' table applies."""
    refund.status, refund.settled_at, refund.check_at, refund.failure = "succeeded", now, None, None
    source = {"card": "processor_clearing", "client_credit": "client_credit"}.get(payment.method, "cash")
    client = tx.client(Caller.system(invoice.practice_id), invoice.client_id, lock=True)
    if refund.of_credit:
        client.credit -= refund.amount
        refund.posted_to, kind = "client_credit", "late_money_returned"
        postings = [("client_credit", refund.amount), (source, -refund.amount)]
    elif invoice.status == "open":
        invoice.amount_paid -= refund.amount
        refund.posted_to, refund.tax, kind = "receivable", 0, "refund_reopened"
        postings = [("receivable", refund.amount), (source, -refund.amount)]
    else:
        refund.tax = _tax_share(tx, invoice, refund.amount)
        invoice.amount_refunded += refund.amount
        refund.posted_to, kind = "refunds", "refund"
        postings = [("refunds", refund.amount - refund.tax), ("sales_tax_payable", refund.tax), (source, -refund.amount)]
    if not refund.of_credit:
        payment.refunded += refund.amount
        payment.held -= refund.amount
        client.credit += refund.amount if payment.method == "client_credit" else 0
    invoice.rebalance(now)
    tx.session.flush()
    ledger.post(tx.session, kind, about(invoice, payment.id, refund.id), postings, now)
    news.tell(tx, Invoicing.refund_made, invoice, refund.amount, now)


def _tax_share(tx: Tx, invoice: Invoice, amount: int) -> int:
    """The tax in a refund: that of all refunds so far with this one, rounded, less what was given back already."""
    if invoice.status == "open":
        return 0
    given = [row for row in tx.refunds_of(invoice) if row.posted_to == "refunds" and row.status == "succeeded"]
    whole = sum(row.amount for row in given) + amount
    return money.rounded(Decimal(invoice.tax) * whole / invoice.total) - sum(row.tax for row in given)


def read_refund(caller: Caller, request: Record, storage: Storage) -> dict:
    with storage.reading() as tx:
        return showing.refund_of(tx.refund(caller, request.refund_id), caller)


def check_refund(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Ask the processor now how a refund stands; a settled one is simply shown, a return of late money that waits is begun."""
    return _ask_about(caller, request.refund_id, Processors.check_refund, storage, bus, clock, pace)


def cancel_refund(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Give up a refund that waits for its charge to settle; one that was sent is looked at. Raises Conflict once it is settled."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.reading() as tx:
        refund = tx.refund(caller, request.refund_id)
        if told := tx.told_before(caller):
            return told
        if refund.is_settled:
            raise Conflict("refund_settled", f"This refund has {refund.status}; it can't be canceled any more.", allowed_actions=[])
    return _ask_about(caller, request.refund_id, Processors.cancel_refund, storage, bus, clock, pace)


def _ask_about(caller: Caller, refund_id: str, call: Call, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    caller.must_be(ADMIN, PROVIDER)
    with storage.reading() as tx:
        refund = tx.refund(caller, refund_id)
        if told := tx.told_before(caller):
            return told
        settled, of_credit, body = refund.is_settled, refund.of_credit, {"refund_id": refund_id}
        if call is Processors.check_refund and is_to_begin(tx, refund):
            call, body = Processors.refund, order_of(refund)
    outcome = None if settled else bus.ask(call, body, caller.with_key(None)).data
    if outcome is not None and of_credit and call is Processors.cancel_refund:
        outcome = Record({**outcome, "failure": None})  # a person's wish, and nothing that may pass
    with storage.transaction() as tx:
        now = clock.now()
        if outcome is not None:
            settle(tx, outcome, caller.practice_id, now, pace)
        if told := tx.recall(caller, now):
            return told
        told = Told(showing.text_of(Invoicing.check_refund, showing.refund_of(tx.refund(caller, refund_id), caller)))
        tx.keep(caller, told.text)
    return told
