"""The room with a practice at Authorize.net's simulator: a client's card on file from keeping to removal, judged by its books."""

import pytest

from services.processors.adapters.authorize_net import AuthorizeNet
from shared.faults import Conflict, Refused, Unavailable
from shared.settings import Settings
from tests.simulators.authorize_net import AuthorizeNetSimulator
from tests.unit.processors.test_cards import CLEO, PAT, Wallet

NUMBER = "4111111111111111"
KEYS = {"mode": "test", "api_login_id": "canaryLogin", "transaction_key": "CANARYKEY7Q2X9ZW"}


@pytest.fixture
def wallet(desk):
    """A client's cards at a practice with an active Authorize.net account; a second of silence is a time-out."""
    with AuthorizeNetSimulator().serving() as simulator:
        clock = desk.room.clock
        simulator.now = lambda: clock.now().timestamp()
        settings = Settings({"CLIENTBILLING_DEVELOPMENT": "1"})
        desk.room.adapters["authorize_net"] = AuthorizeNet(settings, clock, deadlines=(2.0, 1.0))
        desk.account = desk.add("authorize_net", {**KEYS, "api_base": simulator.url}, card_entry="direct")
        desk.simulator = simulator
        yield Wallet(desk)


def _kept(wallet) -> int:
    return sum(len(customer.cards) for customer in wallet.desk.simulator.profiles.customers.values())


@pytest.mark.parametrize("caller", [CLEO, PAT])
def test_a_kept_card_is_charged_once_though_the_answer_is_lost(wallet, caller):
    """Kept without its number; charged by the client or by staff, unknown, then found by the timer; never sent again."""
    saved = wallet.save(NUMBER)
    assert ("visa", "1111", True) == (saved.brand, saved.last4, saved.usable)
    wallet.desk.simulator.fail("charge", "lose_answer")
    said = wallet.charge(saved.id, caller)
    for seconds in (6, 30, 300, 3600):
        wallet.desk.after(seconds)
    assert "succeeded" == wallet.desk.look(said.payment_id).status
    assert [12924] == [entry["amount"] for entry in wallet.desk.simulator.books()]
    assert 1 == [verb for verb, _ in wallet.desk.simulator.seen].count("charge")


def test_a_card_that_is_not_kept_there_is_not_on_file_here(wallet):
    """A no and no answer leave nothing on file; the next try does."""
    with pytest.raises(Refused):
        wallet.save("4111111111111112")
    wallet.desk.simulator.fail("save_card", "lose_answer")
    with pytest.raises(Unavailable):
        wallet.save(NUMBER)
    assert [] == wallet.listed().data
    wallet.save(NUMBER)
    assert 1 == len(wallet.listed().data) == _kept(wallet)


def test_a_removed_card_is_forgotten_there_when_the_line_is_back(wallet):
    """Off file here at once, there as soon as it answers; it can't be charged from the start."""
    saved = wallet.save(NUMBER)
    wallet.desk.simulator.fail("remove_card", "lose_request")
    wallet.remove(saved.id)
    assert [] == wallet.listed().data and 1 == _kept(wallet)
    with pytest.raises(Conflict):
        wallet.charge(saved.id)
    wallet.remove(saved.id)
    assert 0 == _kept(wallet) and "" == wallet.row(saved.id).sealed
