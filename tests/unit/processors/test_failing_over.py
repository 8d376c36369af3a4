"""Failover: each case of the table, one account after the other, and never a second charge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.processors.adapters.base import Adapter
from services.processors.model import Account
from services.processors.orders import APPROVED, DECLINED, NEEDS_PAYER, NOT_KNOWN, NOT_SENT, PREPARED, WAITING, Check, Outcome
from services.processors.usecases import accounts, failing_over
from shared.contracts.processors import REFUSALS, Processors
from shared.faults import Forbidden, Invalid
from tests.unit.processors.conftest import Desk

DOWN = Outcome(NOT_SENT, refusal="processor_unavailable", processor_code="exc:connection_refused")
REFUSED = Outcome(DECLINED, refusal="processor_credentials_refused")
CASES = [
    (DOWN, "not_reached"),
    (REFUSED, "account_refused"),
    (Outcome(NOT_KNOWN), "not_known"),
    (Outcome(NOT_KNOWN, refusal="processor_unavailable"), "not_known"),
    (Outcome(NOT_KNOWN, refusal="processor_credentials_refused"), "not_known"),
    (Outcome(WAITING), "waiting"),
    (Outcome(NEEDS_PAYER), "waiting"),
    (Outcome(APPROVED, amount=12924, currency="USD"), "approved"),
    *((Outcome(DECLINED, refusal=name), "request_refused") for name in ("invalid_request", "duplicate", "unknown")),
    *(
        (Outcome(DECLINED, refusal=name), "card_declined")
        for name in REFUSALS
        if name not in ("processor_credentials_refused", "invalid_request", "duplicate", "unknown")
    ),
]


class Scripted(Adapter):
    """A processor that says what it is told to, and counts."""

    card_entry = ("direct",)

    def __init__(self, name: str):
        self.name = self.title = name
        self.prepares, self.charges = Outcome(PREPARED), Outcome(APPROVED, amount=12924, currency="USD")
        self.asked: list[str] = []

    def is_test(self, credentials):
        return True

    def check(self, credentials):
        return Check("ok")

    def prepare(self, credentials, order):
        self.asked.append("prepare")
        return self.prepares

    def charge(self, credentials, order):
        self.asked.append("charge")
        return self.charges


@pytest.fixture
def desk(room):
    made = Desk(replace(room, adapters={name: Scripted(name) for name in ("stripe", "authorize_net", "elavon")}))
    made.accounts = [made.add(kind) for kind in made.room.adapters]
    made.first, made.second, made.third = made.room.adapters.values()
    return made


def turn_on(desk: Desk, *ids: str, enabled: bool = True):
    request = Processors.change_failover.load_request({"enabled": enabled, "processor_ids": list(ids)})
    return desk.answer(Processors.change_failover, failing_over.change_failover(desk.admin, request, desk.room))


def ids_of(desk: Desk) -> list[str]:
    return [account.id for account in desk.accounts]


@pytest.mark.parametrize(("outcome", "case"), CASES)
@pytest.mark.parametrize("verb", ["prepares", "charges"])
def test_the_table_decides(desk, outcome, case, verb):
    """Each way for a try to end leads to the next account exactly where the table says so."""
    assert case == failing_over.case_of(outcome).name
    turn_on(desk, *ids_of(desk))
    setattr(desk.first, verb, outcome)
    said = desk.charge()
    assert failing_over.CASES[case].goes_on == bool(desk.second.asked)
    if failing_over.CASES[case].goes_on:
        assert ("succeeded", desk.accounts[1].id) == (said.status, said.processor_id)
        assert [] == desk.third.asked


def test_every_case_is_played():
    """No row of the table is left out above."""
    assert {case.name for case in failing_over.TABLE} == {name for _, name in CASES}


def test_off_unless_turned_on(desk):
    """Without it, and after it was turned off, a processor that is down ends the payment."""
    desk.first.prepares = DOWN
    assert "not_sent" == desk.charge().status
    turn_on(desk, *ids_of(desk), enabled=False)
    assert "not_sent" == desk.charge().status
    assert [] == desk.second.asked


def test_an_account_that_is_closed_after_a_restore_takes_over_nothing(desk):
    """What was lost by the restore may have gone through it."""
    turn_on(desk, *ids_of(desk))
    with desk.room.database.transaction() as session:
        session.get(Account, (desk.practice_id, desk.accounts[1].id)).close(desk.room.clock.now(), desk.room.clock.now())
    desk.first.prepares = DOWN
    assert desk.accounts[2].id == desk.charge().processor_id
    assert [] == desk.second.asked


def test_down_all_the_way_is_one_definite_no(desk):
    """Each account is tried once, in the order that was set; the payment ends as not sent, and its news is told once."""
    for adapter in desk.room.adapters.values():
        adapter.prepares = DOWN
    turn_on(desk, desk.accounts[2].id, desk.accounts[1].id)
    said = desk.charge()
    assert ("not_sent", "processor_unavailable") == (said.status, said.failure.code)
    assert desk.accounts[1].id == said.processor_id
    assert 1 == len([event for event, _ in desk.news() if event == "charge_settled"])
    assert [["prepare"]] * 3 == [adapter.asked for adapter in desk.room.adapters.values()]


def test_each_try_has_a_reference_of_its_own_and_what_it_was_is_kept(desk):
    """Two accounts can never be told apart by chance: neither by reference nor by what is kept of the first."""
    desk.first.charges = DOWN
    turn_on(desk, *ids_of(desk))
    said = desk.charge()
    row = desk.row(said.payment_id)
    with desk.room.database.reading() as session:
        (tried,) = session.query(failing_over.Try).all()
        assert (1, desk.accounts[0].id, "processor_unavailable") == (tried.number, tried.account_id, tried.failure_code)
        assert tried.reference != row.reference and 2 == row.tries


def test_a_refused_account_is_told_to_the_admins(desk):
    """The payment goes on, and the account is marked, once."""
    desk.first.charges = REFUSED
    turn_on(desk, *ids_of(desk))
    assert "succeeded" == desk.charge().status
    assert "refused" == desk.listed()[0].status
    assert 1 == len([event for event, _ in desk.news() if event == "credentials_refused"])


def test_an_account_that_was_left_behind_is_hidden_when_it_is_removed(desk):
    """Its books may be asked about one day."""
    desk.first.charges = DOWN
    turn_on(desk, *ids_of(desk))
    desk.charge()
    accounts.remove_processor(
        desk.admin, Processors.remove_processor.load_request({"processor_id": desk.accounts[0].id}), desk.room
    )
    with desk.room.database.reading() as session:
        assert failing_over.storage.any_account(session, "prc_1", desk.accounts[0].id).hidden_at is not None


def test_a_message_that_comes_again_is_answered_from_the_row(desk):
    """The chain is one payment: asked twice it goes nowhere again."""
    desk.first.prepares = DOWN
    turn_on(desk, *ids_of(desk))
    request = desk.request()
    first = desk.send(request)
    assert first == desk.send(request) and ["prepare", "charge"] == desk.second.asked


def test_nobody_is_tried_after_a_minute(desk):
    """A processor that was long in saying no ends it: the payer has gone."""
    turn_on(desk, *ids_of(desk))
    desk.first.prepares = DOWN
    before, desk.first.prepare = (
        desk.first.prepare,
        lambda *given: desk.room.clock.__setattr__("at", _later(desk)) or before(*given),
    )
    assert "not_sent" == desk.charge().status
    assert [] == desk.second.asked


def _later(desk: Desk):
    return desk.room.clock.at + timedelta(seconds=61)


def test_what_died_between_two_tries_is_closed_as_a_whole(desk):
    """A process that dies when it has gone on leaves a lease: when it has run out nothing was sent."""
    said = desk.charge()
    now = desk.room.clock.now()
    desk.stand(said.payment_id, status="created", tries=2, lease_until=now, settled_at=None)
    desk.after(1)
    assert "not_sent" == desk.row(said.payment_id).status


@pytest.mark.parametrize(
    ("ids", "field"), [(["pcr_none"], "processor_ids.0"), (["twice"], "processor_ids.1"), (["hosted"], "processor_ids.0")]
)
def test_an_order_that_can_not_be_is_named(desk, ids, field):
    """An account of nobody's, one named twice, one whose cards we never see."""
    first = desk.accounts[0].id
    if ids == ["hosted"]:
        desk.first.card_entry = ("direct", "hosted_page")
        desk.change(first, card_entry="hosted_page")
    wanted = {"twice": [first, first], "hosted": [first]}.get(ids[0], ids)
    with pytest.raises(Invalid) as wrong:
        turn_on(desk, *wanted)
    assert [field] == [error["field"] for error in wrong.value.errors]


def test_only_admins_see_and_change_it(desk):
    """It is the practice's own business."""
    with pytest.raises(Forbidden):
        failing_over.read_failover(replace(desk.admin, role="client"), desk.room)
