"""Routes of cards on file."""

from typing import Any

from services.gateway.api.door import CLIENT, STAFF, Door
from services.gateway.subjects import cards, clients
from shared.contracts.processors import SavedCard, SavedCards

door = Door("Cards on file")


@door.post("/cards", CLIENT, takes=cards.SavedCardBody, gives=SavedCard, status=201, faults=(402, 409, 429, 502))
def save_card(asker: Any, body: dict) -> Any:
    """Keep a card on file, with the client's consent; its number is kept by the processor only."""
    return cards.save_card(asker, body)


@door.get("/cards", CLIENT, gives=SavedCards)
def list_cards(asker: Any) -> Any:
    """The client's own cards on file, the default one first."""
    return cards.list_cards(asker)


@door.get("/cards/{card_id}", CLIENT, gives=SavedCard)
def read_card(asker: Any, card_id: str) -> Any:
    """One of the client's own cards on file."""
    return cards.read_card(asker, card_id)


@door.route("PATCH", "/cards/{card_id}", CLIENT, takes=cards.DefaultBody, gives=SavedCard, exists=cards.read_card)
def change_card(asker: Any, card_id: str, body: dict) -> Any:
    """Make it the default."""
    return cards.change_card(asker, card_id, body)


@door.route("DELETE", "/cards/{card_id}", CLIENT, exists=cards.read_card)
def remove_card(asker: Any, card_id: str) -> Any:
    """Take it off file."""
    return cards.remove_card(asker, card_id)


@door.get("/clients/{client_id}/cards", STAFF, gives=SavedCards, exists=clients.must_see)
def list_cards_of(asker: Any, client_id: str) -> Any:
    """A client's cards on file."""
    return cards.list_cards_of(asker, client_id)


@door.route("DELETE", "/clients/{client_id}/cards/{card_id}", STAFF, exists=cards.read_card_of)
def remove_card_of(asker: Any, client_id: str, card_id: str) -> Any:
    """Take a client's card off file, at the client's wish."""
    return cards.remove_card_of(asker, client_id, card_id)
