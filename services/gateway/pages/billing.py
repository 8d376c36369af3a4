"""Billing: the figures, the filters and every invoice of the practice; a new practice sees what to do first."""

from datetime import timedelta
from typing import Any

from flask import Response, g

from services.gateway.caller import role, signed_in
from services.gateway.pages.page import pages, query, show, today
from services.gateway.pages.words import CHOSEN, INVOICE, day
from services.gateway.subjects import clients, colleagues, invoices, processors, service, tax
from shared.faults import Unavailable


@pages.get("/billing")
@role("admin")
def billing() -> Response:
    summary = invoices.read_summary(g.asker).data
    page = invoices.list_invoices(g.asker, query()).data
    return show(
        "billing.html",
        tab="Billing",
        summary=summary,
        page=page,
        query=query(),
        statuses=status_options(),
        periods=period_options(),
        providers=provider_options(),
        checklist=None if summary["sent"] else checklist(),
    )


@pages.get("/invoices")
@signed_in
def my_invoices() -> Response:
    """A client's own invoices, a provider's clients' invoices; an admin's are under Billing and look the same."""
    page = invoices.list_invoices(g.asker, query()).data
    return show("invoices.html", tab="My invoices", page=page, query=query(), statuses=status_options(), periods=period_options())


def status_options() -> list[tuple[str, str]]:
    return [("", "Every status"), *((name, CHOSEN.get(name, words.text)) for name, words in INVOICE.items())]


def period_options() -> list[tuple[str, str]]:
    """What the `from` filter offers; the option's value is the day itself, as the API takes it."""
    now = today()
    offered = [(str(now - timedelta(days=days)), f"Last {days} days") for days in (30, 90, 365)]
    chosen = query().get("from")
    if chosen and chosen not in dict(offered):
        offered.append((chosen, f"Since {_since(chosen, now)}"))
    return [("", "Any date"), *offered]


def _since(chosen: str, now: Any) -> str:
    try:
        return day(chosen, now)
    except ValueError:
        return chosen  # the list itself says what is wrong with it


def provider_options() -> list[tuple[str, str]]:
    found = colleagues.list_colleagues(g.asker, {"role": "provider", "limit": "200"}).data["data"]
    return [("", "Every provider"), *((one["id"], one["name"]) for one in found)]


def checklist() -> list[dict[str, Any]]:
    """What a new practice does, in order, each ticked by what is there; what can't be asked just now stays unticked."""
    offered = _or_empty(lambda: service.read_service(g.asker).data, {"enabled": False})
    chosen = _or_empty(lambda: tax.read_settings(g.asker).data["chosen"], False)
    return [
        _item("Add a payment processor", "/billing/setup", _any(lambda: processors.list_processors(g.asker))),
        _item("Choose the sales-tax requirement", "/billing/setup#tax", chosen),
        _item("Invite a provider", "/colleagues/new", len(provider_options()) > 1),
        _item("Enable Client Billing and assign providers", "/services/client-billing", offered["enabled"]),
        _item("Add a client", "/clients/new", _any(lambda: clients.list_clients(g.asker, {"limit": "1"}))),
        _item("Send the first invoice", "/billing/create", False),
    ]


def _item(text: str, address: str, done: bool) -> dict[str, Any]:
    return {"text": text, "address": address, "done": done}


def _any(ask: Any) -> bool:
    return bool(_or_empty(lambda: ask().data["data"], []))


def _or_empty(ask: Any, empty: Any) -> Any:
    try:
        return ask()
    except Unavailable:
        return empty
