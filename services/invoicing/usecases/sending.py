"""Sending: the quote is asked again, then number, tax, parties and ledger are settled in one transaction."""

from datetime import datetime, timedelta
from typing import Any

from services.invoicing import ledger
from services.invoicing.model import Invoice
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import news, quoting, showing
from services.invoicing.usecases.service_settings import must_create
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict
from shared.fields import Record
from shared.killpoints import reach
from shared.told import Told

QUOTE_AGAIN = 3  # how often a draft that changes under our hands is quoted anew before we give up


def send_invoice(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any) -> Told:
    """Send a draft: it gets its number and can't be edited any more; twice with the same key is once."""
    caller.must_be(ADMIN, PROVIDER)
    for _ in range(QUOTE_AGAIN):
        with storage.reading() as tx:
            if told := tx.told_before(caller):
                return told
            invoice = tx.invoice(caller, request.invoice_id)
            version, client_id, currency = invoice.version, invoice.client_id, invoice.currency
            lines, asked = quoting.lines_kept(invoice, Record()), invoice.discount_asked
        quote = quoting.ask_quote(caller, bus, client_id, currency, lines, asked or {})
        with storage.transaction() as tx:
            now = clock.now()
            if told := tx.recall(caller, now, request.invoice_id):
                return told
            invoice = tx.invoice(caller, request.invoice_id, lock=True)
            invoice.must_allow("send", caller.role, tx.has_refundable(invoice))
            must_create(tx, caller)
            if invoice.version != version:
                tx.session.rollback()
                continue
            told = _send_quoted(tx, invoice, caller, now, lines, asked, quote)
            reach("send.before_commit")
        reach("send.after_commit")
        return told
    raise Conflict("changed_meanwhile", "This draft keeps changing. Look at it again, then send it.")


def _send_quoted(tx: Tx, invoice: Invoice, caller: Caller, now: datetime, lines: Any, asked: Any, quote: Record) -> Told:
    invoice.lines, invoice.tax_lines = [], []
    tx.session.flush()
    quoting.fill(invoice, lines, asked or {}, asked, quote)
    send(tx, invoice, caller, now)
    text = showing.text_of(Invoicing.send_invoice, showing.invoice_of(tx, invoice, caller, now))
    tx.keep(caller, text, 200)
    return Told(text, status=200)


def send(tx: Tx, invoice: Invoice, caller: Caller, now: datetime) -> None:
    """Number, freeze and post an invoice whose quote is fresh; its row is locked or new.

    Raises Conflict for a draft in another currency than the practice's: credit and the ledger know only one.
    """
    practice = tx.practice(invoice.practice_id)
    if invoice.currency != practice.currency:
        raise Conflict("currency_changed", "The practice's currency has changed since this draft was made. Make it anew.")
    client = tx.client(Caller.system(invoice.practice_id), invoice.client_id)
    today = showing.today_of(practice, now)
    invoice.status, invoice.sent_at = "open", now
    invoice.client_name = client.name
    invoice.due_date = invoice.due_date or today + timedelta(days=practice.terms_days)
    invoice.parties = {"practice": practice.party, "client": client.party}
    tx.session.flush()
    invoice.number = f"{practice.number_prefix}{today.year}-{tx.next_number(invoice.practice_id):04d}"
    invoice.search = f"{invoice.number.lower()} {invoice.search.strip()}"
    invoice.rebalance(now)
    postings = [("receivable", invoice.total), ("revenue", invoice.tax - invoice.total), ("sales_tax_payable", -invoice.tax)]
    ledger.post(tx.session, "send", about(invoice), postings, now)
    tx.remember(invoice, caller, now, "sent", f"Sent as {invoice.number}", invoice.total)
    news.tell(tx, Invoicing.invoice_sent, invoice, invoice.total, now)


def about(invoice: Invoice, payment_id: str | None = None, refund_id: str | None = None) -> ledger.About:
    """What a ledger transaction of this invoice is about."""
    return ledger.About(invoice.practice_id, invoice.client_id, invoice.currency, invoice.id, payment_id, refund_id)
