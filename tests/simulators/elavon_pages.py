"""Stand-ins of Converge's payment page and of its Lightbox's script: they prove our side only, nothing of Converge's own pages.

What they hold to is what integrations show: a token for one payment, 15 minutes long; the page at its address; the Lightbox's
`PayWithConverge.open(fields, callbacks)` over a page that is on the list of referrers; the way back by an unsigned POST of the
result. A decline lets the payer try again, five times. One card is asked for by a bank's page first, as 3-D Secure would.
"""

import json
import re
import secrets
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from shared import money
from tests.simulators.elavon_wire import CHALLENGED, ERRORS, LONGEST, Refused
from tests.simulators.stand import Asked, Reply

if TYPE_CHECKING:
    from tests.simulators.elavon import Elavon

ROOT = "/hosted-payments"
LASTS, MOST_DECLINES = 15 * 60, 5
TAKES = {
    "ssl_merchant_id", "ssl_user_id", "ssl_pin", "ssl_vendor_id", "ssl_transaction_type", "ssl_amount", "ssl_transaction_currency",
    "ssl_invoice_number", "ssl_merchant_txn_id", "ssl_partial_auth_indicator", "ssl_callback_url",
}  # fmt: skip
SCRIPT = """"use strict";
(() => {
  const house = new URL(document.currentScript.src).origin;
  window.PayWithConverge = {
    open(fields, callbacks) {
      const frame = document.createElement("iframe");
      frame.title = "Converge";
      frame.src = house + "/hosted-payments/lightbox?ssl_txn_auth_token=" + encodeURIComponent(fields.ssl_txn_auth_token);
      Object.assign(frame.style, { position: "fixed", inset: "0", width: "100%", height: "100%", border: "0", zIndex: "1000" });
      const heard = (event) => {
        if (event.origin !== house || event.source !== frame.contentWindow) return;
        window.removeEventListener("message", heard);
        frame.remove();
        callbacks[event.data.what](event.data.response);
      };
      window.addEventListener("message", heard);
      document.body.append(frame);
    },
  };
})();
"""
STYLE = (
    "body{font:16px/1.5 sans-serif;margin:0;background:#0009}main{max-width:22rem;margin:2rem auto;padding:1rem;background:#fff}"
    "input,button{font:inherit;box-sizing:border-box;width:100%;padding:.5rem;margin:.25rem 0}.no{color:#a00}"
)
FIELDS = (("number", "Card number"), ("expires", "Expires (MMYY)"), ("cvc", "Security code"))


@dataclass
class Opened:
    """A token, and what it was given for; `card` is one that the bank asks about."""

    given: dict[str, str]
    at: float
    declines: int = 0
    ended: bool = False
    card: dict[str, str] = field(default_factory=dict)


class Pages:
    """The pages of one Converge. `returns_to` is the terminal's own return address, where it is set in Converge's interface."""

    def __init__(self, house: "Elavon"):
        self.house = house
        self.reset()

    def reset(self) -> None:
        self.opened: dict[str, Opened] = {}
        self.returns_to = ""

    def verb_of(self, asked: Asked) -> str | None:
        """`open` for the server's request, `page` for what the payer sends; None for what is no page's."""
        path = urlsplit(asked.path).path
        if not path.startswith(ROOT):
            return None
        return "open" if path == f"{ROOT}/transaction_token" else ("page" if asked.method == "POST" else "show")

    def work(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.path)
        form = _fields(asked.body.decode() if asked.method == "POST" else parts.query)
        what = (asked.method, parts.path.removeprefix(ROOT))
        if what == ("POST", "/transaction_token"):
            return self._token(form)
        if what == ("GET", "/PayWithConverge.js"):
            return Reply(200, SCRIPT.encode(), "text/javascript")
        if what in (("GET", ""), ("GET", "/lightbox"), ("POST", ""), ("POST", "/lightbox")):
            return self._page(asked, form, framed=what[1] == "/lightbox")
        return Reply(404, b"<html>Not Found</html>", "text/html")

    # our server asks

    def _token(self, form: dict[str, str]) -> Reply:
        try:
            self.house.must_know(form)
            self._must_fit(form)
        except Refused as no:
            return Reply(400, f"{no} {ERRORS[str(no)]}".encode(), "text/plain")
        token = secrets.token_urlsafe(24) + "+/=="
        self.opened[token] = Opened(form, self.house.now())
        return Reply(200, token.encode(), "text/plain")

    def _must_fit(self, form: dict[str, str]) -> None:
        if set(form) - TAKES or form.get("ssl_transaction_type") != "ccsale":
            raise Refused("4010")
        if any(len(form.get(name, "")) > most for name, most in LONGEST.items()):
            raise Refused("5005")
        self.house.amount_of(form)

    # the payer's browser asks

    def _page(self, asked: Asked, form: dict[str, str], framed: bool) -> Reply:
        if framed and asked.method == "GET" and not re.match("https?://", asked.headers.get("referer", "")):
            return _ends("onError", f"4003 {ERRORS['4003']}")
        opened = self.opened.get(form.get("ssl_txn_auth_token", ""))
        if opened is None or opened.ended or self.house.now() - opened.at > LASTS:
            words = "This payment page has expired, or was used. Nothing was charged by it."
            return _ends("onError", words) if framed else _html(f"<h1>Converge</h1><p>{words}</p>")
        if asked.method == "GET":
            return self._form(opened, form)
        if form.get("do") == "cancel":
            return _ends("onCancelled") if framed else self._back(opened, {"ssl_result_message": "CANCELLED"})
        return self._pay(opened, form, framed)

    def _pay(self, opened: Opened, form: dict[str, str], framed: bool) -> Reply:
        if form.get("do") == "refuse":
            return self._declined(opened, form, "The bank did not confirm the payment.", framed)
        card = opened.card if form.get("do") == "approve" else _card(form)
        if card["ssl_card_number"] == CHALLENGED and form.get("do") != "approve":
            opened.card = card
            return self._bank(form)
        try:
            said = self.house.sale(opened.given["ssl_merchant_id"], {**opened.given, **card}).elements
        except Refused as no:
            return self._declined(opened, form, ERRORS[str(no)], framed)
        if said.get("ssl_result") != "0":
            return self._declined(opened, form, said.get("ssl_result_message", "DECLINED"), framed)
        opened.ended = True
        return _ends("onApproval", said) if framed else self._back(opened, said)

    def _declined(self, opened: Opened, form: dict[str, str], words: str, framed: bool) -> Reply:
        opened.declines += 1
        opened.ended = opened.declines >= MOST_DECLINES
        if framed:
            return _ends("onDeclined", {"ssl_result": "1", "ssl_result_message": words})
        return self._form(opened, form, f'<p class="no" role="alert">Declined: {escape(words)}. Try another card.</p>')

    def _form(self, opened: Opened, form: dict[str, str], said: str = "") -> Reply:
        amount = money.to_text(*self.house.amount_of(opened.given))
        typed = "".join(f'<label>{label}<input name="{name}" inputmode="numeric"></label>' for name, label in FIELDS)
        buttons = '<button name="do" value="pay">Pay</button><button name="do" value="cancel">Cancel</button>'
        return _html(f"<h1>Converge</h1><p>To pay: {amount}</p>{said}<form method=post>{_token_of(form)}{typed}{buttons}</form>")

    def _bank(self, form: dict[str, str]) -> Reply:
        buttons = '<button name="do" value="approve">Approve</button><button name="do" value="refuse">Refuse</button>'
        return _html(f"<h1>Your bank</h1><p>Is this payment yours?</p><form method=post>{_token_of(form)}{buttons}</form>")

    def _back(self, opened: Opened, said: dict[str, str]) -> Reply:
        """The result on the way back: in a form that sends itself where there is script."""
        to = self.returns_to or opened.given.get("ssl_callback_url", "")
        if not to:
            return _html("<h1>Converge</h1><p>Thank you.</p>")
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in said.items())
        form = f'<form method=post action="{escape(to)}">{hidden}<button>Return to the merchant</button></form>'
        return _html(f"<h1>Converge</h1>{form}<script>document.forms[0].submit()</script>")


def _fields(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _card(form: dict[str, str]) -> dict[str, str]:
    number = re.sub("[ -]", "", form.get("number", ""))
    typed = {"ssl_exp_date": form.get("expires", ""), "ssl_cvv2cvc2": form.get("cvc", ""), "ssl_cvv2cvc2_indicator": "1"}
    return {"ssl_card_number": number, **typed}


def _token_of(form: dict[str, str]) -> str:
    return f'<input type="hidden" name="ssl_txn_auth_token" value="{escape(form["ssl_txn_auth_token"])}">'


def _html(inside: str) -> Reply:
    head = f'<title>Converge</title><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    return Reply(200, f'<!doctype html><html lang="en">{head}<main>{inside}</main>'.encode(), "text/html; charset=utf-8")


def _ends(what: str, response: object = None) -> Reply:
    """The Lightbox's frame tells the page below it how it ended, and is taken away."""
    told = json.dumps({"what": what, "response": response}).replace("<", "\\u003c")
    return _html(f"<script>parent.postMessage({told}, '*')</script>")
