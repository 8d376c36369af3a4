"""The web client: server-rendered pages over the same subjects as the JSON API. `register` gives them to an app."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, get_flashed_messages, request

from services.gateway.caller import gateway
from services.gateway.pages import (
    account,
    alerts,
    authentication,
    billing,
    cards,
    clients,
    closing,
    colleagues,
    creating,
    entering,
    failover,
    home,
    invoices,
    mail,
    paying,
    practice,
    returning,
    services,
    setup,
    worklist,
)
from services.gateway.pages import words as say
from services.gateway.pages.page import other_memberships, pages, today, zone
from services.gateway.pages.places import page_of_form
from services.gateway.subjects import alerts as alert_subject
from shared.faults import Fault
from shared.fields import plain
from shared.ids import new_id
from shared.money import to_text

SUBJECTS = (
    account, alerts, authentication, billing, cards, clients, closing, colleagues, creating, entering, failover, home, invoices,
    mail, paying, practice, returning, services, setup, worklist,
)  # fmt: skip
TABS = {
    "admin": [
        ("Billing", "/billing"),
        ("Setup", "/billing/setup"),
        ("Services", "/services"),
        ("Clients", "/clients"),
        ("Colleagues", "/colleagues"),
        ("Work list", "/worklist"),
        ("Practice", "/practice"),
    ],
    "provider": [("Clients", "/clients"), ("My invoices", "/invoices"), ("Alerts", "/alerts")],
    "client": [("My invoices", "/invoices"), ("Cards", "/cards"), ("Alerts", "/alerts")],
}


def register(app: Flask) -> None:
    """Give `app` the pages, their words and the one-time message (a signed cookie that holds nothing else)."""
    settings = app.extensions["gateway"].settings
    app.secret_key = app.extensions["gateway"].keys.hmac_key
    app.config.update(
        SESSION_COOKIE_NAME="message",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https:"),
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(_filters())
    app.register_blueprint(pages)
    app.context_processor(_context)


def _filters() -> dict[str, Any]:
    return {
        "money": say.money,
        "plain_amount": to_text,
        "plain_number": plain,
        "percent": say.percent,
        "quantity": say.quantity,
        "iso": say.iso,
        "day": lambda value: say.day(value, today(), zone()),
        "moment": lambda value: say.moment(value, today(), zone()) if say.is_moment(value) else say.day(value, today()),
        "exact": lambda value: say.exact(value, zone()),
        "invoice_status": _invoice_status,
        "note": lambda invoice: say.invoice_note(invoice, today()),
        "money_status": _money_status,
        "refund_status": lambda status: say.status_of(say.REFUND, status),
        "processor_status": lambda status: say.status_of(say.PROCESSOR, status),
        "finding_status": lambda status: say.status_of(say.FINDING, status),
        "member_status": lambda status: say.status_of(say.MEMBER, status),
        "delivery_status": lambda status: say.status_of(say.DELIVERY, status),
        "on_off": lambda on: say.ON if on else say.OFF,
        "role_name": lambda role: say.ROLES.get(role, role),
        "account_name": lambda name: say.ACCOUNTS.get(name, name),
        "paid_with": say.paid_with,
        "kept_as_credit": say.kept_as_credit,
        "card_groups": say.card_groups,
        "card_words": say.card,
        "card_until": say.card_until,
        "card_expiry": lambda expiry: say.status_of(say.CARD_EXPIRY, expiry),
        "card_outcome": say.card_outcome,
        "plain_percent": say.plain_percent,
        "choice_words": lambda options, value: dict(options).get(value, value),
    }


def _invoice_status(invoice: Any) -> say.Status:
    return _money_status("requires_action") if say.waits_for_payer(invoice) else say.invoice_status(invoice, today())


def _money_status(status: str) -> say.Status:
    """A payment's pill; who waits for the payer is told so, and the payer that it is their turn."""
    found = say.status_of(say.MONEY, status)
    own = g.get("asker") and g.asker.role == "client" and status == "requires_action"
    return say.Status("Waiting for you", found.look, found.icon) if own else found


def _context() -> dict[str, Any]:
    settings = gateway().settings
    return {
        "asker": g.get("asker"),
        "development": settings.development,
        "public_url": settings.public_url,
        "keeps_mail": settings.development and not settings.smtp_url,
        "csrf_token": lambda: g.asker.csrf_token if g.get("asker") else "",
        "csp_nonce": lambda: g.get("csp_nonce", ""),
        "new_key": lambda: new_id("key"),
        "messages": get_flashed_messages,
        "tabs_of": lambda role: TABS.get(role, []),
        "alerts_words": _alerts_words,
        "other_memberships": other_memberships,
        "next_page": _next_page,
        "today": today,
        "card_options": lambda cards: [(one["id"], say.card(one), say.card_until(one)) for one in cards],
        "pairs": lambda names: [(name, name) for name in names],
        "payment_options": lambda offered: [(one["id"], say.payment_words(one)) for one in offered],
    }


def _alerts_words() -> str:
    """How many alerts wait; only the word where that can't be told right now."""
    if g.get("without_alerts"):
        return "Alerts"
    try:
        unread = alert_subject.count_unread(g.asker).data["unread"]
    except Fault:
        return "Alerts"
    return f"{unread} alert{'' if unread == 1 else 's'}" if unread else "Alerts"


def _next_page(cursor: str) -> str:
    """This list's address with the same filters, from `cursor` on."""
    return f"{page_of_form() or request.path}?{urlencode({**request.args, 'cursor': cursor})}"
