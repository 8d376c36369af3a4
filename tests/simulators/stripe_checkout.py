"""Stripe's Checkout Sessions and ConfirmationTokens: what page and form leave behind. No HTTP; stand-ins that prove our side only."""

import re
from contextlib import suppress

from tests.simulators import stripe_answers as answers
from tests.simulators.stripe_form import Refused, invalid
from tests.simulators.stripe_objects import StripeObjects, new_id

SHORTEST, LONGEST = 30 * 60, 24 * 3600  # seconds that a page may stay open
TOKEN_LASTS = 12 * 3600.0
OVER = "This Checkout Session is no longer open, so it can't be {}. It has a status of {}."


class StripeCheckout(StripeObjects):
    """The pages that are open, and the tokens that were made in forms."""

    def reset(self) -> None:
        super().reset()
        self.wanted: dict[str, dict] = {}  # a session's id -> what it was asked for
        self.tokens: dict[str, tuple[str, str, float]] = {}  # a token that was not used -> its form's mode, its method, until when

    # pages

    def create_session(self, given: dict, whose: str) -> dict:
        amount, currency = self._total(given)
        expires_at = int(given.get("expires_at", self.now() + LONGEST))
        if given.get("mode") != "payment":
            raise invalid("This simulator knows the mode `payment` only.", param="mode")
        if not SHORTEST <= expires_at - self.now() <= LONGEST:
            raise invalid("The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at")
        for name in ("success_url", "cancel_url"):
            if name in given and not re.match(r"https?://[^/]+", given[name]):
                raise invalid("Not a valid URL", code="url_invalid", param=name)
        if "success_url" not in given:
            raise invalid("Missing required param: success_url.", code="parameter_missing", param="success_url")
        its_id = new_id("cs_test")
        page = f"{self.url}/c/pay/{its_id}#{new_id('fid')}"  # what follows the # is for the page's script, which this page has not
        made = answers.checkout_session(its_id, self.now(), given, amount, currency, expires_at, page)
        self.wanted[its_id] = given
        return self._keep(made, whose)

    def _total(self, given: dict) -> tuple[int, str]:
        items = given.get("line_items") or []
        prices = [item.get("price_data", {}) for item in items]
        if not items or not all(price.get("product_data", {}).get("name") for price in prices):
            raise invalid("Each line item needs `price_data[product_data][name]`.", param="line_items")
        amount = sum(int(price["unit_amount"]) * int(item.get("quantity", 1)) for price, item in zip(prices, items, strict=True))
        return amount, prices[0]["currency"].lower()

    def session(self, its_id: str, whose: str | None = None) -> dict:
        """The session as it is by now: one whose time is over has expired."""
        whose = self.whose.get(its_id, "") if whose is None else whose
        session = self._thing(its_id, whose, "checkout.session", "session")
        if session["status"] == "open" and self.now() >= session["expires_at"]:
            self._expire(session)
        return session

    def look_at_session(self, its_id: str, whose: str) -> dict:
        """As one look-up sees it: while its charge is not visible yet, it looks as if nobody had paid."""
        session = self.session(its_id, whose)
        intent = session["payment_intent"]
        shown = {thing["id"]: thing for thing in self._seen()}
        if intent is None or shown[intent] is self.things[intent]:
            return session
        return {**session, "status": "open", "payment_status": "unpaid"}

    def expire_session(self, its_id: str, given: dict, whose: str) -> dict:
        session = self.session(its_id, whose)
        if session["status"] != "open":
            raise invalid(OVER.format("expired", session["status"]), stored=True)
        return self._expire(session)

    def _expire(self, session: dict) -> dict:
        session |= {"status": "expired", "url": None}
        if session["payment_intent"] is not None:
            self.cancel_intent(session["payment_intent"], {}, self.whose[session["id"]])
        self._tell("checkout.session.expired", session)
        return session

    def pay_on_page(self, its_id: str, card: dict) -> dict:
        """The payer types a card and presses Pay; raises Refused with the words that stand on the page then."""
        session = self.session(its_id)
        if session["status"] != "open":
            raise invalid(OVER.format("paid on", session["status"]))
        whose = self.whose[its_id]
        method = self.create_method({"type": "card", "card": card}, whose)
        if session["payment_intent"] is None:
            more = self.wanted[its_id].get("payment_intent_data", {})
            order = {"amount": str(session["amount_total"]), "currency": session["currency"], "payment_method_types": ["card"]}
            session["payment_intent"] = self.create_intent({**order, "metadata": more.get("metadata", {})}, whose)["id"]
        self.confirm_intent(session["payment_intent"], {"payment_method": method["id"]}, whose)
        return self._complete(session)

    def answer_bank(self, its_id: str, approve: bool) -> dict:
        """The payer answers the bank, on the page."""
        session = self.session(its_id)
        if session["payment_intent"] is not None:
            self.authenticate(session["payment_intent"], approve)
        return self._complete(session)

    def _complete(self, session: dict) -> dict:
        intent = self.things[session["payment_intent"]] if session["payment_intent"] else {"status": ""}
        if session["status"] == "open" and intent["status"] == "succeeded":
            session |= {"status": "complete", "payment_status": "paid", "url": None}
            self._tell("checkout.session.completed", session)
        return session

    # what forms give

    def create_token(self, key: str, card: dict, mode: str = "payment") -> str:
        """A token for the card that was typed into the form of this publishable key; raises Refused for a card that is none."""
        if not key.startswith("pk_test_"):
            raise invalid("Invalid API Key provided.", 401)
        method = self.create_method({"type": "card", "card": card}, key.split("_", 2)[-1].split(".")[0])
        token = new_id("ctoken")
        self.tokens[token] = (mode, method["id"], self.now() + TOKEN_LASTS)
        return token

    def method_of_token(self, token: str, mode: str, whose: str) -> str:
        """The method behind a token, which is used now; one of a form in another mode does not fit (a guess: not documented)."""
        made_for, method, until = self.tokens.get(token, ("", "", 0.0))
        if self.whose.get(method) != whose or until <= self.now():
            words = f"No such confirmation_token: '{token}'"
            raise invalid(words, 404, code="resource_missing", param="confirmation_token")
        if made_for != mode:
            raise invalid(f"This confirmation_token was made for the mode `{made_for}`.", param="confirmation_token")
        del self.tokens[token]
        return method

    def confirm_intent(self, its_id: str, given: dict, whose: str) -> dict:
        if "confirmation_token" not in given:
            return super().confirm_intent(its_id, given, whose)
        self._thing(its_id, whose, "payment_intent")
        method = self.method_of_token(given["confirmation_token"], "payment", whose)
        return super().confirm_intent(its_id, {"payment_method": method}, whose)

    def answer_bank_in_window(self, client_secret: str, approve: bool) -> str:
        """The payer answers the bank in the window over our page: the intent's status then."""
        intent = self.by_secret(client_secret)
        with suppress(Refused):
            return self.authenticate(intent["id"], approve)
        return intent["status"]

    def by_secret(self, client_secret: str) -> dict:
        intent = self.things.get(client_secret.split("_secret_")[0], {})
        if not client_secret or intent.get("client_secret") != client_secret:
            raise invalid("The client_secret provided does not match any associated PaymentIntent.", 401)
        return intent
