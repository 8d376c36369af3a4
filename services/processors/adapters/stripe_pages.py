"""Stripe's page (Checkout) and its form on our page (Payment Element): what is asked for, and what our own page needs for them.

Sources: Stripe's reference of Checkout Sessions, "Finalize payments on the server", and the content security policy in its
integration security guide. Stripe.js is loaded from where Stripe serves it, in the release of the API's version.
"""

from datetime import timedelta
from typing import Any

from services.processors.orders import NEEDS_PAYER, Order, Outcome

SCRIPT = "https://js.stripe.com/dahlia/stripe.js"
# Stripe takes 30 minutes at least, by its own clock: a minute more, because ours may be behind.
PAGE_LASTS = timedelta(minutes=31)
CHECKOUT = ["https://checkout.stripe.com"]
FORM_SOURCES = {
    "script-src": ["https://js.stripe.com", "https://*.js.stripe.com"],
    "frame-src": ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"],
    "connect-src": ["https://api.stripe.com"],
}


def page_wanted(order: Order) -> dict[str, Any]:
    """A page for exactly this amount, by card, whose words tell nothing: no names, no lines of the invoice."""
    assert order.sent_at is not None
    price = {"currency": order.currency.lower(), "unit_amount": order.amount, "product_data": {"name": "Invoice"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "payment_method_types": ["card"],
        "adaptive_pricing": {"enabled": False},  # the payer pays the invoice's currency, or the amount would not be ours
        "client_reference_id": order.reference,
        "payment_intent_data": {"metadata": {"reference": order.reference}},
        "success_url": order.means.return_url,
        "cancel_url": order.means.return_url,
        "expires_at": int((order.sent_at + PAGE_LASTS).timestamp()),
    }


def page_opened(session: Any) -> Outcome:
    """Where the payer goes, and for how long by Stripe's own clock."""
    lasts = timedelta(seconds=session.expires_at - session.created)
    return Outcome(NEEDS_PAYER, ids={"session": session.id}, next_action={"type": "redirect", "url": session.url}, lasts=lasts)


def form(credentials: dict) -> dict[str, str] | None:
    """What our page needs to draw Stripe's form; None without the key for it."""
    public = credentials.get("publishable_key")
    return {"kind": "stripe", "script": _script(credentials), "publishable_key": public} if public else None


def sources(credentials: dict, card_entry: str) -> dict[str, list[str]]:
    """What our page may load, frame, ask and send the payer to, and nothing else.

    The form's page leads to Stripe's page too, for browsers without script.
    """
    page = {"form-action": _there(credentials, CHECKOUT)}
    return {"hosted_page": page, "hosted_fields": {**_form_sources(credentials), **page}}.get(card_entry, {})


def bank_window(client_secret: str, credentials: dict) -> dict[str, Any]:
    """The payer's bank, in a window that Stripe's script opens over our page."""
    action = {"type": "use_stripe_sdk", "client_secret": client_secret}
    drawn = form(credentials)
    if drawn is None:
        return action
    more = {"form": {**drawn, "client_secret": client_secret}, "sources": _form_sources(credentials)}
    return {**action, "publishable_key": drawn["publishable_key"], **more}


def _script(credentials: dict) -> str:
    base = credentials.get("api_base")
    return f"{base.rstrip('/')}/stripe.js" if base else SCRIPT


def _form_sources(credentials: dict) -> dict[str, list[str]]:
    return {directive: _there(credentials, origins) for directive, origins in FORM_SOURCES.items()}


def _there(credentials: dict, origins: list[str]) -> list[str]:
    """In development the simulator stands for all of Stripe's hosts."""
    base = credentials.get("api_base")
    return [base] if base else list(origins)
