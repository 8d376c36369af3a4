"""One broken row stops no other; what can't be read is unknown; refunds are for staff, whoever carries the call here."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.processors.adapters.stripe import Stripe
from services.processors.orders import CHARGE, DECLINED, NOT_KNOWN, Order, Outcome
from services.processors.usecases import looking_up, refunding
from shared.caller import CLIENT
from shared.contracts.processors import Processors
from shared.faults import Forbidden
from shared.ids import new_id
from shared.settings import Settings


@pytest.mark.parametrize("status", ["created", "prepared", "sending"])
def test_an_attempt_without_its_credentials_stops_no_other(open_desk, status, clock):
    """A lease that can't be ended properly, its credentials being gone, is ended all the same, and the others after it too.

    What was sent is looked up with the newest credentials.
    """
    broken, fine = open_desk.charge("4000000000000259"), open_desk.charge("4000000000000259")
    lease = clock.now() + timedelta(seconds=1)
    open_desk.stand(broken.payment_id, status=status, lease_until=lease, next_look_up_at=None, credentials_version=7)
    open_desk.stand(fine.payment_id, status="created", lease_until=lease + timedelta(seconds=1), next_look_up_at=None)
    open_desk.after(30)
    assert "not_sent" == open_desk.look(broken.payment_id).status
    assert "not_sent" == open_desk.look(fine.payment_id).status


def test_a_row_that_nobody_foresaw_stops_no_other(open_desk, monkeypatch):
    """The timer trips over the first row that is due and still looks up the second."""
    first, second = open_desk.charge("4000000000000259"), open_desk.charge("4000000000000259")
    with open_desk.room.database.transaction() as session:
        session.execute(text("update attempts set processor_type = 'gone' where id = :id"), {"id": first.payment_id})
    open_desk.after(6)
    assert "not_sent" == open_desk.look(second.payment_id).status


@pytest.mark.parametrize("use_case", [refunding.refund, looking_up.read_refund, looking_up.check_refund])
def test_a_client_gives_no_money_back(open_desk, use_case):
    """A call in a client's name is refused at this door too, and nothing is written under the refund's id."""
    paid, refund_id = open_desk.charge(), new_id("ref")
    client = replace(open_desk.admin, role=CLIENT, member_id="cli_1")
    request = Processors.refund.load_request(
        {"refund_id": refund_id, "payment_id": paid.payment_id, "amount": 100, "currency": "USD"}
    )
    with pytest.raises(Forbidden):
        use_case(client, request, open_desk.room)
    assert "succeeded" == open_desk.refund(paid.payment_id, 100, refund_id).status


def test_a_confirmation_refused_for_its_state_that_can_not_be_read_is_unknown(monkeypatch):
    """ "The state forbids it" may mean that it is done: where the object can't be read afterwards, nobody says declined."""
    stripe = Stripe(Settings({}))
    answers = [(Outcome(DECLINED, refusal="invalid_request"), None), (Outcome(NOT_KNOWN), None)]
    monkeypatch.setattr(stripe, "_ask", lambda *told: answers.pop(0))
    order = Order(CHARGE, "pay_1", "REF", 100, "USD", "pcr_1", ids={"intent": "pi_1"})
    assert NOT_KNOWN == stripe.charge({"secret_key": "sk_test_1"}, order).status
    assert [] == answers
