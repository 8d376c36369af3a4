"""What a process leaves behind when it dies, messages that come late or twice, and outcomes that come after their lease."""

from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.orders import APPROVED as SAID_YES
from services.processors.orders import DECLINED as SAID_NO
from services.processors.orders import Outcome
from services.processors.usecases import attempting, charging, looking_up
from shared.ids import new_id
from tests.unit.processors.conftest import ANSWER_LOST, ASKS_PAYER, NOT_CHARGED


class Died(BaseException):
    """Stands for kill -9 at one place: nothing after it runs."""


@pytest.fixture
def dies_at(monkeypatch):
    """`dies_at("pay.before_send")`: the story ends there, as if the process had been killed."""

    def arm(name: str | None) -> None:
        def reach(place: str) -> None:
            if place == name:
                raise Died(place)

        for module in (attempting, charging):
            monkeypatch.setattr(module, "reach", reach)

    return arm


def _die_and_wait(desk, dies_at, name, number="4242424242424242"):
    request = desk.request(number)
    dies_at(name)
    with pytest.raises(Died):
        desk.send(request)
    dies_at(None)
    return request


@pytest.mark.parametrize("place", ["pay.after_insert", "pay.before_prepare", "pay.after_prepare"])
def test_killed_before_sending_is_not_sent(open_desk, dies_at, place):
    """Killed before anything was sent: pending while the lease runs, then not sent, and the books are empty."""
    request = _die_and_wait(open_desk, dies_at, place)
    assert "pending" == open_desk.look(request.payment_id).status
    open_desk.after(30)
    assert "not_sent" == open_desk.look(request.payment_id).status
    assert "not_sent" == open_desk.send(request).status
    assert [] == open_desk.books()
    assert [("charge_settled", "not_sent")] == [(event, body["status"]) for event, body in open_desk.news()]


@pytest.mark.parametrize("place", ["pay.after_send", "pay.after_reply", "pay.before_commit"])
def test_killed_after_charging_is_found(open_desk, dies_at, place):
    """Killed between the charge and its record: unknown after the lease, found by the look-up, charged once."""
    request = _die_and_wait(open_desk, dies_at, place)
    assert "pending" == open_desk.send(request).status
    open_desk.after(30)
    assert "succeeded" == open_desk.look(request.payment_id).status
    assert [1] == [entry.asked for entry in open_desk.books()]
    assert ["unknown", "succeeded"] == [body["status"] for _, body in open_desk.news()]


def test_killed_just_before_sending_is_proven_absent(open_desk, dies_at):
    """Killed after it was marked as being sent but before it was: unknown, then proven absent, payable again."""
    request = _die_and_wait(open_desk, dies_at, "pay.before_send")
    open_desk.after(30)
    assert "not_sent" == open_desk.look(request.payment_id).status
    assert [] == open_desk.books()


def test_killed_after_the_commit_changes_nothing(open_desk, dies_at):
    """Killed after the outcome was committed: the repeated message is answered from the row."""
    request = _die_and_wait(open_desk, dies_at, "pay.after_commit")
    assert "succeeded" == open_desk.send(request).status
    assert [1] == [entry.asked for entry in open_desk.books()]


def test_killed_before_the_insert_leaves_nothing(open_desk, dies_at):
    """Killed before anything was written: the message comes again and is carried out."""
    request = _die_and_wait(open_desk, dies_at, "pay.before_insert")
    assert "succeeded" == open_desk.send(request).status


def test_a_tombstone_stops_a_late_message(open_desk):
    """Asked about a payment it has never seen, processors closes that id: the message that comes later can't charge."""
    request = open_desk.request()
    assert "not_sent" == open_desk.look(request.payment_id).status
    assert "not_sent" == open_desk.send(request).status
    assert [] == open_desk.books()


def test_reading_ends_a_lease_that_ran_out(open_desk, dies_at, clock):
    """Whoever asks after the lease needs no timer: the state is the next one at once."""
    request = _die_and_wait(open_desk, dies_at, "pay.after_send")
    clock.at += timedelta(seconds=30)
    assert "unknown" == open_desk.look(request.payment_id).status
    assert "succeeded" == open_desk.check(request.payment_id).status


def test_while_a_lease_runs_every_door_says_pending(open_desk, dies_at):
    """Read, check, cancel and a repeat all answer pending while a call may be under way, and ask nobody."""
    request = _die_and_wait(open_desk, dies_at, "pay.before_send")
    for door in (open_desk.look, open_desk.check, open_desk.cancel):
        assert "pending" == door(request.payment_id).status
    assert "pending" == open_desk.send(request).status
    assert "sending" == open_desk.row(request.payment_id).status


def test_an_outcome_after_its_lease_is_recorded_as_found(open_desk, monkeypatch, clock):
    """The call outlives its lease and the timer calls it unknown: when it answers, its word still counts."""
    sandbox = open_desk.room.adapters["sandbox"]
    real = sandbox.charge

    def slow(credentials, order):
        outcome = real(credentials, order)
        clock.at += timedelta(minutes=2)
        with open_desk.room.database.reading() as session:
            over = storage.taken_out(session, storage.run_out(session, clock.now(), 10))
        assert ["unknown"] == [attempting.end_lease(open_desk.room, row).status for row in over]
        return outcome

    monkeypatch.setattr(sandbox, "charge", slow)
    said = open_desk.charge()
    assert "succeeded" == said.status
    assert ["unknown", "succeeded"] == [body["status"] for _, body in open_desk.news()]


def test_what_was_found_approved_stays_approved(open_desk):
    """An approval found late turns a failed attempt into a succeeded one; nothing turns it back."""
    said = open_desk.charge("4000000000000002")
    row = open_desk.row(said.payment_id)
    attempting.settle(open_desk.room, row, Outcome(SAID_YES, amount=12924, currency="USD"))
    attempting.settle(open_desk.room, row, Outcome(SAID_NO, refusal="card_declined"))
    assert "succeeded" == open_desk.look(said.payment_id).status


def test_an_approval_of_another_amount_is_not_believed(open_desk):
    """Approved for less than was asked is neither success nor failure: unknown, until somebody knows."""
    said = open_desk.charge(ANSWER_LOST)
    attempting.settle(open_desk.room, open_desk.row(said.payment_id), Outcome(SAID_YES, amount=5000, currency="USD"))
    assert "unknown" == open_desk.look(said.payment_id).status


def test_a_state_that_moved_on_is_not_overwritten(open_desk):
    """Compare-and-set: of two that saw the same row only one changes it."""
    said = open_desk.charge(ASKS_PAYER)
    seen, also_seen = open_desk.row(said.payment_id), open_desk.row(said.payment_id)
    assert attempting.advance(open_desk.room, seen, status="unknown") is not None
    assert attempting.advance(open_desk.room, also_seen, status="canceled") is None
    assert "unknown" == open_desk.row(said.payment_id).status


def test_a_prepare_that_is_overtaken_sends_nothing(open_desk, monkeypatch, clock):
    """The lease runs out while we prepare: what was prepared is closed, and the charge is never sent."""
    sandbox = open_desk.room.adapters["sandbox"]
    real = sandbox.prepare

    def slow(credentials, order):
        outcome = real(credentials, order)
        open_desk.after(60)
        return outcome

    monkeypatch.setattr(sandbox, "prepare", slow)
    assert "not_sent" == open_desk.charge().status
    assert [] == open_desk.books()


def test_an_adapter_that_breaks_is_unknown_and_says_nothing(open_desk, monkeypatch, caplog):
    """Whatever an adapter raises while charging, the outcome is unknown, and the log holds no card number."""
    sandbox = open_desk.room.adapters["sandbox"]

    def breaks(credentials, order):
        raise ValueError(order.card.number.reveal())

    monkeypatch.setattr(sandbox, "charge", breaks)
    assert "unknown" == open_desk.charge().status
    assert "4242424242424242" not in caplog.text
    assert "ValueError" in caplog.text


def test_impatience_is_no_proof(open_desk, monkeypatch):
    """Asking a silent processor a hundred times brings neither absence nor review nearer than the schedule does."""
    said = open_desk.charge(NOT_CHARGED)
    sandbox = open_desk.room.adapters["sandbox"]
    monkeypatch.setattr(sandbox, "find", lambda credentials, order: Outcome("unknown", absent=True))
    for _ in range(100):
        assert "unknown" == open_desk.check(said.payment_id).status
    assert 0 == open_desk.row(said.payment_id).look_ups


def test_a_processor_that_stays_silent_ends_in_review(open_desk, monkeypatch):
    """No answer to any look-up for days: a person is asked, and until then it was never called failed."""
    said = open_desk.charge(ANSWER_LOST)
    sandbox = open_desk.room.adapters["sandbox"]
    monkeypatch.setattr(sandbox, "find", lambda credentials, order: Outcome("unknown"))
    seen = []
    for seconds in (5, 30, 300, 3600, 86400, 86400, 86400, 86400, 86400):
        seen.append(open_desk.look(said.payment_id).status)
        open_desk.after(seconds)
    assert {"unknown"} == set(seen)
    assert "review" == open_desk.look(said.payment_id).status
    monkeypatch.undo()
    assert "succeeded" == open_desk.check(said.payment_id).status


def test_absence_counts_after_the_horizon(open_desk, monkeypatch):
    """Where absence can't be proven, four look-ups that find nothing (5 s, 30 s, 5 min, 1 h) make it count."""
    said = open_desk.charge(NOT_CHARGED)
    sandbox = open_desk.room.adapters["sandbox"]
    monkeypatch.setattr(sandbox, "find", lambda credentials, order: Outcome("unknown", absent=True))
    for seconds in (5, 30, 300):
        open_desk.after(seconds)
        assert "unknown" == open_desk.look(said.payment_id).status
    open_desk.after(3600)
    assert "not_sent" == open_desk.look(said.payment_id).status


def test_look_ups_run_faster_by_the_time_scale(open_desk):
    """With a time scale of 10 the first look-up comes after half a second."""
    from dataclasses import replace

    fast = open_desk.of("prc_1")
    fast.room = replace(open_desk.room, time_scale=10)
    said = fast.charge(NOT_CHARGED)
    assert timedelta(seconds=0.5) == said.next_look_at - fast.room.clock.now()


def test_one_timer_claims_a_look_up(open_desk, clock):
    """Two processes see the same attempt due: one of them looks, the other finds it claimed."""
    said = open_desk.charge(NOT_CHARGED)
    clock.at += timedelta(seconds=5)
    row, same = open_desk.row(said.payment_id), open_desk.row(said.payment_id)
    assert [1, 0] == [looking_up._look_up(open_desk.room, seen, set()) for seen in (row, same)]


def test_refunds_leave_tombstones_too(open_desk):
    """A refund id never seen is closed when asked for, and its late message gives nothing back."""
    said = open_desk.charge()
    refund_id = new_id("ref")
    assert "not_sent" == open_desk.look_at_refund(refund_id).status
    assert "not_sent" == open_desk.refund(said.payment_id, 2050, refund_id).status
    assert ["charge"] == [entry.kind for entry in open_desk.books()]
