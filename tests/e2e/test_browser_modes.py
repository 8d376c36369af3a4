"""Each processor in each of its own ways to take cards, in a real browser: at both sizes, and on its page without script."""

import importlib
import pkgutil
from urllib.parse import urlsplit

import pytest

from tests.api import Practice
from tests.e2e import modes
from tests.e2e.browser import WAYS, Visitor, find_browser
from tests.e2e.wire import Wire, may_listen
from tests.faults.processors import Peer
from tests.system import Embedded

BROWSER, LISTENS = find_browser(), may_listen()
pytestmark = [pytest.mark.browser]
OWN = {found.name: importlib.import_module(f"tests.e2e.modes.{found.name}") for found in pkgutil.iter_modules(modes.__path__)}


def journeys() -> list:
    ways = [(kind, mode, way) for kind in OWN for mode in ("hosted_page", "hosted_fields") for way in WAYS]
    return ways if BROWSER else []


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("modes"), time_scale="20") as made:
        yield made


@pytest.mark.parametrize(("peer", "mode", "way"), journeys(), indirect=["peer"])
def test_a_card_is_typed_at_the_processor(peer, mode, way, visit, house):
    """The admin chooses the way, the client is declined there, pays with another card, and comes back to a paid invoice: once."""
    own, practice = OWN[peer.kind.type], Practice(house)
    ada = visit(f"{peer.kind.type}-{mode}-admin", way, practice.admin_email)
    connect(practice, peer, mode, ada)
    sam = visit(f"{peer.kind.type}-{mode}", way, practice.client_email)
    invoice = practice.invoice()
    sam.go(f"/invoices/{invoice['id']}/pay")
    wire = Wire() if LISTENS else None
    if mode == "hosted_page" or way == "plain-360":
        sam.sees("own page" if mode == "hosted_fields" else "a page of").press("Continue to")
        own.on_page(sam, own.DECLINED)
        own.on_page(sam, own.APPROVED)
    else:
        own.in_form(sam, own.DECLINED)
        own.in_form(sam, own.APPROVED)
    sam.arrives(f"/invoices/{invoice['id']}").sees("Paid", own.APPROVED[-4:])
    if wire is not None:
        wire.close()
        _never_saw(wire, house, peer, own)
    assert [12924] == [row["amount"] for row in peer.books() if row["status"] == "approved"]
    ada.go(f"/invoices/{invoice['id']}").sees("Paid")
    proof = house.ledger()
    assert 0 == proof.returncode, proof.stdout


def _never_saw(wire: Wire, house: Embedded, peer: Peer, own) -> None:
    """The packet log: the browser gave the cards to the processor; nothing of ours, in or out, ever held one."""
    for number in (own.DECLINED, own.APPROVED):
        assert number.encode() in wire.browsers(_port(peer.url)), "the log did not see the card typed at the processor"
        assert number.encode() not in wire.ours(_port(house.url), _port(peer.url))


def _port(url: str) -> int:
    return urlsplit(url).port or 80


@pytest.mark.parametrize("peer", [kind for kind in OWN if BROWSER and LISTENS], indirect=True)
def test_the_packet_log_sees_a_card_that_is_typed_here(peer, house):
    """The control: in direct mode the number goes through us, and the log has it."""
    practice = Practice(house, {**peer.account, "card_entry": "direct"})
    wire = Wire()
    practice.pay(practice.invoice(), OWN[peer.kind.type].APPROVED)
    wire.close()
    assert OWN[peer.kind.type].APPROVED.encode() in wire.ours(_port(house.url), _port(peer.url))


def connect(practice: Practice, peer: Peer, mode: str, ada: Visitor) -> None:
    """An account that takes cards that way, chosen by the admin on its page."""
    account = {"description": "Its own account", "card_entry": mode, **peer.account}
    added = practice.admin.must(201, "POST", "/api/v1/processors", account)
    practice.admin.must(200, "POST", f"/api/v1/processors/{added['id']}/activate")
    ada.go(f"/billing/setup/processors/{added['id']}").sees("How clients give their card")
    assert ada.page.locator(f'input[name="card_entry"][value="{mode}"]').is_checked()
