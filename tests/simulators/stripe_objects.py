"""Stripe's objects and what each call does to them: methods, intents, charges, refunds, with the books that judge us. No HTTP."""

import copy
import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime

from tests.simulators import stripe_answers as answers
from tests.simulators.stand import CHARGE, REFUND, Entry, Simulator
from tests.simulators.stripe_answers import Card
from tests.simulators.stripe_form import Refused, invalid

CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
SEARCH_LAG = 60.0  # seconds; the index is behind what happens
LEAST = 50  # in cents


def new_id(head: str) -> str:
    return f"{head}_{uuid.uuid4().hex[:24]}"


class StripeObjects(Simulator):
    """What a Stripe account holds. `whose` is the account that a key belongs to; what is another's is not there."""

    def reset(self) -> None:
        super().reset()
        self.things: dict[str, dict] = {}  # every object by its id, in the order of creation
        self.whose: dict[str, str] = {}
        self.cards: dict[str, Card] = {}  # a method's id -> what its card brings about
        self.before: dict[str, dict] = {}  # an intent's id -> how it was before it was confirmed
        self.unseen: set[str] = set()  # intents whose charge the last look-up did not see

    def _tell(self, kind: str, thing: dict) -> None:
        """An event has happened."""
        raise NotImplementedError

    def _keep(self, thing: dict, whose: str) -> dict:
        self.things[thing["id"]], self.whose[thing["id"]] = thing, whose
        return thing

    def _thing(self, its_id: str | None, whose: str, what: str, param: str = "intent") -> dict:
        thing = self.things.get(str(its_id))
        if thing is None or self.whose[thing["id"]] != whose or thing["object"] != what:
            raise invalid(f"No such {what}: '{its_id}'", 404, code="resource_missing", param=param)
        return thing

    # cards

    def create_method(self, given: dict, whose: str) -> dict:
        card = given.get("card", {})
        if given["type"] != "card" or "number" not in card:
            raise invalid("Missing required param: card[number].", code="parameter_missing", param="card[number]")
        number = card["number"].replace(" ", "")
        month, year = int(card.get("exp_month", 0)), int(card.get("exp_year", 0))
        today = datetime.fromtimestamp(self.now(), UTC)
        if not (number.isdecimal() and 12 <= len(number) <= 19 and answers.passes_luhn(number)):
            raise _card_error("incorrect_number", "number", "Your card number is incorrect.")
        if not 1 <= month <= 12:
            raise _card_error("invalid_expiry_month", "exp_month", "Your card's expiration month is invalid.")
        if (year, month) < (today.year, today.month):
            raise _card_error("invalid_expiry_year", "exp_year", "Your card's expiration year is invalid.")
        if not re.fullmatch(r"[0-9]{3,4}", card.get("cvc", "000")):
            raise _card_error("invalid_cvc", "cvc", "Your card's security code is invalid.")
        made = answers.payment_method(new_id("pm"), self.now(), number, month, year, given.get("billing_details"))
        self.cards[made["id"]] = answers.card_of(number)
        return self._keep(made, whose)

    # intents

    def create_intent(self, given: dict, whose: str) -> dict:
        amount, currency = int(given["amount"]), given["currency"].lower()
        if not re.fullmatch(r"[a-z]{3}", currency):
            raise invalid(f"Invalid currency: {currency}.", param="currency")
        if amount < (LEAST if currency == "usd" else 1):
            raise invalid("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
        if amount > 99999999:
            raise invalid("Amount must be no more than $999,999.99", code="amount_too_large", param="amount")
        if "payment_method" in given:
            self._thing(given["payment_method"], whose, "payment_method", "payment_method")
        made = self._keep(answers.payment_intent(new_id("pi"), self.now(), given, uuid.uuid4().hex[:24]), whose)
        self._tell("payment_intent.created", made)
        return self.confirm_intent(made["id"], _of_confirming(given), whose) if given.get("confirm") == "true" else made

    def confirm_intent(self, its_id: str, given: dict, whose: str) -> dict:
        intent = self._thing(its_id, whose, "payment_intent")
        if intent["status"] == "requires_action":
            return intent
        if intent["status"] not in ("requires_confirmation", "requires_payment_method"):
            raise _state(intent, f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a "
                                 "PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, "
                                 "requires_action.")  # fmt: skip
        intent["payment_method"] = given.get("payment_method", intent["payment_method"])
        if intent["payment_method"] is None:
            raise _state(intent, "You cannot confirm this PaymentIntent because it's missing a payment method.")
        self._thing(intent["payment_method"], whose, "payment_method", "payment_method")
        self.before[its_id] = copy.deepcopy(intent)
        away = given.get("off_session") in ("true", "one_off", "recurring")
        if self.cards[intent["payment_method"]].asks and away:
            return self._take(intent, answers.AUTHENTICATION_WANTED)
        if self.cards[intent["payment_method"]].asks:
            intent["status"] = "requires_action"
            secret = {"type": "three_d_secure_redirect", "stripe_js": "https://hooks.stripe.com/3d_secure"}
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": secret}
            self._tell("payment_intent.requires_action", intent)
            return intent
        return self._take(intent)

    def _take(self, intent: dict, as_if: Card | None = None) -> dict:
        """Ask the card's bank: the intent succeeds, or the decline is raised."""
        method = self.things[intent["payment_method"]]
        card = as_if or self.cards[method["id"]]
        no = answers.declined(card) if card.code else None
        charge = self._keep(answers.charge(new_id("ch"), self.now(), intent, method, no), self.whose[intent["id"]])
        charge["disputed"] = card.disputed
        intent |= {"latest_charge": charge["id"], "next_action": None}
        self._enter(charge, CHARGE, "declined" if no else "approved")
        if no is not None:
            self._no_method(intent, {**no, "charge": charge["id"], "payment_method": method})
            self._tell("charge.failed", charge)
            self._tell("payment_intent.payment_failed", intent)
            shown = {**no, "charge": charge["id"], "payment_intent": copy.deepcopy(intent), "payment_method": method}
            raise Refused(402, stored=True, kind=shown.pop("type"), **shown)
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
        self._tell("charge.succeeded", charge)
        self._tell("payment_intent.succeeded", intent)
        return intent

    def _no_method(self, intent: dict, error: dict) -> None:
        intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None, "last_payment_error": error}

    def cancel_intent(self, its_id: str, given: dict, whose: str) -> dict:
        intent = self._thing(its_id, whose, "payment_intent")
        if intent["status"] not in CANCELABLE:
            raise _state(intent, f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
                                 "PaymentIntent with one of the following statuses may be canceled: "
                                 f"{', '.join(CANCELABLE)}.")  # fmt: skip
        intent |= {"status": "canceled", "canceled_at": int(self.now()), "next_action": None}
        intent["cancellation_reason"] = given.get("cancellation_reason")
        self._tell("payment_intent.canceled", intent)
        return intent

    def authenticate(self, intent: str, succeeds: bool) -> str:
        """The payer answers the bank: the intent's status afterwards."""
        with self.lock:
            thing = self.things[intent]
            if thing["status"] == "requires_action" and not succeeds:
                self._no_method(thing, {**answers.AUTHENTICATION_FAILED, "payment_method": self.things[thing["payment_method"]]})
                self._tell("payment_intent.payment_failed", thing)
            elif thing["status"] == "requires_action":
                with suppress(Refused):
                    self._take(thing)
            return thing["status"]

    # refunds

    def create_refund(self, given: dict, whose: str) -> dict:
        charged = self._charge_to_refund(given, whose)
        left = charged["amount_captured"] - charged["amount_refunded"]
        if charged["disputed"]:
            raise invalid("This charge is disputed.", code="charge_disputed", stored=True)
        if left == 0:
            raise invalid(f"Charge {charged['id']} has already been refunded.", code="charge_already_refunded", stored=True)
        amount = int(given.get("amount", left))
        if amount < 1:
            raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        if amount > left:
            words = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise invalid(words, param="amount", stored=True)
        later = self.cards[charged["payment_method"]].refund
        made = answers.refund(new_id("re"), self.now(), charged, amount, given, "pending" if later == "pending" else "succeeded")
        self._keep(made, whose)
        self._enter(made, REFUND, "pending" if later == "pending" else "approved", of=charged["id"])
        self._count_refunds(charged)
        for kind, thing in (("refund.created", made), ("charge.refunded", charged)):
            self._tell(kind, thing)
        return made

    def _charge_to_refund(self, given: dict, whose: str) -> dict:
        if "charge" in given:
            return self._thing(given["charge"], whose, "charge", "charge")
        intent = self._thing(given.get("payment_intent"), whose, "payment_intent", "payment_intent")
        if intent["status"] != "succeeded":
            raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", stored=True)
        return self.things[intent["latest_charge"]]

    def _count_refunds(self, charged: dict) -> None:
        ours = [thing for thing in self.things.values() if thing["object"] == "refund" and thing["charge"] == charged["id"]]
        charged["amount_refunded"] = sum(one["amount"] for one in ours if one["status"] in ("succeeded", "pending"))
        charged["refunded"] = charged["amount_refunded"] == charged["amount_captured"]

    def fail_refund(self, refund: str, reason: str = "expired_or_canceled_card") -> str:
        """A refund fails afterwards: the money comes back. Named by its id or by our reference; its status then."""
        with self.lock:
            thing = next(one for one in self.things.values() if one["object"] == "refund"
                         and refund in (one["id"], one["metadata"].get("reference")))  # fmt: skip
            if thing["status"] in ("succeeded", "pending"):
                thing |= {"status": "failed", "failure_reason": reason, "failure_balance_transaction": new_id("txn")}
                self._entry(thing["id"]).status = "failed"
                self._count_refunds(self.things[thing["charge"]])
                self._tell("refund.updated", thing)
                self._tell("refund.failed", thing)
            return thing["status"]

    def settle(self) -> int:
        """The day passes: what waits has its end, and refunds to cards that refuse them fail."""
        settled = super().settle()
        for thing in [one for one in self.things.values() if one["object"] == "refund"]:
            later = self.cards[self.things[thing["charge"]]["payment_method"]].refund
            if thing["status"] == "pending":
                thing["status"] = "succeeded"
                self._entry(thing["id"]).status = "approved"
                self._tell("refund.updated", thing)
            elif thing["status"] == "succeeded" and later == "fails":
                self.fail_refund(thing["id"])
        return settled

    def _enter(self, thing: dict, kind: str, status: str, of: str = "") -> None:
        reference, whose = thing["metadata"].get("reference", ""), self.whose[thing["id"]]
        more = {"intent": thing["payment_intent"]}
        entry = Entry(thing["id"], kind, reference, thing["amount"], thing["currency"].upper(), whose, status, self.now(), of)
        entry.more = more
        self.book(entry)

    def _entry(self, its_id: str) -> Entry:
        return next(entry for entry in self.entries if entry.id == its_id)

    # look-ups

    def _seen(self) -> list[dict]:
        """The objects as one look-up sees them: of what is hidden, an intent is as before its confirmation, a refund not there."""
        shown = {entry.id for entry in self.shown()}
        hidden = {entry.id for entry in self.entries} - shown
        seen = []
        self.unseen = set()
        for its_id, thing in self.things.items():
            if thing["object"] == "payment_intent" and thing["latest_charge"] in hidden:
                self.unseen.add(its_id)
                seen.append(self.before[its_id])
            elif its_id not in hidden:
                seen.append(thing)
        return seen

    def as_seen(self, its_id: str) -> dict:
        """An object inside an answer, as the look-up that is under way saw it."""
        return self.before[its_id] if its_id in self.unseen else self.things[its_id]

    def look_at(self, its_id: str, what: str, whose: str) -> dict:
        self._thing(its_id, whose, what)
        found = [thing for thing in self._seen() if thing["id"] == its_id]
        if not found:
            raise invalid(f"No such {what}: '{its_id}'", 404, code="resource_missing", param="id")
        return found[0]

    def list_of(self, what: str, given: dict, whose: str, url: str) -> dict:
        """The newest first, of those that the filters let through."""
        found = [thing for thing in self._seen() if thing["object"] == what and self.whose[thing["id"]] == whose]
        for name in ("payment_intent", "charge", "customer"):
            if name in given:
                found = [thing for thing in found if thing.get(name) == given[name]]
        found = [thing for thing in reversed(found) if _within(thing["created"], given.get("created"))]
        ids = [thing["id"] for thing in found]
        if "starting_after" in given:
            if given["starting_after"] not in ids:
                raise invalid(f"No such {what}: '{given['starting_after']}'", code="resource_missing", param="starting_after")
            found = found[ids.index(given["starting_after"]) + 1 :]
        limit = int(given.get("limit", 10))
        if not 1 <= limit <= 100:
            raise invalid("Invalid integer: the limit is between 1 and 100.", code="parameter_invalid_integer", param="limit")
        return {"object": "list", "url": url, "has_more": len(found) > limit, "data": found[:limit]}

    def search(self, given: dict, whose: str) -> dict:
        """By one `metadata['name']:'value'`; what is younger than the index's lag is not found."""
        wanted = re.fullmatch(r"metadata\[['\"](\w+)['\"]\]:['\"]([^'\"]*)['\"]", given["query"].strip())
        if wanted is None:
            raise invalid("We were unable to parse your search query.", param="query")
        name, value = wanted.groups()
        found = [thing for thing in reversed(self._seen()) if thing["object"] == "payment_intent"
                 and self.whose[thing["id"]] == whose and thing["metadata"].get(name) == value
                 and thing["created"] <= self.now() - SEARCH_LAG]  # fmt: skip
        url = "/v1/payment_intents/search"
        return {"object": "search_result", "url": url, "has_more": False, "data": found, "next_page": None}


def _of_confirming(given: dict) -> dict:
    return {name: given[name] for name in ("off_session",) if name in given}


def _within(created: int, span: dict | str | None) -> bool:
    if span is None:
        return True
    if isinstance(span, str):
        return created == int(span)
    rules = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
    return all(rules[name](created, int(at)) for name, at in span.items())


def _card_error(code: str, param: str, message: str) -> Refused:
    return Refused(402, "card_error", message, stored=True, code=code, param=param)


def _state(intent: dict, message: str) -> Refused:
    page = "https://stripe.com/docs/error-codes/payment-intent-unexpected-state"
    more = {"code": "payment_intent_unexpected_state", "doc_url": page, "payment_intent": copy.deepcopy(intent)}
    return invalid(message, stored=True, **more)
