"""Drafts: make one, edit it, throw it away. Tax is asked on every edit and frozen when the invoice is sent."""

from datetime import datetime
from typing import Any

from services.invoicing.model import Invoice
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import sending, showing
from services.invoicing.usecases.quoting import ask_quote, discount_asked, discount_kept, fill, lines_asked, lines_kept
from services.invoicing.usecases.service_settings import must_create
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, NotFound, invalid
from shared.fields import Record
from shared.told import Told


def create_invoice(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any) -> Told:
    """A new draft, or with `send` an invoice that is sent at once; twice with the same key is once."""
    caller.must_be(ADMIN, PROVIDER)
    lines, discount = lines_asked(request), discount_asked(request)
    with storage.reading() as tx:
        if told := tx.told_before(caller):
            return told
        _may_draft(tx, caller, request)
        currency = tx.practice(caller.practice_id).currency
    quote = ask_quote(caller, bus, request.client_id, currency, lines, discount)
    with storage.transaction() as tx:
        now = clock.now()
        if told := tx.recall(caller, now, request.invoice_id):
            return told
        invoice = _new(tx, caller, request, now)
        fill(invoice, lines, discount, request.get("discount"), quote)
        tx.add(invoice)
        tx.remember(invoice, caller, now, "created", "Draft created")
        if request.send:
            sending.send(tx, invoice, caller, now)
        told = Told(showing.text_of(Invoicing.create_invoice, showing.invoice_of(tx, invoice, caller, now)), status=201)
        tx.keep(caller, told.text, 201)
    return told


def edit_invoice(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any) -> dict:
    """Change a draft; what is not named stays."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.reading() as tx:
        invoice = tx.invoice(caller, request.invoice_id)
        invoice.must_allow("edit", caller.role, tx.has_refundable(invoice))
        lines, asked = lines_kept(invoice, request), discount_kept(invoice, request)
        client_id, currency, version = invoice.client_id, invoice.currency, invoice.version
        discount = discount_asked(Record(discount=asked))
    quote = ask_quote(caller, bus, client_id, currency, lines, discount)
    with storage.transaction() as tx:
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        invoice.must_allow("edit", caller.role, tx.has_refundable(invoice))
        must_create(tx, caller)
        if invoice.version != version:
            raise Conflict("changed_meanwhile", "Somebody else changed this draft. Look at it again, then save.")
        for name in ("due_date", "memo"):
            if name in request:
                setattr(invoice, name, request[name])
        invoice.lines, invoice.tax_lines = [], []
        tx.session.flush()
        fill(invoice, lines, discount, asked, quote)
        invoice.version += 1
        tx.remember(invoice, caller, clock.now(), "edited", "Draft changed")
        tx.session.flush()
        return showing.invoice_of(tx, invoice, caller, clock.now())


def delete_invoice(caller: Caller, request: Record, storage: Storage) -> dict:
    """Throw a draft away; it never had a number."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.transaction() as tx:
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        invoice.must_allow("delete", caller.role, tx.has_refundable(invoice))
        tx.session.delete(invoice)
    return {}


def _may_draft(tx: Tx, caller: Caller, request: Record) -> None:
    try:
        client = tx.client(caller, request.client_id)
    except NotFound:
        raise invalid("client_id", "There is no such client in this practice, or they are not listed as yours.") from None
    must_create(tx, caller)
    if not client.active:
        raise Conflict("client_inactive", "This client is no longer active.")
    _provider_of(tx, caller, request)


def _provider_of(tx: Tx, caller: Caller, request: Record) -> str:
    """Who the invoice is from: the provider who makes it, else the one named, else the client's first, else the admin."""
    if caller.role == PROVIDER:
        if request.get("provider_id") not in (None, caller.member_id):
            raise invalid("provider_id", "A provider's invoices are their own.")
        return caller.member_id
    if request.get("provider_id"):
        colleague = tx.colleague(caller.practice_id, request.provider_id)
        if colleague is None or not colleague.active:
            raise invalid("provider_id", "This is not an active colleague of the practice.")
        return str(request.provider_id)
    listed = tx.provider_ids(caller.practice_id, request.client_id)
    return listed[0] if listed else caller.member_id


def _new(tx: Tx, caller: Caller, request: Record, now: datetime) -> Invoice:
    client, practice = tx.client(caller, request.client_id), tx.practice(caller.practice_id)
    provider_id = _provider_of(tx, caller, request)
    provider = tx.colleague(caller.practice_id, provider_id)
    return Invoice(
        id=request.invoice_id, practice_id=caller.practice_id, status="draft", client_id=client.client_id, client_name=client.name,
        provider_id=provider_id, provider_name=provider.name if provider else caller.name, currency=practice.currency,
        memo=request.get("memo"), due_date=request.get("due_date"), created_at=now, amount_paid=0, amount_refunded=0,
        amount_forgiven=0, balance_due=0, version=1,
    )  # fmt: skip
