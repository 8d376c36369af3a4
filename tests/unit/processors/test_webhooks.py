"""Webhooks only wake the look-up: genuine ones once, forged, stale and foreign ones not at all."""

import base64
import hashlib
import hmac
import json
import random
from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.model import Attempt
from services.processors.orders import APPROVED, NOT_KNOWN, Nudge, Outcome
from services.processors.usecases import accounts, nudging
from shared.caller import Caller
from shared.contracts.processors import Processors
from shared.faults import Forbidden, NotFound
from shared.tenancy import EVERY_PRACTICE, acting, acting_in
from tests.unit.processors.conftest import ANSWER_LOST

SECRET = "whsec_test_1"
KEYS = {"secret_key": "sk_test_abcdefgh", "api_base": "http://127.0.0.1:9", "webhook_secret": SECRET}


def deliver(desk, body: bytes, headers: dict, processor_id: str | None = None, kind: str = "sandbox", caller=None):
    request = {"processor_id": processor_id or desk.account.id, "type": kind, "headers": headers}
    request["body"] = base64.b64encode(body).decode()
    loaded = Processors.receive_webhook.load_request(request)
    return nudging.receive_webhook(caller or Caller.system(""), loaded, desk.room)


@pytest.fixture
def listening(open_desk, monkeypatch):
    """The sandbox as a processor whose deliveries are `{"event", "reference", "ids"}`, signed by the word `genuine`."""

    def read(credentials, body, headers, now):
        if headers.get("signed") != "genuine":
            raise Forbidden("webhook_refused")
        told = json.loads(body)
        return None if told.get("idle") else Nudge(told["event"], told.get("reference"), told.get("ids") or {})

    monkeypatch.setattr(open_desk.room.adapters["sandbox"], "read_webhook", read)
    return open_desk


def told(event: str, **named) -> bytes:
    return json.dumps({"event": event, **named}).encode()


GENUINE = {"Signed": "genuine"}


def test_a_genuine_delivery_wakes_the_look_up_once(listening, monkeypatch):
    """The order it names is looked up at the next turn of the timer, not when its time would have come; again changes nothing."""
    said = listening.charge(ANSWER_LOST)
    reference = listening.row(said.payment_id).reference
    deliver(listening, told("e1", reference=reference), GENUINE)
    listening.after(0)
    assert "succeeded" == listening.look(said.payment_id).status
    version = listening.row(said.payment_id).version
    deliver(listening, told("e1", reference=reference), GENUINE)
    listening.after(0)
    assert version == listening.row(said.payment_id).version


def test_what_it_says_is_never_believed(listening, monkeypatch):
    """A delivery that is early or lies changes nothing: the processor's own answer decides."""
    said = listening.charge(ANSWER_LOST)
    monkeypatch.setattr(listening.room.adapters["sandbox"], "find", lambda credentials, order: Outcome(NOT_KNOWN))
    reference = listening.row(said.payment_id).reference
    deliver(listening, told("e1", reference=reference, status="succeeded"), GENUINE)
    listening.after(0)
    assert "unknown" == listening.look(said.payment_id).status


def test_it_may_name_only_the_processors_own_id_or_nothing_we_know(listening):
    """By the processor's id the order is found; where nothing fits, everything open at that account is looked at."""
    for named in ({"ids": {"x": "nobody"}}, {}):
        said = listening.charge(ANSWER_LOST)
        deliver(listening, told(f"e{named}", **named), GENUINE)
        listening.after(0)
        assert "succeeded" == listening.look(said.payment_id).status
    said = listening.charge(ANSWER_LOST)
    listening.stand(said.payment_id, processor_ids={"transaction": "t77"})
    deliver(listening, told("e3", ids={"transaction": "t77"}), GENUINE)
    listening.after(0)
    assert "succeeded" == listening.look(said.payment_id).status


def test_deliveries_about_others_do_not_bring_the_horizon_nearer(listening, monkeypatch):
    """Their lists lag: however often somebody else's sale wakes the look-ups, absence counts at its times only."""
    adapter, looked = listening.room.adapters["sandbox"], []
    monkeypatch.setattr(adapter, "absence_counts_after", 4)
    monkeypatch.setattr(adapter, "find", lambda credentials, order: looked.append(1) or Outcome(NOT_KNOWN, absent=True))
    said = listening.charge(ANSWER_LOST)
    for number in range(10):
        deliver(listening, told(f"e{number}", ids={"transaction": "of their shop"}), GENUINE)
        listening.after(0)
    row = listening.row(said.payment_id)
    assert (10, "unknown", 0, None) == (len(looked), row.status, row.absences, row.woken_at)
    for seconds in (5, 30, 300):
        listening.after(seconds)
    assert "unknown" == listening.look(said.payment_id).status
    listening.after(3600)
    assert "not_sent" == listening.look(said.payment_id).status


def test_what_is_in_review_stays_there_until_something_is_found(listening, monkeypatch):
    """A delivery has it looked at once more, and no schedule begins anew; where nobody answers, again an hour later, for a month."""
    says = [Outcome(NOT_KNOWN), Outcome(NOT_KNOWN, absent=True)]
    monkeypatch.setattr(listening.room.adapters["sandbox"], "find", lambda credentials, order: says[0])
    said = listening.charge(ANSWER_LOST)
    listening.stand(said.payment_id, status="review", next_look_up_at=None)
    deliver(listening, told("e1"), GENUINE)
    listening.after(0)
    row = listening.row(said.payment_id)
    assert ("review", None, timedelta(hours=1)) == (row.status, row.next_look_up_at, row.woken_at - listening.room.clock.now())
    says.pop(0)
    listening.after(3600)
    row = listening.row(said.payment_id)
    assert ("review", None, None) == (row.status, row.next_look_up_at, row.woken_at)
    says[0] = Outcome(NOT_KNOWN)
    listening.room.clock.at += timedelta(days=30)
    deliver(listening, told("e2"), GENUINE)
    listening.after(0)
    assert listening.row(said.payment_id).woken_at is None


def test_a_settled_failure_that_has_happened_after_all_is_found(listening, monkeypatch):
    """Woken by a delivery, a payment that had failed is seen to have succeeded."""
    said = listening.charge(ANSWER_LOST)
    listening.stand(said.payment_id, status="not_sent", next_look_up_at=None)
    reference = listening.row(said.payment_id).reference
    deliver(listening, told("e1", reference=reference), GENUINE)
    listening.after(0)
    assert "succeeded" == listening.look(said.payment_id).status


@pytest.mark.parametrize(("headers", "kind", "wrong"), [({}, "sandbox", Forbidden), (GENUINE, "stripe", NotFound)])
def test_forged_or_for_another_kind_is_refused(listening, headers, kind, wrong):
    """No signature is Forbidden, an account that is not of that type is not there."""
    with pytest.raises(wrong):
        deliver(listening, told("e1"), headers, kind=kind)


def test_nobody_but_the_system_delivers(listening):
    """An admin's call is refused: deliveries come through the gateway's own door."""
    with pytest.raises(Forbidden):
        deliver(listening, told("e1"), GENUINE, caller=listening.admin)


def test_idle_news_is_taken_and_forgotten(listening):
    """A genuine delivery about something else is answered and wakes nothing."""
    said = listening.charge(ANSWER_LOST)
    before = listening.row(said.payment_id).version
    assert {} == deliver(listening, told("e1", idle=True), GENUINE)
    assert before == listening.row(said.payment_id).version


# Stripe's own signatures, made by hand from its documentation


def signed(body: bytes, at: float, secret: str = SECRET) -> dict:
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={digest}"}


def intent_event(reference: str = "a" * 20) -> bytes:
    intent = {"id": "pi_1", "object": "payment_intent", "metadata": {"reference": reference}}
    return json.dumps({"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": intent}}).encode()


def read(desk, body: bytes, headers: dict, **credentials):
    adapter = desk.room.adapters["stripe"]
    return adapter.read_webhook({**KEYS, **credentials}, body, headers, desk.room.clock.now())


def test_stripe_signs_the_raw_body(desk):
    """The intent's id and our reference are read from a genuine delivery."""
    body = intent_event()
    nudge = read(desk, body, signed(body, desk.room.clock.now().timestamp()))
    assert ("evt_1", "a" * 20, {"intent": "pi_1"}) == (nudge.event_id, nudge.reference, nudge.ids)


@pytest.mark.parametrize("age", [-301, 301])
def test_stripe_deliveries_have_a_window(desk, age):
    """Signed more than 300 seconds ago, or ahead, is refused: it may be a replay."""
    body = intent_event()
    with pytest.raises(Forbidden):
        read(desk, body, signed(body, desk.room.clock.now().timestamp() - age))


def test_an_account_without_a_secret_believes_nobody(desk):
    """No signing secret, no deliveries."""
    body = intent_event()
    with pytest.raises(Forbidden):
        read(desk, body, signed(body, desk.room.clock.now().timestamp()), webhook_secret="")


def test_mutated_deliveries_are_refused_without_a_stumble(desk):
    """Of 3,000 deliveries changed in a byte of body or header none is accepted and none raises anything but Forbidden."""
    dice, now = random.Random(7), desk.room.clock.now().timestamp()
    genuine = intent_event()
    for _ in range(3000):
        headers, body = signed(genuine, now), bytearray(genuine)
        if dice.random() < 0.5:
            body[dice.randrange(len(body))] ^= dice.randint(1, 255)
        else:
            text = bytearray(headers["stripe-signature"].encode())
            place = dice.randrange(len(text))
            text[place] = dice.choice([byte for byte in b"0123456789abcdef=,tv\x00 " if byte != text[place]])
            headers = {"stripe-signature": text.decode("latin-1")}
        try:
            nudge = read(desk, bytes(body), headers)
        except Forbidden:
            continue
        assert nudge is not None
        raise AssertionError(f"accepted: {headers} {bytes(body)!r}")


def test_a_replaced_secret_still_signs_for_a_day(desk):
    """For 24 hours what the secret before signed is genuine, with nothing unsettled too; then the newest alone, and never a third."""
    desk.account = desk.add("stripe", dict(KEYS))

    def accepted(secret: str) -> bool:
        body, now = intent_event(), desk.room.clock.now().timestamp()
        try:
            return {} == deliver(desk, body, signed(body, now, secret), kind="stripe")
        except Forbidden:
            return False

    assert accepted(SECRET)
    desk.change(desk.account.id, {"webhook_secret": "whsec_new"})
    for _ in range(23):
        assert (True, True, False) == (accepted(SECRET), accepted("whsec_new"), accepted("whsec_other"))
        desk.room.clock.at += timedelta(hours=1)
        accounts.forget_old_keys(desk.room)
    desk.room.clock.at += timedelta(hours=1)
    assert (False, True) == (accepted(SECRET), accepted("whsec_new"))


def test_a_secret_that_is_kept_for_an_unsettled_payment_signs_no_longer_than_a_day(desk):
    """Old credentials stay for the look-up that needs them, but their webhook secret ends with its day."""
    desk.account = desk.add("stripe", dict(KEYS))
    desk.change(desk.account.id, {"webhook_secret": "whsec_new"})
    with desk.room.database.transaction() as session:
        session.add(
            Attempt(
                practice_id=desk.practice_id, id="pay_open", kind="charge", account_id=desk.account.id, credentials_version=1,
                status="unknown", created_at=desk.room.clock.now(),
            )
        )  # fmt: skip
    desk.room.clock.at += timedelta(hours=24)
    accounts.forget_old_keys(desk.room)
    with desk.room.database.reading() as session:
        assert storage.credentials(session, desk.practice_id, desk.account.id, 1)
    body = intent_event()
    with pytest.raises(Forbidden):
        deliver(desk, body, signed(body, desk.room.clock.now().timestamp()), kind="stripe")


def test_a_charge_of_an_intent_names_the_intent(desk):
    """`charge.refunded` carries a charge: the payment intent behind it is what is looked at."""
    charge = {"id": "ch_1", "object": "charge", "payment_intent": "pi_9", "metadata": {}}
    body = json.dumps({"id": "evt_2", "object": "event", "type": "charge.refunded", "data": {"object": charge}}).encode()
    nudge = read(desk, body, signed(body, desk.room.clock.now().timestamp()))
    assert (None, {"intent": "pi_9"}) == (nudge.reference, nudge.ids)
    assert APPROVED  # the word of an outcome, never of a delivery


def test_its_account_is_looked_for_in_every_practice(listening, monkeypatch):
    """A delivery comes in nobody's name, and the database shows nobody no row: finding its account is one of the named exceptions."""
    seen, find = [], nudging.storage.account_anywhere
    monkeypatch.setattr(nudging.storage, "account_anywhere", lambda *given: (seen.append(acting()), find(*given))[1])
    with acting_in(""):
        deliver(listening, told("e1"), GENUINE)
    assert [EVERY_PRACTICE] == seen
