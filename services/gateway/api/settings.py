"""Routes of the sales tax and of the Client Billing service."""

from typing import Any

from services.gateway.api.door import ADMIN, STAFF, Door
from services.gateway.subjects import service, tax
from shared.contracts.invoicing import ServiceChange, ServiceRead
from shared.contracts.tax import Quote, QuoteRequest, TaxSettings, TaxSettingsRead

door = Door("Settings")


@door.get("/tax/settings", ADMIN, gives=TaxSettingsRead)
def read_tax_settings(asker: Any) -> Any:
    """The sales-tax requirement."""
    return tax.read_settings(asker)


@door.route("PUT", "/tax/settings", ADMIN, takes=TaxSettings, gives=TaxSettingsRead)
def change_tax_settings(asker: Any, body: dict) -> Any:
    """Select the sales-tax requirement."""
    return tax.change_settings(asker, body)


@door.post("/tax/quotes", STAFF, takes=QuoteRequest, gives=Quote, faults=(404,))
def quote_tax(asker: Any, body: dict) -> Any:
    """What the tax would come to."""
    return tax.quote(asker, body)


@door.get("/services/client-billing", ADMIN, gives=ServiceRead)
def read_service(asker: Any) -> Any:
    """The Client Billing service: on or off, and whom it is assigned to."""
    return service.read_service(asker)


@door.route("PATCH", "/services/client-billing", ADMIN, takes=ServiceChange, gives=ServiceRead, faults=(409,))
def change_service(asker: Any, body: dict) -> Any:
    """Turn the service on or off, and assign providers."""
    return service.change_service(asker, body)
