"""Invoicing's mapped classes with their rules and states: no session, no clock, no network."""

from services.invoicing.model.base import Base, idempotency, inbox, outbox
from services.invoicing.model.invoices import ALLOWED, Invoice, InvoiceLine, InvoiceTaxLine, TimelineRow
from services.invoicing.model.ledger import ChainHead, LedgerEntry
from services.invoicing.model.parties import Client, ClientProvider, Colleague, NumberCounter, Practice, Service, ServiceProvider
from services.invoicing.model.payments import LIVE, SETTLED, Finding, Payment, Refund

__all__ = [
    "ALLOWED", "LIVE", "SETTLED", "Base", "ChainHead", "Client", "ClientProvider", "Colleague", "Finding", "Invoice", "InvoiceLine",
    "InvoiceTaxLine", "LedgerEntry", "NumberCounter", "Payment", "Practice", "Refund", "Service", "ServiceProvider", "TimelineRow",
    "idempotency", "inbox", "outbox",
]  # fmt: skip
