"""Closing an unpaid invoice without money: void it, or forgive its balance."""

from datetime import datetime
from typing import Any

from services.invoicing import ledger
from services.invoicing.model import Invoice
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import news, showing
from services.invoicing.usecases.sending import about
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.fields import Record
from shared.killpoints import reach
from shared.told import Told


def void_invoice(caller: Caller, request: Record, storage: Storage, clock: Any) -> Told:
    """Void an open invoice of which nothing was paid; it keeps its number. Raises Conflict with the allowed actions else."""
    return _close(caller, request, storage, clock, "void", Invoicing.void_invoice, _void)


def forgive_invoice(caller: Caller, request: Record, storage: Storage, clock: Any) -> Told:
    """Write off what is still due of an open invoice; what was paid stays paid."""
    return _close(caller, request, storage, clock, "forgive", Invoicing.forgive_invoice, _forgive)


def _close(caller: Caller, request: Record, storage: Storage, clock: Any, action: str, call: Call, change: Any) -> Told:
    caller.must_be(ADMIN, PROVIDER)
    with storage.transaction() as tx:
        now = clock.now()
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        if told := tx.recall(caller, now, request.invoice_id):
            return told
        invoice.must_allow(action, caller.role, tx.has_refundable(invoice))
        change(tx, invoice, caller, now)
        tx.session.flush()
        told = Told(showing.text_of(call, showing.invoice_of(tx, invoice, caller, now)), status=200)
        tx.keep(caller, told.text, 200)
        reach(f"{action}.before_commit")
    reach(f"{action}.after_commit")
    return told


def _void(tx: Tx, invoice: Invoice, caller: Caller, now: datetime) -> None:
    invoice.status = "void"
    invoice.rebalance(now)
    postings = [("revenue", invoice.total - invoice.tax), ("sales_tax_payable", invoice.tax), ("receivable", -invoice.total)]
    ledger.post(tx.session, "void", about(invoice), postings, now)
    tx.remember(invoice, caller, now, "voided", "Voided", invoice.total)
    news.tell(tx, Invoicing.invoice_voided, invoice, invoice.total, now)


def _forgive(tx: Tx, invoice: Invoice, caller: Caller, now: datetime) -> None:
    balance = invoice.balance_due
    invoice.status = "forgiven"
    invoice.amount_forgiven += balance
    invoice.rebalance(now)
    ledger.post(tx.session, "forgive", about(invoice), [("write_offs", balance), ("receivable", -balance)], now)
    tx.remember(invoice, caller, now, "forgiven", "Balance forgiven", balance)
    news.tell(tx, Invoicing.invoice_forgiven, invoice, balance, now)
