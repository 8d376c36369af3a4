"""Refunds that failed after they had succeeded, and late money that could not be given back yet."""

from datetime import datetime

from services.invoicing import ledger
from services.invoicing.config import Pace
from services.invoicing.model import Finding, Invoice, Payment, Refund
from services.invoicing.storage import Tx
from services.invoicing.usecases.sending import about
from shared.caller import Caller
from shared.ids import new_id

PASSES = ("processor_unavailable", "processor_credentials_refused")  # failures of a refund that may be otherwise tomorrow


def take_back(tx: Tx, invoice: Invoice, payment: Payment, refund: Refund, now: datetime) -> None:
    """Book that the money of `refund` came back: what it had debited is credited again.

    What had reopened the balance closes it again as far as the balance goes; the rest is the client's credit.
    """
    client = tx.client(Caller.system(invoice.practice_id), invoice.client_id, lock=True)
    kind, credit = "refund_failed", 0
    if refund.of_credit:
        kind, credit, postings = "late_money_kept", refund.amount, []
    elif refund.posted_to == "receivable":
        closes = min(refund.amount, invoice.balance_due) if invoice.status == "open" else 0
        credit = refund.amount - closes
        invoice.amount_paid += closes
        postings = [("receivable", -closes)]
        payment.applied -= credit
        payment.credited += credit
        payment.refunded -= refund.amount
    else:
        invoice.amount_refunded -= refund.amount
        payment.refunded -= refund.amount
        postings = [("refunds", refund.tax - refund.amount), ("sales_tax_payable", -refund.tax)]
    client.credit += credit
    refund.status, refund.settled_at, refund.posted_to = "failed", now, None
    invoice.rebalance(now)
    tx.session.flush()
    postings = [("processor_clearing", refund.amount), *postings, ("client_credit", -credit)]
    ledger.post(tx.session, kind, about(invoice, payment.id, refund.id), postings, now)
    tx.add(_finding("refund_failed", refund, now))


def give_back_again(tx: Tx, invoice: Invoice, failed: Refund, now: datetime, pace: Pace) -> None:
    """Late money whose return certainly did not happen: a new one after a pause, as the old one's id is closed.

    Where the processor or a person said no, where it is only believed that nothing was sent, and after the last pause, a
    person is told; the money is the client's credit until then.
    """
    if is_back(tx, failed):
        return
    tries = sum(row.of_credit and row.payment_id == failed.payment_id for row in tx.refunds_of(invoice))
    failure = failed.failure or {}
    may_pass = failure.get("code") in PASSES and failure.get("processor_code") != "absent"
    if not may_pass or tries > len(pace.returns):
        tx.add(_finding("late_money", failed, now))
        return
    tx.add(late_money_back(invoice, failed.payment_id, failed.amount, now, now + pace.returns[tries - 1]))


def is_back(tx: Tx, refund: Refund) -> bool:
    """Whether the late money that `refund` is to return has been returned by another one."""
    invoice = tx.invoice(Caller.system(refund.practice_id), refund.invoice_id)
    returns = [row for row in tx.refunds_of(invoice) if row.of_credit and row.payment_id == refund.payment_id]
    return any(row.status == "succeeded" and row.id != refund.id for row in returns)


def late_money_back(invoice: Invoice, payment_id: str, amount: int, now: datetime, at: datetime) -> Refund:
    """A return of late money that the sweeper begins at `at`; until it has ended its amount of credit is held."""
    return Refund(
        id=new_id("ref"), practice_id=invoice.practice_id, invoice_id=invoice.id, payment_id=payment_id, client_id=invoice.client_id,
        status="pending", amount=amount, tax=0, currency=invoice.currency, of_credit=True, created_at=now, check_at=at,
        reason="This money came after the invoice could take it.",
    )  # fmt: skip


def _finding(kind: str, refund: Refund, now: datetime) -> Finding:
    return Finding(
        id=new_id("fnd"), practice_id=refund.practice_id, kind=kind, payment_id=refund.payment_id,
        refund_id=refund.id, amount=refund.amount, currency=refund.currency, created_at=now,
    )  # fmt: skip
