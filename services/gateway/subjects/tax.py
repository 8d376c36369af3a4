"""The practice's sales-tax requirement, and previews of what it comes to."""

from services.gateway.asker import Answer, Asker
from services.gateway.people.usecases import clients
from services.gateway.reading import checked
from shared.contracts.tax import QuoteRequest, Tax, TaxSettings


def read_settings(asker: Asker) -> Answer:
    return asker.ask(Tax.read_settings)


def change_settings(asker: Asker, body: dict) -> Answer:
    return asker.ask(Tax.change_settings, checked(TaxSettings, body))


def quote(asker: Asker, body: dict) -> Answer:
    """What the tax of `amount` or `lines` comes to, for this client where one is named; raises NotFound for another's."""
    checked(QuoteRequest, body)
    if body.get("client_id"):
        clients.read_client(asker, body["client_id"])
    return asker.ask(Tax.quote, body)
