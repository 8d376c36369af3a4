"""Stripe's own SDK against a local Stripe server: charges, declines, the payer's bank, look-ups, refunds."""

import logging

import pytest
import requests
import stripe

from services.processors.orders import CHARGE, Order
from services.processors.usecases import attempting
from shared.faults import Invalid
from shared.ids import new_id
from tests.integration.processors.conftest import KEY
from tests.unit.processors.conftest import APPROVED, ASKS_PAYER

DECLINES_AT_CONFIRM = "4000000000000341"


def _api(url: str):
    return stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=0).v1


def _intent(desk, url, payment_id):
    return _api(url).payment_intents.retrieve(desk.row(payment_id).processor_ids["intent"])


def _authenticate(url, action, approve: bool) -> None:
    intent_id = action["client_secret"].split("_secret_")[0]
    form = {"key": "pk_test_12345", "client_secret": action["client_secret"], "success": str(approve).lower()}
    requests.post(f"{url}/v1/payment_intents/{intent_id}/_authenticate", data=form, timeout=5)


def test_a_charge_succeeds_at_stripe(stripe_desk, stripe_url):
    """The intent is prepared unconfirmed, confirmed once, and holds our amount and nothing but our reference."""
    said = stripe_desk.charge()
    assert ("succeeded", 12924, "USD") == (said.status, said.amount, said.currency)
    assert {"brand": "visa", "last4": "4242"} == said.card
    intent = _intent(stripe_desk, stripe_url, said.payment_id)
    assert ("succeeded", 12924, "usd", {"reference": said.reference}) == (
        intent.status, intent.amount, intent.currency, intent.metadata.to_dict(),
    )  # fmt: skip


def test_each_step_is_sent_once(stripe_desk, line):
    """A charge is one payment method, one intent, one confirmation; a repeat sends nothing."""
    line.seen.clear()
    request = stripe_desk.request()
    stripe_desk.send(request)
    stripe_desk.send(request)
    assert ["payment_methods", "payment_intents", "confirm"] == [path.rsplit("/", 1)[1] for path in line.seen]


def test_a_decline_is_an_answer(stripe_desk):
    """Stripe declines at the confirmation: declined, with a sentence for the payer and Stripe's own code."""
    said = stripe_desk.charge(DECLINES_AT_CONFIRM)
    assert ("declined", "card_declined", "card_declined") == (
        said.status,
        said.failure.code,
        said.failure.processor_code,
    )
    assert "bank" in said.failure.message


@pytest.mark.parametrize(("approve", "status"), [(True, "succeeded"), (False, "declined")])
def test_the_payers_bank_asks(stripe_desk, stripe_url, approve, status):
    """3-D Secure: the page is given what Stripe's script needs, and a look after the payer's answer ends it."""
    said = stripe_desk.charge(ASKS_PAYER)
    assert "requires_action" == said.status
    assert ("use_stripe_sdk", "pk_test_12345") == (said.next_action["type"], said.next_action["publishable_key"])
    assert "requires_action" == stripe_desk.check(said.payment_id).status
    _authenticate(stripe_url, said.next_action, approve)
    assert status == stripe_desk.check(said.payment_id).status
    assert {"succeeded": "succeeded", "declined": "canceled"}[status] == _intent(stripe_desk, stripe_url, said.payment_id).status


def test_a_payer_who_never_answers_is_not_waited_for(stripe_desk, stripe_url):
    """After half an hour the waiting intent is cancelled at Stripe, and it can't be confirmed any more."""
    said = stripe_desk.charge(ASKS_PAYER)
    for _ in range(9):
        stripe_desk.after(5 * 60)
    assert "canceled" == stripe_desk.look(said.payment_id).status
    assert "canceled" == _intent(stripe_desk, stripe_url, said.payment_id).status


def test_an_unconfirmed_intent_proves_absence(stripe_desk, stripe_url, line):
    """The confirmation never arrived: the look-up finds the intent unconfirmed, cancels it, and a late one is refused."""
    line.fail(r"/confirm$", "close")
    said = stripe_desk.charge()
    assert "unknown" == said.status
    line.mend()
    assert "not_sent" == stripe_desk.check(said.payment_id).status
    intent = _intent(stripe_desk, stripe_url, said.payment_id)
    assert "canceled" == intent.status
    with pytest.raises(stripe.InvalidRequestError):
        _api(stripe_url).payment_intents.confirm(intent.id)


def test_a_confirmation_after_the_cancel_is_answered_by_the_object(stripe_desk, stripe_url):
    """Our own late confirmation of a cancelled intent is refused by its state: the answer is canceled, not a decline."""
    said = stripe_desk.charge(ASKS_PAYER)
    stripe_desk.cancel(said.payment_id)
    row = stripe_desk.row(said.payment_id)
    assert "canceled" == attempting.ask(stripe_desk.room, "charge", row).status


@pytest.mark.parametrize(
    "how", ["close", "garbage", "empty", "text", "other", "500", "cut", "hang", "redirect", "garbage 402", "409"]
)
def test_a_charge_whose_answer_is_lost_is_found(stripe_desk, stripe_url, line, how):
    """Stripe charges and the answer is lost in any way: unknown, never failed; the look-up finds it; confirmed once."""
    line.fail(r"/confirm$", how, after=True)
    said = stripe_desk.charge()
    assert "unknown" == said.status
    line.mend()
    stripe_desk.after(5)
    assert "succeeded" == stripe_desk.look(said.payment_id).status
    assert 1 == len([path for path in line.seen if path.endswith("/confirm")])


@pytest.mark.parametrize("how", ["close", "garbage", "500", "hang"])
def test_a_charge_that_never_arrived_is_payable_again(stripe_desk, line, how):
    """The same faults before Stripe did anything: unknown, then proven absent."""
    line.fail(r"/confirm$", how)
    said = stripe_desk.charge()
    assert "unknown" == said.status
    line.mend()
    stripe_desk.after(5)
    assert "not_sent" == stripe_desk.look(said.payment_id).status


def test_a_refused_connection_is_not_sent(stripe_desk):
    """Nobody listens: the confirmation was certainly not sent."""
    order = Order(CHARGE, "pay_1", "ref", 100, "USD", "pcr_1", ids={"intent": "pi_1"})
    outcome = stripe_desk.room.adapters["stripe"].charge({"secret_key": KEY, "api_base": "http://127.0.0.1:9"}, order)
    assert ("not_sent", "exc:connect_refused") == (outcome.status, outcome.processor_code)


def test_too_many_requests_were_not_done(stripe_desk, line):
    """429 is a definite not done: nothing was charged, and it may be tried anew."""
    line.fail(r"/confirm$", "429")
    said = stripe_desk.charge()
    assert ("not_sent", "processor_unavailable") == (said.status, said.failure.code)


@pytest.mark.parametrize("how", ["close", "500", "hang", "garbage"])
def test_preparing_moves_no_money(stripe_desk, line, how):
    """Whatever happens while the intent is prepared, nothing was charged: not sent, at once."""
    line.fail(r"/payment_intents$", how, after=True)
    said = stripe_desk.charge()
    assert ("not_sent", "processor_unavailable") == (said.status, said.failure.code)
    assert not [path for path in line.seen if path.endswith("/confirm")]


@pytest.mark.parametrize("how", ["401", "403"])
def test_a_revoked_key_is_told_to_the_admins(stripe_desk, line, how):
    """Stripe refuses the key in the middle of a payment: declined for the payer, the account is refused, news of it."""
    line.fail(r"/payment_methods$", how)
    said = stripe_desk.charge()
    assert ("declined", "processor_credentials_refused") == (said.status, said.failure.code)
    assert "refused" == stripe_desk.listed()[0].status
    assert "credentials_refused" in [event for event, _ in stripe_desk.news()]


def test_a_key_that_stripe_refuses_is_not_saved(desk, stripe_url):
    """The check before saving names the field."""
    with pytest.raises(Invalid) as refused:
        desk.add("stripe", {"secret_key": "rk_test_1234", "api_base": stripe_url})
    assert ("processor_credentials_refused", "credentials.secret_key") == (
        refused.value.code,
        refused.value.errors[0]["field"],
    )


def test_a_part_is_refunded(stripe_desk, stripe_url):
    """A partial refund names our reference at Stripe and succeeds."""
    paid = stripe_desk.charge()
    refund = stripe_desk.refund(paid.payment_id, 2050)
    assert "succeeded" == refund.status
    [listed] = _api(stripe_url).refunds.list({"payment_intent": stripe_desk.row(paid.payment_id).processor_ids["intent"]}).data
    assert (2050, refund.reference) == (listed.amount, listed.metadata["reference"])


def test_a_lost_refund_is_found_in_the_list(stripe_desk, line):
    """The refund was made and its answer lost: the look-up finds our reference among the charge's refunds."""
    paid = stripe_desk.charge()
    line.fail(r"/refunds$", "close", after=True)
    refund = stripe_desk.refund(paid.payment_id, 2050)
    assert "unknown" == refund.status
    line.mend()
    stripe_desk.after(5)
    assert "succeeded" == stripe_desk.look_at_refund(refund.refund_id).status
    assert 1 == len([path for path in line.seen if path == "POST /v1/refunds"])


def test_an_empty_refund_list_proves_nothing_before_the_horizon(stripe_desk, line):
    """A refund that never arrived stays unknown through 5 s, 30 s, 5 min, and after an hour its absence counts."""
    paid = stripe_desk.charge()
    line.fail(r"/refunds$", "close")
    refund = stripe_desk.refund(paid.payment_id, 2050, new_id("ref"))
    line.mend()
    for seconds in (5, 30, 300):
        stripe_desk.after(seconds)
        assert "unknown" == stripe_desk.look_at_refund(refund.refund_id).status
    stripe_desk.after(3600)
    assert "not_sent" == stripe_desk.look_at_refund(refund.refund_id).status


def test_the_sdk_writes_no_card_down(stripe_desk, caplog):
    """With every logger at DEBUG, a charge leaves neither the number nor the key in the log."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("stripe").setLevel(logging.DEBUG)
        assert "succeeded" == stripe_desk.charge(card={"cvc": "917"}).status
    assert caplog.records
    for secret in (APPROVED, KEY, "cvc"):
        assert secret not in caplog.text
