"""Converge's payment page and Lightbox, from our server's side: what opening says, and what the look-up believes of what is paid there."""

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import requests

from services.processors.adapters.elavon_pages import HOSTS, opened
from services.processors.orders import CANCELED, NEEDS_PAYER, NOT_KNOWN, Means
from tests.contract.processors.elavon import CREDENTIALS, HERE, adapter, charge_order, refund_order
from tests.leaks import leaked
from tests.simulators import elavon as converge
from tests.simulators.elavon import PIN
from tests.simulators.elavon_wire import CHALLENGED, HELD, PARTIAL, REFUSALS, VISA
from tests.simulators.stand import FAULTS

ELAVON = adapter()
BACK = "https://practice.example/returns/inv_1"
DECLINED = next(iter(REFUSALS))


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving):
    serving.reset()
    return serving


@pytest.fixture
def credentials(simulator):
    return {**CREDENTIALS, "api_base": simulator.url}


def _order(mode: str = "hosted_page", reference: str = "9f1c2d3e4f5a6b7c8d9e"):
    means = Means(return_url=BACK)
    return replace(charge_order(reference), means=means, on_page=True, card_entry=mode, sent_at=datetime.now(UTC))


class Payer:
    """A browser without script on the page that was opened for an order."""

    def __init__(self, credentials: dict, order):
        self.said = ELAVON.open_page(credentials, order)
        self.url = self.said.next_action["url"]
        self.text = requests.get(self.url, timeout=5).text

    def does(self, what: str, number: str = "") -> str:
        token = unescape(re.search('name="ssl_txn_auth_token" value="([^"]+)"', self.text)[1])
        typed = {"number": number, "expires": "1231", "cvc": "123"} if number else {}
        self.text = requests.post(self.url, {"ssl_txn_auth_token": token, "do": what, **typed}, timeout=5).text
        return self.text

    def pays(self, number: str = VISA) -> str:
        return self.does("pay", number)


def test_opening_moves_nothing_and_says_where_to_go(simulator, credentials):
    """The page's address with the token in it, for 15 minutes; nothing is booked, and nothing is found."""
    order = _order()
    said = ELAVON.open_page(credentials, order)
    assert (NEEDS_PAYER, timedelta(minutes=15)) == (said.status, said.lasts)
    assert {"type", "url"} == set(said.next_action)
    assert said.next_action["url"].startswith(f"{simulator.url}/hosted-payments?ssl_txn_auth_token=")
    assert re.search("%2B%2F%3D%3D$", said.next_action["url"])
    found = ELAVON.find(credentials, order)
    assert (NOT_KNOWN, True) == (found.status, found.absent)
    assert [] == simulator.books()


def test_the_lightbox_opens_the_same_page(credentials):
    """Where the form is on our page: the same address for browsers without script, and the script, the token and what it needs."""
    action = ELAVON.open_page(credentials, _order("hosted_fields")).next_action
    at, window = credentials["api_base"], action["window"]
    assert ("converge_lightbox", f"{at}/hosted-payments/PayWithConverge.js") == (window["kind"], window["script"])
    assert requests.compat.quote(window["token"], safe="") in action["url"]
    assert {(at,)} == {tuple(hosts) for hosts in action["sources"].values()}
    assert {"script-src", "frame-src", "connect-src", "style-src", "img-src"} == set(action["sources"])
    assert "PayWithConverge" in requests.get(window["script"], timeout=5).text


@pytest.mark.parametrize("mode", HOSTS)
def test_the_real_hosts(mode):
    """Live and demo have pages of their own, and the pay page may lead to that one only."""
    said = opened(200, b"dG9rZW4vdG9rZW4rdG9rZW4=\n", {"mode": mode}, _order())
    assert f"{HOSTS[mode]}/hosted-payments?ssl_txn_auth_token=dG9rZW4vdG9rZW4rdG9rZW4%3D" == said.next_action["url"]
    assert {"form-action": [HOSTS[mode]]} == ELAVON.content_sources({"mode": mode}, "hosted_page")
    assert {} == ELAVON.content_sources({"mode": mode}, "hosted_fields") == ELAVON.content_sources({"mode": mode}, "direct")


def test_the_order_goes_to_the_page_with_nothing_private(simulator, credentials):
    """Amount, our reference twice, where to come back to, and who we are: no name, no description, no card."""
    ELAVON.open_page(credentials, _order())
    [one] = simulator.pages.opened.values()
    who = {"ssl_merchant_id", "ssl_user_id", "ssl_pin"}
    reference = "9f1c2d3e4f5a6b7c8d9e"
    assert {
        "ssl_transaction_type": "ccsale", "ssl_amount": "120.50", "ssl_invoice_number": reference, "ssl_merchant_txn_id": reference,
        "ssl_partial_auth_indicator": "0", "ssl_callback_url": BACK,
    } == {name: text for name, text in one.given.items() if name not in who}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (200, (HERE / "token_refused.txt").read_bytes(), ("declined", "processor_credentials_refused")),
        (400, (HERE / "token_refused.txt").read_bytes(), ("declined", "processor_credentials_refused")),
        (200, b"5002 Amount Invalid", ("declined", "invalid_request")),
        (403, b"<html>Forbidden</html>", ("unknown", "processor_unavailable")),
        (500, b"dG9rZW4vdG9rZW4rdG9rZW4=", ("unknown", "processor_unavailable")),
        (200, b"", ("unknown", "processor_unavailable")),
        (200, b"<html>it works</html>", ("unknown", "processor_unavailable")),
        (200, b"\xff\xfe token", ("unknown", "processor_unavailable")),
    ],
)
def test_no_token_is_told_apart(status, text, expected):
    """An error's number has its meaning from the table; what is no token leads nobody anywhere."""
    said = opened(status, text, CREDENTIALS, _order())
    assert expected == (said.status, said.refusal) and said.next_action is None


@pytest.mark.parametrize("how", FAULTS)
def test_opening_through_every_fault_moves_nothing(simulator, credentials, how):
    """Whatever the line does, nothing is booked, and an address comes out only where a token came in."""
    simulator.fail("open", how, seconds=0.1)
    said = adapter((1.0, 0.8)).open_page(credentials, _order())
    assert said.status in ((NEEDS_PAYER,) if how == "slow" else ("unknown", "not_sent", "declined"))
    assert (said.next_action is not None) == (how == "slow")
    assert [] == simulator.books()


def test_paid_there_it_is_found_with_its_card(simulator, credentials):
    """Declined first, then approved: the decline ends nothing, and the look-up says amount, brand and last four."""
    order = _order()
    payer = Payer(credentials, order)
    assert "Declined" in payer.pays(DECLINED)
    assert (NOT_KNOWN, True) == (lambda found: (found.status, found.absent))(ELAVON.find(credentials, order))
    page = payer.pays()
    assert f'action="{BACK}"' in page and "ssl_txn_id" in page
    found = ELAVON.find(credentials, order)
    assert ("approved", 12050, "USD", "visa", "9990") == (found.status, found.amount, found.currency, found.brand, found.last4)
    assert "expired, or was used" in requests.get(payer.url, timeout=5).text


def test_a_token_ends(simulator, credentials):
    """After 15 minutes, or five declines, nothing can be paid with it any more; in the last second it can, and is found."""
    late, last, declined = (Payer(credentials, _order(reference=f"r{n:019}")) for n in range(3))
    for _ in range(5):
        declined.pays(DECLINED)
    assert "expired, or was used" in declined.pays()
    simulator.ahead += 15 * 60 - 2
    assert "Return to the merchant" in last.pays()
    simulator.ahead += 3
    assert "expired, or was used" in late.pays()
    assert "approved" == ELAVON.find(credentials, _order(reference=f"r{1:019}")).status
    assert 1 == len([row for row in simulator.books() if row["status"] == "approved"])


def test_giving_up_asks_and_takes_nothing_back(simulator, credentials):
    """A page can't be closed: unpaid it is absent, and what was paid there stays paid."""
    order = _order()
    payer = Payer(credentials, order)
    payer.does("cancel")
    assert (NOT_KNOWN, True) == (lambda said: (said.status, said.absent))(ELAVON.cancel(credentials, order))
    payer = Payer(credentials, order)
    payer.pays()
    assert "approved" == ELAVON.cancel(credentials, order).status
    assert ["approved"] == [row["status"] for row in simulator.books()]


def test_a_bank_that_asks_is_between_it_and_the_payer(simulator, credentials):
    """Nothing is booked until the payer has confirmed at the bank; refused there, the next card may be tried."""
    order = _order()
    payer = Payer(credentials, order)
    assert "Your bank" in payer.pays(CHALLENGED)
    assert [] == simulator.books()
    assert "did not confirm" in payer.does("refuse")
    payer.pays(CHALLENGED)
    payer.does("approve")
    assert "approved" == ELAVON.find(credentials, order).status


def test_another_amount_is_not_believed(simulator, credentials):
    """What was approved is not what was asked: unknown, for a person."""
    order = _order()
    Payer(credentials, order).pays()
    simulator.entries[0].amount = 99900
    said = ELAVON.find(credentials, order).as_asked(order.amount, order.currency)
    assert (NOT_KNOWN, "amount_differs") == (said.status, said.processor_code)


def test_a_part_can_be_voided(simulator, credentials):
    """Half was approved: told as such, and the void takes it back."""
    order = _order()
    Payer(credentials, order).pays(PARTIAL)
    found = ELAVON.find(credentials, order)
    assert found.is_a_part_of(order.amount, order.currency)
    assert CANCELED == ELAVON.void(credentials, order.with_ids(found.ids)).status
    assert ["voided"] == [row["status"] for row in simulator.books()]


@pytest.mark.parametrize(("approves", "expected"), [(True, "approved"), (False, "declined")])
def test_what_was_held_ends_by_the_merchants_word(simulator, credentials, approves, expected):
    """Held it is pending; refused afterwards it is declined, since its token was used by it."""
    order = _order()
    Payer(credentials, order).pays(HELD)
    held = ELAVON.find(credentials, order)
    assert "pending" == held.status
    simulator.decide(order.reference, approves)
    assert expected == ELAVON.find(credentials, order.with_ids(held.ids)).status


def test_it_is_refunded_and_listed_like_any_other(simulator, credentials):
    """By the id that the look-up learned; the list shows our reference."""
    order = _order()
    Payer(credentials, order).pays()
    found = ELAVON.find(credentials, order)
    simulator.settle()
    assert "approved" == ELAVON.refund(credentials, refund_order(order, found, 2050)).status
    now = datetime.now(UTC)
    lines = ELAVON.list_between(credentials, now - timedelta(hours=1), now + timedelta(minutes=5))
    assert [(2050, "approved"), (12050, "approved")] == [(line.amount, line.status) for line in lines]
    assert order.reference in {line.reference for line in lines}


def test_an_unseen_site_gets_no_lightbox(credentials):
    """Without a referrer the stand-in refuses the frame, as Converge does for a site that is not on its list."""
    url = ELAVON.open_page(credentials, _order("hosted_fields")).next_action["url"].replace("payments?", "payments/lightbox?")
    assert "4003" in requests.get(url, timeout=5).text
    assert "To pay: 120.50" in requests.get(url, headers={"Referer": "https://practice.example/"}, timeout=5).text


def test_nothing_secret_comes_out(credentials, caplog):
    """PIN and token are in no log at DEBUG and in no outcome's text."""
    caplog.set_level(logging.DEBUG)
    said = ELAVON.open_page(credentials, _order("hosted_fields"))
    for canary in (PIN, said.next_action["window"]["token"]):
        assert not leaked(canary, caplog.text + repr(said))
