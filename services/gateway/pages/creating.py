"""Creating an invoice and editing a draft: one line is the short path, several lines and the rest are one button away."""

from typing import Any

from flask import Response, g
from werkzeug.datastructures import MultiDict

from services.gateway.caller import role
from services.gateway.pages.forms import Form, clearable, decimal, many, money, numbers, one, percent, text
from services.gateway.pages.invoices import past
from services.gateway.pages.page import body_of, drawn_again, go, keyed, pages, query, show, through
from services.gateway.pages.words import money as money_words
from services.gateway.subjects import clients, colleagues, invoices, service, tax
from shared.faults import Fault, Forbidden

LINES = many(description=text, quantity=decimal, unit_amount=money, category=text)
SHORT = {"description": text, "amount": money}
REST = {"due_date": text, "memo": text, "discount": one(amount=money, percent=percent), "provider_id": text}


@pages.get("/billing/create")
@role("admin")
def choose_client() -> Response:
    page = clients.list_clients(g.asker, {"active": "true", **query()}).data
    return show("choose_client.html", tab="Billing", page=page, query=query())


@pages.route("/clients/<client_id>/billing/create", methods=["GET", "POST"])
@role("admin", "provider")
def create_invoice(client_id: str) -> Response:
    client = clients.read_client(g.asker, client_id).data
    offered = service.read_service(g.asker).data

    def act(form: Form) -> Response:
        send = form.typed.get("send") == "true"
        body = {**_body(form), "client_id": client_id, "send": send}
        try:
            made = invoices.create_invoice(keyed(form), body).data
        except Forbidden as unassigned:  # meanwhile: what was typed stays on the page
            return drawn_again(form, unassigned, draw)
        return go(f"/invoices/{made['id']}", _made_words(made, client["name"], send))

    def draw(form: Form) -> Response:
        return show(
            "create_invoice.html",
            tab="Clients",
            form=form,
            client=client,
            service=offered,
            invoice=None,
            providers=_assigned(offered),
            provider_id=_usual(client, offered),
            taxed=_taxed(client_id),
        )

    return through(act, draw)


def _usual(client: Any, offered: Any) -> str:
    """The client's provider, where it is one and assigned: an admin then has nothing to choose."""
    own = [one for one in client["provider_ids"] if one in offered["provider_ids"]]
    return own[0] if len(own) == 1 else ""


def _made_words(made: Any, name: str, sent: bool) -> str:
    total = money_words(made["total"], made["currency"])
    return f"Invoice {made['number']} of {total} is sent. {name} gets an alert." if sent else f"The draft of {total} is saved."


@pages.route("/invoices/<invoice_id>/edit", methods=["GET", "POST"])
@role("admin", "provider")
def edit_invoice(invoice_id: str) -> Response:
    found = invoices.read_invoice(g.asker, invoice_id).data

    def act(form: Form) -> Response:
        emptied = {"due_date": clearable, "memo": clearable}
        body = _body(form, **emptied)
        body.pop("provider_id", None)
        try:
            invoices.edit_invoice(keyed(form), invoice_id, {"discount": None, **body})
        except Forbidden as unassigned:
            return drawn_again(form, unassigned, draw)
        return go(f"/invoices/{invoice_id}", "The draft is saved.")

    def draw(form: Form) -> Response:
        if not form.sent and "edit" not in found["allowed_actions"]:
            return past(found)
        return show(
            "create_invoice.html",
            tab="Clients",
            form=form,
            client=found["client"],
            invoice=found,
            service={"may_create": True},
            providers=[],
            taxed=_taxed(found["client"]["id"]),
        )

    return through(act, draw)


def _taxed(client_id: str) -> str:
    """How an amount stands to sales tax for this client: before it, with it included, or (also while that can't be told) without."""
    try:
        quoted = tax.quote(g.asker, {"client_id": client_id, "amount": 10000}).data
    except Fault:
        return ""
    return "" if not quoted["tax"] else "included" if quoted["total"] == 10000 else "before"


def _body(form: Form, **kinds: Any) -> dict[str, Any]:
    """`{description, amount}` as long as there is one line; `{lines}` once there are several."""
    _drop_emptied(form)
    shape = {"lines": LINES} if several_lines(form) else SHORT
    return body_of(form, **{**shape, **REST, **kinds})


def _drop_emptied(form: Form) -> None:
    """Take out the rows that were emptied: a quantity or a kind of sales tax alone bills nothing.

    The others close up, so that an error names the row in which it is drawn.
    """
    rows = [row for row in numbers(form.typed, "lines") if _bills(form, row)]
    kept = [(name, value) for name, value in form.typed.items(multi=True) if not name.startswith("lines-")]
    for place, row in enumerate(rows):
        own = f"lines-{row}-"
        kept += [(f"lines-{place}-{name[len(own) :]}", value) for name, value in form.typed.items() if name.startswith(own)]
    form.typed = MultiDict(kept)


def _bills(form: Form, row: int) -> bool:
    return any(form.typed.get(f"lines-{row}-{name}", "").strip() for name in ("description", "unit_amount"))


def several_lines(form: Form) -> bool:
    return any(name.startswith("lines-") for name in form.typed)


def _assigned(offered: Any) -> list[tuple[str, str]]:
    """Whom an admin can create the invoice for; a provider creates their own."""
    if g.asker.role != "admin":
        return []
    found = colleagues.list_colleagues(g.asker, {"role": "provider", "active": "true", "limit": "200"}).data["data"]
    return [(one["id"], one["name"]) for one in found if one["id"] in offered["provider_ids"]]
