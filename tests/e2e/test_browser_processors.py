"""Each processor in a real browser against its simulator: refused credentials, declines, payments held, refunds, in words that help."""

import re

import pytest

from tests.api import Practice
from tests.e2e.browser import WAYS, Visitor, find_browser
from tests.faults.processors import KINDS, Peer
from tests.simulators.authorize_net import card_for
from tests.simulators.elavon_wire import REFUSALS
from tests.system import Embedded

BROWSER = find_browser()
pytestmark = [pytest.mark.browser]
# What an admin types wrongly first, and what the page then says; a card that is declined, and what the payer reads; one that is held.
WRONG = {
    "stripe": ({"secret_key": "sk_test_refused0000"}, "Stripe refuses this key"),
    "authorize_net": ({"api_login_id": "nodetails1"}, "Transaction Details API"),
    "elavon": ({"user_id": "noview"}, "Batches - View"),
}
DECLINED = {
    "stripe": ("4000000000009995", "not enough funds"),
    "authorize_net": (card_for(8), "expired"),
    "elavon": (next(number for number, ending in REFUSALS.items() if ending.issuer == "51"), "not enough funds"),
}
WAITING = {"authorize_net": card_for(253)}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("processors"), time_scale="20") as made:
        yield made


def journeys() -> list:
    return [(kind, way) for kind in KINDS for way in WAYS] if BROWSER else []


@pytest.mark.parametrize(("peer", "way"), journeys(), indirect=["peer"])
def test_a_processors_journey(peer, way, visit, house):
    """Wrong credentials are named, right ones taken; a decline says what to do, the next card pays, a refund goes back once."""
    kind = peer.kind.type
    practice = Practice(house)
    ada = visit(f"{kind}-admin", way, practice.admin_email)
    wrong, words = WRONG[kind]
    _type(ada, way, peer, **wrong)
    ada.press("Add the processor").sees(words)
    _type(ada, way, peer)
    ada.press("Add the processor").sees("Its own account", "Ready")
    ada.go("/billing/setup").follow("Its own account").unfold("Make active").press("Make active").sees("takes new payments")

    sam = visit(f"{kind}-client", way, practice.client_email)
    invoice = practice.invoice()
    number, words = DECLINED[kind]
    sam.go(f"/invoices/{invoice['id']}/pay")
    _pay(sam, number).sees(words)
    _pay(sam, peer.kind.card).sees("Paid", peer.kind.card[-4:])
    assert [12924] == [row["amount"] for row in peer.books() if row["status"] == "approved"]

    peer.tell("settle")
    ada.go(f"/invoices/{invoice['id']}").follow("Refund…").fill(amount="20.50").press("Refund").sees("$20.50", "refunded")
    assert [2050] == [row["amount"] for row in peer.books() if row["kind"] == "refund" and row["status"] == "approved"]
    if kind in WAITING:
        _held(sam, ada, practice, WAITING[kind])
    proof = house.ledger()
    assert 0 == proof.returncode, proof.stdout


def _held(sam: Visitor, ada: Visitor, practice: Practice, number: str) -> None:
    """A payment that the processor holds for review: nobody pays twice, and both see that it is being checked."""
    invoice = practice.invoice()
    sam.go(f"/invoices/{invoice['id']}/pay")
    _pay(sam, number).sees("you won't be charged twice")
    ada.go(f"/invoices/{invoice['id']}").sees("Checking with processor")


def _pay(sam: Visitor, number: str) -> Visitor:
    sam.fill(card__number=number, card__exp_month="12", card__exp_year="31", card__cvc="123")
    return sam.press("Pay $129.24")


def _type(ada: Visitor, way: str, peer: Peer, **wrong: str) -> None:
    """Fill the form that the chosen type draws, with one value wrong where it says so."""
    ada.go("/billing/setup")
    ada.page.locator('[name="type"]').select_option(peer.kind.type)
    ada.fill(description="Its own account")
    if way == "plain-360":
        ada.press("Continue")
    for name, value in {**peer.account["credentials"], **wrong}.items():
        field = ada.page.locator(f'[name="credentials-{name}"]')
        if re.match("select", field.evaluate("field => field.tagName"), re.IGNORECASE):
            field.select_option(value)
        else:
            field.fill(value)
    direct = ada.page.locator('[name="card_entry"][value="direct"]')
    if direct.count():  # where there are several ways
        direct.check()
