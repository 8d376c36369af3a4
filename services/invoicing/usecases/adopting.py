"""After a restore: charges and refunds that processors knows and these books lost are entered again, and settled as ever.

No money is sent back by itself meanwhile: what the books can't explain may be an order of things that they don't know.
"""

from datetime import datetime

from services.invoicing.config import Pace
from services.invoicing.model import Finding, Invoice, Payment, Refund
from services.invoicing.storage import Tx
from services.invoicing.usecases import paying, refunding
from shared.caller import Caller
from shared.faults import NotFound
from shared.fields import Record
from shared.ids import new_id

REASON = "Entered again after a restore"


def settle_charge(tx: Tx, practice_id: str, outcome: Record, now: datetime, pace: Pace) -> None:
    """As processors tells it. Money that the invoice can't take stays the client's credit, and a person is told."""
    paying.settle(tx, outcome, practice_id, now, pace)
    _return_nothing(tx, practice_id, outcome, now)


def settle_refund(tx: Tx, practice_id: str, outcome: Record, now: datetime, pace: Pace) -> None:
    """The same for a refund: late money that was not given back by it may have been given back by another one."""
    refunding.settle(tx, outcome, practice_id, now, pace)
    _return_nothing(tx, practice_id, outcome, now)


def _return_nothing(tx: Tx, practice_id: str, outcome: Record, now: datetime) -> None:
    """Take back the returns of late money that settling has just begun; a finding stands in their place."""
    payment = tx.payment_by_id(practice_id, outcome.payment_id)
    invoice = _invoice(tx, practice_id, payment.invoice_id) if payment is not None else None
    for refund in tx.refunds_of(invoice) if payment is not None and invoice is not None else ():
        if refund.of_credit and refund.payment_id == outcome.payment_id and refund.status == "pending" and refund.created_at == now:
            told = Record(payment_id=refund.payment_id, reference=None, amount=refund.amount, currency=refund.currency)
            tx.session.delete(refund)
            tx.add(_finding("late_money", practice_id, told, now))


def adopt_charge(tx: Tx, practice_id: str, invoice_id: str, outcome: Record, made_at: datetime, now: datetime, pace: Pace) -> bool:
    """Enter a charge as processors tells it; False where its invoice is lost as well, not sent yet, or being paid another way."""
    invoice = _invoice(tx, practice_id, invoice_id)
    if invoice is None or invoice.status == "draft":
        return False
    is_live = paying.FROM_OUTCOME[outcome.status] != "succeeded"
    if is_live and (invoice.live_payment_id or invoice.status != "open"):
        return False
    payment = Payment(
        id=outcome.payment_id, practice_id=practice_id, invoice_id=invoice.id, client_id=invoice.client_id, method="card",
        status="failed" if invoice.live_payment_id else "unknown", amount=outcome.amount, applied=0, credited=0, refunded=0, held=0,
        currency=outcome.currency, created_at=made_at, check_at=now,
    )  # fmt: skip
    tx.add(payment)
    invoice.live_payment_id = invoice.live_payment_id or payment.id
    tx.remember(invoice, Caller.system(practice_id), now, "restored", f"{REASON}: a card payment", outcome.amount)
    settle_charge(tx, practice_id, outcome, now, pace)
    return True


def adopt_refund(tx: Tx, practice_id: str, outcome: Record, made_at: datetime, now: datetime, pace: Pace) -> bool:
    """Enter a refund as processors tells it; False where its payment is lost, or has not as much left by these books."""
    payment = tx.payment_by_id(practice_id, outcome.payment_id)
    invoice = _invoice(tx, practice_id, payment.invoice_id) if payment is not None else None
    payment = tx.payment_by_id(practice_id, outcome.payment_id)
    if payment is None or invoice is None or payment.status != "succeeded":
        return False
    of_credit = _late_money_left(tx, invoice, payment) == outcome.amount
    if not of_credit and payment.refundable < outcome.amount:
        return False
    refund = Refund(
        id=outcome.refund_id, practice_id=practice_id, invoice_id=invoice.id, payment_id=payment.id, client_id=invoice.client_id,
        status="pending", amount=outcome.amount, tax=0, currency=outcome.currency, of_credit=of_credit, reason=REASON,
        created_at=made_at, check_at=now,
    )  # fmt: skip
    payment.held += 0 if of_credit else refund.amount
    tx.add(refund)
    tx.remember(invoice, Caller.system(practice_id), now, "restored", f"{REASON}: a refund", refund.amount)
    refunding.settle(tx, outcome, practice_id, now, pace)
    if of_credit:
        for told in tx.findings(practice_id, "late_money"):
            if told.payment_id == payment.id and told.refund_id is None:
                tx.session.delete(told)
    return True


def _late_money_left(tx: Tx, invoice: Invoice, payment: Payment) -> int:
    """What of the payment is the client's credit and was not given back: its return is always for all of it."""
    given = (
        row.amount for row in tx.refunds_of(invoice) if row.of_credit and row.payment_id == payment.id and row.status != "failed"
    )
    return payment.credited - sum(given)


def tell_a_person(tx: Tx, practice_id: str, outcome: Record, now: datetime) -> bool:
    """Put what could not be entered on the admins' work list; False where it is there already."""
    whose = (outcome.payment_id, outcome.get("refund_id"))
    if any((one.payment_id, one.refund_id) == whose for one in tx.findings(practice_id, "unbooked")):
        return False
    tx.add(_finding("unbooked", practice_id, outcome, now))
    return True


def _finding(kind: str, practice_id: str, outcome: Record, now: datetime) -> Finding:
    return Finding(
        id=new_id("fnd"), practice_id=practice_id, kind=kind, payment_id=outcome.payment_id, refund_id=outcome.get("refund_id"),
        reference=outcome.reference, amount=outcome.amount, currency=outcome.currency, created_at=now,
    )  # fmt: skip


def _invoice(tx: Tx, practice_id: str, invoice_id: str) -> Invoice | None:
    try:
        return tx.invoice(Caller.system(practice_id), invoice_id, lock=True)
    except NotFound:
        return None
