"""The practice itself: signing up, and its settings."""

from services.gateway.asker import Answer, Asker, Gateway, told
from services.gateway.people.usecases import practices, signing_up
from services.gateway.people.words import PracticeRead
from shared.caller import Caller
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict


def sign_up(gateway: Gateway, body: dict, caller: Caller | None = None) -> Answer:
    """A new practice and its first admin: `{practice, person}`; raises Conflict `email_taken`."""
    return signing_up.sign_up(gateway, body, caller)


def read_practice(asker: Asker) -> Answer:
    return told(asker.practice, PracticeRead)


def change_practice(asker: Asker, body: dict) -> Answer:
    """The practice after the change; raises Conflict `currency_fixed` once an invoice was sent."""
    change = practices.read_change(body)
    if change.get("currency", asker.practice.currency) != asker.practice.currency and asker.ask(Invoicing.read_summary).data.sent:
        raise Conflict("currency_fixed", "The currency can't change any more: invoices were sent in it.")
    return practices.change_practice(asker, change)
