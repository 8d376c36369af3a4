"""Invoicing's news, put into the outbox in the transaction that makes it true."""

from datetime import datetime

from services.invoicing.model import Invoice
from services.invoicing.storage import Tx
from shared.contract import Event
from shared.outbox import emit


def tell(tx: Tx, event: Event, invoice: Invoice, amount: int, now: datetime) -> None:
    """Say that `event` happened to the invoice; ids and the amount only, nothing of what it is for."""
    body = {
        "invoice_id": invoice.id,
        "number": invoice.number,
        "client_id": invoice.client_id,
        "provider_id": invoice.provider_id,
        "amount": amount,
        "currency": invoice.currency,
    }
    emit(tx.session, event, body, now, invoice.practice_id)
