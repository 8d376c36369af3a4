"""Clients' files: made by admins and providers, invited by mail; a provider sees the clients they are listed with."""

import base64
import json
from typing import Any

from services.gateway.asker import Answer, told
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import Client
from services.gateway.people.telling import invitations_must_be_few, tell_client, write_letter
from services.gateway.people.usecases.colleagues import check_providers
from services.gateway.people.words import ClientChange, ClientFilter, ClientRead, NewClient
from services.gateway.reading import query
from shared.contract import read
from shared.faults import Conflict, Forbidden, invalid
from shared.fields import Page, Record
from shared.ids import new_id


class _Row(ClientRead):
    """A client in a list: without the account, which invoicing would have to be asked for one by one."""

    class Meta(ClientRead.Meta):
        exclude = ("credit", "balance_due")


ClientPage = Page(_Row)
ClientPage.__name__ = "ClientPage"


def listed_with(asker: Any) -> str | None:
    """Whose list bounds what the asker sees: a provider's own, none for an admin."""
    return asker.member_id if asker.role == "provider" else None


def create_client(asker: Any, body: dict) -> Answer:
    """The new client, invited by mail; raises Invalid where the address is a client's already."""
    wanted = read(NewClient, body)
    own = listed_with(asker)
    providers = wanted.get("provider_ids", [own] if own else [])
    if own and providers != [own]:
        raise Forbidden("admins_only", "Only an admin lists a client with other providers.")

    def work(s: Any, now: Any) -> dict:
        if storage.client_by_email(s, asker.practice_id, wanted.email):
            raise invalid("email", "A client with this address is here already.", "email_taken")
        check_providers(s, asker.practice_id, providers)
        place = Client(id=new_id("cli"), practice_id=asker.practice_id, created_at=now, tax_exempt=False)
        _write(place, wanted)
        storage.save(s, place)
        storage.list_with(s, asker.practice_id, place.id, providers)
        _tell(s, asker, place, now)
        _invite(s, asker, place, now)
        return {**_said(s, place), "credit": 0, "balance_due": 0}

    return take_effect(asker.gateway, asker.caller, work, ClientRead, status=201, tell=lambda made: [(asker.practice_id, made.id)])


def _write(place: Client, change: Any) -> None:
    for name, value in change.items():
        if name != "provider_ids":
            setattr(place, name, value)
    place.sort_name = place.name.lower()


def _tell(s: Any, asker: Any, place: Client, now: Any) -> None:
    providers = storage.provider_ids(s, place.practice_id, [place.id])[place.id]
    tell_client(s, asker.gateway.keys, place, providers, now)


def _invite(s: Any, asker: Any, place: Client, now: Any) -> None:
    write_letter(s, asker.gateway, "invitation", "client_invitation", place.email, place.practice_id, place.id, now)


def _said(s: Any, place: Client) -> dict:
    names = ("id", "name", "email", "phone", "address", "tax_exempt", "status", "active", "created_at")
    providers = storage.provider_ids(s, place.practice_id, [place.id])[place.id]
    return {**{name: getattr(place, name) for name in names}, "provider_ids": providers}


def read_client(asker: Any, client_id: str) -> Answer:
    """One client's file; raises NotFound for one who isn't the asker's."""
    with storage.reading(asker.gateway.database) as s:
        return told(_said(s, storage.client(s, asker.practice_id, client_id, listed_with(asker))), ClientRead)


def list_clients(asker: Any, given: dict) -> Answer:
    """One page by name."""
    _, wanted = query(ClientFilter, given)
    lists = [one for one in (listed_with(asker), wanted.provider_id) if one]
    with storage.reading(asker.gateway.database) as s:
        found = storage.clients(s, asker.practice_id, lists, wanted, _after(wanted.cursor))
        page = [_said(s, place) for place in found[: wanted.limit]]
    more = len(found) > wanted.limit
    cursor = _cursor(found[wanted.limit - 1]) if more else None
    return told({"data": page, "next_cursor": cursor}, ClientPage)


def _cursor(place: Client) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.sort_name, place.id]).encode()).decode().rstrip("=")


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        name, client_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (isinstance(name, str) and isinstance(client_id, str)) or "\x00" in name + client_id:
            raise ValueError
        (name + client_id).encode()
    except (ValueError, TypeError):
        raise invalid("cursor", "This is not a cursor that a list gave.") from None
    return name, client_id


def change_client(asker: Any, client_id: str, body: dict) -> Answer:
    """The file as it is now, known to every service; a new address of somebody not yet here is invited anew."""
    with storage.reading(asker.gateway.database) as s:
        storage.client(s, asker.practice_id, client_id, listed_with(asker))
    change = read(ClientChange, body)
    if "provider_ids" in change and asker.role != "admin":
        raise Forbidden("admins_only", "Only an admin lists a client with other providers.")

    tell = [(asker.practice_id, client_id)]
    work = _changing(asker, client_id, change)
    return take_effect(asker.gateway, asker.caller, work, ClientRead, tell=lambda _: tell)


def _changing(asker: Any, client_id: str, change: Record) -> Any:
    def work(s: Any, now: Any) -> dict:
        place = storage.client(s, asker.practice_id, client_id, listed_with(asker), lock=True)
        moved = change.get("email", place.email) != place.email
        if moved and storage.client_by_email(s, asker.practice_id, change.email):
            raise invalid("email", "A client with this address is here already.", "email_taken")
        _write(place, change)
        place.version += 1
        storage.save(s, place)
        if "provider_ids" in change:
            check_providers(s, asker.practice_id, change.provider_ids)
            storage.list_with(s, asker.practice_id, place.id, change.provider_ids)
        _tell(s, asker, place, now)
        if moved and place.status == "invited":
            _invite(s, asker, place, now)
        return _said(s, place)

    return work


def invite_again(asker: Any, client_id: str) -> Answer:
    """A new letter; raises Conflict where the invitation was accepted already."""

    def work(s: Any, now: Any) -> dict:
        place = storage.client(s, asker.practice_id, client_id, listed_with(asker))
        if place.status != "invited":
            raise Conflict("not_invited", "This invitation was accepted already, or the client is deactivated.")
        invitations_must_be_few(s, place.id, now)
        _invite(s, asker, place, now)
        return _said(s, place)

    tell = [(asker.practice_id, client_id)]
    return take_effect(asker.gateway, asker.caller, work, ClientRead, status=202, tell=lambda _: tell)
