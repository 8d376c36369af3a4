"""Routes of invoices: from the draft to the end."""

from typing import Any

from services.gateway.api.door import ADMIN, EVERYBODY, STAFF, Door
from services.gateway.subjects import invoices, keeping, paying
from shared.contracts.invoicing import (
    Explanation,
    Invoice,
    InvoiceFilter,
    Invoicing,
    Payment,
    Refunds,
    Summary,
    Timeline,
)

door = Door("Invoices")
InvoicePage = Invoicing.list_invoices.gives
_ID = "/invoices/{invoice_id}"


@door.post(
    "/invoices",
    STAFF,
    takes=invoices.NewInvoiceBody,
    gives=Invoice,
    status=201,
    exists=invoices.must_be_assigned,
    faults=(409,),
)
def create_invoice(asker: Any, body: dict) -> Any:
    """Create an invoice: a draft, or sent at once."""
    return invoices.create_invoice(asker, body)


@door.get("/invoices", EVERYBODY, query=InvoiceFilter, gives=InvoicePage)
def list_invoices(asker: Any, query: dict) -> Any:
    """Invoices: an admin sees all, a provider those of their clients, a client their own."""
    return invoices.list_invoices(asker, query)


@door.get(_ID, EVERYBODY, gives=Invoice)
def read_invoice(asker: Any, invoice_id: str) -> Any:
    """One invoice whole."""
    return invoices.read_invoice(asker, invoice_id)


@door.route("PATCH", _ID, STAFF, takes=invoices.InvoiceChangeBody, gives=Invoice, exists=invoices.read_invoice, faults=(409,))
def edit_invoice(asker: Any, invoice_id: str, body: dict) -> Any:
    """Change a draft."""
    return invoices.edit_invoice(asker, invoice_id, body)


@door.route("DELETE", _ID, STAFF, exists=invoices.read_invoice, faults=(409,))
def delete_invoice(asker: Any, invoice_id: str) -> Any:
    """Delete a draft."""
    return invoices.delete_invoice(asker, invoice_id)


@door.post(_ID + "/send", STAFF, gives=Invoice, exists=invoices.read_invoice, faults=(409,))
def send_invoice(asker: Any, invoice_id: str) -> Any:
    """Send a draft: tax and parties are frozen, the number is given, the client is told."""
    return invoices.send_invoice(asker, invoice_id)


@door.post(_ID + "/void", STAFF, gives=Invoice, exists=invoices.read_invoice, faults=(409,))
def void_invoice(asker: Any, invoice_id: str) -> Any:
    """Void an open invoice of which nothing is paid; it keeps its number."""
    return invoices.void_invoice(asker, invoice_id)


@door.post(_ID + "/forgive", STAFF, gives=Invoice, exists=invoices.read_invoice, faults=(409,))
def forgive_invoice(asker: Any, invoice_id: str) -> Any:
    """Write off what is still open."""
    return invoices.forgive_invoice(asker, invoice_id)


@door.post(
    _ID + "/recorded-payments",
    STAFF,
    takes=invoices.RecordedPaymentBody,
    gives=Payment,
    status=201,
    exists=invoices.read_invoice,
    faults=(409,),
)
def record_payment(asker: Any, invoice_id: str, body: dict) -> Any:
    """Record a payment by cash, check, bank transfer or other means, or out of the client's credit."""
    return invoices.record_payment(asker, invoice_id, body)


@door.post(
    _ID + "/payments",
    EVERYBODY,
    takes=paying.PaymentBody,
    gives=keeping.PaymentAndCard,
    status=201,
    exists=invoices.read_invoice,
    later=True,
    faults=(402, 409, 502),
)
def pay_invoice(asker: Any, invoice_id: str, body: dict) -> Any:
    """Pay an invoice by card; 202 while the processor's result is not known yet. Staff charge a card on file only."""
    return invoices.pay_invoice(asker, invoice_id, body)


@door.post(
    _ID + "/refunds",
    STAFF,
    takes=invoices.RefundBody,
    gives=Refunds,
    status=201,
    exists=invoices.read_invoice,
    later=True,
    faults=(409, 502),
)
def refund_invoice(asker: Any, invoice_id: str, body: dict) -> Any:
    """Refund an invoice in full or in part; where it is split over several payments they are in `data`."""
    return invoices.refund_invoice(asker, invoice_id, body)


@door.get(_ID + "/timeline", EVERYBODY, gives=Timeline)
def read_timeline(asker: Any, invoice_id: str) -> Any:
    """What happened to an invoice, who did it, and when."""
    return invoices.read_timeline(asker, invoice_id)


@door.get(_ID + "/explanation", EVERYBODY, query=invoices.ExplanationQuery, gives=Explanation, exists=invoices.read_invoice)
def explain(asker: Any, invoice_id: str, query: dict) -> Any:
    """The rule and the ledger entries behind a number; they add up to it."""
    return invoices.explain(asker, invoice_id, query)


@door.get("/reports/summary", ADMIN, gives=Summary)
def read_summary(asker: Any) -> Any:
    """The figures above the list of invoices."""
    return invoices.read_summary(asker)
