"""Elavon through the use cases, against the simulator of Converge: charges, lost answers, look-ups, refunds, refused credentials."""

import threading
from datetime import UTC, datetime

import pytest

from services.processors.adapters.elavon import Elavon
from services.processors.usecases import comparing
from shared.faults import Invalid
from shared.ids import new_id
from shared.settings import Settings
from tests.contract.processors.elavon import CREDENTIALS
from tests.simulators import elavon as converge
from tests.simulators.elavon import USER_WITHOUT_BATCHES
from tests.simulators.elavon_wire import ASKS_CURRENCY, PARTIAL, REFUSALS, VISA
from tests.simulators.stand import FAULTS
from tests.unit.processors.conftest import clock, desk, new_database, room  # noqa: F401

DONE_FIRST = [how for how, (done, line) in FAULTS.items() if done and line != "slow"]
NEVER_DONE = [how for how, (done, _line) in FAULTS.items() if not done and not how.startswith("late")]
LOOKS = (5, 30, 300, 3600)


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving, clock):  # noqa: F811
    """Empty books, and Converge's clock set to the test's."""
    serving.reset()
    serving.ahead = clock.now().timestamp() - datetime.now(UTC).timestamp()
    return serving


@pytest.fixture
def elavon_desk(desk, simulator):  # noqa: F811
    """A desk whose practice has an active Elavon account; a second of silence is a time-out."""
    settings = Settings({"CLIENTBILLING_DEVELOPMENT": "1"})
    desk.room.adapters["elavon"] = Elavon(settings, desk.room.clock, (5.0, 1.0))
    desk.account = desk.add("elavon", {**CREDENTIALS, "api_base": simulator.url}, card_entry="direct")
    return desk


def _charges(simulator) -> list[dict]:
    return [entry for entry in simulator.books() if entry["kind"] == "charge" and entry["status"] == "approved"]


def _refunds(simulator) -> list[int]:
    return [entry["amount"] for entry in simulator.books() if entry["kind"] == "refund"]


def _asked(simulator, verb: str) -> int:
    return len([one for one, _path in simulator.seen if one == verb])


def test_a_charge_and_its_refund(elavon_desk, simulator):
    """Charged under our reference, settled, given back in part; the account shows neither PIN nor user."""
    said = elavon_desk.charge(VISA)
    assert ("succeeded", 12924, {"brand": "visa", "last4": "9990"}) == (said.status, said.amount, said.card)
    assert [(said.reference, 12924)] == [(entry["reference"], entry["amount"]) for entry in _charges(simulator)]
    simulator.settle()
    assert "succeeded" == elavon_desk.refund(said.payment_id, 2050).status
    assert [2050] == _refunds(simulator)
    shown = elavon_desk.listed()[0]
    assert ("elavon", "Elavon", "account …0001", True) == (shown.type, shown.title, shown.credentials_hint, shown.test_mode)


@pytest.mark.parametrize(
    "number", [number for number, no in REFUSALS.items() if no.message not in ("TIMEOUT", "PLEASE RETRY 5305")]
)
def test_a_decline_is_an_answer(elavon_desk, number):
    """Declined with a sentence for the payer and Converge's own code."""
    said = elavon_desk.charge(number)
    assert "declined" == said.status
    assert said.failure.message
    assert said.failure.processor_code.startswith(("msg:", "issuer:", "AuthResponse:"))


@pytest.mark.parametrize("how", DONE_FIRST)
def test_a_charge_whose_answer_is_lost_is_found(elavon_desk, simulator, how):
    """Converge charges and the answer is lost in any way: unknown, never failed; the look-up finds it; sent once."""
    simulator.fail("charge", how)
    said = elavon_desk.charge(VISA)
    assert "unknown" == said.status
    elavon_desk.after(5)
    assert "succeeded" == elavon_desk.look(said.payment_id).status
    assert (1, 1) == (_asked(simulator, "charge"), len(_charges(simulator)))


@pytest.mark.parametrize("how", NEVER_DONE)
def test_a_charge_that_never_arrived_is_payable_after_the_horizon(elavon_desk, simulator, how):
    """Unknown through 5 s, 30 s and 5 min; after an hour its absence counts."""
    simulator.fail("charge", how)
    said = elavon_desk.charge(VISA)
    for seconds in LOOKS:
        assert "unknown" == elavon_desk.look(said.payment_id).status
        elavon_desk.after(seconds)
    assert "not_sent" == elavon_desk.look(said.payment_id).status
    assert [] == _charges(simulator)


@pytest.mark.parametrize("look_ups", [1, 2, 3])
def test_a_charge_carried_out_late_is_found(elavon_desk, simulator, look_ups):
    """Converge carries it out after so many look-ups: the next one finds it, and it was charged once."""
    simulator.fail("charge", "late", look_ups=look_ups)
    said = elavon_desk.charge(VISA)
    for seconds in LOOKS[: look_ups + 1]:
        assert "unknown" == elavon_desk.look(said.payment_id).status
        elavon_desk.after(seconds)
    assert "succeeded" == elavon_desk.look(said.payment_id).status
    assert 1 == len(_charges(simulator))


def test_a_charge_that_hides_is_found(elavon_desk, simulator):
    """Three look-ups miss it, the fourth sees it."""
    simulator.hide(3)
    simulator.fail("charge", "lose_answer")
    said = elavon_desk.charge(VISA)
    for seconds in LOOKS:
        assert "unknown" == elavon_desk.look(said.payment_id).status
        elavon_desk.after(seconds)
    assert "succeeded" == elavon_desk.look(said.payment_id).status


def test_look_ups_that_are_not_answered_never_count(elavon_desk, simulator):
    """Converge is silent for days: unknown, then a person is asked; never not sent."""
    simulator.fail("charge", "lose_request")
    simulator.fail("find", "500", times=100)
    said = elavon_desk.charge(VISA)
    for seconds in (*LOOKS, *[86400] * 5):
        elavon_desk.after(seconds)
    assert "review" == elavon_desk.look(said.payment_id).status


def test_the_currency_question_ends_as_not_sent(elavon_desk, simulator):
    """Converge asks instead of charging: unknown, then absent."""
    said = elavon_desk.charge(ASKS_CURRENCY)
    assert "unknown" == said.status
    for seconds in LOOKS:
        elavon_desk.after(seconds)
    assert "not_sent" == elavon_desk.look(said.payment_id).status


def test_giving_up_an_unknown_charge_that_happened_is_told_so(elavon_desk, simulator):
    """The answer was lost and the payer gives up: the look finds the charge, which stays, and is given back by a refund only.

    Voiding it here could cross a look that has just found it approved: then it would be shown as paid, and be voided.
    """
    simulator.fail("charge", "lose_answer")
    said = elavon_desk.charge(VISA)
    assert "succeeded" == elavon_desk.cancel(said.payment_id).status
    assert 1 == len(_charges(simulator))
    assert "succeeded" == elavon_desk.refund(said.payment_id, 12924).status
    assert [] == _charges(simulator)


@pytest.mark.parametrize("how", DONE_FIRST)
@pytest.mark.parametrize("amount", [2050, 12924])
def test_a_lost_refund_is_found(elavon_desk, simulator, amount, how):
    """A part is a return of the settled charge, the whole of an open one is its void; either is found after a lost answer."""
    paid = elavon_desk.charge(VISA)
    if amount == 2050:
        simulator.settle()
    simulator.fail("refund" if amount == 2050 else "void", how)
    refund = elavon_desk.refund(paid.payment_id, amount)
    assert "unknown" == refund.status
    elavon_desk.after(5)
    assert "succeeded" == elavon_desk.look_at_refund(refund.refund_id).status
    assert ([2050] if amount == 2050 else []) == _refunds(simulator)
    assert (1 if amount == 2050 else 0) == len(_charges(simulator))


def test_a_refund_that_never_arrived_is_not_sent_after_the_horizon(elavon_desk, simulator):
    """As a charge: its absence counts after an hour, and what it held back can be given back anew."""
    paid = elavon_desk.charge(VISA)
    simulator.settle()
    simulator.fail("refund", "lose_request")
    refund = elavon_desk.refund(paid.payment_id, 12924)
    for seconds in LOOKS:
        assert "unknown" == elavon_desk.look_at_refund(refund.refund_id).status
        elavon_desk.after(seconds)
    ended = elavon_desk.look_at_refund(refund.refund_id)
    assert ("not_sent", "absent") == (
        ended.status,
        ended.failure.processor_code,
    )  # invoicing begins no return anew on such a belief
    assert "succeeded" == elavon_desk.refund(paid.payment_id, 12924, new_id("ref")).status


def test_parallel_refunds_stay_within_the_charge(elavon_desk, simulator):
    """Twenty refunds of $10.00 of $129.24 at once: twelve in the books, the others declined before anybody was asked."""
    elavon_desk.room.adapters["elavon"].deadlines = (20.0, 20.0)
    paid = elavon_desk.charge(VISA)
    simulator.settle()
    said: list = []
    threads = [threading.Thread(target=lambda: said.append(elavon_desk.refund(paid.payment_id, 1000).status)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (12, 8) == (said.count("succeeded"), said.count("declined"))
    assert 12000 == sum(_refunds(simulator))
    assert 12 == _asked(simulator, "refund")


def test_a_user_without_the_right_to_look_up_is_not_saved(elavon_desk, simulator):
    """The account could not settle a lost answer, so it is never ready: refused with what to switch on."""
    with pytest.raises(Invalid) as refused:
        elavon_desk.add("elavon", {**CREDENTIALS, "user_id": USER_WITHOUT_BATCHES, "api_base": simulator.url})
    assert ("processor_credentials_refused", "credentials.user_id") == (refused.value.code, refused.value.errors[0]["field"])
    assert "Batches - View" in refused.value.detail


def test_credentials_that_are_refused_in_mid_payment_are_told(elavon_desk, simulator, monkeypatch):
    """The PIN was changed in Converge: declined for the payer, the account is refused, news of it."""
    monkeypatch.setattr(simulator, "pin", "ANOTHERPIN")
    said = elavon_desk.charge(VISA)
    assert ("declined", "processor_credentials_refused") == (said.status, said.failure.code)
    assert "refused" == elavon_desk.listed()[0].status
    assert "credentials_refused" in [event for event, _ in elavon_desk.news()]


@pytest.mark.parametrize("lost", [None, "charge", "void"])
def test_a_part_that_was_approved_is_given_back(elavon_desk, simulator, lost):
    """Half was approved although nobody asked: nothing is kept, whichever answer is lost on the way."""
    if lost:
        simulator.fail(lost, "lose_answer")
    said = elavon_desk.charge(PARTIAL)
    assert ("unknown" if lost else "declined") == said.status
    for seconds in LOOKS[:2]:
        elavon_desk.after(seconds)
    assert elavon_desk.look(said.payment_id).status == ("canceled" if lost == "void" else "declined")
    assert [] == _charges(simulator)


def test_a_part_of_an_open_charge_waits_for_settlement(elavon_desk, simulator):
    """Converge takes it when the charge has settled: it waits, is tried every hour, and is given back once."""
    paid = elavon_desk.charge(VISA)
    refund = elavon_desk.refund(paid.payment_id, 2050)
    assert "waiting_for_settlement" == refund.status
    elavon_desk.after(3600)
    assert "waiting_for_settlement" == elavon_desk.look_at_refund(refund.refund_id).status
    simulator.settle()
    elavon_desk.after(3600)
    assert "succeeded" == elavon_desk.look_at_refund(refund.refund_id).status
    assert [2050] == _refunds(simulator)


def test_the_daily_comparison_agrees_with_converge(elavon_desk, simulator):
    """A charge, its return, a void for a whole refund and a decline: both lists agree; a sale of somebody else's is told."""
    kept, voided = elavon_desk.charge(VISA), elavon_desk.charge(VISA)
    elavon_desk.charge(next(iter(REFUSALS)))
    assert "succeeded" == elavon_desk.refund(voided.payment_id, 12924).status
    simulator.settle()
    assert "succeeded" == elavon_desk.refund(kept.payment_id, 2050).status
    elavon_desk.after(86400)
    comparing.compare_due(elavon_desk.room)
    assert [] == [body for event, body in elavon_desk.news() if event == "difference_found"]
    simulator.entries[0].reference = simulator.entries[0].more["merchant_txn"] = simulator.entries[0].more["invoice"] = "0" * 20
    elavon_desk.after(86400)
    comparing.compare_due(elavon_desk.room)
    told = {(body["kind"], body["reference"]) for event, body in elavon_desk.news() if event == "difference_found"}
    assert {("orphan", "0" * 20), ("missing", kept.reference)} == told
