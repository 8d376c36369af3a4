"""Stripe's customers, the methods they hold, and the SetupIntents that put them there. No HTTP.

A card whose bank asks the payer is not held before the payer has answered, which nobody can here: the harder guess for all of them.
"""

import copy
import uuid

from tests.simulators import stripe_answers as answers
from tests.simulators.stripe_checkout import StripeCheckout
from tests.simulators.stripe_form import Refused, invalid
from tests.simulators.stripe_objects import new_id

NOT_ATTACHED = "The payment method you provided is not attached to a customer so detachment is impossible."
DETACHED = (
    "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, "
    "and may not be used again."
)


class StripeCards(StripeCheckout):
    """What customers hold. A method that was taken from one can't be used again."""

    def reset(self) -> None:
        super().reset()
        self.detached: set[str] = set()

    def create_customer(self, given: dict, whose: str) -> dict:
        made = self._keep(answers.customer(new_id("cus"), self.now(), given), whose)
        self._tell("customer.created", made)
        return made

    def create_setup(self, given: dict, whose: str) -> dict:
        """Made and confirmed in one: the only way that this simulator knows."""
        if given.get("confirm") != "true":
            raise invalid("This simulator knows confirmed SetupIntents only.", param="confirm")
        if given.get("usage", "off_session") not in ("off_session", "on_session"):
            raise invalid("Invalid usage: must be one of off_session or on_session", param="usage")
        if given.get("payment_method_types", ["card"]) != ["card"]:
            raise invalid("This simulator knows cards only.", param="payment_method_types")
        customer = self._thing(given.get("customer"), whose, "customer", "customer")
        if "confirmation_token" in given:
            method = self.things[self.method_of_token(given["confirmation_token"], "setup", whose)]
        else:
            method = self._thing(given.get("payment_method"), whose, "payment_method", "payment_method")
        self._must_be_usable(method["id"], customer["id"])
        setup = answers.setup_intent(new_id("seti"), self.now(), given, method["id"], uuid.uuid4().hex[:24])
        return self._set_up(self._keep(setup, whose), method)

    def _set_up(self, setup: dict, method: dict) -> dict:
        """Ask the card's bank: the customer holds the method then, or the decline is raised."""
        card = self.cards[method["id"]]
        if card.asks:
            secret = {"type": "three_d_secure_redirect", "stripe_js": "https://hooks.stripe.com/3d_secure"}
            setup |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": secret}}
            self._tell("setup_intent.requires_action", setup)
            return setup
        if card.code and not card.attaches:
            no = answers.declined(card)
            setup |= {"status": "requires_payment_method", "payment_method": None}
            setup["last_setup_error"] = {**no, "payment_method": copy.deepcopy(method)}
            self._tell("setup_intent.setup_failed", setup)
            shown = {**no, "setup_intent": copy.deepcopy(setup), "payment_method": copy.deepcopy(method)}
            raise Refused(402, stored=True, kind=shown.pop("type"), **shown)
        setup["status"], method["customer"] = "succeeded", setup["customer"]
        self._tell("payment_method.attached", method)
        self._tell("setup_intent.succeeded", setup)
        return setup

    def detach(self, its_id: str, whose: str) -> dict:
        """For good; Stripe's refusal of a second time has no code."""
        method = self._thing(its_id, whose, "payment_method", "payment_method")
        if method["customer"] is None:
            raise invalid(NOT_ATTACHED)
        method["customer"] = None
        self.detached.add(its_id)
        self._tell("payment_method.detached", method)
        return method

    # intents by what a customer holds

    def create_intent(self, given: dict, whose: str) -> dict:
        if "customer" in given:
            self._thing(given["customer"], whose, "customer", "customer")
        if "off_session" in given and given.get("confirm") != "true":
            raise invalid("You can only set `off_session` when confirming a PaymentIntent.", param="off_session")
        if "payment_method" in given:
            self._must_be_usable(given["payment_method"], given.get("customer"))
        return super().create_intent(given, whose)

    def confirm_intent(self, its_id: str, given: dict, whose: str) -> dict:
        intent = self._thing(its_id, whose, "payment_intent")
        if intent["status"] == "requires_confirmation" or "payment_method" in given:
            self._must_be_usable(given.get("payment_method", intent["payment_method"]), intent["customer"])
        return super().confirm_intent(its_id, given, whose)

    def _must_be_usable(self, method: str, customer: str | None) -> None:
        held_by = self.things.get(method, {}).get("customer")
        if method in self.detached:
            raise invalid(DETACHED)
        if held_by is not None and held_by != customer:
            words = f"The payment method supplied ({method}) belongs to the Customer {held_by}. Please include the Customer in the "
            raise invalid(words + "`customer` parameter on the PaymentIntent.", param="payment_method")
