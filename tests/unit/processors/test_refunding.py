"""Refunds in the sandbox: once each, and never more than was charged."""

import pytest

from services.processors.usecases import attempting, refunding
from shared.faults import NotFound
from shared.ids import new_id
from tests.unit.processors.conftest import ANSWER_LOST, DECLINED


def test_a_part_is_given_back_once(open_desk):
    """A refund of a part succeeds, and the same refund again is answered from the row."""
    paid = open_desk.charge()
    refund_id = new_id("ref")
    first = open_desk.refund(paid.payment_id, 2050, refund_id)
    assert ("succeeded", 2050, paid.payment_id) == (first.status, first.amount, first.payment_id)
    assert first == open_desk.refund(paid.payment_id, 2050, refund_id)
    assert [("charge", 12924), ("refund", 2050)] == sorted((entry.kind, entry.amount) for entry in open_desk.books())


def test_never_more_than_was_charged(open_desk):
    """The parts may sum to the whole, and then nothing more is given back."""
    paid = open_desk.charge()
    assert "succeeded" == open_desk.refund(paid.payment_id, 10000).status
    too_much = open_desk.refund(paid.payment_id, 2925)
    assert ("declined", "invalid_request") == (too_much.status, too_much.failure.code)
    assert "succeeded" == open_desk.refund(paid.payment_id, 2924).status
    assert 12924 == sum(entry.amount for entry in open_desk.books() if entry.kind == "refund")


def test_refunds_whose_outcome_is_unknown_hold_the_rest(open_desk, monkeypatch):
    """A refund that may have happened counts as given back until it is known that it did not."""
    paid = open_desk.charge()
    sandbox = open_desk.room.adapters["sandbox"]
    with monkeypatch.context() as silent:
        silent.setattr(sandbox, "refund", lambda credentials, order: attempting.Outcome("unknown"))
        unknown = open_desk.refund(paid.payment_id, 12924)
    assert "unknown" == unknown.status
    assert "declined" == open_desk.refund(paid.payment_id, 1).status
    open_desk.after(5)
    assert "not_sent" == open_desk.look_at_refund(unknown.refund_id).status
    assert "succeeded" == open_desk.refund(paid.payment_id, 12924).status


@pytest.mark.parametrize("number", [DECLINED, ANSWER_LOST])
def test_only_a_charge_that_happened_is_given_back(open_desk, number):
    """A declined charge, or one whose outcome is not known, is not refunded."""
    said = open_desk.charge(number)
    assert "declined" == open_desk.refund(said.payment_id, 100).status


def test_another_currency_is_refused(open_desk):
    """A refund in another currency than the charge's is declined, and nothing moves."""
    paid = open_desk.charge()
    assert "declined" == open_desk.refund(paid.payment_id, 100, currency="CAD").status
    assert ["charge"] == [entry.kind for entry in open_desk.books()]


def test_another_practice_can_not_refund(open_desk):
    """A payment of another practice is not found, like one that does not exist."""
    paid = open_desk.charge()
    with pytest.raises(NotFound):
        open_desk.of("prc_2").refund(paid.payment_id, 100)


def test_a_refund_killed_after_sending_is_found(open_desk, monkeypatch):
    """Killed between the refund and its record: found by the look-up, given back once, and told."""
    paid, refund_id = open_desk.charge(), new_id("ref")

    class Died(BaseException):
        pass

    def reach(place):
        if place == "refund.after_send":
            raise Died

    with monkeypatch.context() as killed:
        killed.setattr(refunding, "reach", reach)
        with pytest.raises(Died):
            open_desk.refund(paid.payment_id, 2050, refund_id)
    assert "pending" == open_desk.refund(paid.payment_id, 2050, refund_id).status
    open_desk.after(30)
    assert "succeeded" == open_desk.look_at_refund(refund_id).status
    assert [1, 1] == [entry.asked for entry in open_desk.books()]
    assert ("refund_settled", "succeeded") in [(event, body["status"]) for event, body in open_desk.news()]


def test_a_removed_account_still_gives_back(open_desk):
    """What was charged through an account that was removed meanwhile goes back through it."""
    from services.processors.usecases import accounts
    from shared.contract import Record

    paid = open_desk.charge()
    accounts.remove_processor(open_desk.admin, Record(processor_id=open_desk.account.id), open_desk.room)
    assert [] == open_desk.listed()
    assert "succeeded" == open_desk.refund(paid.payment_id, 12924).status


def test_a_refund_id_is_no_payment_id(open_desk):
    """The two kinds don't mix: a refund asked for as a charge is not found, and the reverse."""
    paid = open_desk.charge()
    refund = open_desk.refund(paid.payment_id, 100)
    with pytest.raises(NotFound):
        open_desk.look(refund.refund_id)
    with pytest.raises(NotFound):
        open_desk.look_at_refund(paid.payment_id)
