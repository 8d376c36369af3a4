"""Stand-ins for what Authorize.net shows a payer: its page (Accept Hosted) and its window over our page (AcceptUI.js and its frame).

They are ours, made from the description of what goes in and comes out, so they prove our side only: that we ask rightly, believe
nothing that comes back, and let the browser load no more than this. How the real ones look and behave they don't show. Guessed, the
harder way where nothing is written: a page's token can be shown until it has paid, a window's token is used up by its first try.
"""

import json
import secrets
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.simulators.stand import Asked, Reply

MINUTES_15 = 900.0  # how long either token is good
SETTINGS = {
    "hostedPaymentReturnOptions": {"showReceipt", "url", "urlText", "cancelUrl", "cancelUrlText"},
    "hostedPaymentButtonOptions": {"text"},
    "hostedPaymentOrderOptions": {"show", "merchantName"},
    "hostedPaymentPaymentOptions": {"cardCodeRequired", "showCreditCard", "showBankAccount"},
    "hostedPaymentSecurityOptions": {"captcha"},
    "hostedPaymentShippingAddressOptions": {"show", "required"},
    "hostedPaymentBillingAddressOptions": {"show", "required"},
    "hostedPaymentCustomerOptions": {"showEmail", "requiredEmail", "addPaymentProfile"},
}


@dataclass
class Page:
    """One page that was asked for: the transaction it is for, whose, until when, and whether it was paid on."""

    transaction: dict
    login: str
    until: float
    back: str
    away: str
    paid: bool = False


@dataclass
class Typed:
    """A card that was typed into the window: whose merchant's, until when."""

    card: dict
    login: str
    until: float


class Unfit(ValueError):
    """A setting that they would refuse."""


class Pages:
    """The pages and tokens of one simulator, in its books' process."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.typed: dict[str, Typed] = {}

    def open(self, asked: dict, login: str, now: float) -> str:
        """The token of a new page. Raises Unfit where a setting is unknown or no JSON, or a card comes with the request."""
        transaction = asked["transactionRequest"]
        if transaction.get("transactionType") != "authCaptureTransaction" or "payment" in transaction:
            raise Unfit("The hosted page takes a charge, and its payment on the page.")
        options = {name: _options(name, value) for name, value in _listed(asked)}
        back = options.get("hostedPaymentReturnOptions", {})
        for name in ("url", "cancelUrl"):
            if urlsplit(str(back.get(name))).scheme not in ("http", "https"):
                raise Unfit(f"hostedPaymentReturnOptions: {name} has to be an absolute address.")
        token = secrets.token_urlsafe(300)
        self.pages[token] = Page(transaction, login, now + MINUTES_15, back["url"], back["cancelUrl"])
        return token

    def page(self, token: str, now: float) -> Page | None:
        """The page of a token that is good: not over, not paid on."""
        page = self.pages.get(token)
        return page if page is not None and now < page.until and not page.paid else None

    def keep(self, card: dict, login: str, now: float) -> str:
        """A token in place of a card."""
        token = secrets.token_urlsafe(200)
        self.typed[token] = Typed(card, login, now + MINUTES_15)
        return token

    def card_of(self, opaque: dict, login: str, now: float) -> dict | None:
        """The card that a token stands for, once; None for a token that is unknown, used, over, or another merchant's."""
        typed = self.typed.pop(str(opaque.get("dataValue")), None)
        fits = opaque.get("dataDescriptor") == "COMMON.ACCEPT.INAPP.PAYMENT"
        return typed.card if typed and fits and typed.login == login and now < typed.until else None


def _listed(asked: dict) -> list[tuple[str, str]]:
    settings = asked.get("hostedPaymentSettings", {}).get("setting", [])
    return [(setting["settingName"], setting["settingValue"]) for setting in settings]


def _options(name: str, value: Any) -> dict:
    try:
        options = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        options = None
    if name not in SETTINGS or not isinstance(options, dict) or not set(options) <= SETTINGS[name]:
        raise Unfit(f"{name}: the value is no JSON text of this setting.")
    return options


def form_in(asked: Asked) -> dict[str, str]:
    """The fields of a form that a browser sent."""
    return {name: values[0] for name, values in parse_qs(asked.body.decode(errors="replace"), keep_blank_values=True).items()}


def card_in(form: dict[str, str]) -> dict:
    """A card as typed into the stand-ins, in the words of a transaction."""
    month, _, year = form.get("expiryDate", "").partition("/")
    expires = f"20{year.strip()[-2:]}-{month.strip().zfill(2)}"
    return {"cardNumber": form.get("cardNum", "").replace(" ", ""), "expirationDate": expires, "cardCode": form.get("cvv", "")}


_STYLE = (
    "body{font:16px/1.5 sans-serif;margin:0 auto;padding:16px;max-width:420px}label{display:block;margin-top:12px}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:8px}"
    "button,a{font:inherit;display:inline-block;margin-top:16px;margin-right:12px;padding:8px 16px}.no{color:#a3182b}"
)


def _html(title: str, inside: str, script: str = "") -> Reply:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    body = f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{inside}{script}</body></html>'
    return Reply(200, body.encode(), "text/html; charset=utf-8")


_FIELDS = "".join(
    f'<label>{label}<input name="{name}" autocomplete="off"></label>'
    for name, label in (("cardNum", "Card Number"), ("expiryDate", "Exp. Date (MM/YY)"), ("cvv", "Card Code"), ("zip", "ZIP Code"))
)


def page_of(token: str, page: Page, problem: str = "") -> Reply:
    """The page to pay on; it works without script, as a stand-in may."""
    no = f'<p class="no" role="alert">{escape(problem)}</p>' if problem else ""
    total = f"<p>Total: {escape(str(page.transaction['amount']))} {escape(page.transaction.get('currencyCode', ''))}</p>"
    hidden = f'<input type="hidden" name="token" value="{escape(token)}">'
    away = f'<a href="{escape(page.away)}">Cancel</a>'
    form = f'<form method="post" action="/payment/submit">{hidden}{_FIELDS}<button>Pay</button>{away}</form>'
    return _html("Authorize.net stand-in", total + no + form)


def no_page() -> Reply:
    return _html("Authorize.net stand-in", '<p class="no" role="alert">This payment form has expired or was used.</p>')


def back_to(address: str) -> Reply:
    """The browser goes back by GET, and carries nothing."""
    return Reply(303, b"", "text/plain", {"Location": address})


def frame() -> Reply:
    """What the window shows: it gives the card to us (the processor) and the token to the page around it."""
    buttons = '<button>Pay</button><button type="button" id="close">Close</button>'
    form = f'<form id="card">{_FIELDS}<p class="no" role="alert" id="problem"></p>{buttons}</form>'
    return _html("Authorize.net stand-in", form, f"<script>{_FRAME}</script>")


def script(url: str) -> Reply:
    """What our page loads: it finds the button of class AcceptUI and opens the window over the page."""
    return Reply(200, _SCRIPT.replace("@URL@", url).encode(), "text/javascript; charset=utf-8")


_SCRIPT = """// A stand-in of AcceptUI.js for tests and demonstrations.
(() => {
  window.AcceptUI = {};
  const begin = () => {
    const button = document.querySelector(".AcceptUI");
    const shade = document.createElement("div"), box = document.createElement("div"), frame = document.createElement("iframe");
    shade.id = "AcceptUIBackground";
    box.id = "AcceptUIContainer";
    Object.assign(shade.style, { position: "fixed", inset: "0", background: "#000", zIndex: "8" });
    Object.assign(box.style, { position: "fixed", top: "5%", left: "50%", width: "min(440px, 100%)", height: "560px", zIndex: "9" });
    Object.assign(box.style, { transform: "translateX(-50%)", background: "#fff", overflow: "hidden" });
    Object.assign(frame.style, { width: "100%", height: "100%", border: "0" });
    frame.title = "Authorize.net stand-in";
    box.append(frame);
    document.body.append(shade, box);
    const show = (shown) => {
      for (const part of [shade, box]) part.className = shown ? "show" : "";
      if (shown) frame.src = "@URL@/v3/acceptMain/acceptMain.html";
    };
    button.addEventListener("click", (event) => {
      event.preventDefault();
      event.stopPropagation();
      show(true);
    });
    window.addEventListener("message", (event) => {
      if (event.origin !== "@URL@" || event.source !== frame.contentWindow || event.data.verifyOrigin !== "AcceptMain") return;
      if (event.data.type === "ACK") {
        const login = { apiLoginID: button.dataset.apiloginid, clientKey: button.dataset.clientkey };
        frame.contentWindow.postMessage({ verifyOrigin: "AcceptUI", type: "INIT", pktData: login }, "@URL@");
      }
      if (event.data.type === "CLOSE_IFRAME") show(false);
      if (event.data.type === "RESPONSE") {
        show(false);
        window[button.dataset.responsehandler](event.data.pktData);
      }
    });
  };
  if (document.readyState === "complete") begin();
  else document.addEventListener("readystatechange", () => document.readyState === "complete" && begin());
})();
"""

_FRAME = """
  let merchant, around;
  const tell = (type, pktData) => parent.postMessage({ verifyOrigin: "AcceptMain", type, pktData }, around || "*");
  addEventListener("message", (event) => {
    if (event.data.verifyOrigin === "AcceptUI") [merchant, around] = [event.data.pktData, event.origin];
  });
  document.getElementById("close").addEventListener("click", () => tell("CLOSE_IFRAME"));
  document.getElementById("card").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams([...new FormData(event.target), ...Object.entries(merchant)]);
    const answer = await (await fetch("/v3/acceptMain/token", { method: "POST", body })).json();
    if (answer.messages.resultCode === "Ok" || !answer.messages.message[0].code.startsWith("E_WC_0")) tell("RESPONSE", answer);
    else document.getElementById("problem").textContent = answer.messages.message[0].text;
  });
  tell("ACK");
"""
