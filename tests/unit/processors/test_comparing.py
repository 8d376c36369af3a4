"""The daily comparison of the processor's own list with ours, in both directions."""

from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.model import Account
from services.processors.orders import APPROVED, CANCELED, CHARGE, DECLINED, NEEDS_PAYER, WAITING, Listed, Outcome
from services.processors.orders import REFUND as REFUNDED
from services.processors.usecases import comparing, reopening
from shared.contracts.processors import Processors
from tests.unit.processors.conftest import ANSWER_LOST, NOT_CHARGED

DAY = timedelta(days=1)
MAY_BE = (WAITING, NEEDS_PAYER, DECLINED)


@pytest.fixture
def lists(open_desk, monkeypatch):
    """Let the sandbox list what a test says, after its own lines went through `change`."""
    adapter = open_desk.room.adapters["sandbox"]
    own = adapter.list_between

    def listed(change):
        monkeypatch.setattr(adapter, "list_between", lambda *given: change(own(*given)))

    return listed


def compare(desk) -> list[tuple[str, str]]:
    """A day passes and the comparison runs; the differences told since the start, as (kind, reference)."""
    desk.room.clock.at += DAY
    comparing.compare_due(desk.room)
    return [(body["kind"], body["reference"]) for event, body in desk.news() if event == "difference_found"]


def account(desk):
    return desk.listed()[0]


def test_lists_that_agree_tell_nothing(open_desk):
    """Charges, declines and refunds that both sides hold: no difference, and the account says when it was compared."""
    paid = open_desk.charge()
    open_desk.refund(paid.payment_id, 100)
    open_desk.charge("4000000000000002")
    assert [] == compare(open_desk)
    assert (open_desk.room.clock.now(), 0) == (account(open_desk).compared_at, account(open_desk).differences)


def test_a_charge_of_theirs_that_failed_here_is_looked_up(open_desk):
    """The processor lists a charge that we hold for failed: the look-up finds it, nobody has to be asked."""
    said = open_desk.charge(ANSWER_LOST)
    open_desk.stand(said.payment_id, status="not_sent", next_look_up_at=None)
    assert [] == compare(open_desk)
    open_desk.after(0)
    assert "succeeded" == open_desk.look(said.payment_id).status


def test_a_charge_that_was_booked_just_after_the_compared_span_is_not_missing(open_desk):
    """Sent before the list's end and booked after it, a charge is compared the next day: nobody is told that it is missing."""
    said = open_desk.charge()
    booked = open_desk.room.clock.now()
    open_desk.stand(said.payment_id, sent_at=booked - timedelta(seconds=5))
    open_desk.room.clock.at = booked - timedelta(seconds=2) + comparing.LAG
    comparing.compare_due(open_desk.room)
    assert [] == [body for event, body in open_desk.news() if event == "difference_found"]
    assert [] == compare(open_desk)


def test_a_page_that_was_paid_late_is_not_missing(open_desk):
    """Opened long before the list's end and paid on after it: it is compared the next day."""
    said = open_desk.charge()
    paid_at = open_desk.room.clock.now()
    open_desk.stand(said.payment_id, on_page=True, sent_at=paid_at - timedelta(minutes=30))
    open_desk.room.clock.at = paid_at - timedelta(minutes=1) + comparing.LAG
    comparing.compare_due(open_desk.room)
    assert [] == [body for event, body in open_desk.news() if event == "difference_found"]
    assert [] == compare(open_desk)


def test_an_orphan_at_the_processor_is_told_once(open_desk, lists):
    """A charge with a reference of our shape that nobody here made is told, the next day not again; other programs' are not ours."""
    now = open_desk.room.clock.now()
    orphan = Listed("0" * 20, CHARGE, 500, "USD", now, APPROVED)
    foreign = [Listed(reference, CHARGE, 1, "USD", now, APPROVED) for reference in (None, "order-77", "0" * 21)]
    lists(lambda lines: [*lines, orphan, *foreign, Listed("1" * 20, CHARGE, 5, "USD", now, DECLINED)])
    assert [("orphan", "0" * 20)] == compare(open_desk)
    assert [("orphan", "0" * 20)] == compare(open_desk)
    assert 1 == account(open_desk).differences


def test_while_records_are_lost_what_may_still_be_approved_is_told(open_desk, lists):
    """A charge of theirs that is held or waits for its payer may be one of ours from after the backup; a declined one is nobody's."""
    now = open_desk.room.clock.now()
    lists(lambda _: [Listed(mark * 20, CHARGE, 500, "USD", now, status) for mark, status in zip("012", MAY_BE, strict=True)])
    assert [] == compare(open_desk)
    with open_desk.room.database.transaction() as session:
        session.get(Account, (open_desk.practice_id, open_desk.account.id)).close(now, open_desk.room.clock.now())
    assert [("orphan", "0" * 20), ("orphan", "1" * 20)] == compare(open_desk)
    assert (True, True) == (account(open_desk).is_read, bool(account(open_desk).closed_at))


def test_opened_by_hand_nothing_of_it_is_left_for_the_next_time(open_desk):
    """One list had agreed before something was found that only a person can explain: the admin's word on the other ends it for both."""
    second = open_desk.add()
    now = open_desk.room.clock.now()
    with open_desk.room.database.transaction() as session:
        for its_id in (open_desk.account.id, second.id):
            session.get(Account, (open_desk.practice_id, its_id)).close(now, now)
        storage.note_read(session, session.get(Account, (open_desk.practice_id, second.id)))
        storage.open_by_hand(session, open_desk.practice_id)
    assert [] == compare(open_desk)
    assert all(one.closed_at for one in open_desk.listed())
    request = Processors.open_payments.load_request({"processor_id": open_desk.account.id})
    reopening.open_payments(open_desk.admin, request, open_desk.room)
    with open_desk.room.database.reading() as session:
        rows = storage.accounts(session, open_desk.practice_id)
        assert [(None, None, False)] * 2 == [(row.closed_at, row.restored_to, row.opens_by_hand) for row in rows]


def test_a_second_payment_under_one_reference_is_told(open_desk, lists):
    """Two approved charges of theirs with the reference of one of ours are told; a decline before the approval is not."""
    paid = open_desk.charge()
    reference, now = open_desk.row(paid.payment_id).reference, open_desk.room.clock.now()
    tries = [("t1", DECLINED), ("t2", APPROVED)]
    theirs = [Listed(reference, CHARGE, 12924, "USD", now, status, its_id) for its_id, status in tries]
    lists(lambda _: theirs)
    assert [] == compare(open_desk)
    theirs.append(Listed(reference, CHARGE, 12924, "USD", now, APPROVED, "t3"))
    assert [("orphan", reference)] == compare(open_desk)


def test_what_the_processor_does_not_list_is_told(open_desk, lists):
    """A charge that we hold for paid and the processor's list lacks is for a person; one not sent is not."""
    paid = open_desk.charge()
    open_desk.charge(NOT_CHARGED)
    open_desk.after(5)
    lists(lambda lines: [])
    assert [("missing", open_desk.row(paid.payment_id).reference)] == compare(open_desk)


def test_another_amount_and_a_charge_undone_at_the_processor_are_told(open_desk, lists):
    """Amounts that differ, and a paid charge that the processor shows as voided without a refund of ours."""
    first, second = open_desk.charge(), open_desk.charge()
    one, two = (open_desk.row(said.payment_id).reference for said in (first, second))

    def change(lines):
        at = lines[0].at
        return [Listed(one, CHARGE, 12923, "USD", at, APPROVED), Listed(two, CHARGE, 12924, "USD", at, CANCELED)]

    lists(change)
    assert [("amount", one), ("undone", two)] == sorted(compare(open_desk))


def test_a_whole_refund_that_was_done_as_a_void_agrees(open_desk, lists):
    """Before settlement a whole refund is a void: the list shows the charge as voided and no refund, and that is right."""
    paid = open_desk.charge()
    open_desk.refund(paid.payment_id, 12924)
    reference = open_desk.row(paid.payment_id).reference
    lists(lambda lines: [Listed(reference, CHARGE, 12924, "USD", lines[0].at, CANCELED)])
    assert [] == compare(open_desk)


def test_a_refund_that_was_declined_explains_no_void(open_desk, lists, monkeypatch):
    """Refused here, then voided by hand in the processor's own pages: the payment is shown as settled, so an admin is told."""
    paid = open_desk.charge()
    refused = Outcome(DECLINED, refusal="invalid_request")
    monkeypatch.setattr(open_desk.room.adapters["sandbox"], "refund", lambda credentials, order: refused)
    assert "declined" == open_desk.refund(paid.payment_id, 12924).status
    reference = open_desk.row(paid.payment_id).reference
    lists(lambda lines: [Listed(reference, CHARGE, 12924, "USD", lines[0].at, CANCELED)])
    assert [("undone", reference)] == compare(open_desk)


def test_a_refund_listed_as_failed_is_looked_up(open_desk, lists):
    """A refund that the list shows as declined is asked about again rather than told."""
    paid = open_desk.charge()
    done = open_desk.refund(paid.payment_id, 100)
    row = open_desk.row(done.refund_id)
    failed = Listed(row.reference, REFUNDED, 100, "USD", open_desk.room.clock.now(), DECLINED)
    lists(lambda lines: [*(line for line in lines if line.kind == CHARGE), failed])
    assert [] == compare(open_desk)
    assert open_desk.room.clock.now() == open_desk.row(done.refund_id).woken_at


def test_a_list_that_can_not_be_had_is_asked_for_again_within_the_hour(open_desk, lists, monkeypatch):
    """Nothing is concluded from silence; two processes don't compare the same account at once."""
    open_desk.charge()
    monkeypatch.setattr(open_desk.room.adapters["sandbox"], "list_between", lambda *_: None)
    assert [] == compare(open_desk)
    assert account(open_desk).compared_at is None
    monkeypatch.undo()
    assert 0 == comparing.compare_due(open_desk.room)
    open_desk.room.clock.at += timedelta(hours=1)
    assert 1 == comparing.compare_due(open_desk.room)
    assert 0 == comparing.compare_due(open_desk.room)


def test_another_practice_may_share_the_processor(open_desk):
    """The other practice's charges in the same list are known, and nobody's orphans."""
    other = open_desk.of("prc_2")
    other.add()
    other.charge()
    open_desk.charge()
    assert [] == compare(open_desk)
