"""Converge's payment page through the use cases, against its stand-in: paid, declined, abandoned, late, lost, and with another tab."""

import re
from html import unescape

import pytest
import requests

from services.processors.adapters.elavon import Elavon
from shared.contracts.processors import Processors
from shared.faults import Conflict
from shared.ids import new_id
from shared.settings import Settings
from tests.contract.processors.elavon import CREDENTIALS
from tests.simulators import elavon as converge
from tests.simulators.elavon_wire import PARTIAL, REFUSALS, VISA
from tests.unit.processors.conftest import clock, desk, new_database, room  # noqa: F401

HORIZON = (6, 31, 301, 3601)


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving, clock):  # noqa: F811
    """Empty books, and Converge's clock going with the test's."""
    serving.reset()
    serving.now = lambda: clock.now().timestamp()
    yield serving
    del serving.now


@pytest.fixture
def paged(desk, simulator):  # noqa: F811
    """A desk whose practice began with Elavon as the pulldown offers it: on Converge's page."""
    desk.room.adapters["elavon"] = Elavon(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), desk.room.clock, (5.0, 1.0))
    desk.account = desk.add("elavon", {**CREDENTIALS, "api_base": simulator.url})
    assert "hosted_page" == desk.account.card_entry
    return desk


def _open(desk, **more):  # noqa: F811
    body = {"payment_id": new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD", **more}
    return desk.send(Processors.charge.load_request({**body, "return_url": "https://practice.example/returns/inv_1"}))


def _pay(opened, number: str = VISA) -> str:
    url = opened.next_action["url"]
    token = re.search('name="ssl_txn_auth_token" value="([^"]+)"', requests.get(url, timeout=5).text)
    if token is None:
        return "ended"
    given = {"ssl_txn_auth_token": unescape(token[1]), "do": "pay", "number": number, "expires": "1231", "cvc": "123"}
    return requests.post(url, given, timeout=5).text


def _approved(simulator) -> list[int]:
    return [entry["amount"] for entry in simulator.books() if (entry["kind"], entry["status"]) == ("charge", "approved")]


def test_declined_then_paid_and_the_timer_finds_it(paged, simulator):
    """The decline ends nothing; paid with another card it is known within a minute, with the card, though nobody came back."""
    opened = _open(paged)
    assert ("requires_action", True) == (opened.status, opened.next_action["page"])
    _pay(opened, next(iter(REFUSALS)))
    assert "requires_action" == paged.check(opened.payment_id).status
    paged.after(21)
    assert "requires_action" == paged.look(opened.payment_id).status
    _pay(opened)
    paged.after(41)
    found = paged.look(opened.payment_id)
    assert ("succeeded", {"brand": "visa", "last4": "9990"}) == (found.status, found.card)
    assert [12924] == _approved(simulator)


def test_paid_there_it_is_refunded(paged, simulator):
    """In part once it has settled, under the id that the look-up learned; the daily lists agree."""
    opened = _open(paged)
    _pay(opened)
    assert "succeeded" == paged.check(opened.payment_id).status
    simulator.settle()
    assert "succeeded" == paged.refund(opened.payment_id, 2050).status
    assert [2050] == [entry["amount"] for entry in simulator.books() if entry["kind"] == "refund"]


def test_back_before_the_money_shows(paged, simulator):
    """Converge's list doesn't show it for two look-ups: still waiting, never failed; then paid."""
    opened = _open(paged)
    simulator.hide(2)
    _pay(opened)
    assert ["requires_action"] * 2 + ["succeeded"] == [paged.check(opened.payment_id).status for _ in range(3)]


def test_abandoned_it_is_payable_again_after_its_end_and_the_horizon(paged, simulator):
    """Giving up changes nothing while the page may be paid on; 15 minutes and an hour later it is canceled, and its page is dead."""
    opened = _open(paged)
    assert "requires_action" == paged.cancel(opened.payment_id).status
    for _ in range(16):
        paged.after(60)
    assert "unknown" == paged.look(opened.payment_id).status
    assert "ended" == _pay(opened)
    for pause in HORIZON:
        assert "unknown" == paged.look(opened.payment_id).status
        paged.after(pause)
    assert ("canceled", None) == (paged.look(opened.payment_id).status, paged.look(opened.payment_id).failure)
    assert [] == _approved(simulator)


def test_paid_in_the_last_second(paged, simulator):
    """At the page's end we look, and take nothing back: paid."""
    opened = _open(paged)
    for _ in range(14):
        paged.after(60)
    paged.room.clock.at = paged.row(opened.payment_id).expires_at
    assert "Return to the merchant" in _pay(opened)
    paged.after(1)
    assert "succeeded" == paged.look(opened.payment_id).status
    assert [12924] == _approved(simulator)


@pytest.mark.parametrize("how", ["lose_request", "lose_answer", "hang_after", "500_after", "garbage_after", "cut_after"])
def test_a_lost_answer_when_opening_moved_nothing(paged, simulator, how):
    """Nobody has the token: not sent, and payable again at once."""
    simulator.fail("open", how)
    assert ("not_sent", None) == ((said := _open(paged)).status, said.next_action)
    assert "requires_action" == _open(paged).status
    assert [] == simulator.books()


def test_a_part_is_given_back(paged, simulator):
    """Half was approved on the page: voided at Converge, declined here."""
    opened = _open(paged)
    _pay(opened, PARTIAL)
    assert "declined" == paged.check(opened.payment_id).status
    assert [] == _approved(simulator)


def test_another_amount_is_never_taken_for_the_payment(paged, simulator):
    """More was approved than was asked: unknown, until a person says."""
    opened = _open(paged)
    _pay(opened)
    simulator.entries[0].amount = 99900
    paged.after(21)
    assert "unknown" == paged.look(opened.payment_id).status
    for pause in (*HORIZON, *[86401] * 5):
        paged.after(pause)
    assert "review" == paged.look(opened.payment_id).status


def test_an_old_tab_types_no_card(paged, simulator):
    """The admin has chosen the page: a card typed into a form that was drawn before is not charged."""
    with pytest.raises(Conflict):
        paged.charge(VISA)
    assert [] == simulator.books()


def test_refused_credentials_are_told(paged, simulator, monkeypatch):
    """Converge refuses the token: declined for the payer, and the account says so."""
    monkeypatch.setattr(simulator, "pin", "ANOTHERPIN")
    said = _open(paged)
    assert ("declined", "processor_credentials_refused") == (said.status, said.failure.code)
    assert "refused" == paged.listed()[0].status
