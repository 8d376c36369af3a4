"""Authorize.net's adapter and the room against its simulator: every verb, every fault of the line, judged by the simulator's books."""

import logging
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Secret
from shared.faults import Forbidden, Invalid
from shared.ids import base32, new_id
from shared.settings import Settings
from tests.leaks import leaked
from tests.simulators.authorize_net import AuthorizeNetSimulator, card_for
from tests.simulators.stand import FAULTS

NUMBER, CVC = "4111111111111111", "9173"
KEY, SIGNATURE = "CANARYKEY7Q2X9ZW", "5E1F" * 32
KEYS = {"mode": "test", "api_login_id": "canaryLogin", "transaction_key": KEY, "signature_key": SIGNATURE}
CERTAINLY_NOTHING = {how for how, (done, _) in FAULTS.items() if not done and not how.startswith("late")}


class TheirClock:
    """Our clock, which goes with the simulator's."""

    def __init__(self, simulator):
        self.simulator = simulator

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.simulator.now(), UTC)


class Merchant:
    """The adapter with a merchant's credentials and orders with references of their own."""

    def __init__(self, simulator, adapter):
        self.simulator, self.adapter = simulator, adapter
        self.credentials = {**KEYS, "api_base": simulator.url}

    def order(self, number: str = NUMBER, amount: int = 12050, currency: str = "USD", **more) -> Order:
        card = Card(Secret(number), 12, 2031, Secret(more.pop("cvc", CVC)), more.pop("postal_code", None))
        reference = base32(random.getrandbits(99), 20)
        return Order(
            CHARGE, new_id("pay"), reference, amount, currency, "pcr_1", means=Means(card=card), sent_at=self.adapter.clock.now()
        )

    def charge(self, order: Order):
        prepared = self.adapter.prepare(self.credentials, order)
        return self.adapter.charge(self.credentials, order.with_ids(prepared.ids))

    def charged(self, **more) -> tuple[Order, dict]:
        order = self.order(**more)
        prepared = self.adapter.prepare(self.credentials, order)
        return order, {**prepared.ids, **self.charge(order).ids}

    def give_back(self, ids: dict, amount: int, reference: str | None = None):
        order = self.refund_order(ids, amount, reference)
        return order, self.adapter.refund(self.credentials, order)

    def refund_order(self, ids: dict, amount: int, reference: str | None = None) -> Order:
        reference = reference or base32(random.getrandbits(99), 20)
        now = self.adapter.clock.now()
        return Order(REFUND, new_id("ref"), reference, amount, "USD", "pcr_1", charge_ids=ids, sent_at=now)

    def find(self, order: Order):
        return self.adapter.find(self.credentials, order)

    def booked(self, kind: str = CHARGE, status: str = "approved") -> list[int]:
        return [entry["amount"] for entry in self.simulator.books() if (entry["kind"], entry["status"]) == (kind, status)]


@pytest.fixture
def simulator():
    with AuthorizeNetSimulator().serving() as simulator:
        yield simulator


@pytest.fixture
def merchant(simulator):
    adapter = AuthorizeNet(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), TheirClock(simulator), deadlines=(2.0, 1.0))
    return Merchant(simulator, adapter)


# credentials


def test_good_credentials_are_ready(merchant):
    """The key is asked about, the right to read transactions is tried, and the public key for their window is learned."""
    check = merchant.adapter.check(merchant.credentials)
    assert ("ok", {"client_key"}) == (check.status, set(check.learned))
    assert {"check", "find", "merchant"} == {verb for verb, _ in merchant.simulator.seen}


@pytest.mark.parametrize(("login", "words"), [("refused", "Paste both again"), ("nodetails", "Transaction Details API")])
def test_refused_credentials_say_what_to_do(merchant, login, words):
    """A wrong key, and one without the look-up right, are refused in words that say what to do there."""
    check = merchant.adapter.check({**merchant.credentials, "api_login_id": login})
    assert "refused" == check.status
    assert words in check.problem


def test_another_key_is_refused(merchant):
    """The simulator knows a merchant by its first key."""
    merchant.adapter.check(merchant.credentials)
    assert "refused" == merchant.adapter.check({**merchant.credentials, "transaction_key": "ANOTHERKEY000000"}).status


@pytest.mark.parametrize("how", sorted(FAULTS))
@pytest.mark.parametrize("verb", ["check", "find"])
def test_a_check_on_a_bad_line_refuses_nothing(merchant, verb, how):
    """Whatever happens to the check, the credentials are not called wrong."""
    merchant.simulator.fail(verb, how, seconds=0.1)
    expected = "ok" if how == "slow" else "unreachable"
    assert expected == merchant.adapter.check(merchant.credentials).status


def test_the_field_that_is_wrong_is_named(merchant):
    """Mode, key lengths and the simulator's address are looked at before anybody is asked."""
    for spoilt, field in (({"mode": "sandbox"}, "mode"), ({"transaction_key": "x" * 17}, "transaction_key"),
                          ({"signature_key": "5E"}, "signature_key"), ({"api_base": "http://example.com"}, "api_base")):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            merchant.adapter.read_credentials({**merchant.credentials, **spoilt})
        assert f"credentials.{field}" == refused.value.errors[0]["field"]
    kept = merchant.adapter.read_credentials(merchant.credentials)
    assert [True, False] == [merchant.adapter.is_test({**kept, "mode": mode}) for mode in ("test", "live")]


# charges


def test_a_charge_is_booked_once_with_our_reference(merchant):
    """Approved for our amount, under our reference, and looked up it says the same."""
    order = merchant.order(postal_code="98004")
    outcome = merchant.charge(order)
    assert ("approved", 12050, "USD") == (outcome.status, outcome.amount, outcome.currency)
    [entry] = merchant.simulator.books()
    assert (order.reference, 12050, "approved") == (entry["reference"], entry["amount"], entry["status"])
    found = merchant.find(order)
    assert ("approved", 12050, outcome.ids) == (found.status, found.amount, found.ids)


def test_currencies_without_a_minor_unit(merchant):
    """Yen go out as whole numbers and come back so; another currency than the account's is refused."""
    yen = Merchant(merchant.simulator, merchant.adapter)
    yen.credentials = {**merchant.credentials, "api_login_id": "yen1"}
    order = yen.order(amount=1200, currency="JPY")
    assert ("approved", 1200) == (yen.charge(order).status, yen.find(order).amount)
    assert ("declined", "39") == ((refused := yen.charge(yen.order())).status, refused.processor_code)


@pytest.mark.parametrize(("card", "refusal"), [
    ({"number": card_for(2)}, "card_declined"), ({"number": card_for(4)}, "lost_or_stolen"), ({"number": card_for(8)}, "expired_card"),
    ({"number": card_for(17)}, "card_not_supported"), ({"number": card_for(27)}, "incorrect_address"),
    ({"number": card_for(41)}, "fraud_suspected"), ({"number": card_for(44)}, "incorrect_cvc"),
    ({"number": card_for(49)}, "limit_exceeded"),
    ({"number": card_for(13)}, "processor_credentials_refused"), ({"number": card_for(19)}, "processor_unavailable"),
    ({"number": card_for(7777)}, "card_declined"), ({"number": "4111111111111112"}, "incorrect_number"), ({"cvc": "901"}, "incorrect_cvc"),
    ({"postal_code": "46282"}, "card_declined"), ({"postal_code": "46205"}, "incorrect_address"),
])  # fmt: skip
def test_declines_are_told_apart(merchant, card, refusal):
    """Each trigger of the simulator is declined for its reason, and nothing is booked as taken."""
    order = merchant.order(**card)
    outcome = merchant.charge(order)
    assert ("declined", refusal) == (outcome.status, outcome.refusal)
    assert [] == merchant.booked()
    assert merchant.find(order).status in ("declined", "unknown")


def test_maintenance_was_not_sent(merchant):
    """Refused before it was tried: payable again at once."""
    assert ("not_sent", "901") == (
        (outcome := merchant.charge(merchant.order(number=card_for(901)))).status,
        outcome.processor_code,
    )


def test_an_account_in_test_mode_is_no_success(merchant):
    """It approves and makes no transaction: the practice is told, the payer is not."""
    merchant.credentials["api_login_id"] = "testmode"
    assert "processor_credentials_refused" == merchant.charge(merchant.order()).refusal


def test_a_prepaid_card_that_falls_short(merchant):
    """Approved for less: the amount says so, so it is no success, and the void finds what to release; looked up it says the same."""
    order = merchant.order(number=card_for(295))
    outcome = merchant.charge(order)
    assert ("approved", 6025) == (outcome.status, outcome.amount)
    assert "unknown" == outcome.as_asked(order.amount, "USD").status
    assert 6025 == merchant.find(order).amount
    assert "canceled" == merchant.adapter.void(merchant.credentials, order.with_ids(outcome.ids)).status
    assert [6025] == merchant.booked(status="voided")


def test_the_same_charge_again_is_answered_by_the_first(merchant):
    """Sent twice (by a line that repeats): the gateway refuses the second, and the answer is the first one's, within 8 hours."""
    order = merchant.order()
    first, second = merchant.charge(order), merchant.charge(order)
    assert ("approved", first.ids["transId"]) == (second.status, second.ids["transId"])
    merchant.simulator.ahead += 28_799
    assert "approved" == merchant.charge(order).status
    assert [12050] == merchant.booked()
    other = replace(order, reference="X" + order.reference[1:])
    assert "approved" == merchant.charge(other).status
    assert [12050, 12050] == merchant.booked()


def test_a_duplicate_whose_first_is_not_seen_stays_unknown(merchant):
    """Refused as a duplicate while the lists lag: not known, never failed."""
    order = merchant.order()
    merchant.simulator.hide(1)
    merchant.charge(order)
    assert ("unknown", "duplicate") == ((outcome := merchant.charge(order)).status, outcome.refusal)
    assert "approved" == merchant.find(order).status


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_charge_on_a_bad_line_is_never_made_twice(merchant, how):
    """Unknown, not failed, whatever the line does; then found, or absent, as the processor's books have it. Sent once."""
    order = merchant.order()
    merchant.simulator.fail("charge", how, seconds=None if how.startswith("late") else 0.1)
    outcome = merchant.charge(order)
    assert ("approved" if how == "slow" else "unknown") == outcome.status
    merchant.simulator.mend()
    merchant.simulator.release()
    found = merchant.find(order)
    if how in CERTAINLY_NOTHING:
        assert ("unknown", True, []) == (found.status, found.absent, merchant.booked())
    else:
        assert ("approved", [12050]) == (found.status, merchant.booked())
    assert 1 == [verb for verb, _ in merchant.simulator.seen].count("charge")


def test_a_refused_connection_is_not_sent(merchant):
    """Nobody listens: nothing can have arrived."""
    merchant.credentials["api_base"] = "http://127.0.0.1:9"
    assert ("not_sent", "exc:connect_refused") == ((outcome := merchant.charge(merchant.order())).status, outcome.processor_code)
    assert "unknown" == merchant.find(merchant.order()).status


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
@pytest.mark.parametrize("verb", ["find", "held_list", "batches", "details"])
def test_a_look_on_a_bad_line_proves_nothing(merchant, verb, how):
    """A look-up that is not answered to its end never counts as absence."""
    order = merchant.order()
    merchant.charge(order)
    if verb != "details":
        order = merchant.order()
    merchant.simulator.fail(verb, how)
    found = merchant.find(order)
    assert ("unknown", False) == (found.status, found.absent)


def test_a_lagging_list_hides_for_a_while(merchant):
    """Hidden for three look-ups: absent three times, then found."""
    merchant.simulator.hide(3)
    order = merchant.order()
    merchant.simulator.fail("charge", "lose_answer")
    merchant.charge(order)
    looks = [merchant.find(order) for _ in range(4)]
    assert ["unknown"] * 3 + ["approved"] == [look.status for look in looks]
    assert all(look.absent for look in looks[:3])


def test_a_settled_charge_is_found_in_its_batch(merchant):
    """Also 40 days later, when two questions are needed to reach back; the reference is matched exactly."""
    order = merchant.order()
    merchant.simulator.fail("charge", "lose_answer")
    merchant.charge(order)
    merchant.simulator.ahead += 3600
    assert 1 == merchant.simulator.settle()
    merchant.simulator.ahead += 40 * 86400
    found = merchant.find(order)
    assert ("approved", 12050) == (found.status, found.amount)
    assert merchant.find(replace(order, reference=order.reference[:-1])).absent


def test_long_lists_are_read_to_the_end(merchant):
    """More than a thousand transactions come in pages; ours is on the last."""
    order = merchant.order()
    merchant.charge(order)
    first = merchant.simulator.entries[0]
    more = [replace(first, id=str(number), reference=f"r{number}", at=first.at + 1 + number) for number in range(1, 1102)]
    merchant.simulator.entries.extend(more)
    assert "approved" == merchant.find(order).status
    assert 2 == [verb for verb, _ in merchant.simulator.seen].count("find")


# held, cancelled, voided


@pytest.mark.parametrize(("code", "approve", "ends"), [
    (253, True, "approved"), (253, False, "declined"), (252, True, "approved"), (252, False, "declined"),
])  # fmt: skip
def test_a_held_charge_waits_for_its_review(merchant, code, approve, ends):
    """Held is approved not yet: pending until the merchant decides, by id and by reference."""
    order = merchant.order(number=card_for(code))
    outcome = merchant.charge(order)
    assert ("pending", "pending") == (outcome.status, merchant.find(order).status)
    held = order.with_ids(outcome.ids)
    assert 1 == merchant.simulator.review(approve, order.reference)
    assert [ends, ends] == [merchant.find(order).status, merchant.find(held).status]
    assert ([12050] if approve else []) == merchant.booked()


@pytest.mark.parametrize(("code", "ends"), [(253, "canceled"), (252, "declined")])
@pytest.mark.parametrize("verb", ["void", "cancel"])
def test_a_held_charge_is_released(merchant, code, ends, verb):
    """Authorised and held: voided. Held before that: the review is ended. Either way nothing is taken."""
    order = merchant.order(number=card_for(code))
    order = order.with_ids(merchant.charge(order).ids)
    assert ends == getattr(merchant.adapter, verb)(merchant.credentials, order).status
    assert ([], []) == (merchant.booked(), merchant.booked(status="held"))


def test_what_was_never_sent_does_not_exist(merchant):
    """Cancelling a prepared charge asks nobody; preparing didn't either."""
    order = replace(merchant.order(), sent_at=None)
    prepared = merchant.adapter.prepare(merchant.credentials, order)
    assert ("prepared", "1111") == (prepared.status, prepared.last4)
    assert "canceled" == merchant.adapter.cancel(merchant.credentials, order.with_ids(prepared.ids)).status
    assert [] == merchant.simulator.seen


def test_what_was_sent_is_not_believed_cancelled(merchant):
    """Cancelling a charge of unknown outcome says how it stands: approved, or still not known."""
    order = merchant.order()
    merchant.simulator.fail("charge", "lose_answer")
    merchant.charge(order)
    assert "approved" == merchant.adapter.cancel(merchant.credentials, order).status
    assert "unknown" == merchant.adapter.cancel(merchant.credentials, merchant.order()).status


def test_voids_end_where_settlement_begins(merchant):
    """Unsettled it is released, twice is once; settled it stays approved."""
    order, ids = merchant.charged()
    order = order.with_ids(ids)
    assert ["canceled"] * 2 == [merchant.adapter.void(merchant.credentials, order).status for _ in range(2)]
    other, ids = merchant.charged()
    merchant.simulator.settle()
    assert "approved" == merchant.adapter.void(merchant.credentials, other.with_ids(ids)).status


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_void_on_a_bad_line_is_unknown(merchant, how):
    """A void whose answer is lost is looked up: canceled, or still held; it never makes the charge one that was not sent."""
    order = merchant.order(number=card_for(253))
    order = order.with_ids(merchant.charge(order).ids)
    merchant.simulator.fail("void", how)
    assert "unknown" == merchant.adapter.void(merchant.credentials, order).status
    merchant.simulator.mend()
    merchant.simulator.release()
    assert ("pending" if how in CERTAINLY_NOTHING else "canceled") == merchant.find(order).status


# refunds


@pytest.fixture
def settled(merchant):
    """A settled charge of 120.50: its ids."""
    _, ids = merchant.charged()
    merchant.simulator.settle()
    return ids


def test_parts_and_the_rest_are_given_back(merchant, settled):
    """Several parts up to the whole, each by its own reference; beyond it the processor refuses."""
    for amount in (2050, 4000, 6000):
        order, outcome = merchant.give_back(settled, amount)
        assert ("approved", amount) == (outcome.status, outcome.amount)
        assert settled["transId"] != outcome.ids["transId"]
        assert ("approved", amount) == ((found := merchant.find(order)).status, found.amount)
    _, outcome = merchant.give_back(settled, 1)
    assert ("declined", "invalid_request", "55") == (outcome.status, outcome.refusal, outcome.processor_code)
    merchant.simulator.settle()
    assert "approved" == merchant.find(order).status


def test_the_whole_before_settlement_is_a_void(merchant):
    """Not settled yet: all of it is given back at once by voiding the charge, and the refund is found again as that."""
    _, ids = merchant.charged()
    order, outcome = merchant.give_back(ids, 12050)
    assert ("approved", 12050) == (outcome.status, outcome.amount)
    assert ([], [12050]) == (merchant.booked(), merchant.booked(status="voided"))
    assert ("approved", 12050) == ((found := merchant.find(order)).status, found.amount)
    assert "approved" == merchant.give_back(ids, 12050, order.reference)[1].status  # once more is the same once
    assert [] == merchant.booked(REFUND)


def test_a_part_before_settlement_waits(merchant):
    """Not settled yet: a part is certainly not given back, and can be later."""
    _, ids = merchant.charged()
    order, outcome = merchant.give_back(ids, 2050)
    assert ("not_settled", "54") == (outcome.status, outcome.processor_code)
    assert merchant.find(order).absent
    merchant.simulator.settle()
    assert "approved" == merchant.give_back(ids, 2050, order.reference)[1].status
    assert [2050] == merchant.booked(REFUND)


def test_settlement_between_the_refusal_and_the_void(merchant):
    """The batch closes just then: the void is refused, nothing was given back, it can be now."""
    _, ids = merchant.charged()
    void = merchant.simulator._void
    merchant.simulator._void = lambda asked, whose: (merchant.simulator.settle(), void(asked, whose))[1]
    order, outcome = merchant.give_back(ids, 12050)
    assert "not_settled" == outcome.status
    assert "approved" == merchant.give_back(ids, 12050, order.reference)[1].status
    assert [12050] == merchant.booked(REFUND)


def test_a_refund_after_its_time_is_declined(merchant, settled):
    """120 days after settlement the processor gives nothing back any more: definite, and not to be tried later."""
    merchant.simulator.ahead += 121 * 86400
    _, outcome = merchant.give_back(settled, 100)
    assert ("declined", "invalid_request", "54") == (outcome.status, outcome.refusal, outcome.processor_code)


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_refund_on_a_bad_line_is_found_again(merchant, settled, how):
    """Unknown, then found by its own reference, or absent, as the books have it; never given back twice."""
    merchant.simulator.fail("refund", how, seconds=None if how.startswith("late") else 0.1)
    order, outcome = merchant.give_back(settled, 2050)
    assert ("approved" if how == "slow" else "unknown") == outcome.status
    merchant.simulator.mend()
    merchant.simulator.release()
    found = merchant.find(order)
    if how in CERTAINLY_NOTHING:
        assert (True, []) == (found.absent, merchant.booked(REFUND))
    else:
        assert ("approved", [2050]) == (found.status, merchant.booked(REFUND))


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_whole_refund_whose_void_is_lost_is_found_again(merchant, how):
    """The void stands for the refund: lost on the way, it is found as a voided charge, or is absent."""
    _, ids = merchant.charged()
    merchant.simulator.fail("void", how)
    order, outcome = merchant.give_back(ids, 12050)
    assert "unknown" == outcome.status
    merchant.simulator.mend()
    merchant.simulator.release()
    found = merchant.find(order)
    assert found.absent if how in CERTAINLY_NOTHING else found.status == "approved"


@pytest.mark.parametrize("settle", [True, False])
def test_a_charge_that_was_found_can_be_given_back(merchant, settle):
    """What the look-up learned is enough for a refund; with nothing but the reference the charge is looked up first."""
    order = merchant.order()
    merchant.simulator.fail("charge", "lose_answer")
    prepared = merchant.adapter.prepare(merchant.credentials, order)
    merchant.adapter.charge(merchant.credentials, order)
    if settle:
        merchant.simulator.settle()
    amounts = (100, 200) if settle else (12050, 12050)
    assert "approved" == merchant.give_back(merchant.find(order).ids, amounts[0])[1].status
    assert "approved" == merchant.give_back(prepared.ids, amounts[1])[1].status
    assert "declined" == merchant.give_back({"reference": "nobody"}, 100)[1].status
    assert "declined" == merchant.give_back({}, 100)[1].status


def test_a_refund_that_was_taken_back_has_failed(merchant, settled):
    """The merchant voids the refund there before it settles: looked up, the client got nothing."""
    order, outcome = merchant.give_back(settled, 2050)
    refund = order.with_ids(outcome.ids)
    next(entry for entry in merchant.simulator.entries if entry.kind == REFUND).status = "voided"
    assert ("declined", "voided") == ((found := merchant.find(refund)).status, found.processor_code)


def test_refunds_at_once_never_exceed_the_charge(merchant, settled):
    """Twelve refunds of 20.00 of 120.50 at the same time: six are given back."""
    merchant.adapter.deadlines = (2.0, 10.0)
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(merchant.give_back(settled, 2000)[1])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["approved"] * 6 + ["declined"] * 6, [2000] * 6) == (sorted(o.status for o in outcomes), merchant.booked(REFUND))


# lists, notifications, silence


def test_the_list_of_a_span_is_theirs(merchant):
    """Held, unsettled and settled ones by submission time, each with our reference, kind, amount and status; None on a bad line."""
    since = merchant.adapter.clock.now() - timedelta(minutes=1)
    order, ids = merchant.charged()
    merchant.simulator.settle()
    refund, _ = merchant.give_back(ids, 2050)
    held = merchant.order(number=card_for(253))
    merchant.charge(held)
    until = merchant.adapter.clock.now() + timedelta(minutes=1)
    listed = merchant.adapter.list_between(merchant.credentials, since, until)
    assert {(order.reference, CHARGE, 12050, "approved"), (refund.reference, REFUND, 2050, "approved"),
            (held.reference, CHARGE, 12050, "pending")} == {(e.reference, e.kind, e.amount, e.status) for e in listed}  # fmt: skip
    assert [] == merchant.adapter.list_between(merchant.credentials, since - timedelta(hours=2), since)
    merchant.simulator.fail("find", "500")
    assert merchant.adapter.list_between(merchant.credentials, since, until) is None


def test_notifications_name_what_to_look_at(merchant):
    """Charges, refunds, voids and reviews are told, each once, by the transaction's id; the look-up does the rest."""
    merchant.adapter.check(merchant.credentials)
    merchant.simulator.merchants[KEYS["api_login_id"]].signature_key = SIGNATURE
    order, ids = merchant.charged()
    merchant.simulator.settle()
    merchant.give_back(ids, 2050)
    merchant.charge(merchant.order(number=card_for(253)))
    merchant.simulator.review(True)
    nudges = [_heard(merchant, body, headers) for body, headers in merchant.simulator.webhooks]
    assert 4 == len({nudge.event_id for nudge in nudges})
    assert (order.reference, {"transId": ids["transId"]}) == (nudges[0].reference, nudges[0].ids)
    assert all(nudge.ids["transId"] for nudge in nudges)


def _heard(merchant, body: bytes, headers: dict):
    lowered = {name.lower(): value for name, value in headers.items()}
    return merchant.adapter.read_webhook(merchant.credentials, body, lowered, merchant.adapter.clock.now())


def test_mutated_notifications_are_refused(merchant):
    """2,000 mutations of a genuine delivery, of body, signature and header: none is believed, none trips anything."""
    merchant.adapter.check(merchant.credentials)
    merchant.simulator.merchants[KEYS["api_login_id"]].signature_key = SIGNATURE
    merchant.charge(merchant.order())
    [(body, headers)] = merchant.simulator.webhooks
    assert _heard(merchant, body, headers)
    seeded, refused = random.Random(5), 0
    for _ in range(2000):
        spoilt, signature = _mutated(seeded, body, headers["X-ANET-Signature"])
        with pytest.raises(Forbidden):
            _heard(merchant, spoilt, {"X-ANET-Signature": signature} if signature is not None else {})
        refused += 1
    assert 2000 == refused


def _mutated(seeded: random.Random, body: bytes, signature: str) -> tuple[bytes, str | None]:
    at, odd = seeded.randrange(len(body)), chr(seeded.choice([0, 32, 0xE9, 0x212A, 0x1F600, 0xDC80]))
    cut = seeded.randrange(len(signature))
    ways = [
        lambda: (body[:at] + bytes([body[at] ^ 1 << seeded.randrange(8)]) + body[at + 1 :], signature),
        lambda: (body[:at], signature),
        lambda: (body + bytes([seeded.randrange(256)]), signature),
        lambda: (body[:at] + b" " + body[at:], signature),
        lambda: (body, signature[:cut]),
        lambda: (body, signature[:cut] + odd + signature[cut + 1 :]),
        lambda: (body, signature + odd),
        lambda: (body, "sha512=" + "".join(seeded.choice("0123456789ABCDEF") for _ in range(128))),
        lambda: (body, signature.replace("sha512", seeded.choice(["sha1", "sha256", "", "none"]))),
        lambda: (body, None),
    ]
    return seeded.choice(ways)()


def test_nothing_private_comes_out(merchant, caplog, capsys):
    """With every logger at DEBUG no log, outcome, check or exception holds card, code, keys or login, on good and bad lines."""
    said = []
    with caplog.at_level(logging.DEBUG):
        for how in (None, "lose_answer", "500_after", "garbage_after", "hang"):
            for verb in ("charge", "find", "refund", "check", "void"):
                if how:
                    merchant.simulator.fail(verb, how)
            order, ids = merchant.charged()
            merchant.simulator.settle()
            said += [merchant.find(order), merchant.give_back(ids, 100), merchant.adapter.check(merchant.credentials), order]
            said.append(merchant.adapter.void(merchant.credentials, order.with_ids(ids)))
            said.append(merchant.charge(merchant.order(number=card_for(6))))
            merchant.simulator.mend()
        merchant.credentials["api_base"] = "http://127.0.0.1:9"
        said += [merchant.charge(merchant.order()), merchant.find(merchant.order())]
    printed = capsys.readouterr()
    text = " ".join([caplog.text, repr(said), printed.out, printed.err])
    assert caplog.records and "unknown" in text
    for canary in (NUMBER, CVC, KEY, SIGNATURE, KEYS["api_login_id"], card_for(6)):
        assert not leaked(canary, text)


# the room


@pytest.fixture
def net_desk(desk, simulator):
    """A desk whose practice has an active Authorize.net account at the simulator, whose clock follows the desk's."""
    clock = desk.room.clock
    simulator.now = lambda: clock.now().timestamp()
    adapter = AuthorizeNet(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), clock, deadlines=(2.0, 1.0))
    desk.room.adapters["authorize_net"] = adapter
    desk.simulator = simulator
    desk.account = desk.add("authorize_net", {**KEYS, "api_base": simulator.url}, card_entry="direct")
    return desk


def _taken(desk, kind: str = CHARGE) -> list[int]:
    books = desk.simulator.books()
    return [entry["amount"] for entry in books if (entry["kind"], entry["status"]) == (kind, "approved")]


def test_a_practice_is_paid_and_gives_back(net_desk):
    """Through the room: charged, settled, given back in part, with the card's last digits kept and nothing sent twice."""
    said = net_desk.charge(NUMBER)
    assert ("succeeded", {"brand": "visa", "last4": "1111"}) == (said.status, said.card)
    net_desk.simulator.settle()
    assert "succeeded" == net_desk.refund(said.payment_id, 2050).status
    assert ([12924], [2050]) == (_taken(net_desk), _taken(net_desk, REFUND))


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_the_room_settles_what_a_bad_line_left_unknown(net_desk, how):
    """Unknown, then by itself found or, after 5 s, 30 s, 5 min and 1 h of absence, payable again: as the books have it."""
    net_desk.simulator.fail("charge", how, seconds=None if how.startswith("late") else 0.1)
    said = net_desk.charge(NUMBER)
    net_desk.simulator.release()
    for seconds in (5, 30, 300):
        net_desk.after(seconds)
    if how in CERTAINLY_NOTHING:
        assert "unknown" == net_desk.look(said.payment_id).status
        net_desk.after(3600)
    ends = {True: ("not_sent", []), False: ("succeeded", [12924])}[how in CERTAINLY_NOTHING]
    assert ends == (net_desk.look(said.payment_id).status, _taken(net_desk))
    assert 1 == [verb for verb, _ in net_desk.simulator.seen].count("charge")


def test_a_charge_carried_out_late_is_found_in_time(net_desk):
    """The processor acts after our second look: the third finds it."""
    net_desk.simulator.fail("charge", "late", look_ups=2)
    said = net_desk.charge(NUMBER)
    for seconds, status in ((5, "unknown"), (30, "unknown"), (300, "succeeded")):
        net_desk.after(seconds)
        assert status == net_desk.look(said.payment_id).status
    assert [12924] == _taken(net_desk)


def test_a_held_payment_is_pending_until_its_review(net_desk):
    """Held is pending for the payer and the practice; the review's word comes with the next look."""
    said = net_desk.charge(card_for(253))
    assert "pending" == said.status
    net_desk.after(5)
    assert "pending" == net_desk.look(said.payment_id).status
    net_desk.simulator.review(True)
    assert "succeeded" == net_desk.check(said.payment_id).status


def test_a_held_payment_is_given_up(net_desk):
    """Cancelling it voids it there."""
    said = net_desk.charge(card_for(253))
    assert "canceled" == net_desk.cancel(said.payment_id).status
    assert [] == _taken(net_desk)


def test_cancelling_an_unknown_payment_is_no_proof(net_desk):
    """The request may still arrive: the payment stays unknown until the horizon."""
    net_desk.simulator.fail("charge", "late")
    said = net_desk.charge(NUMBER)
    assert "unknown" == net_desk.cancel(said.payment_id).status
    net_desk.simulator.release()
    assert "succeeded" == net_desk.cancel(said.payment_id).status


def test_a_part_that_was_approved_is_taken_back(net_desk):
    """A prepaid card that falls short: declined for want of funds, and what was approved is voided there."""
    said = net_desk.charge(card_for(295))
    assert ("declined", "insufficient_funds") == (said.status, said.failure.code)
    assert ["voided"] == [entry["status"] for entry in net_desk.simulator.books()]


def test_a_part_is_given_back_once_the_charge_has_settled(net_desk):
    """Not settled yet: the refund waits, says so, and is given back by itself after the settlement, once."""
    said = net_desk.charge(NUMBER)
    refund = net_desk.refund(said.payment_id, 2050)
    assert "waiting_for_settlement" == refund.status
    net_desk.after(3600)
    assert "waiting_for_settlement" == net_desk.look_at_refund(refund.refund_id).status
    net_desk.simulator.settle()
    net_desk.after(3600)
    assert ("succeeded", [2050]) == (net_desk.look_at_refund(refund.refund_id).status, _taken(net_desk, REFUND))


def test_all_of_it_is_given_back_before_settlement(net_desk):
    """The whole is voided at once."""
    said = net_desk.charge(NUMBER)
    assert ("succeeded", []) == (net_desk.refund(said.payment_id, 12924).status, _taken(net_desk))


def test_a_lost_refund_is_found_by_the_room(net_desk):
    """The refund was made and its answer lost: the look-up finds it by its own reference."""
    said = net_desk.charge(NUMBER)
    net_desk.simulator.settle()
    net_desk.simulator.fail("refund", "lose_answer")
    refund = net_desk.refund(said.payment_id, 2050)
    assert "unknown" == refund.status
    net_desk.after(5)
    assert ("succeeded", [2050]) == (net_desk.look_at_refund(refund.refund_id).status, _taken(net_desk, REFUND))


def test_an_account_that_can_not_look_is_not_kept(net_desk):
    """Without the right to read transactions the account is refused before it is saved, in words that say what to enable."""
    with pytest.raises(Invalid) as refused:
        net_desk.add("authorize_net", {**KEYS, "api_login_id": "nodetails", "api_base": net_desk.simulator.url})
    assert "Transaction Details API" in refused.value.errors[0]["message"]
