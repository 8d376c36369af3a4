"""Stripe's adapter against its simulator: every verb, every fault of the line, judged by the simulator's books."""

import logging
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from services.processors.adapters.stripe import Stripe
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Secret
from shared.ids import base32, new_id
from shared.settings import Settings
from tests.leaks import leaked
from tests.simulators.stand import FAULTS
from tests.simulators.stripe import StripeSimulator

NUMBER, CVC, ZIP = "4242424242424242", "9173", "98004"
NO_FUNDS, ASKS_PAYER, ASKS_THEN_DECLINES = "4000000000009995", "4000002500003155", "4000008260003178"
FAILS_LATE, SUCCEEDS_LATE, DISPUTED = "4000000000007726", "4000000000005126", "4000000000000259"
KEY, SECRET = "sk_test_canaryKEY7Q2X9ZW", "whsec_canarySecret"
KEYS = {"secret_key": KEY, "publishable_key": "pk_test_12345", "webhook_secret": SECRET}
CERTAINLY_NOTHING = {how for how, (done, _) in FAULTS.items() if not done and not how.startswith("late")}


def reference() -> str:
    return base32(random.getrandbits(99), 20)


class Merchant:
    """The adapter with a merchant's credentials and orders with references of their own."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.adapter = Stripe(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), deadlines=(2.0, 1.0))
        self.credentials = {**KEYS, "api_base": simulator.url}

    def prepared(self, number: str = NUMBER, amount: int = 12050, **more) -> Order:
        card = Card(Secret(number), 12, 2031, Secret(CVC), ZIP)
        order = Order(CHARGE, new_id("pay"), reference(), amount, more.pop("currency", "USD"), "pcr_1", means=Means(card=card))
        return order.with_ids(self.adapter.prepare(self.credentials, order).ids)

    def charge(self, order: Order):
        return self.adapter.charge(self.credentials, order)

    def paid(self, **more) -> Order:
        order = self.prepared(**more)
        assert "approved" == self.charge(order).status
        return order

    def refund_order(self, charge: Order, amount: int) -> Order:
        return Order(REFUND, new_id("ref"), reference(), amount, charge.currency, "pcr_1", charge_ids=charge.ids)

    def give_back(self, order: Order):
        return self.adapter.refund(self.credentials, order)

    def find(self, order: Order):
        return self.adapter.find(self.credentials, order)

    def cancel(self, order: Order):
        return self.adapter.cancel(self.credentials, order)

    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.simulator.seen]


def taken(simulator, kind: str = CHARGE) -> list[int]:
    return [entry["amount"] for entry in simulator.books() if (entry["kind"], entry["status"]) == (kind, "approved")]


@pytest.fixture(scope="module")
def serving():
    with StripeSimulator().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving):
    serving.reset()
    yield serving
    serving.__dict__.pop("now", None)


@pytest.fixture
def merchant(simulator):
    return Merchant(simulator)


def fault(how: str) -> dict:
    return {"how": how, "seconds": None if how.startswith("late") else 0.1}


# what is sent


def test_stripe_is_sent_only_what_the_charge_needs(merchant):
    """As the HTTP contract says: method, unconfirmed intent, bare confirmation, refund, and a look at the balance. Nothing else."""
    order = merchant.paid()
    merchant.give_back(merchant.refund_order(order, 2050))
    merchant.adapter.check(merchant.credentials)
    sent = dict(merchant.simulator.forms)
    assert {"payment_methods.create", "payment_intents.create", "payment_intents.confirm", "refunds.create", "balance"} == set(sent)
    assert {"type": "card", "card": "…", "billing_details": {"address": {"postal_code": ZIP}}} == sent["payment_methods.create"]
    assert {"amount": "12050", "currency": "usd", "payment_method": order.ids["method"], "payment_method_types": ["card"],
            "metadata": {"reference": order.reference}} == sent["payment_intents.create"]  # fmt: skip
    assert {} == sent["payment_intents.confirm"] == sent["balance"]
    assert {"payment_intent", "amount", "metadata"} == set(sent["refunds.create"])


def test_currencies_without_a_minor_unit(merchant):
    """Yen go out as whole numbers and come back so."""
    order = merchant.paid(amount=1200, currency="JPY")
    assert (1200, "JPY") == ((found := merchant.find(order)).amount, found.currency)


# credentials


def test_credentials_are_checked(merchant):
    """A working key is ready; one that is wrong, lacks the right or was revoked is refused, and the field is named."""
    assert "ok" == merchant.adapter.check(merchant.credentials).status
    merchant.simulator.revoke(KEY)
    for key in (KEY, "sk_test_refused1", "rk_test_restricted1"):
        check = merchant.adapter.check({**merchant.credentials, "secret_key": key})
        assert ("refused", "secret_key") == (check.status, check.field)


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_check_on_a_bad_line_refuses_nothing(merchant, how):
    """Whatever happens to the check, the key is not called wrong."""
    merchant.simulator.fail("check", **fault(how))
    assert ("ok" if how == "slow" else "unreachable") == merchant.adapter.check(merchant.credentials).status


# charges on a bad line


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_preparing_on_a_bad_line_moves_nothing(merchant, how):
    """No ids are kept, nothing is booked, whatever happens; only what was answered in time is prepared."""
    merchant.simulator.fail("prepare", **fault(how))
    assert ({"intent", "method"} if how == "slow" else set()) == set(merchant.prepared().ids)
    merchant.simulator.release()
    assert [] == merchant.simulator.books()


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_charge_on_a_bad_line_is_never_made_twice(merchant, how):
    """Unknown, not failed, whatever the line does; then found, or closed and absent, as the books have it. Sent once."""
    order = merchant.prepared()
    merchant.simulator.fail("charge", **fault(how))
    assert ("approved" if how == "slow" else "unknown") == merchant.charge(order).status
    merchant.simulator.mend()
    merchant.simulator.release()
    found = merchant.find(order)
    expected = ("not_sent", []) if how in CERTAINLY_NOTHING else ("approved", [12050])
    assert expected == (found.status, taken(merchant.simulator))
    assert 1 == merchant.verbs().count("charge")


@pytest.mark.parametrize("how", ["late", "late_hang"])
def test_the_look_up_closes_what_is_late(merchant, how):
    """Carried out only after our look-up: the intent is cancelled by then, the late confirmation is refused, nothing is taken."""
    order = merchant.prepared()
    merchant.simulator.fail("charge", how)
    merchant.charge(order)
    assert "not_sent" == merchant.find(order).status
    assert 1 == merchant.simulator.release()
    assert [] == merchant.simulator.books()
    assert "canceled" == merchant.find(order).status


@pytest.mark.parametrize("look_ups", [1, 2])
def test_late_between_the_look_and_the_cancel(merchant, look_ups):
    """The charge happens just after we saw it unconfirmed: the cancel is refused, and the look-up says approved."""
    order = merchant.prepared()
    merchant.simulator.fail("charge", "late", look_ups=look_ups)
    merchant.charge(order)
    said = merchant.find(order).status
    assert ("approved" if look_ups == 1 else "not_sent", [12050] if look_ups == 1 else []) == (said, taken(merchant.simulator))


@pytest.mark.parametrize("how", sorted(FAULTS))
@pytest.mark.parametrize("paid", [True, False])
def test_a_cancel_on_a_bad_line_is_believed_when_it_is_seen(merchant, how, paid):
    """Whatever happens to the cancel, it ends as the object shows afterwards; one that was not made is made by a later look."""
    order = merchant.paid() if paid else merchant.prepared()
    merchant.simulator.fail("cancel", **fault(how))
    said = merchant.cancel(order).status
    assert said in ({"approved"} if paid else {"canceled", "unknown"})
    assert "canceled" != said or FAULTS[how][0]
    merchant.simulator.release()
    assert merchant.find(order).status in ({"approved"} if paid else {"canceled", "not_sent"})
    assert ([12050] if paid else []) == taken(merchant.simulator)


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_look_on_a_bad_line_proves_nothing(merchant, how):
    """A look-up that is not answered says unknown and never absent, of a charge and of a refund."""
    charge = merchant.paid()
    for order in (charge, merchant.refund_order(charge, 100)):
        merchant.simulator.fail("find", how)
        found = merchant.find(order)
        assert ("unknown", False) == (found.status, found.absent)
        merchant.simulator.mend()


def test_a_stale_look_is_no_proof(merchant):
    """For three looks the charge looks unconfirmed: the refused cancel keeps it unknown, never not sent; then it is found."""
    order = merchant.prepared()
    merchant.simulator.hide(3)
    merchant.simulator.fail("charge", "lose_answer")
    merchant.charge(order)
    assert ["unknown", "approved"] == [merchant.find(order).status for _ in range(2)]
    assert [12050] == taken(merchant.simulator)


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancel_that_broke_once_can_be_repeated(merchant, times):
    """Stripe answers a key that met a 500 with that 500 for a day: the cancel of the next look must not be answered by it."""
    order = merchant.prepared()
    merchant.simulator.fail("charge", "lose_request")
    merchant.charge(order)
    merchant.simulator.fail("cancel", "500", times=times)
    looks = [merchant.find(order).status for _ in range(times + 1)]
    assert ["unknown"] * times + ["not_sent"] == looks


def test_a_key_in_use_is_unknown(merchant):
    """409 for the confirmation or the refund: somebody may be at it, so it is looked up."""
    charge = merchant.paid()
    other, refund = merchant.prepared(), merchant.refund_order(charge, 100)
    for verb in ("charge", "refund"):
        merchant.simulator.refuse(verb, status=409, code="idempotency_key_in_use", kind="idempotency_error")
    assert ["unknown", "unknown"] == [merchant.charge(other).status, merchant.give_back(refund).status]
    assert (("not_sent", False), ("unknown", True)) == tuple((f.status, f.absent) for f in map(merchant.find, (other, refund)))


# the payer's bank


@pytest.mark.parametrize(("number", "succeeds", "ends"), [
    (ASKS_PAYER, True, ("approved", None, [12050])), (ASKS_PAYER, False, ("declined", "authentication_required", [])),
    (ASKS_THEN_DECLINES, True, ("declined", "insufficient_funds", [])),
])  # fmt: skip
def test_the_payer_is_asked(merchant, number, succeeds, ends):
    """Nothing is taken before the payer has answered the bank; afterwards the look-up says how it ended."""
    order = merchant.prepared(number=number)
    assert "requires_action" == (asked := merchant.charge(order)).status
    assert asked.next_action["client_secret"] not in repr(asked)
    assert ("requires_action", []) == (merchant.find(order).status, taken(merchant.simulator))
    merchant.simulator.authenticate(order.ids["intent"], succeeds)
    found = merchant.find(order)
    assert ends == (found.status, found.refusal, taken(merchant.simulator))


# refunds


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_refund_on_a_bad_line_is_found_again(merchant, how):
    """Unknown, then found by its own reference, or absent, as the books have it; never given back twice."""
    order = merchant.refund_order(merchant.paid(), 2050)
    merchant.simulator.fail("refund", **fault(how))
    assert ("approved" if how == "slow" else "unknown") == merchant.give_back(order).status
    merchant.simulator.mend()
    merchant.simulator.release()
    found = merchant.find(order)
    if how in CERTAINLY_NOTHING:
        assert ("unknown", True, []) == (found.status, found.absent, taken(merchant.simulator, REFUND))
    else:
        assert ("approved", [2050]) == (found.status, taken(merchant.simulator, REFUND))
    assert 1 == merchant.verbs().count("refund")


def test_a_refund_sent_again_is_the_first(merchant):
    """Sent twice by a line that repeats, within a day: one refund. Its key is the reference."""
    order = merchant.refund_order(merchant.paid(), 2050)
    first, second = merchant.give_back(order), merchant.give_back(order)
    assert (first.ids, [2050]) == (second.ids, taken(merchant.simulator, REFUND))


def test_refunds_at_once_never_exceed_the_charge(merchant):
    """Twelve refunds of 20.00 of 120.50 at the same time: six are given back."""
    charge, outcomes = merchant.paid(), []
    merchant.adapter.deadlines = (5.0, 20.0)
    merchant.adapter.__dict__.pop("_http", None)
    orders = [merchant.refund_order(charge, 2000) for _ in range(12)]
    threads = [threading.Thread(target=lambda order=order: outcomes.append(merchant.give_back(order).status)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["approved"] * 6 + ["declined"] * 6, [2000] * 6) == (sorted(outcomes), taken(merchant.simulator, REFUND))


def test_what_can_not_be_given_back_is_declined(merchant):
    """More than is left, of nothing, of a disputed charge, twice the whole: definite, and nothing is given back."""
    whole = merchant.paid()
    assert "approved" == merchant.give_back(merchant.refund_order(whole, 12050)).status
    orders = [(whole, 1), (merchant.paid(), 12051), (merchant.prepared(), 100), (merchant.paid(number=DISPUTED), 100)]
    outcomes = [merchant.give_back(merchant.refund_order(charge, amount)) for charge, amount in orders]
    assert [("declined", "invalid_request")] * 4 == [(outcome.status, outcome.refusal) for outcome in outcomes]
    assert ["charge_already_refunded", "http:400", "http:400", "charge_disputed"] == [
        outcome.processor_code for outcome in outcomes
    ]
    assert [12050] == taken(merchant.simulator, REFUND)


def test_refunds_that_end_later(merchant):
    """Pending until it has gone through; and one that succeeded fails afterwards: declined, with the bank's reason."""
    late, fails = (merchant.refund_order(merchant.paid(number=number), 2050) for number in (SUCCEEDS_LATE, FAILS_LATE))
    assert ["pending", "approved"] == [merchant.give_back(late).status, merchant.give_back(fails).status]
    assert "pending" == merchant.find(late).status
    merchant.simulator.settle()
    assert ("approved", "declined", "expired_or_canceled_card") == (
        merchant.find(late).status, (failed := merchant.find(fails)).status, failed.processor_code,
    )  # fmt: skip
    assert [2050] == taken(merchant.simulator, REFUND)


def test_a_refund_beyond_the_first_page_is_found(merchant):
    """Of 130 refunds of one charge the first is on the second page: found; one that is not there is absent."""
    charge = merchant.paid(amount=100_000)
    first = merchant.refund_order(charge, 100)
    merchant.give_back(first)
    for _ in range(129):
        merchant.simulator.create_refund({"payment_intent": charge.ids["intent"], "amount": "1"}, "canaryKEY7Q2X9ZW")
    assert "approved" == merchant.find(first).status
    assert merchant.find(merchant.refund_order(charge, 100)).absent


# lists


def test_the_list_of_a_span_is_read_to_the_end(merchant):
    """130 charges and a refund in two pages, each with our reference, kind, amount and status; outside the span there is nothing."""
    since = datetime.fromtimestamp(merchant.simulator.now() - 60, UTC)
    orders = [merchant.prepared() for _ in range(130)]
    for order in orders:
        merchant.simulator.confirm_intent(order.ids["intent"], {}, "canaryKEY7Q2X9ZW")
    merchant.give_back(back := merchant.refund_order(orders[0], 2050))
    declined = merchant.prepared(number=NO_FUNDS)
    merchant.charge(declined)
    until = since + timedelta(minutes=5)
    listed = merchant.adapter.list_between(merchant.credentials, since, until)
    said = {(line.reference, line.kind, line.amount, line.currency, line.status) for line in listed}
    expected = {(order.reference, CHARGE, 12050, "USD", "approved") for order in orders}
    expected |= {(back.reference, REFUND, 2050, "USD", "approved"), (declined.reference, CHARGE, 12050, "USD", "declined")}
    assert (expected, 132) == (said, len(listed))
    assert [] == merchant.adapter.list_between(merchant.credentials, since - timedelta(hours=2), since)


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_half_a_list_is_none(merchant, how):
    """A list that could not be had whole can't be compared, not even where the second of two pages is missing."""
    since = datetime.fromtimestamp(merchant.simulator.now() - 60, UTC)
    merchant.paid()
    merchant.simulator.fail("list", how)
    assert merchant.adapter.list_between(merchant.credentials, since, since + timedelta(minutes=5)) is None


# silence


def test_nothing_private_comes_out(merchant, caplog, capsys):
    """With every logger at DEBUG no log, outcome, check or exception holds card, code, postal code, keys or client secrets."""
    said = []
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("stripe").setLevel(logging.DEBUG)
        for how in (None, "lose_answer", "500_after", "garbage_after", "hang", "cut_after"):
            for verb in ("prepare", "charge", "find", "refund", "check", "cancel", "list"):
                order = merchant.prepared()
                if how:
                    merchant.simulator.fail(verb, how)
                said += [merchant.prepared(number=ASKS_PAYER), merchant.charge(order), merchant.find(order), merchant.cancel(order)]
                said += [merchant.give_back(merchant.refund_order(order, 100)), merchant.adapter.check(merchant.credentials)]
                merchant.simulator.mend()
        said += [merchant.charge(merchant.prepared(number=number)) for number in (ASKS_PAYER, NO_FUNDS)]
        merchant.simulator.revoke(KEY)
        said += [merchant.adapter.check(merchant.credentials), merchant.find(order)]
    printed = capsys.readouterr()
    outcomes = [one for one in said if not isinstance(one, Order)]
    text = " ".join([caplog.text, repr(outcomes), printed.out, printed.err])
    assert caplog.records and "unknown" in text
    for canary in (NUMBER, CVC, ZIP, KEY, SECRET, ASKS_PAYER, NO_FUNDS, "_secret_"):
        assert not leaked(canary, text)
    for canary in (NUMBER, CVC, ASKS_PAYER):
        assert not leaked(canary, repr(said))
