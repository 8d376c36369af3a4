"""Cards on file: the client's own, kept by the practice's processor with their consent; staff see and remove them too."""

from services.gateway.asker import Answer, Asker
from services.gateway.people.usecases import clients, declines
from services.gateway.reading import known_id
from services.gateway.sealing import sent_sealed
from services.gateway.subjects.paying import CardBody, seal
from shared.contract import read
from shared.contracts.processors import Processors
from shared.faults import Invalid, Refused, invalid
from shared.fields import Flag, Part, Text, Words
from shared.ids import new_id


class SavedCardBody(Words):
    """A `card` or a `token` of the processor's own form, and `consent`: the client allows it to be kept and charged."""

    card = Part(CardBody)
    token = Text(allow_none=True, most=4000)
    consent = Flag(required=True)


class DefaultBody(Words):
    """`default` makes it the one that is offered first."""

    default = Flag(required=True)


def consent_text(practice_name: str) -> str:
    """What a client agrees to; kept with the card, as it was read."""
    return (
        f"I allow {practice_name} to keep this card on file with its card processor and to charge it for my invoices, "
        "also when I am not there. I can take it off file at any time."
    )


def save_card(asker: Asker, body: dict) -> Answer:
    """The card on file; raises Invalid without consent, Conflict where the practice keeps none, Refused where the card is.

    LimitReached after five refused cards of one client in an hour, whatever keys they came with: nobody tries cards out here.
    """
    request = read(SavedCardBody, body)
    if not request.consent:
        raise invalid("consent", "The card is kept only if you allow it.")
    given = [name for name in ("card", "token") if request.get(name)]
    if len(given) != 1:
        raise Invalid(errors=[{"field": name, "message": "Send a card or a token."} for name in given or ["card"]])
    card_id, secret = new_id("card"), {given[0]: request[given[0]]}
    order = {"card_id": card_id, "consent": consent_text(asker.practice["name"])[:500]}

    def send() -> Answer:
        sealed = seal(asker, secret, f"save-card|{asker.practice_id}|{asker.caller.member_id}|{card_id}")
        return asker.ask(Processors.save_card, {**order, "sealed_card": sealed})

    tries = asker.with_key(None)  # a refusal is kept under no key, so that each try counts
    declines.must_be_few(tries, asker.member_id)
    try:
        return sent_sealed(asker, send)
    except Refused:
        declines.count(tries, asker.member_id)
        raise


def list_cards(asker: Asker) -> Answer:
    """The client's own."""
    return asker.ask(Processors.list_cards, {"client_id": asker.caller.member_id})


def list_cards_of(asker: Asker, client_id: str) -> Answer:
    """Those of a client whom this colleague may see."""
    return asker.ask(Processors.list_cards, {"client_id": _seen(asker, client_id)})


def read_card(asker: Asker, card_id: str) -> Answer:
    """One of the client's own."""
    return asker.ask(Processors.read_card, _named(asker.caller.member_id, card_id))


def read_card_of(asker: Asker, client_id: str, card_id: str) -> Answer:
    """One of a client whom this colleague may see."""
    return asker.ask(Processors.read_card, _named(_seen(asker, client_id), card_id))


def change_card(asker: Asker, card_id: str, body: dict) -> Answer:
    """Make it the default; there is always one, so it can't be made none."""
    if not read(DefaultBody, body).default:
        raise invalid("default", "Make another card the default instead.")
    return asker.ask(Processors.choose_card, _named(asker.caller.member_id, card_id))


def remove_card(asker: Asker, card_id: str) -> None:
    """Take one of the client's own cards off file."""
    asker.ask(Processors.remove_card, _named(asker.caller.member_id, card_id))


def remove_card_of(asker: Asker, client_id: str, card_id: str) -> None:
    """Take a card of a client off file, by staff who may see the client."""
    asker.ask(Processors.remove_card, _named(_seen(asker, client_id), card_id))


def _seen(asker: Asker, client_id: str) -> str:
    clients.read_client(asker, known_id(client_id, "cli"))
    return client_id


def _named(client_id: str, card_id: str) -> dict:
    return {"client_id": client_id, "card_id": known_id(card_id, "card")}
