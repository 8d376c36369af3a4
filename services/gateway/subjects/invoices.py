"""Invoices from the draft to the end: everything is asked of invoicing, which owns them and decides."""

from services.gateway.asker import Answer, Asker
from services.gateway.reading import checked, known_id, query
from services.gateway.subjects import keeping
from shared.contracts.invoicing import InvoiceFields, InvoiceFilter, Invoicing, NewInvoice
from shared.contracts.invoicing import RecordedPayment as RecordedPaymentRequest
from shared.faults import Forbidden
from shared.fields import Amount, Choice, Id, Text, Words
from shared.ids import new_id


class NewInvoiceBody(NewInvoice):
    """`{client_id, description, amount}` or `{client_id, lines}`; `send` sends it at once."""

    class Meta(Words.Meta):
        exclude = ("invoice_id",)


class InvoiceChangeBody(InvoiceFields):
    """What of a draft is to be different."""


class RecordedPaymentBody(RecordedPaymentRequest):
    class Meta(Words.Meta):
        exclude = ("invoice_id", "payment_id")


class RefundBody(Words):
    """Without `amount` the rest is refunded; without `payment_id` the newest payments first."""

    amount = Amount(least=1, allow_none=True)
    reason = Text(allow_none=True, most=500)
    payment_id = Id(allow_none=True)


class ExplanationQuery(Words):
    of = Choice("total", "tax", "balance", "status", load_default="balance")


def create_invoice(asker: Asker, body: dict) -> Answer:
    """The new invoice (a draft, or sent); raises Invalid for a client who isn't the asker's, Forbidden saying why not."""
    checked(NewInvoiceBody, body)
    return asker.ask(Invoicing.create_invoice, {**body, "invoice_id": new_id("inv")})


def must_be_assigned(asker: Asker) -> None:
    """Raises Forbidden for a provider who isn't assigned to the service."""
    service = asker.ask(Invoicing.read_service).data
    if service.enabled and not service.may_create:
        raise Forbidden("not_assigned", service.why_not)


def edit_invoice(asker: Asker, invoice_id: str, body: dict) -> Answer:
    named = _named(invoice_id)
    return asker.ask(Invoicing.edit_invoice, {**checked(InvoiceChangeBody, body), **named})


def delete_invoice(asker: Asker, invoice_id: str) -> None:
    asker.ask(Invoicing.delete_invoice, _named(invoice_id))


def read_invoice(asker: Asker, invoice_id: str) -> Answer:
    return asker.ask(Invoicing.read_invoice, _named(invoice_id))


def list_invoices(asker: Asker, given: dict | None = None) -> Answer:
    """One page; filters `status, client_id, provider_id, from, to, q, sort, limit, cursor`. Everybody sees their own."""
    return asker.ask(Invoicing.list_invoices, query(InvoiceFilter, given or {})[0])


def send_invoice(asker: Asker, invoice_id: str) -> Answer:
    return asker.ask(Invoicing.send_invoice, _named(invoice_id))


def void_invoice(asker: Asker, invoice_id: str) -> Answer:
    return asker.ask(Invoicing.void_invoice, _named(invoice_id))


def forgive_invoice(asker: Asker, invoice_id: str) -> Answer:
    return asker.ask(Invoicing.forgive_invoice, _named(invoice_id))


def read_timeline(asker: Asker, invoice_id: str) -> Answer:
    return asker.ask(Invoicing.read_timeline, _named(invoice_id))


def explain(asker: Asker, invoice_id: str, of: str | dict | None = None) -> Answer:
    """The rule and the entries behind `of`: total, tax, balance or status (as a word, or as the query `{of}`)."""
    named = _named(invoice_id)
    values, _ = query(ExplanationQuery, of if isinstance(of, dict) else {"of": of})
    return asker.ask(Invoicing.explain, {**values, **named})


def record_payment(asker: Asker, invoice_id: str, body: dict) -> Answer:
    named = _named(invoice_id)
    return asker.ask(Invoicing.record_payment, {**checked(RecordedPaymentBody, body), **named, "payment_id": new_id("pay")})


pay_invoice = keeping.pay_invoice  # long enough to have a file of its own


def refund_invoice(asker: Asker, invoice_id: str, body: dict) -> Answer:
    """The refund, or `{data: [...]}` where it was split over several payments; 202 while one of them is not settled."""
    named = _named(invoice_id)
    request = {**checked(RefundBody, body), **named, "refund_id": new_id("ref")}
    return asker.ask(Invoicing.refund_invoice, request)


def read_summary(asker: Asker) -> Answer:
    """The figures above the list, in minor units."""
    return asker.ask(Invoicing.read_summary)


def _named(invoice_id: str) -> dict:
    return {"invoice_id": known_id(invoice_id, "inv")}
