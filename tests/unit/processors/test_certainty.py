"""What ends late: refunds that wait for settlement, charges approved in part, refunds that fail afterwards, an admin's word."""

from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.orders import APPROVED as APPROVED_BY_PROCESSOR
from services.processors.orders import CANCELED, NOT_KNOWN, NOT_SETTLED, Outcome
from services.processors.orders import DECLINED as DECLINED_BY_PROCESSOR
from services.processors.usecases import accounts, looking_up, settling
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden, NotFound
from shared.ids import new_id
from tests.unit.processors.conftest import ANSWER_LOST

HOUR, DAY = 3600, 86400


@pytest.fixture
def says(open_desk, monkeypatch):
    """Let the sandbox answer a verb with these outcomes, one after another, the last one for ever; gives how often it was asked."""
    adapter = open_desk.room.adapters["sandbox"]

    def script(verb: str, *outcomes: Outcome) -> list:
        asked: list = []

        def answer(_credentials, order):
            asked.append(order)
            return outcomes[min(len(asked), len(outcomes)) - 1]

        monkeypatch.setattr(adapter, verb, answer)
        return asked

    return script


def approved(amount: int = 12924, **more) -> Outcome:
    return Outcome(APPROVED_BY_PROCESSOR, amount=amount, currency="USD", **more)


def settle(desk, payment_id: str, happened: bool, reason: str = "Seen in its dashboard", caller=None):
    request = Processors.settle_charge.load_request({"payment_id": payment_id, "happened": happened, "reason": reason})
    return desk.answer(Processors.settle_charge, settling.settle_charge(caller or desk.admin, request, desk.room))


def test_a_refund_before_settlement_waits_and_is_given_back_once_later(open_desk, says):
    """ "Not settled yet" is a definite no for now: the refund holds its share, is tried hourly, and succeeds once."""
    paid = open_desk.charge()
    asked = says("refund", Outcome(NOT_SETTLED), Outcome(NOT_SETTLED), approved(2050))
    waiting = open_desk.refund(paid.payment_id, 2050)
    assert "waiting_for_settlement" == waiting.status
    assert "declined" == open_desk.refund(paid.payment_id, 12924).status
    open_desk.after(HOUR)
    assert "waiting_for_settlement" == open_desk.look_at_refund(waiting.refund_id).status
    open_desk.after(HOUR)
    assert "succeeded" == open_desk.look_at_refund(waiting.refund_id).status
    open_desk.after(DAY)
    assert 3 == len(asked)


def test_asking_about_a_waiting_refund_tries_it(open_desk, says):
    """Somebody who can't wait for the hour asks the processor now."""
    paid = open_desk.charge()
    says("refund", Outcome(NOT_SETTLED), approved(2050))
    waiting = open_desk.refund(paid.payment_id, 2050)
    assert "succeeded" == open_desk.check_refund(waiting.refund_id).status


def test_a_waiting_refund_whose_try_was_lost_is_looked_up(open_desk, says):
    """From the moment it is sent again its outcome is unknown until the look-up settles it: it is not sent a third time."""
    paid = open_desk.charge()
    asked = says("refund", Outcome(NOT_SETTLED), Outcome(NOT_KNOWN))
    waiting = open_desk.refund(paid.payment_id, 2050)
    open_desk.after(HOUR)
    assert "unknown" == open_desk.look_at_refund(waiting.refund_id).status
    says("find", approved(2050))
    open_desk.after(5)
    assert "succeeded" == open_desk.look_at_refund(waiting.refund_id).status
    assert 2 == len(asked)


def test_a_refund_that_never_settles_goes_to_a_person(open_desk, says):
    """After ten days of waiting an admin is asked."""
    paid = open_desk.charge()
    says("refund", Outcome(NOT_SETTLED))
    waiting = open_desk.refund(paid.payment_id, 2050)
    for _ in range(11):
        open_desk.after(DAY)
    assert "review" == open_desk.look_at_refund(waiting.refund_id).status


def test_what_was_approved_in_part_is_taken_back(open_desk, says):
    """A charge approved for less than was asked is voided at once and told as a decline for want of funds."""
    says("charge", approved(5000, ids={"transaction": "t1"}))
    voided = says("void", Outcome(CANCELED))
    said = open_desk.charge()
    assert ("declined", "insufficient_funds") == (said.status, said.failure.code)
    assert ["t1"] == [order.ids["transaction"] for order in voided]


def test_a_part_that_could_not_be_taken_back_stays_unknown_until_it_is(open_desk, says):
    """While the void is not certain the payment is unknown; the next look-up tries again."""
    says("charge", approved(5000))
    says("find", approved(5000))
    voided = says("void", Outcome(NOT_KNOWN), Outcome(CANCELED))
    said = open_desk.charge()
    assert "unknown" == said.status
    open_desk.after(5)
    assert "declined" == open_desk.look(said.payment_id).status
    assert 2 == len(voided)


def test_more_than_was_asked_is_no_part(open_desk, says):
    """An approval above what was asked is nobody's to void: it stays unknown, for a person in the end."""
    says("charge", approved(20000))
    voided = says("void", Outcome(CANCELED))
    assert "unknown" == open_desk.charge().status
    assert [] == voided


def test_a_refund_that_failed_afterwards_is_told(open_desk, says):
    """The processor's later word overturns a refund's success, with its news, and what it gave back is free again."""
    paid = open_desk.charge()
    done = open_desk.refund(paid.payment_id, 12924)
    says("find", Outcome(DECLINED_BY_PROCESSOR, refusal="unknown", processor_code="insufficient_funds"))
    open_desk.stand(done.refund_id, woken_at=open_desk.room.clock.now())
    open_desk.after(1)
    assert "declined" == open_desk.look_at_refund(done.refund_id).status
    assert ("refund_settled", "declined") == [(event, body["status"]) for event, body in open_desk.news()][-1]
    says("refund", approved(100))
    assert "succeeded" == open_desk.refund(paid.payment_id, 100).status


def test_a_charge_that_succeeded_stays_so(open_desk, says):
    """A look at a settled charge that teaches nothing new is over after one look."""
    paid = open_desk.charge()
    looked = says("find", Outcome(DECLINED_BY_PROCESSOR))
    open_desk.stand(paid.payment_id, woken_at=open_desk.room.clock.now())
    open_desk.after(1)
    open_desk.after(DAY)
    assert "succeeded" == open_desk.look(paid.payment_id).status
    assert 1 == len(looked)


def test_a_refund_whose_credentials_are_gone_is_looked_up_with_the_newest(open_desk, says):
    """Replaced a day ago and dropped with nothing open: the processor's later word is still heard, and absence is no proof then."""
    paid = open_desk.charge()
    done = open_desk.refund(paid.payment_id, 12924)
    (account,) = open_desk.listed()
    open_desk.change(account.id, {})
    open_desk.room.clock.at += timedelta(hours=25)
    accounts.forget_old_keys(open_desk.room)
    with open_desk.room.database.reading() as session:
        assert not storage.has_credentials(session, "prc_1", account.id, 1)
    looked = says("find", Outcome(DECLINED_BY_PROCESSOR, refusal="unknown", processor_code="insufficient_funds"))
    open_desk.stand(done.refund_id, woken_at=open_desk.room.clock.now())
    open_desk.after(1)
    assert ("declined", 1) == (open_desk.look_at_refund(done.refund_id).status, len(looked))


def test_a_refund_that_is_just_being_sent_is_not_called_canceled(open_desk, says, monkeypatch):
    """The timer takes up a waiting refund between the look at it and its cancellation: it stays under way, and holds its share."""
    paid = open_desk.charge()
    says("refund", Outcome(NOT_SETTLED))
    waiting = open_desk.refund(paid.payment_id, 2050)
    really = looking_up.standing

    def overtaken(room, *named):
        row = really(room, *named)
        until = room.clock.now() + timedelta(seconds=30)
        open_desk.stand(waiting.refund_id, status="sending", lease_until=until, next_look_up_at=None)
        return row

    monkeypatch.setattr(looking_up, "standing", overtaken)
    assert "pending" == open_desk._ask(Processors.cancel_refund, looking_up.cancel_refund, refund_id=waiting.refund_id).status
    assert "sending" == open_desk.row(waiting.refund_id).status


def test_a_silent_account_does_not_keep_the_others_waiting(open_desk, says):
    """Thirty look-ups are due where nobody answers, and one after them elsewhere: two turns of the timer reach it."""
    theirs = [open_desk.charge(ANSWER_LOST).payment_id for _ in range(30)]
    other = open_desk.of("prc_2")
    other.add()
    open_desk.room.clock.at += timedelta(seconds=1)
    ours = other.charge(ANSWER_LOST).payment_id
    adapter = open_desk.room.adapters["sandbox"]
    really, asked = adapter.find, []

    def find(credentials, order):
        asked.append(order.id)
        return really(credentials, order) if order.id == ours else Outcome(NOT_KNOWN)

    adapter.find = find
    open_desk.after(5)
    open_desk.after(0)
    assert ours in asked and len(asked) < 5
    assert "succeeded" == other.look(ours).status and "unknown" == open_desk.look(theirs[-1]).status


def in_review(desk, says) -> str:
    """A payment that no look-up could settle."""
    said = desk.charge(ANSWER_LOST)
    says("find", Outcome(NOT_KNOWN))
    for _ in range(12):
        desk.after(DAY)
    assert "review" == desk.look(said.payment_id).status
    return said.payment_id


@pytest.mark.parametrize(("happened", "status"), [(True, "succeeded"), (False, "not_sent")])
def test_an_admin_settles_what_is_in_review(open_desk, says, happened, status):
    """The admin's word ends it, is told as news, keeps who said it and why, and said again changes nothing."""
    payment_id = in_review(open_desk, says)
    assert status == settle(open_desk, payment_id, happened).status
    row = open_desk.row(payment_id)
    assert ("col_1", "Seen in its dashboard") == (row.settled_by, row.settled_reason)
    told = open_desk.news()
    assert ("charge_settled", status) == (told[-1][0], told[-1][1]["status"])
    assert status == settle(open_desk, payment_id, happened, "Again").status
    assert told == open_desk.news()
    with pytest.raises(Conflict, match="settled_otherwise"):
        settle(open_desk, payment_id, not happened)


def test_nobody_settles_what_a_look_up_can_still_answer(open_desk, says):
    """Refused while unknown, for anybody but an admin, and for another practice's."""
    payment_id = open_desk.charge(ANSWER_LOST).payment_id
    with pytest.raises(Conflict, match="still_being_checked"):
        settle(open_desk, payment_id, True)
    with pytest.raises(Forbidden):
        settle(open_desk, payment_id, True, caller=type(open_desk.admin)("prc_1", "provider"))
    with pytest.raises(NotFound):
        settle(open_desk.of("prc_2"), payment_id, True)
    with pytest.raises(NotFound):
        settle(open_desk, new_id("pay"), True)


def test_what_a_person_called_not_happened_and_did_is_late_news(open_desk, says):
    """The processor has the last word: found succeeded after an admin's no, it is told as succeeded."""
    payment_id = in_review(open_desk, says)
    settle(open_desk, payment_id, False)
    says("find", approved())
    open_desk.stand(payment_id, woken_at=open_desk.room.clock.now())
    open_desk.after(1)
    assert "succeeded" == open_desk.look(payment_id).status


def test_the_evidence_says_what_is_known(open_desk, says):
    """Account, reference, how often it was looked for, and never another practice's."""
    payment_id = in_review(open_desk, says)
    request = Processors.read_evidence.load_request({"ids": [payment_id, new_id("pay")]})
    (known,) = open_desk.answer(Processors.read_evidence, settling.read_evidence(open_desk.admin, request, open_desk.room)).data
    row = open_desk.row(payment_id)
    assert ("Sandbox", "Main", row.reference, 9) == (known.processor, known.account, known.reference, known.look_ups)
    theirs = settling.read_evidence(open_desk.of("prc_2").admin, request, open_desk.room)
    assert [] == theirs["data"]


def test_the_pace_of_a_wait_follows_the_time_scale(open_desk, says):
    """In development the hour of a waiting refund runs as many times faster as everything else."""
    paid = open_desk.charge()
    says("refund", Outcome(NOT_SETTLED))
    object.__setattr__(open_desk.room, "time_scale", 60.0)
    waiting = open_desk.refund(paid.payment_id, 2050)
    row = open_desk.row(waiting.refund_id)
    assert timedelta(minutes=1) == row.next_look_up_at - row.sent_at
