"""The room with a practice at Converge's simulator: a client's card on file from keeping to removal, judged by its books."""

from dataclasses import replace

import pytest

from services.processors.adapters.elavon import Elavon
from shared.faults import Conflict, Refused, Unavailable
from shared.settings import Settings
from tests.contract.processors.elavon import CREDENTIALS
from tests.simulators import elavon as converge
from tests.simulators.elavon_wire import REFUSALS, VISA
from tests.unit.processors.test_cards import CLEO, PAT, Wallet

DECLINED = next(iter(REFUSALS))


@pytest.fixture
def wallet(desk):
    """A client's cards at a practice with an active Elavon account; a second of silence is a time-out."""
    with converge.Elavon().serving() as simulator:
        clock = desk.room.clock
        simulator.now = lambda: clock.now().timestamp()
        settings = Settings({"CLIENTBILLING_DEVELOPMENT": "1"})
        desk.room.adapters["elavon"] = Elavon(settings, clock, deadlines=(2.0, 1.0))
        desk.account = desk.add("elavon", {**CREDENTIALS, "api_base": simulator.url}, card_entry="direct")
        desk.simulator = simulator
        yield Wallet(desk)


@pytest.mark.parametrize("caller", [CLEO, PAT])
def test_a_kept_card_is_charged_once_though_the_answer_is_lost(wallet, caller):
    """Kept by a token that the database does not show; charged by the client or by staff, unknown, then found; never sent again."""
    saved, simulator = wallet.save(VISA), wallet.desk.simulator
    assert ("visa", "9990", True) == (saved.brand, saved.last4, saved.usable)
    [(_merchant, token)] = simulator.card_manager.holds
    assert token not in str(vars(wallet.row(saved.id)))
    simulator.fail("charge", "lose_answer")
    said = wallet.charge(saved.id, caller)
    for seconds in (6, 30, 300, 3600):
        wallet.desk.after(seconds)
    assert "succeeded" == wallet.desk.look(said.payment_id).status
    assert [(12924, "" if caller is CLEO else "Y")] == [
        (entry["amount"], entry["more"]["merchant_initiated"]) for entry in simulator.books()
    ]
    assert 1 == [verb for verb, _ in simulator.seen].count("charge")
    assert token not in str(vars(wallet.desk.row(said.payment_id)))


def test_a_card_that_is_not_kept_there_is_not_on_file_here(wallet):
    """A no and no answer leave nothing on file; the next try does."""
    with pytest.raises(Refused):
        wallet.save(DECLINED)
    wallet.desk.simulator.fail("save", "lose_answer")
    with pytest.raises(Unavailable):
        wallet.save(VISA)
    assert [] == wallet.listed().data
    wallet.save(VISA)
    assert 1 == len(wallet.listed().data) == len(wallet.desk.simulator.card_manager.holds)


def test_a_card_that_two_clients_share_is_forgotten_there_with_the_last(wallet):
    """Converge has one token for it: taken off file for one of them, it still pays for the other."""
    theirs = Wallet(wallet.desk, replace(CLEO, member_id="cli_2"))
    mine, shared = wallet.save(VISA), theirs.save(VISA)
    wallet.remove(mine.id)
    with pytest.raises(Conflict):
        wallet.charge(mine.id)
    assert "succeeded" == theirs.charge(shared.id).status
    theirs.remove(shared.id)
    assert {} == wallet.desk.simulator.card_manager.holds
    assert {""} == {wallet.row(card.id).sealed for card in (mine, shared)}


def test_a_removed_card_is_forgotten_there_when_the_line_is_back(wallet):
    """Off file here at once, there as soon as it answers; it can't be charged from the start."""
    saved = wallet.save(VISA)
    wallet.desk.simulator.fail("remove", "lose_request")
    wallet.remove(saved.id)
    assert [] == wallet.listed().data and 1 == len(wallet.desk.simulator.card_manager.holds)
    with pytest.raises(Conflict):
        wallet.charge(saved.id)
    wallet.remove(saved.id)
    assert {} == wallet.desk.simulator.card_manager.holds and "" == wallet.row(saved.id).sealed


@pytest.mark.parametrize("card_entry", ["hosted_fields", "hosted_page"])
def test_where_the_card_is_typed_at_converge_none_is_kept(wallet, card_entry):
    """Its page and its window bring no card: not offered, refused if it is sent all the same, and Converge isn't asked."""
    wallet.save(VISA)
    asked = len(wallet.desk.simulator.seen)
    wallet.desk.change(wallet.desk.account.id, card_entry=card_entry)
    assert not wallet.listed().can_save
    with pytest.raises(Conflict):
        wallet.save(VISA)
    assert "save" not in [verb for verb, _ in wallet.desk.simulator.seen[asked:]]
