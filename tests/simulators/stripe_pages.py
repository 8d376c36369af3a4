"""Stand-ins of Stripe's page, of its script with the form, and of the bank's window. They prove our side only.

The real ones are Stripe's: these offer the documented functions and nothing more, look like nothing of Stripe's, and the page works
without script, which is more than Stripe promises.
"""

import html
import json
from urllib.parse import parse_qs, urlsplit

from tests.simulators.stand import Asked, Reply
from tests.simulators.stripe_cards import StripeCards
from tests.simulators.stripe_form import Refused

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Stand-in of Stripe</title><style>body{font:16px/1.5 sans-serif;margin:0 auto;max-width:26rem;padding:1rem}
label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit}input,button{min-height:44px;margin-bottom:.5rem}
.wrong{color:#a3182b}</style></head><body><main>"""
_FOOT = "</main></body></html>"
_CARD = """<label for="number">Card number</label><input id="number" name="number" inputmode="numeric" autocomplete="cc-number">
<label for="expiry">Expiry (MM/YY)</label><input id="expiry" name="expiry" inputmode="numeric" autocomplete="cc-exp">
<label for="cvc">CVC</label><input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc">"""
_ASK = """<p>Your bank asks whether it is you.</p><form method="post"><button name="answer" value="approve">Approve</button>
<button name="answer" value="refuse">Refuse</button></form>"""

# What js.stripe.com offers, as far as our page uses it.
SCRIPT = """"use strict";
(() => {
  const here = new URL(document.currentScript.src).origin;
  const framed = (path, where, height) => {
    const frame = document.createElement("iframe");
    frame.src = here + path;
    frame.title = "Secure payment input frame";
    frame.style.width = "100%";
    frame.style.height = height;
    frame.style.border = "0";
    where.append(frame);
    return frame;
  };
  const heard = (frame) => new Promise((resolve) => {
    const listen = (event) => {
      if (event.origin !== here || event.source !== frame.contentWindow) return;
      window.removeEventListener("message", listen);
      resolve(event.data);
    };
    window.addEventListener("message", listen);
  });
  const ask = (frame, what) => {
    const answer = heard(frame);
    frame.contentWindow.postMessage(what, here);
    return answer;
  };
  window.Stripe = (key) => ({
    elements: (options) => {
      const fits = options.mode === "payment" ? options.amount > 0 && Number.isInteger(options.amount) : options.mode === "setup";
      if (!fits || !/^[a-z]{3}$/.test(options.currency)) {
        throw new Error("IntegrationError: mode, amount and currency");
      }
      const made = { frame: null };
      return {
        made,
        create: (kind) => {
          if (kind !== "payment") throw new Error("IntegrationError: " + kind);
          const mount = (where) => {
            const form = "/elements/payment?mode=" + options.mode + "&key=" + encodeURIComponent(key);
            made.frame = framed(form, document.querySelector(where), "270px");
          };
          return { mount, on: () => {} };
        },
        submit: async () => ask(made.frame, "submit"),
      };
    },
    createConfirmationToken: async ({ elements }) => ask(elements.made.frame, "token"),
    handleNextAction: async ({ clientSecret }) => {
      const place = document.createElement("div");
      Object.assign(place.style, { position: "fixed", inset: "0", background: "#fff", zIndex: "9" });
      document.body.append(place);
      const said = await heard(framed("/3d_secure?client_secret=" + encodeURIComponent(clientSecret), place, "100%"));
      place.remove();
      return said;
    },
  });
})();
"""
_FORM_SCRIPT = """<script>
addEventListener("message", async (event) => {
  const body = new URLSearchParams(new FormData(document.querySelector("form")));
  const wrong = document.querySelector(".wrong");
  let said = {};
  if (event.data === "submit" && [...body.values()].some((value) => !value)) {
    said = { error: { type: "validation_error", message: "Your card's details are incomplete." } };
  }
  wrong.textContent = said.error ? said.error.message : "";
  if (event.data === "token") said = await (await fetch(location.href, { method: "POST", body })).json();
  event.source.postMessage(said, event.origin);
});
</script>"""


class StripePages(StripeCards):
    """What a browser is shown, at paths that are no part of the API."""

    def page(self, asked: Asked) -> Reply:
        address = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        typed = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()} if asked.method == "POST" else None
        try:
            if address.path == "/stripe.js":
                return Reply(200, SCRIPT.encode(), "text/javascript")
            if address.path.startswith("/c/pay/"):
                return self._checkout(address.path.removeprefix("/c/pay/"), typed)
            if address.path == "/elements/payment":
                return self._form(query.get("key", ""), query.get("mode", "payment"), typed)
            if address.path == "/3d_secure":
                return self._bank(query.get("client_secret", ""), typed)
        except Refused as no:
            return _shown(f'<p class="wrong" role="alert">{html.escape(no.error["message"])}</p>', no.status)
        return Reply(404, b"", "text/plain")

    def _checkout(self, its_id: str, typed: dict | None) -> Reply:
        session, wrong = self.session(its_id), ""
        if typed is not None and session["status"] == "open":
            try:
                bank = typed.get("answer")
                session = self.answer_bank(its_id, bank == "approve") if bank else self.pay_on_page(its_id, _card(typed))
            except Refused as no:
                wrong = no.error["message"]
        if session["status"] == "complete":
            return Reply(303, b"", "text/plain", {"Location": session["success_url"]})
        back = f'<p><a href="{html.escape(session["cancel_url"] or "")}">Cancel and go back</a></p>'
        if session["status"] == "expired":
            return _shown(f"<h1>This page has expired</h1>{back}")
        intent = self.things.get(session["payment_intent"] or "", {})
        if intent.get("status") == "requires_action":
            return _shown(_ASK + back)
        failed = (intent.get("last_payment_error") or {}).get("message", "")
        said = f'<p class="wrong" role="alert">{html.escape(wrong or failed)}</p>' if wrong or failed else ""
        amount = f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}"
        form = f'<form method="post">{_CARD}<button>Pay</button></form>'
        return _shown(f"<h1>Pay {amount}</h1><p>A stand-in of Stripe's page, for trying things.</p>{said}{form}{back}")

    def _form(self, key: str, mode: str, typed: dict | None) -> Reply:
        if typed is None:
            return _shown(f'<style>body{{padding:0}}</style><form>{_CARD}</form><p class="wrong" role="alert"></p>{_FORM_SCRIPT}')
        try:
            token = self.create_token(key, _card(typed), mode)
            said: dict = {"confirmationToken": {"id": token, "object": "confirmation_token"}}
        except Refused as no:
            said = {"error": no.error}
        return Reply(200, json.dumps(said).encode())

    def _bank(self, client_secret: str, typed: dict | None) -> Reply:
        intent = self.by_secret(client_secret)
        if typed is None and intent["status"] == "requires_action":
            return _shown(_ASK)
        status = self.answer_bank_in_window(client_secret, (typed or {}).get("answer") == "approve")
        done = {"paymentIntent": {"id": intent["id"], "status": status}}
        said = done if status == "succeeded" else {"error": {"message": "We are unable to authenticate your payment method."}}
        return _shown(f'<script>parent.postMessage({json.dumps(said)}, "*");</script>')


def _card(typed: dict) -> dict:
    month, _, year = typed.get("expiry", "").replace(" ", "").partition("/")
    numbers = {"exp_month": month if month.isdecimal() else "0", "exp_year": f"20{year[-2:]}" if year.isdecimal() else "0"}
    return {"number": typed.get("number", ""), "cvc": typed.get("cvc", ""), **numbers}


def _shown(body: str, status: int = 200) -> Reply:
    return Reply(status, (_HEAD + body + _FOOT).encode(), "text/html; charset=utf-8")
