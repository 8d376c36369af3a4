"""What only a person can end: an admin's word on payments and refunds in review, and on what was found; and the list of it all."""

from datetime import datetime
from typing import Any

from services.invoicing.config import Pace
from services.invoicing.model import Finding, Invoice, Payment
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import paying, refunding, showing
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict
from shared.fields import Record
from shared.ids import new_id
from shared.outbox import heard_before
from shared.told import Told

WAITING = "We are asking the processor again and again; nothing needs to be done yet."
LOOK = "The processor can't tell by itself. Look for this reference in the processor's own pages, then say here what you saw."
FOUND = {
    "refund_failed": "This refund failed after it had succeeded: the money is back at the practice. Ask the client how to return it.",
    "late_money": "Money came after the invoice could take it, and it was not given back. Look for this refund in the processor's own "
    "pages; if it is not there, the money is the client's credit: use it for another invoice, or pay it out.",
    "orphan": "The processor lists a charge with a reference of ours that is not known here. Look at it in the processor's own pages.",
    "orphan_refund": "The processor lists a refund with a reference of ours that is not known here: that money is back with the client. "
    "Don't give it back a second time; look at it in the processor's own pages.",
    "missing": "This is settled here, but the processor's own list does not show it. Look for the reference in the processor's own pages.",
    "amount": "The processor's own list shows another amount than was asked for. Compare it in the processor's own pages.",
    "unbooked": "A payment or refund that these books lost when they were restored from a backup, and that could not be entered again: "
    "its invoice is lost or a draft, or can't take it. Look for the reference in the processor's own pages; if money moved, make the "
    "invoice again and record it there, or give it back.",
    "undone": "This payment is settled here, but the processor shows it as voided, and not by a refund of ours.",
}


def settle_payment(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """End a payment in review by an admin's word; processors writes it down first. The payment as it stands afterwards.

    Raises Conflict while a look-up can still answer, or where it has ended the other way.
    """
    caller.must_be(ADMIN)
    with storage.reading() as tx:
        payment = tx.payment(caller, request.payment_id)  # theirs, or not there
        if told := tx.told_before(caller):
            return told
        _must_be_by_card(payment)
    word = {"payment_id": request.payment_id, "happened": request.outcome == "happened", "reason": request.reason}
    outcome = bus.ask(Processors.settle_charge, word, caller.with_key(None)).data
    with storage.transaction() as tx:
        now = clock.now()
        if told := tx.recall(caller, now):
            return told
        paying.settle(tx, outcome, caller.practice_id, now, pace)
        payment = tx.payment(caller, request.payment_id)
        _remember(tx, caller, payment.invoice_id, request, payment.amount, now)
        told = Told(showing.text_of(Invoicing.settle_payment, showing.payment_of(payment, caller)))
        tx.keep(caller, told.text)
    return told


def settle_refund(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """The same for a refund."""
    caller.must_be(ADMIN)
    with storage.reading() as tx:
        refund = tx.refund(caller, request.refund_id)
        if told := tx.told_before(caller):
            return told
        _must_be_by_card(tx.payment(caller, refund.payment_id))
    word = {"refund_id": request.refund_id, "happened": request.outcome == "happened", "reason": request.reason}
    outcome = bus.ask(Processors.settle_refund, word, caller.with_key(None)).data
    with storage.transaction() as tx:
        now = clock.now()
        if told := tx.recall(caller, now):
            return told
        refunding.settle(tx, outcome, caller.practice_id, now, pace)
        refund = tx.refund(caller, request.refund_id)
        _remember(tx, caller, refund.invoice_id, request, refund.amount, now)
        told = Told(showing.text_of(Invoicing.settle_refund, showing.refund_of(refund, caller)))
        tx.keep(caller, told.text)
    return told


def _must_be_by_card(payment: Payment) -> None:
    """What was recorded by hand never was at a processor. Raises Conflict."""
    if payment.method != "card":
        raise Conflict("settled_otherwise", "This payment was recorded by hand: there is nothing to look up.", allowed_actions=[])


def _remember(tx: Tx, caller: Caller, invoice_id: str, request: Record, amount: int, now: datetime) -> None:
    said = "it happened" if request.outcome == "happened" else "it did not happen"
    text = f"Looked up by hand: {said}. {request.reason}"
    tx.remember(tx.invoice(caller, invoice_id), caller, now, "settled_by_hand", text[:500], amount)


def difference_found(news: Record, storage: Storage, clock: Any) -> None:
    """Put what the daily comparison could not explain on the work list."""
    with storage.transaction() as tx:
        now = clock.now()
        if not heard_before(tx.session, news, "difference_found", now):
            tx.add(
                Finding(
                    id=new_id("fnd"), practice_id=news.practice_id, kind=news.kind, payment_id=news.get("payment_id"),
                    refund_id=news.get("refund_id"), reference=news.reference, amount=news.amount, currency=news.currency,
                    created_at=now,
                )
            )  # fmt: skip


def close_finding(caller: Caller, request: Record, storage: Storage, clock: Any) -> Told:
    """Take a finding off the work list; it is kept, with who closed it. Raises NotFound for another practice's."""
    caller.must_be(ADMIN)
    with storage.transaction() as tx:
        now = clock.now()
        finding = tx.finding(caller.practice_id, request.finding_id)
        if told := tx.recall(caller, now):
            return told
        if finding.closed_at is None:
            finding.closed_at, finding.closed_by = now, caller.name
        told = Told(showing.text_of(Invoicing.close_finding, {}))
        tx.keep(caller, told.text)
    return told


def list_work(caller: Caller, storage: Storage) -> dict:
    """What a person should look at, oldest first: payments and refunds, and for admins what was found."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.reading() as tx:
        items = [_item("payment", payment, invoice) for payment, invoice in tx.payments_needing_a_look(caller)]
        items += [_item("refund", refund, invoice) for refund, invoice in tx.refunds_needing_a_look(caller)]
        if caller.role == ADMIN:
            items += [_found(finding, *tx.about_finding(finding)) for finding in tx.open_findings(caller.practice_id)]
        return {"data": items, "next_cursor": None}


def _item(kind: str, row: Any, invoice: Invoice) -> dict:
    return {
        **_whose(invoice),
        "kind": kind,
        "id": row.id,
        "amount": row.amount,
        "currency": row.currency,
        "status": row.status,
        "reference": getattr(row, "processor_reference", None),
        "since": row.created_at,
        "advice": LOOK if row.status == "review" else WAITING,
    }


def _found(finding: Finding, payment: Payment | None, invoice: Invoice | None) -> dict:
    return {
        **(_whose(invoice) if invoice else {}),
        "kind": "finding",
        "id": finding.id,
        "payment_id": finding.payment_id,
        "refund_id": finding.refund_id,
        "amount": finding.amount,
        "currency": finding.currency,
        "status": finding.kind,
        "reference": finding.reference or (payment.processor_reference if payment else None),
        "since": finding.created_at,
        "advice": FOUND[finding.kind],
    }


def _whose(invoice: Invoice) -> dict:
    who = {"id": invoice.client_id, "name": invoice.client_name}
    return {"invoice_id": invoice.id, "number": invoice.number, "client": who}
