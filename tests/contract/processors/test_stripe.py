"""Stripe's recorded answers: heard by the adapter over HTTP, each means what it meant."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.processors.adapters import stripe as adapter
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Outcome, Secret
from shared.faults import Forbidden
from shared.settings import Settings
from tests.simulators.stand import Reply
from tests.simulators.stripe import StripeSimulator

FOLDER = Path(__file__).with_name("stripe")
WEBHOOKS = sorted(path.name.split(".")[0] for path in FOLDER.glob("webhook_*.body.json"))
ORDER = Order(CHARGE, "pay_1", "r" * 20, 12050, "USD", "pcr_1", ids={"intent": "pi_1"}, charge_ids={"intent": "pi_1"},
              means=Means(card=Card(Secret("4242424242424242"), 12, 2031, Secret("917"))))  # fmt: skip


def recorded(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_bytes())


@pytest.fixture(scope="module")
def serving():
    with StripeSimulator().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving):
    serving.reset()
    return serving


@pytest.fixture
def answering(simulator, monkeypatch):
    """The adapter's word where every request is answered by this recorded answer."""

    def answer(name: str, verb: str, order: Order) -> Outcome:
        status = int(name[:3]) if name[:3].isdecimal() else 200
        said = recorded(name)
        ids = {**order.ids, "intent": said["id"]} if said.get("object") == "payment_intent" else order.ids
        monkeypatch.setattr(simulator, "work", lambda asked: Reply(status, json.dumps(said).encode()))
        keys = {"secret_key": "sk_test_acme", "api_base": simulator.url}
        made = adapter.Stripe(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), deadlines=(2.0, 5.0))
        return getattr(made, verb)(keys, order.with_ids(ids))

    return answer


OUTCOMES = [
    ("400_payment_intent_unexpected_state", "cancel", "unknown", None),  # the object is asked, and that is not in this answer
    ("400_payment_intent_unexpected_state", "charge", "unknown", "invalid_request"),
    ("400_raw_card_not_allowed", "prepare", "declined", "invalid_request"),
    ("400_charge_already_refunded", "refund", "declined", "invalid_request"),
    ("400_idempotency_mismatch", "refund", "declined", "invalid_request"),
    ("401_bad_key", "prepare", "declined", "processor_credentials_refused"),
    ("401_bad_key", "charge", "declined", "processor_credentials_refused"),
    ("401_bad_key", "find", "unknown", "processor_credentials_refused"),
    ("402_card_declined_with_payment_intent", "charge", "declined", "card_declined"),
    ("402_incorrect_number", "prepare", "declined", "incorrect_number"),
    ("402_pickup_card", "charge", "declined", "lost_or_stolen"),
    ("402_insufficient_funds", "charge", "declined", "insufficient_funds"),
    ("402_authentication_required", "charge", "declined", "authentication_required"),
    ("409_idempotency_in_use", "charge", "unknown", "processor_unavailable"),
    ("429_rate_limit", "charge", "not_sent", "processor_unavailable"),
    ("500_api_error", "charge", "unknown", "processor_unavailable"),
    ("500_api_error", "refund", "unknown", "processor_unavailable"),
    ("payment_intent_succeeded", "charge", "approved", None),
    ("payment_intent_succeeded", "find", "approved", None),
    ("payment_intent_canceled", "find", "canceled", None),
    ("payment_intent_canceled", "cancel", "canceled", None),
    ("payment_intent_processing", "charge", "pending", None),
    ("payment_intent_requires_action", "charge", "requires_action", None),
    ("object_refund", "refund", "approved", None),
    # What another object says is never believed.
    ("object_charge", "charge", "unknown", None),
    ("payment_method", "charge", "unknown", None),
    ("object_refund", "charge", "unknown", None),
    ("object_payment_intent", "refund", "unknown", None),
    ("search_empty", "find", "unknown", None),
]


@pytest.mark.parametrize(("name", "verb", "status", "refusal"), OUTCOMES)
def test_each_recorded_answer_has_its_outcome(answering, name, verb, status, refusal):
    """A recorded answer, heard over HTTP by the SDK, ends as the index of the samples says."""
    outcome = answering(name, verb, ORDER)
    assert (status, refusal) == (outcome.status, outcome.refusal)


def test_amounts_are_what_was_received(answering):
    """Minor units and an upper case currency; a refund keeps its id, a payer's next step its address."""
    paid = answering("payment_intent_succeeded", "charge", ORDER)
    assert (2020, "GBP", {"intent": "pi_1F1xauAWOtgoysogIfHO8jGi"}) == (paid.amount, paid.currency, paid.ids)
    back = answering("object_refund", "refund", Order(REFUND, "ref_1", "r", 100, "USD", "p", charge_ids={"intent": "pi_1"}))
    assert (100, "USD", {"refund": "re_1Pgc72B7WZ01zgkWqPvrRrPE"}) == (back.amount, back.currency, back.ids)
    asks = answering("payment_intent_requires_action", "charge", ORDER)
    assert {"type": "redirect", "url": "https://hooks.stripe.com/3d_secure/fake"} == asks.next_action
    assert "hooks.stripe.com" not in repr(asks)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_recorded_deliveries_are_believed(name):
    """Signed over the raw body: read in their time, refused with a byte changed, without a secret, and later."""
    body, headers = (FOLDER / f"{name}.body.json").read_bytes(), recorded(f"{name}.headers")
    told, now = json.loads(body), datetime.fromtimestamp(headers["signed_at"] + 10, UTC)
    secret = {"webhook_secret": headers["signing_secret_for_this_sample"]}
    signature = {"stripe-signature": headers["Stripe-Signature"]}
    made = adapter.Stripe(Settings({}))
    nudge = made.read_webhook(secret, body, signature, now)
    thing = told["data"]["object"]
    named = {"charge": {"intent": thing.get("payment_intent")}, "checkout.session": {"session": thing["id"]}}
    assert (told["id"], named.get(thing["object"], {"intent": thing["id"]})) == (nudge.event_id, nudge.ids)
    for spoilt in (
        (secret, body + b" ", signature, now),
        ({}, body, signature, now),
        (secret, body, signature, datetime.fromtimestamp(headers["signed_at"] + 301, UTC)),
    ):
        with pytest.raises(Forbidden):
            made.read_webhook(*spoilt)
