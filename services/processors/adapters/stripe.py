"""Stripe by its own SDK: an unconfirmed PaymentIntent is prepared and kept, then confirmed once and looked up by its id.

Sent is only what a charge needs; nothing is ever sent again. Facts and codes: Stripe's API reference and decline codes.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from services.processors.adapters import stripe_cards, stripe_pages
from services.processors.adapters.base import SIMULATOR, Adapter, Field, must_be_a_simulator, wrong
from services.processors.adapters.stripe_reading import from_error, from_intent, from_refund, from_session, reference_in
from services.processors.adapters.stripe_webhook import read_delivery
from services.processors.orders import (
    APPROVED,
    CANCELED,
    CHARGE,
    DECLINED,
    NOT_KNOWN,
    NOT_SENT,
    PREPARED,
    REFUND,
    Check,
    Listed,
    Nudge,
    Order,
    Outcome,
    Saved,
    Saving,
)
from shared.settings import Settings

CONNECT_DEADLINE, READ_DEADLINE = 3.0, 20.0
# The SDK would send its own newest version, and from 2026-09-30.endive on Stripe refuses `payment_method_types` (its changelog).
API_VERSION = "2026-07-29.dahlia"
# So that an answer tells the card: of an intent, and of a page by its intent.
_WITH_CARD, _PAGE_WITH_CARD = {"expand": ["payment_method"]}, {"expand": ["payment_intent.payment_method"]}


class Stripe(Adapter):
    """On Stripe's page, in its form on ours, or direct: then the account must be allowed to send raw card numbers."""

    name, title = "stripe", "Stripe"
    card_entry = ("hosted_page", "hosted_fields", "direct")
    takes_tokens = True
    listed_as = "intent"
    refunds_fail_within = timedelta(days=31)  # "up to 30 days" (Stripe, "Refund and cancel payments": failed refunds)
    saves_cards = True
    sends_webhooks = True
    read_deadline = READ_DEADLINE

    def __init__(self, settings: Settings, deadlines: tuple[float, float] = (CONNECT_DEADLINE, READ_DEADLINE)):
        self.settings, self.deadlines = settings, deadlines

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]
        keys = (
            Field(
                "secret_key",
                "Secret key",
                "Starts with sk_ or rk_; Stripe's dashboard, Developers, API keys.",
                True,
                True,
            ),
            Field(
                "publishable_key",
                "Publishable key",
                "Starts with pk_; needed for Stripe's form on our page, and in a form of our own for cards whose bank asks the payer.",
            ),
            Field("webhook_secret", "Webhook signing secret", "Starts with whsec_; not needed to take payments.", True),
        )
        return (*keys, SIMULATOR) if self.settings.development else keys

    def is_test(self, credentials: dict) -> bool:
        return not credentials.get("secret_key", "").startswith(("sk_live_", "rk_live_"))

    def must_fit(self, credentials: dict) -> None:
        """The secret key is a secret key, all keys are of one mode, and a simulator is one that is allowed."""
        heads = {"secret_key": ("sk_", "rk_"), "publishable_key": ("pk_",), "webhook_secret": ("whsec_",)}
        for name, allowed in heads.items():
            if name in credentials and not credentials[name].startswith(allowed):
                raise wrong(name, "This key starts with " + " or ".join(allowed) + ".")
        public = credentials.get("publishable_key")
        if public and public.startswith("pk_live_") == self.is_test(credentials):
            raise wrong("publishable_key", "One key is for test mode and the other for live mode; take both from the same page.")
        must_be_a_simulator(credentials, self.settings, self.title)

    def must_offer(self, card_entry: str, credentials: dict) -> None:
        if card_entry == "hosted_fields" and not credentials.get("publishable_key"):
            raise wrong("publishable_key", "Stripe's form on our page needs this key.")

    def card_form(self, credentials: dict, learned: dict, card_entry: str) -> dict | None:
        return stripe_pages.form(credentials) if card_entry == "hosted_fields" else None

    def content_sources(self, credentials: dict, card_entry: str) -> dict[str, list[str]]:
        return stripe_pages.sources(credentials, card_entry)

    @cached_property
    def _sdk(self) -> Any:
        """The SDK, imported when first needed; its own logging is cut off because it writes down whole requests."""
        os.environ.pop("STRIPE_LOG", None)  # would print card numbers
        import stripe

        logging.getLogger("stripe").addFilter(lambda record: record.levelno >= logging.WARNING)
        stripe.enable_telemetry = False
        return stripe

    @cached_property
    def _http(self) -> Any:
        return self._sdk.RequestsClient(timeout=self.deadlines)

    def _api(self, credentials: dict) -> Any:
        more: dict[str, Any] = {}
        if "api_base" in credentials:
            more["base_addresses"] = {"api": credentials["api_base"].rstrip("/")}
        more |= {"max_network_retries": 0, "http_client": self._http, "stripe_version": API_VERSION}
        return self._sdk.StripeClient(credentials["secret_key"], **more).v1

    def check(self, credentials: dict) -> Check:
        """Reads the balance, which moves nothing and needs no more than a working key."""
        outcome, balance = self._ask(lambda: self._api(credentials).balance.retrieve(), None)
        if balance is not None and hasattr(balance, "available"):
            return Check("ok")
        if outcome.refusal == "processor_credentials_refused":
            return Check("refused", "Stripe refuses this key. Paste the whole secret key again.", "secret_key")
        return Check("unreachable", "Stripe could not be reached, so the key is not checked yet. Check it again later.")

    def open_page(self, credentials: dict, order: Order) -> Outcome:
        api, wanted = self._api(credentials), stripe_pages.page_wanted(order)
        outcome, session = self._ask(lambda: api.checkout.sessions.create(wanted, _once(order, "page")), "checkout.session")
        return outcome if session is None else stripe_pages.page_opened(session)

    def prepare(self, credentials: dict, order: Order) -> Outcome:
        """A card becomes a method and stands in the intent, one on file is a method; what Stripe's form gave is used at the charge."""
        if order.means.token is not None:
            return self._prepare_intent(credentials, order, {})
        if kept := order.means.on_file:
            held = {"customer": kept.ids["customer"], "payment_method": kept.ids["method"]}
            return replace(self._prepare_intent(credentials, order, held), brand=kept.brand, last4=kept.last4)
        card, api = order.card, self._api(credentials)
        assert card is not None
        method = stripe_cards.method_wanted(card)
        outcome, made = self._ask(lambda: api.payment_methods.create(method, _once(order, "method")), "payment_method")
        if made is None:
            return replace(outcome, brand=card.brand, last4=card.last4)
        ready = self._prepare_intent(credentials, order, {"payment_method": made.id})
        return replace(ready, brand=made.card.brand or card.brand, last4=made.card.last4 or card.last4)

    def _prepare_intent(self, credentials: dict, order: Order, method: dict) -> Outcome:
        intent = {
            "amount": order.amount,
            "currency": order.currency.lower(),
            **method,
            "payment_method_types": ["card"],
            "metadata": {"reference": order.reference},
        }
        api = self._api(credentials)
        outcome, prepared = self._ask(lambda: api.payment_intents.create(intent, _once(order, "prepare")), "payment_intent")
        if prepared is None:
            return outcome
        ids = {"intent": prepared.id, **({"method": method["payment_method"]} if method else {})}
        return Outcome(PREPARED, ids=ids)

    def charge(self, credentials: dict, order: Order) -> Outcome:
        api, intent_id = self._api(credentials), order.ids["intent"]
        given = {**stripe_cards.confirmed_with(order.means), **({} if order.means.token is None else _WITH_CARD)}
        outcome, intent = self._ask(
            lambda: api.payment_intents.confirm(intent_id, given, _once(order, "charge")), "payment_intent", intent_id
        )
        if intent is not None:
            return from_intent(intent, credentials)
        if outcome.status == DECLINED and outcome.refusal == "invalid_request":
            # "The state forbids it": somebody cancelled it meanwhile, or it is done. The object itself says which.
            _, seen = self._ask(lambda: api.payment_intents.retrieve(intent_id), "payment_intent", intent_id)
            if seen is None:
                return replace(outcome, status=NOT_KNOWN)
            if seen.status in ("succeeded", "processing", "canceled", "requires_action"):
                return from_intent(seen, credentials)
        return outcome

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        if order.on_page:
            return self._close_page(credentials, order)
        api, intent_id = self._api(credentials), order.ids.get("intent")
        if intent_id is None:
            return _never_sent(order)  # no intent was kept, so none is ever confirmed
        # No key of ours: it moves no money and may run twice, and Stripe would answer a key that once met a 500 with it for a day.
        _, intent = self._ask(lambda: api.payment_intents.cancel(intent_id), "payment_intent", intent_id)
        if intent is None:
            _, intent = self._ask(lambda: api.payment_intents.retrieve(intent_id), "payment_intent", intent_id)
        return Outcome(NOT_KNOWN) if intent is None else from_intent(intent, credentials)

    def _close_page(self, credentials: dict, order: Order) -> Outcome:
        """Expire the page; one that can't be expired any more is looked at."""
        api, session_id = self._api(credentials), order.ids.get("session")
        if session_id is None:
            return _never_sent(order)  # its address was never kept, so nobody has it
        _, session = self._ask(lambda: api.checkout.sessions.expire(session_id, _PAGE_WITH_CARD), "checkout.session", session_id)
        return self._find_page(credentials, order) if session is None else from_session(session, credentials)

    void = cancel

    def save_card(self, credentials: dict, saving: Saving) -> Saved:
        return stripe_cards.save_card(self._api(credentials), self._ask, saving)

    def remove_card(self, credentials: dict, ids: dict) -> bool:
        return stripe_cards.remove_card(self._api(credentials), self._ask, ids)

    def refund(self, credentials: dict, order: Order) -> Outcome:
        wanted = {
            "payment_intent": order.charge_ids["intent"],
            "amount": order.amount,
            "metadata": {"reference": order.reference},
        }
        api = self._api(credentials)
        outcome, refund = self._ask(lambda: api.refunds.create(wanted, _once(order, "refund")), "refund")
        return outcome if refund is None else from_refund(refund)

    def find(self, credentials: dict, order: Order) -> Outcome:
        if order.kind == REFUND:
            return self._find_refund(credentials, order)
        return self._find_page(credentials, order) if order.on_page else self._find_charge(credentials, order)

    def _find_page(self, credentials: dict, order: Order) -> Outcome:
        """By the session that was kept; the payer's address to it never left us without that. After a restore, by what was paid on it."""
        api, session_id = self._api(credentials), order.ids.get("session")
        if session_id is None:
            return self._paid_on_page(api, order, credentials)
        outcome, session = self._ask(
            lambda: api.checkout.sessions.retrieve(session_id, _PAGE_WITH_CARD), "checkout.session", session_id
        )
        if session is None:
            return Outcome(NOT_KNOWN, refusal=outcome.refusal, processor_code=outcome.processor_code)
        return from_session(session, credentials)

    def _paid_on_page(self, api: Any, order: Order, credentials: dict) -> Outcome:
        """What the intent of a lost session says where it was paid; nothing else about it is certain."""
        if "intent" not in order.ids:
            return Outcome(NOT_KNOWN)
        _, intent = self._ask(
            lambda: api.payment_intents.retrieve(order.ids["intent"], _WITH_CARD), "payment_intent", order.ids["intent"]
        )
        said = Outcome(NOT_KNOWN) if intent is None else from_intent(intent, credentials)
        return said if said.status == APPROVED else Outcome(NOT_KNOWN)

    def _find_charge(self, credentials: dict, order: Order) -> Outcome:
        """By the id that was kept. An intent that could still be confirmed is cancelled first: only then it is over."""
        api, intent_id = self._api(credentials), order.ids.get("intent")
        if intent_id is None:
            return Outcome(NOT_KNOWN)
        more = {} if "method" in order.ids else _WITH_CARD  # a token told us no card
        outcome, intent = self._ask(lambda: api.payment_intents.retrieve(intent_id, more), "payment_intent", intent_id)
        if intent is None:
            return Outcome(NOT_KNOWN, refusal=outcome.refusal, processor_code=outcome.processor_code)
        if intent.status not in ("requires_confirmation", "requires_payment_method"):
            return from_intent(intent, credentials)
        said = from_intent(intent, credentials)
        closed = self.cancel(credentials, order)
        if closed.status != CANCELED:
            return closed
        return said if said.status == DECLINED else Outcome(NOT_SENT, refusal="processor_unavailable")

    def _find_refund(self, credentials: dict, order: Order) -> Outcome:
        """By our reference among the refunds of the charge; an empty list proves nothing."""
        api = self._api(credentials)
        query = {"payment_intent": order.charge_ids["intent"], "limit": 100}
        outcome, refunds = self._ask(lambda: list(api.refunds.list(query).auto_paging_iter()), None)
        if refunds is None:
            return Outcome(NOT_KNOWN, refusal=outcome.refusal, processor_code=outcome.processor_code)
        for refund in refunds:
            if reference_in(refund) == order.reference:
                return from_refund(refund)
        return Outcome(NOT_KNOWN, absent=True)

    def list_between(self, credentials: dict, since: datetime, until: datetime) -> list[Listed] | None:
        api = self._api(credentials)
        span = {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}, "limit": 100}
        _, intents = self._ask(lambda: list(api.payment_intents.list(span).auto_paging_iter()), None)
        _, refunds = self._ask(lambda: list(api.refunds.list(span).auto_paging_iter()), None)
        if intents is None or refunds is None:
            return None
        charged = [self._listed(intent, CHARGE, from_intent(intent, credentials)) for intent in intents]
        return charged + [self._listed(refund, REFUND, from_refund(refund)) for refund in refunds]

    @staticmethod
    def _listed(thing: Any, kind: str, outcome: Outcome) -> Listed:
        return Listed(
            reference=reference_in(thing),
            kind=kind,
            amount=thing.amount if outcome.amount is None else outcome.amount,
            currency=thing.currency.upper(),
            at=datetime.fromtimestamp(thing.created, UTC),
            status=outcome.status,
            id=thing.id,
        )

    def read_webhook(self, credentials: dict, body: bytes, headers: dict[str, str], now: datetime) -> Nudge | None:
        return read_delivery(self._sdk, credentials.get("webhook_secret"), body, headers, now)

    def _ask(self, call: Callable[[], Any], kind: str | None, its_id: str | None = None) -> tuple[Outcome, Any]:
        """What came back, if it is an object of `kind` (with `its_id`), and how it ended otherwise."""
        try:
            answer = call()
        except self._sdk.StripeError as failure:
            return from_error(failure), None
        except Exception:  # whatever the SDK trips over in an answer: the request had gone out, so nothing is known
            return Outcome(NOT_KNOWN, processor_code="exc:garbage_body"), None
        # A redirected POST comes back as a GET of something else: believe only what was asked for.
        if (kind and getattr(answer, "object", None) != kind) or (its_id is not None and answer.id != its_id):
            return Outcome(NOT_KNOWN, processor_code="exc:garbage_body"), None
        return Outcome(NOT_KNOWN), answer


def _never_sent(order: Order) -> Outcome:
    """Nothing can be done with an order that has no id, unless its id was kept once and lost since."""
    return Outcome(CANCELED if order.sent_at is None else NOT_KNOWN)


def _once(order: Order, verb: str) -> dict:
    return {"idempotency_key": f"{order.reference}-{verb}"}
