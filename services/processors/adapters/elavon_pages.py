"""Converge's own payment page and its Lightbox: addresses, what opening one says, and what our page must allow. Asks nobody.

A payment there begins with a token that Converge gives our server: for one payment, 15 minutes long, and it can't be taken
back. 3-D Secure is done there by Converge itself, where the terminal has it. Facts: Elavon's developer pages on the Lightbox;
the host names, the token's life, and `ssl_callback_url` (where the browser is sent back to, with a POST that nobody signed)
are as public integrations have them.
"""

import re
from datetime import timedelta
from urllib.parse import quote

from services.processors.adapters import elavon_reading as reading
from services.processors.orders import NEEDS_PAYER, Order, Outcome

HOSTS = {"live": "https://api.convergepay.com", "demo": "https://api.demo.convergepay.com"}
LASTS = timedelta(minutes=15)
# What the Lightbox loads and draws over our page comes from Converge's host; its documents name no list, so all of these and no more.
_LIGHTBOX_NEEDS = ("script-src", "frame-src", "connect-src", "style-src", "img-src")


def host(credentials: dict) -> str:
    """Where the pages and scripts are; a simulator's address in their place in development."""
    return credentials["api_base"].rstrip("/") if "api_base" in credentials else HOSTS[credentials["mode"]]


def token_address(credentials: dict) -> str:
    return f"{host(credentials)}/hosted-payments/transaction_token"


def sources(credentials: dict, card_entry: str) -> dict[str, list[str]]:
    """The pay page's form leads to Converge's page; the Lightbox needs nothing before the payment has begun."""
    return {"form-action": [host(credentials)]} if card_entry == "hosted_page" else {}


def opened(status: int, body: bytes, credentials: dict, order: Order) -> Outcome:
    """What the answer to the request for a token says: plain text, the token, or an error's four digits and its words."""
    text = body.decode("latin-1").strip()
    if error := re.fullmatch(r"([0-9]{4})(\s.*)?", text, re.DOTALL):
        return reading.error_of(error[1])
    if status != 200 or not re.fullmatch("[A-Za-z0-9+/=_-]{8,1000}", text):
        return reading.UNREADABLE
    way = _way(credentials, text, order.card_entry)
    return Outcome(NEEDS_PAYER, ids={"reference": order.reference}, next_action=way, lasts=LASTS)


def _way(credentials: dict, token: str, card_entry: str) -> dict:
    """To the page; and, where the admin chose the form on our page, as a window over it for browsers with script."""
    at = host(credentials)
    page = {"type": "redirect", "url": f"{at}/hosted-payments?ssl_txn_auth_token={quote(token, safe='')}"}
    if card_entry != "hosted_fields":
        return page
    window = {"kind": "converge_lightbox", "script": f"{at}/hosted-payments/PayWithConverge.js", "token": token}
    return {**page, "window": window, "sources": {directive: [at] for directive in _LIGHTBOX_NEEDS}}
