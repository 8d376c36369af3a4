"""Stripe in the room: charges, refunds, deliveries and the comparison through the use cases, judged by the simulator's books."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import stripe

from services.processors.adapters.stripe import API_VERSION
from services.processors.orders import CHARGE, REFUND
from services.processors.usecases import comparing
from shared.faults import Forbidden
from tests.integration.processors.test_stripe_simulator import (  # noqa: F401
    ASKS_PAYER,
    CERTAINLY_NOTHING,
    KEY,
    KEYS,
    NUMBER,
    SECRET,
    fault,
    reference,
    serving,
    simulator,
    taken,
)
from tests.simulators.stand import FAULTS
from tests.simulators.stripe_events import signed
from tests.unit.processors.test_webhooks import deliver


@pytest.fixture
def room_desk(desk, simulator):  # noqa: F811
    """A desk whose practice has an active Stripe account at the simulator, whose clock follows the desk's."""
    clock = desk.room.clock
    simulator.now = lambda: clock.now().timestamp()
    desk.room.adapters["stripe"].deadlines = (2.0, 1.0)
    desk.simulator = simulator
    desk.account = desk.add("stripe", {**KEYS, "api_base": simulator.url}, card_entry="direct")
    return desk


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_the_room_settles_what_a_bad_line_left_unknown(room_desk, how):
    """Unknown, then by itself found or proven absent at the first look: as the books have it, and sent once."""
    room_desk.simulator.fail("charge", **fault(how))
    said = room_desk.charge(NUMBER)
    assert ("succeeded" if how == "slow" else "unknown") == said.status
    room_desk.simulator.release()
    room_desk.after(5)
    ends = ("not_sent", []) if how in CERTAINLY_NOTHING else ("succeeded", [12924])
    assert ends == (room_desk.look(said.payment_id).status, taken(room_desk.simulator))
    assert 1 == [verb for verb, _ in room_desk.simulator.seen].count("charge")


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_the_room_finds_a_refund_again(room_desk, how):
    """A refund of unknown outcome is found, or after the horizon payable again: as the books have it, and sent once."""
    paid = room_desk.charge(NUMBER)
    room_desk.simulator.fail("refund", **fault(how))
    refund = room_desk.refund(paid.payment_id, 2050)
    room_desk.simulator.release()
    for seconds in (5, 30, 300, 3600):
        room_desk.after(seconds)
    ends = ("not_sent", []) if how in CERTAINLY_NOTHING else ("succeeded", [2050])
    assert ends == (room_desk.look_at_refund(refund.refund_id).status, taken(room_desk.simulator, REFUND))
    assert 1 == [verb for verb, _ in room_desk.simulator.seen].count("refund")


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_the_room_gives_up_what_waits_for_the_payer(room_desk, how):
    """A payment that waits for the bank is cancelled on a bad line: it ends canceled or is still open, and nothing is ever taken."""
    said = room_desk.charge(ASKS_PAYER)
    room_desk.simulator.fail("cancel", **fault(how))
    room_desk.cancel(said.payment_id)
    room_desk.simulator.mend()
    room_desk.simulator.release()
    if room_desk.look(said.payment_id).status != "canceled":
        room_desk.cancel(said.payment_id)
    assert ("canceled", []) == (room_desk.look(said.payment_id).status, taken(room_desk.simulator))


def test_refunds_at_once_through_the_room(room_desk):
    """Ten refunds of 30.00 of 129.24 at once: four are given back, of the room's word and of the books."""
    paid = room_desk.charge(NUMBER)
    room_desk.room.adapters["stripe"].deadlines = (5.0, 20.0)
    room_desk.room.adapters["stripe"].__dict__.pop("_http", None)
    said = []
    threads = [threading.Thread(target=lambda: said.append(room_desk.refund(paid.payment_id, 3000).status)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["declined"] * 6 + ["succeeded"] * 4, [3000] * 4) == (sorted(said), taken(room_desk.simulator, REFUND))


def test_a_refund_carried_out_after_the_horizon_is_late_money(room_desk):
    """Given up as not sent after an hour, then carried out after all: Stripe's event wakes the look-up, and it counts."""
    paid = room_desk.charge(NUMBER)
    room_desk.simulator.fail("refund", "late")
    refund = room_desk.refund(paid.payment_id, 2050)
    for seconds in (5, 30, 300, 3600):
        room_desk.after(seconds)
    assert "not_sent" == room_desk.look_at_refund(refund.refund_id).status
    room_desk.simulator.release()
    for body in room_desk.simulator.endpoint.waiting:
        deliver_body(room_desk, body)
    room_desk.after(0)
    assert ("succeeded", [2050]) == (room_desk.look_at_refund(refund.refund_id).status, taken(room_desk.simulator, REFUND))


def test_a_replaced_key_still_finds(room_desk):
    """The key is revoked while a charge is unknown and then replaced: the look-up uses the new one."""
    room_desk.simulator.fail("charge", "lose_answer")
    said = room_desk.charge(NUMBER)
    room_desk.simulator.revoke(KEY)
    room_desk.after(5)
    assert "unknown" == room_desk.look(said.payment_id).status
    room_desk.change(room_desk.account.id, {**KEYS, "secret_key": f"{KEY}.2", "api_base": room_desk.simulator.url})
    room_desk.after(30)
    assert ("succeeded", [12924]) == (room_desk.look(said.payment_id).status, taken(room_desk.simulator))


# the daily comparison


def test_the_comparison_of_a_day(room_desk):
    """More than a page of them agrees; what happened in silence is woken, what nobody here knows is told."""
    room_desk.after(3600)
    paid = [room_desk.charge(NUMBER) for _ in range(105)]
    room_desk.stand(paid[0].payment_id, status="not_sent", next_look_up_at=None)
    api = stripe.StripeClient(KEY, base_addresses={"api": room_desk.simulator.url}, stripe_version=API_VERSION).v1
    method = api.payment_methods.create(
        {"type": "card", "card": {"number": NUMBER, "exp_month": 1, "exp_year": 2031, "cvc": "123"}}
    )
    for named in (reference(), "another program's"):
        api.payment_intents.create({"amount": 700, "currency": "usd", "payment_method": method.id, "confirm": True,
                                    "payment_method_types": ["card"], "metadata": {"reference": named}})  # fmt: skip
    room_desk.room.clock.at += timedelta(days=1)
    assert 1 == comparing.compare_due(room_desk.room)
    found = [body for event, body in room_desk.news() if event == "difference_found"]
    assert [("orphan", 700)] == [(body["kind"], body["amount"]) for body in found]
    room_desk.after(0)
    assert "succeeded" == room_desk.look(paid[0].payment_id).status


@pytest.mark.parametrize(("days", "ends"), [(20, "declined"), (40, "succeeded")])
def test_a_refund_that_fails_weeks_later_is_seen_without_webhooks(room_desk, days, ends):
    """The list is read two days back; each refund is looked at once a day for a month, and no longer."""
    said = room_desk.refund(room_desk.charge(NUMBER).payment_id, 2050)
    for _ in range(days):
        room_desk.room.clock.at += timedelta(days=1)
        assert 1 == comparing.compare_due(room_desk.room)
        room_desk.after(0)
    assert "succeeded" == room_desk.look_at_refund(said.refund_id).status
    room_desk.simulator.fail_refund(room_desk.row(said.refund_id).reference)
    for _ in range(2):
        room_desk.room.clock.at += timedelta(days=1)
        comparing.compare_due(room_desk.room)
        room_desk.after(0)
    assert ends == room_desk.look_at_refund(said.refund_id).status


# deliveries, over HTTP


def deliver_body(desk, body: bytes, headers: dict | None = None) -> None:
    headers = headers or signed(body, SECRET, desk.room.clock.now().timestamp())
    deliver(desk, body, headers, kind="stripe")


@pytest.fixture
def listening(room_desk):
    """The room behind an HTTP door that the simulator's deliveries go to."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                deliver_body(room_desk, body, dict(self.headers.items()))
                status = 200
            except Forbidden:
                status = 403
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    room_desk.door = f"http://127.0.0.1:{server.server_address[1]}"
    room_desk.simulator.webhook(room_desk.door, SECRET, hold=True)
    yield room_desk
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_deliveries_wake_the_look_up_in_any_order(listening, backwards, times):
    """Each once or three times, the last one first or not: the payment of unknown outcome is found before its time, once."""
    listening.simulator.fail("charge", "lose_answer")
    said = listening.charge(NUMBER)
    statuses = listening.simulator.deliver(times, backwards)
    assert {200} == set(statuses)
    assert 3 * times == len(statuses)
    listening.after(0)
    assert ("succeeded", [12924]) == (listening.look(said.payment_id).status, taken(listening.simulator))
    version = listening.row(said.payment_id).version
    assert {200} == set(listening.simulator.deliver(times, backwards))
    listening.after(0)
    assert version == listening.row(said.payment_id).version


def test_forged_and_old_deliveries_wake_nothing(listening):
    """Signed by another secret, or six minutes ago, or ahead: refused, and the payment stays as it was."""
    listening.simulator.fail("charge", "lose_answer")
    said = listening.charge(NUMBER)
    before = listening.row(said.payment_id).version
    for aged in (360, -360):
        assert {403} == set(listening.simulator.deliver(aged=aged))
    listening.simulator.endpoint.secret = "whsec_other"
    assert {403} == set(listening.simulator.deliver())
    listening.after(0)
    assert (before, "unknown") == (listening.row(said.payment_id).version, listening.look(said.payment_id).status)


def test_an_old_delivery_does_not_get_young_by_a_second_stamp(listening):
    """A genuine header of last week with a fresh `t` put behind it: the signature is that of the first stamp, so it is refused."""
    listening.charge(NUMBER)
    body, now = listening.simulator.endpoint.waiting[-1], listening.room.clock.now().timestamp()
    old = signed(body, SECRET, now - 7 * 86400)["Stripe-Signature"]
    for header in (old, f"{old},t={int(now)}", f"t={int(now)},{old}"):
        with pytest.raises(Forbidden):
            deliver_body(listening, body, {"Stripe-Signature": header})


def test_a_delivery_before_our_own_answer_is_harmless(listening):
    """Stripe tells of the charge while our request still waits: it is taken, and the answer settles the payment once."""
    listening.simulator.webhook(listening.door, SECRET)
    listening.simulator.fail("charge", "slow", seconds=0.3)
    said = listening.charge(NUMBER)
    listening.after(0)
    assert ("succeeded", [12924]) == (listening.look(said.payment_id).status, taken(listening.simulator))
    settled = [body for event, body in listening.news() if event == "charge_settled"]
    assert ["succeeded"] == [body["status"] for body in settled]


def test_a_refund_that_fails_afterwards_is_taken_back(listening):
    """It had succeeded; days later the bank refuses it: the event wakes the look-up, the refund is declined, and can be made anew."""
    paid = listening.charge(NUMBER)
    refund = listening.refund(paid.payment_id, 12924)
    assert "succeeded" == refund.status
    listening.simulator.deliver()
    listening.after(3 * 86400)
    assert "failed" == listening.simulator.fail_refund(refund.reference)
    assert {200} == set(listening.simulator.deliver())
    listening.after(0)
    assert "declined" == listening.look_at_refund(refund.refund_id).status
    assert ("succeeded", [12924]) == (listening.refund(paid.payment_id, 12924).status, taken(listening.simulator, REFUND))


def test_what_an_event_says_is_not_believed(listening):
    """A genuine event about a charge that the processor does not show yet changes nothing: the look-up decides."""
    listening.simulator.fail("charge", "lose_answer")
    said = listening.charge(NUMBER)
    listening.simulator.fail("find", "500")
    assert json.loads(listening.simulator.endpoint.waiting[-1])["data"]["object"]["status"] == "succeeded"
    listening.simulator.deliver()
    listening.after(0)
    assert "unknown" == listening.look(said.payment_id).status


VERBS = {"pay": "charge", "refund": "refund", "cancel": "cancel"}
DECLINES = {
    "pay": {"status": 402, "code": "card_declined", "decline_code": "do_not_honor"},
    "refund": {"status": 400, "code": "charge_not_refundable", "kind": "invalid_request_error"},
    "cancel": {"status": 400, "code": "payment_intent_unexpected_state", "kind": "invalid_request_error"},
}
IN_USE = {"status": 409, "code": "idempotency_key_in_use", "kind": "idempotency_error"}
# behaviour -> (the judge's command, what else it is given)
BEHAVIOURS = {
    "ok": (None, {}),
    "decline": ("refuse", {}),
    "hang": ("fail", {"how": "hang"}),
    "answer lost": ("fail", {"how": "lose_answer"}),
    "500 after": ("fail", {"how": "500_after"}),
    "duplicate refusal": ("refuse", IN_USE),
}
ENDS = {
    "pay": {"ok": "succeeded", "decline": "declined", "hang": "not_sent", "duplicate refusal": "not_sent"},
    "refund": {"ok": "succeeded", "decline": "declined", "hang": "not_sent", "duplicate refusal": "not_sent"},
    "cancel": dict.fromkeys(("decline", "hang", "duplicate refusal"), "requires_action"),
}


def _commanded(desk, verb: str, behaviour: str) -> None:
    command, more = BEHAVIOURS[behaviour]
    if command:
        body = {"verb": VERBS[verb], **(DECLINES[verb] if behaviour == "decline" else more)}
        assert 200 == requests.post(f"{desk.simulator.url}/_simulator/{command}", json=body, timeout=5).status_code


def _one_history(desk, verb: str, behaviour: str) -> str:
    """How it stands in the end, after every look-up of an hour and a half."""
    if verb == "refund":
        paid = desk.charge(NUMBER)
        _commanded(desk, verb, behaviour)
        refund_id = desk.refund(paid.payment_id, 2050).refund_id
        for seconds in (5, 30, 300, 3600):
            desk.after(seconds)
        return desk.look_at_refund(refund_id).status
    if verb == "pay":
        _commanded(desk, verb, behaviour)
        said = desk.charge(NUMBER)
        desk.after(5)
        return desk.look(said.payment_id).status
    said = desk.charge(ASKS_PAYER)
    _commanded(desk, verb, behaviour)
    desk.cancel(said.payment_id)
    return desk.look(said.payment_id).status


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("verb", VERBS)
def test_the_judge_commands_each_behaviour_of_each_verb(room_desk, verb, behaviour):
    """Over the simulator's own door: how it ends is what the books hold, and nothing is taken or given back twice."""
    kind = REFUND if verb == "refund" else CHARGE
    ends = _one_history(room_desk, verb, behaviour)
    expected = ENDS[verb].get(behaviour, "canceled" if verb == "cancel" else "succeeded")
    assert expected == ends
    assert ([12924] if verb == "pay" else [2050] if verb == "refund" else []) * (ends == "succeeded") == taken(
        room_desk.simulator, kind
    )
    books = requests.get(f"{room_desk.simulator.url}/_simulator/books", timeout=5).json()
    assert books == room_desk.simulator.books()


def test_the_judges_other_commands(room_desk):
    """The payer answers, a refund fails, events go out, a key is revoked, the clock moves: each over the simulator's own door."""

    def command(what: str, **given):
        return requests.post(f"{room_desk.simulator.url}/_simulator/{what}", json=given, timeout=5).json()

    said = room_desk.charge(ASKS_PAYER)
    assert "succeeded" == command("authenticate", intent=room_desk.row(said.payment_id).processor_ids["intent"], succeeds=True)
    assert "succeeded" == room_desk.check(said.payment_id).status
    refund = room_desk.refund(said.payment_id, 2050)
    assert "failed" == command("fail_refund", refund=refund.reference)
    assert command("webhook", url="http://127.0.0.1:9", secret=SECRET, hold=True) is None
    room_desk.charge(NUMBER)
    assert [0, 0, 0] == command("deliver")
    command("revoke", key=KEY)
    assert "refused" == room_desk.room.adapters["stripe"].check({**KEYS, "api_base": room_desk.simulator.url}).status
    assert [404] == [requests.post(f"{room_desk.simulator.url}/_simulator/nonsense", timeout=5).status_code]


def test_the_books_know_our_reference(room_desk):
    """What the judge reads names the reference of each charge and refund, and no card."""
    paid = room_desk.charge(NUMBER)
    refund = room_desk.refund(paid.payment_id, 2050)
    books = room_desk.simulator.books()
    assert [(CHARGE, paid.reference), (REFUND, refund.reference)] == [(entry["kind"], entry["reference"]) for entry in books]
    assert books[0]["id"] == books[1]["of"]
    assert NUMBER not in repr(books) + repr(room_desk.simulator.__dict__)
