"""Clients: the list, adding one, a client's profile and a client's billing."""

from collections.abc import Sequence
from typing import Any

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import ADDRESS, Form, clearable, flag, money, needed, or_null, several, text
from services.gateway.pages.page import body_of, go, keyed, pages, pressed, query, show, through
from services.gateway.subjects import cards, colleagues, invoices, service
from services.gateway.subjects import clients as subject
from shared.faults import Unavailable


@pages.get("/clients")
@role("admin", "provider")
def clients() -> Response:
    return show("clients.html", tab="Clients", page=subject.list_clients(g.asker, query()).data, query=query())


@pages.route("/clients/new", methods=["GET", "POST"])
@role("admin", "provider")
def add_client() -> Response:
    def act(form: Form) -> Response:
        body = body_of(form, name=text, email=text, phone=text, address=ADDRESS, tax_exempt=flag, **_assignment(form))
        added = subject.create_client(keyed(form), body).data
        return go(f"/clients/{added['id']}/billing", f"{added['name']} is added. An invitation is on its way to {added['email']}.")

    return through(act, lambda form: show("client_new.html", tab="Clients", form=form, providers=_providers()))


@pages.route("/clients/<client_id>", methods=["GET", "POST"])
@role("admin", "provider")
def client(client_id: str) -> Response:
    found = subject.read_client(g.asker, client_id).data
    providers = _providers(found["provider_ids"])

    def act(form: Form) -> Response:
        kinds = {"name": needed, "phone": clearable, "address": or_null(ADDRESS), "tax_exempt": flag, "email": needed}
        body = body_of(form, **kinds, **_assignment(form))
        change = _changes(found, {**body, **_chosen(found, body, providers)})
        changed = subject.change_client(keyed(form), client_id, change).data
        return go(f"/clients/{client_id}", f"The profile of {changed['name']} is saved.")

    return through(act, lambda form: show("client.html", tab="Clients", client=found, form=form, providers=providers))


def _changes(found: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Only what differs from what is stored, so that two people who save different fields don't undo each other."""
    return {name: value for name, value in body.items() if found.get(name) != value}


def _assignment(form: Form) -> dict[str, Any]:
    """Who sees the client is an admin's to choose."""
    return {"provider_ids": several} if g.asker.role == "admin" and form.typed.get("assigns") else {}


def _chosen(found: Any, body: dict[str, Any], drawn: list[Any]) -> dict[str, Any]:
    """Whom the boxes list the client with: as it was where none was touched, else without who is deactivated."""
    ticked = body.get("provider_ids")
    before = [one["id"] for one in drawn if one["id"] in found["provider_ids"]]
    if ticked is None:
        return {}
    if set(ticked) == set(before):
        return {"provider_ids": found["provider_ids"]}
    gone = {one["id"] for one in drawn if not one["active"]}
    return {"provider_ids": [one for one in ticked if one not in gone]}


def _providers(assigned: Sequence[str] = ()) -> list[Any]:
    """Whom an admin can list a client with: every active provider, and whoever is listed already."""
    if g.asker.role != "admin":
        return []
    found = colleagues.list_colleagues(g.asker, {"role": "provider", "limit": "200"}).data["data"]
    return [one for one in found if one["active"] or one["id"] in assigned]


@pages.post("/clients/<client_id>/invitation")
@role("admin", "provider")
def invite_client_again(client_id: str) -> Response:
    where = f"/clients/{client_id}"

    def act(form: Form) -> Response:
        invited = subject.invite_again(keyed(form), client_id).data
        return go(where, f"A new invitation is on its way to {invited['email']}. The earlier link no longer works.")

    return pressed(act, where)


@pages.get("/clients/<client_id>/billing")
@role("admin", "provider")
def client_billing(client_id: str) -> Response:
    return _draw_billing(client_id, Form())


def _draw_billing(client_id: str, form: Form) -> Response:
    return show(
        "client_billing.html",
        tab="Clients",
        form=form,
        client=subject.read_client(g.asker, client_id).data,
        page=invoices.list_invoices(g.asker, {**query(), "client_id": client_id}).data,
        service=_service(),
        cards=_cards(client_id),
    )


def _cards(client_id: str) -> list[Any]:
    try:
        return cards.list_cards_of(g.asker, client_id).data["data"]
    except Unavailable:
        return []


def _service() -> Any:
    try:
        return service.read_service(g.asker).data
    except Unavailable:
        return {"may_create": False, "why_not": "Invoices can't be created just now. Try again in a minute."}


@pages.post("/clients/<client_id>/credit-refunds")
@role("admin", "provider")
def refund_credit(client_id: str) -> Response:
    def act(form: Form) -> Response:
        subject.refund_credit(keyed(form), client_id, body_of(form, amount=money, reason=text))
        return go(f"/clients/{client_id}/billing", "The credit is recorded as paid out.")

    return through(act, lambda form: _draw_billing(client_id, form))
