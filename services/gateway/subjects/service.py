"""The Client Billing service of the practice: on or off, and which providers it is assigned to."""

from services.gateway.asker import Answer, Asker
from services.gateway.people.usecases import colleagues
from services.gateway.reading import checked
from shared.contracts.invoicing import Invoicing, ServiceChange


def read_service(asker: Asker) -> Answer:
    """`{enabled, provider_ids, may_create, why_not}` as the asker sees it."""
    return asker.ask(Invoicing.read_service)


def change_service(asker: Asker, body: dict) -> Answer:
    """Raises Invalid naming each of `provider_ids` that isn't an active provider here."""
    checked(ServiceChange, body)
    colleagues.must_be_providers(asker, body.get("provider_ids", []))
    return asker.ask(Invoicing.change_service, body)
