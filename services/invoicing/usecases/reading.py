"""Looking: one invoice, lists, the summary, the timeline, the explanation of a number, and what waits for a person."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.invoicing import ledger
from services.invoicing.model import Invoice
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import showing
from shared.caller import Caller
from shared.faults import invalid
from shared.fields import Record
from shared.ids import looks_like_id

RULES = {
    "total": "The total is the lines less the discount, and the tax.",
    "balance": "The balance is the total less what was paid and what was forgiven; each step is an entry of the ledger.",
    "status": "The status follows from the balance, from payments that are under way, from refunds and from the due date.",
}
# which entries lie behind which number: the accounts that are summed
BEHIND = {"total": ("receivable",), "tax": ("sales_tax_payable",), "balance": ("receivable",), "status": ("receivable", "refunds")}


def read_invoice(caller: Caller, request: Record, storage: Storage, clock: Any) -> dict:
    with storage.reading() as tx:
        return showing.invoice_of(tx, tx.invoice(caller, request.invoice_id), caller, clock.now())


def list_invoices(caller: Caller, request: Record, storage: Storage, clock: Any) -> dict:
    """One page, newest first unless asked otherwise; the cursor is the last id shown."""
    if request.cursor and not looks_like_id(request.cursor, "inv"):
        raise invalid("cursor", "This is not a cursor that a list gave.")
    with storage.reading() as tx:
        practice = tx.practice(caller.practice_id)
        today = showing.today_of(practice, clock.now())
        rows = tx.list_invoices(caller, request, today, ZoneInfo(practice.time_zone))
        page = rows[: request.limit]
        more = page[-1].id if len(rows) > request.limit else None
        live = tx.live_statuses(page)
        return {"data": [showing.row_of(invoice, today, live.get(invoice.id)) for invoice in page], "next_cursor": more}


def read_summary(caller: Caller, storage: Storage, clock: Any) -> dict:
    """Paid this month, open, overdue, and what needs a look, of all invoices that the caller may see."""
    with storage.reading() as tx:
        practice, now = tx.practice(caller.practice_id), clock.now()
        today = showing.today_of(practice, now)
        month = datetime(today.year, today.month, 1, tzinfo=ZoneInfo(practice.time_zone))
        open_amount, overdue_amount, overdue_count = tx.sum_open(caller, today)
        invoices, sent = tx.count_invoices(caller)
        return {
            "currency": practice.currency,
            "paid_this_month": tx.sum_paid_since(caller, month),
            "open_amount": open_amount,
            "overdue_amount": overdue_amount,
            "overdue_count": overdue_count,
            "needs_a_look": len(tx.payments_needing_a_look(caller)) + len(tx.refunds_needing_a_look(caller)),
            "invoices": invoices,
            "sent": sent,
        }


def read_timeline(caller: Caller, request: Record, storage: Storage) -> dict:
    with storage.reading() as tx:
        rows = tx.timeline_of(tx.invoice(caller, request.invoice_id))
        return {"data": [showing.entry_of(row, caller) for row in rows], "next_cursor": None}


def explain(caller: Caller, request: Record, storage: Storage, clock: Any) -> dict:
    """The ledger entries and the rule behind a number of the invoice; the entries add up to it."""
    with storage.reading() as tx:
        invoice = tx.invoice(caller, request.invoice_id)
        sign = -1 if request.of == "tax" else 1
        entries = [e for e in tx.entries_of(invoice) if e.account in BEHIND[request.of] and _counts(request.of, e.kind)]
        return {
            "of": request.of,
            "value": _value(tx, invoice, request.of, clock.now()),
            "rule": (invoice.tax_rule or "No tax.") if request.of == "tax" else RULES[request.of],
            "entries": [
                {"id": e.id, "account": e.account, "amount": sign * e.amount, "at": e.at, "why": ledger.WHY[e.kind]}
                for e in entries
            ],
        }


def _counts(of: str, kind: str) -> bool:
    return kind == "send" if of in ("total", "tax") else True


def _value(tx: Tx, invoice: Invoice, of: str, now: datetime) -> int | str:
    if of == "status":
        return invoice.shown_status(showing.today_of(tx.practice(invoice.practice_id), now))
    return {"total": invoice.total, "tax": invoice.tax, "balance": invoice.balance_due}[of]
