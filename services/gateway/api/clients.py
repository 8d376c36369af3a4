"""Routes of clients' files."""

from typing import Any

from services.gateway.api.door import STAFF, Door
from services.gateway.people import words
from services.gateway.people.usecases.clients import ClientPage
from services.gateway.subjects import clients
from shared.contracts.invoicing import ClientAccount

door = Door("Clients")


@door.post("/clients", STAFF, takes=words.NewClient, gives=words.ClientRead, status=201)
def create_client(asker: Any, body: dict) -> Any:
    """Create a client, who is invited by mail; a provider's client is listed with that provider."""
    return clients.create_client(asker, body)


@door.get("/clients", STAFF, query=words.ClientFilter, gives=ClientPage)
def list_clients(asker: Any, query: dict) -> Any:
    """Clients by name: an admin sees all, a provider those they are listed with."""
    return clients.list_clients(asker, query)


@door.get("/clients/{client_id}", STAFF, gives=words.ClientRead)
def read_client(asker: Any, client_id: str) -> Any:
    """One client, with credit and balance."""
    return clients.read_client(asker, client_id)


@door.route("PATCH", "/clients/{client_id}", STAFF, takes=words.ClientChange, gives=words.ClientRead, exists=clients.must_see)
def change_client(asker: Any, client_id: str, body: dict) -> Any:
    """Change a client's file; `provider_ids` by an admin only."""
    return clients.change_client(asker, client_id, body)


@door.post(
    "/clients/{client_id}/invitations",
    STAFF,
    gives=words.ClientRead,
    status=202,
    exists=clients.must_see,
    faults=(409,),
)
def invite_client_again(asker: Any, client_id: str) -> Any:
    """Send the invitation again; the earlier link stops working."""
    return clients.invite_again(asker, client_id)


@door.post(
    "/clients/{client_id}/credit-refunds",
    STAFF,
    takes=words.NewCreditRefund,
    gives=ClientAccount,
    status=201,
    exists=clients.must_see,
    faults=(409,),
)
def refund_credit(asker: Any, client_id: str, body: dict) -> Any:
    """Pay out credit that was kept for a client."""
    return clients.refund_credit(asker, client_id, body)
