"""Clients of the practice: their files are the gateway's, their credit and balance invoicing's."""

from services.gateway.asker import Answer, Asker, told
from services.gateway.people.usecases import clients
from services.gateway.people.words import ClientRead, NewCreditRefund
from services.gateway.reading import checked, known_id
from shared.contracts.invoicing import Invoicing
from shared.faults import Unavailable
from shared.ids import new_id


def create_client(asker: Asker, body: dict) -> Answer:
    """The new client, invited by mail; a provider's client is listed with that provider."""
    return clients.create_client(asker, body)


def list_clients(asker: Asker, query: dict | None = None) -> Answer:
    """One page of clients by name; a provider sees their own. `q`, `provider_id`, `active`, `limit`, `cursor` choose."""
    return clients.list_clients(asker, query or {})


def read_client(asker: Asker, client_id: str) -> Answer:
    """One client with `credit` and `balance_due`, null while invoicing can't be asked."""
    return _with_account(asker, clients.read_client(asker, known_id(client_id, "cli")))


def must_see(asker: Asker, client_id: str) -> None:
    """Raises NotFound for a client who isn't the asker's; nobody else is asked."""
    clients.read_client(asker, known_id(client_id, "cli"))


def change_client(asker: Asker, client_id: str, body: dict) -> Answer:
    return _with_account(asker, clients.change_client(asker, known_id(client_id, "cli"), body))


def invite_again(asker: Asker, client_id: str) -> Answer:
    """A new invitation by mail; the earlier link stops working."""
    return clients.invite_again(asker, known_id(client_id, "cli"))


def refund_credit(asker: Asker, client_id: str, body: dict) -> Answer:
    """Pay out kept credit; answers the client's account."""
    must_see(asker, client_id)
    request = {**checked(NewCreditRefund, body), "client_id": client_id, "payout_id": new_id("pyo")}
    return asker.ask(Invoicing.refund_credit, request)


def _with_account(asker: Asker, answer: Answer) -> Answer:
    try:
        account = asker.ask(Invoicing.read_client_account, {"client_id": answer.data.id}).data
        standing = {"credit": account.credit, "balance_due": account.balance_due}
    except Unavailable:
        standing = {"credit": None, "balance_due": None}
    return told({**answer.data, **standing}, ClientRead, answer.status)
