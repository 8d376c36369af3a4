"""A refund that had succeeded and failed afterwards: its postings are undone by new ones, and a person is told."""

from datetime import datetime

from services.invoicing import ledger
from services.invoicing.model import Finding, Invoice, Payment, Refund
from services.invoicing.storage import Tx
from services.invoicing.usecases.sending import about
from shared.caller import Caller
from shared.ids import new_id


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
    tx.add(_finding(refund, now))


def _finding(refund: Refund, now: datetime) -> Finding:
    return Finding(
        id=new_id("fnd"), practice_id=refund.practice_id, kind="refund_failed", payment_id=refund.payment_id,
        refund_id=refund.id, amount=refund.amount, currency=refund.currency, created_at=now,
    )  # fmt: skip
