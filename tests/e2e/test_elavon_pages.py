"""Converge's page and Lightbox in a browser when things go another way: abandoned, two tabs, Back, a forged or an early return."""

import pytest

from tests.api import Practice
from tests.e2e.browser import WAYS, Visitor, find_browser
from tests.e2e.modes.elavon import APPROVED, DECLINED, come_back, in_form, on_page, to_page
from tests.faults.processors import KINDS, Peer
from tests.system import Embedded, wait_until

BROWSER = find_browser()
pytestmark = [pytest.mark.browser]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("pages"), time_scale="20") as made:
        yield made


@pytest.fixture
def hasty_house(tmp_path):
    """Time runs 300 times as fast: a page of 15 minutes ends after three seconds, and the look-ups after it within fourteen."""
    with Embedded(tmp_path, time_scale="300") as made:
        yield made


@pytest.fixture
def peer():
    made = Peer(KINDS["elavon"])
    yield made
    made.close()


class Scene:
    """A practice that takes cards in one of Elavon's ways, its client's window, and an invoice."""

    def __init__(self, house, peer, chromium, mode: str, way: str):
        self.house, self.peer = house, peer
        self.practice = Practice(house, {**peer.account, "card_entry": mode})
        self.window = chromium.new_context(**WAYS[way])
        self.window.set_default_timeout(20_000)
        self.visitors: list[Visitor] = []
        self.sam = self.tab(f"{way}-elavon-{mode}-edges")
        self.sam.go("/sign-in").fill(email=self.practice.client_email, password=Practice.PASSWORD).press("Sign in")
        self.invoice = self.practice.invoice()
        self.here = f"/invoices/{self.invoice['id']}"

    def tab(self, name: str) -> Visitor:
        self.visitors.append(Visitor(self.window.new_page(), self.house.url, name))
        return self.visitors[-1]

    def begins(self, button: str = "Continue to") -> Visitor:
        return self.sam.go(f"{self.here}/pay").press(button)

    def status(self) -> str:
        return self.practice.read(self.invoice)["status"]

    def payments(self) -> list[str]:
        return [payment["status"] for payment in self.practice.read(self.invoice)["payments"]]

    def charged(self) -> list[int]:
        return [row["amount"] for row in self.peer.books() if row["status"] == "approved"]

    def close(self) -> None:
        self.window.close()
        assert [] == [trouble for visitor in self.visitors for trouble in visitor.troubles]
        assert 0 == self.house.ledger().returncode


@pytest.fixture
def scene(house, peer, chromium, request):
    made = Scene(house, peer, chromium, *request.param)
    yield made
    made.close()


def scenes(mode: str, *ways: str) -> list:
    return [(mode, way) for way in ways] if BROWSER else []


SCRIPTED, PLAIN = WAYS


@pytest.mark.parametrize("scene", scenes("hosted_page", SCRIPTED, PLAIN), indirect=True)
def test_abandoned_and_gone_on_with(scene):
    """Canceled at Converge, our page waits; it can't be ended yet, and says so; gone on with and paid, it is paid once."""
    sam = scene.begins()
    sam.press("Cancel")
    come_back(sam)
    sam.page.wait_for_url(f"**{scene.here}/pay")
    sam.sees("Waiting for you on the processor's page.").press("Cancel this payment").sees("can't be closed from here")
    assert sam.fits() and ["requires_action"] == scene.payments()
    on_page(sam, APPROVED)
    sam.page.wait_for_url(f"**{scene.here}")
    sam.sees("Paid")
    assert [12924] == scene.charged()


@pytest.mark.skipif(not BROWSER, reason="said at the end of the run")
def test_left_alone_it_is_payable_again(hasty_house, peer, chromium):
    """Nobody comes back: after the page's end and the horizon it is canceled, and the next payment is the only one."""
    scene = Scene(hasty_house, peer, chromium, "hosted_page", SCRIPTED)
    sam = scene.begins()
    peer.tell("clock", ahead=3600)
    sam.page.reload()
    sam.sees("has expired")
    wait_until(lambda: ["canceled"] == scene.payments(), 60, 0.5, "the abandoned payment's being canceled")
    assert [] == scene.charged()
    peer.tell("clock", ahead=-3600)
    scene.begins()
    on_page(sam, APPROVED)
    wait_until(lambda: "paid" == scene.status(), 30, 0.5, "the payment's being found")
    sam.go(f"{scene.here}/pay").sees("Paid")
    assert [12924] == scene.charged()
    scene.close()


@pytest.mark.parametrize("scene", scenes("hosted_page", SCRIPTED, PLAIN), indirect=True)
def test_two_tabs_and_the_admin_changes_the_way(scene):
    """One tab is at Converge; the admin switches to direct; the other tab can't pay beside it, and the first one's money is the only."""
    sam = scene.begins()
    other = scene.tab("other")
    scene.practice.admin.must(200, "PATCH", f"/api/v1/processors/{scene.practice.processor['id']}", {"card_entry": "direct"})
    other.go(f"{scene.here}/pay").sees("Waiting for you on the processor's page.")
    assert 409 == scene.practice.pay(scene.invoice, APPROVED).status_code
    on_page(sam, APPROVED)
    sam.page.wait_for_url(f"**{scene.here}")
    assert 409 == scene.practice.pay(scene.invoice, APPROVED).status_code
    other.go(f"{scene.here}/pay").sees("Paid")
    assert ["succeeded"] == scene.payments() and [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_page", PLAIN), indirect=True)
def test_a_form_from_before_the_change_charges_nothing(scene):
    """Drawn for Converge's page, sent when cards are typed here: one payment at most, in whichever way."""
    sam = scene.sam.go(f"{scene.here}/pay")
    scene.practice.admin.must(200, "PATCH", f"/api/v1/processors/{scene.practice.processor['id']}", {"card_entry": "direct"})
    assert 201 == scene.practice.pay(scene.invoice, APPROVED).status_code
    sam.press("Continue to").sees("Paid")
    assert ["succeeded"] == scene.payments() and [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_page", SCRIPTED), indirect=True)
def test_back_after_paying(scene):
    """The browser's Back shows Converge's page, which is used up, and then ours, which says that it is paid."""
    sam = scene.begins()
    on_page(sam, APPROVED)
    sam.page.wait_for_url(f"**{scene.here}")
    for _ in range(3):
        sam.page.go_back()
        if not sam.page.url.startswith(sam.url):
            sam.page.reload()
            sam.sees("was used")
    sam.go(f"{scene.here}/pay").sees("Paid")
    assert [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_page", PLAIN), indirect=True)
def test_a_forged_return_pays_nothing(scene):
    """Somebody posts a whole approval to our return address: the page waits as before, and the books are empty."""
    sam = scene.begins()
    forged = {
        "ssl_result": "0",
        "ssl_result_message": "APPROVAL",
        "ssl_amount": "129.24",
        "ssl_txn_id": "A-1",
        "ssl_approval_code": "1",
    }
    hidden = "".join(f'<input type=hidden name={name} value="{text}">' for name, text in forged.items())
    form = f'<form method=post action="{sam.url}/returns/{scene.invoice["id"]}">{hidden}<button>Send</button></form>'
    sam.page.route("**/forged", lambda route: route.fulfill(body=form, content_type="text/html"))
    sam.page.goto("http://localhost:1/forged")
    sam.press("Send").sees("Waiting for you on the processor's page.")
    assert ["requires_action"] == scene.payments() and [] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_page", SCRIPTED), indirect=True)
def test_back_before_the_money_shows(scene):
    """Converge's list doesn't show it yet: the page waits and asks for patience, then it is paid by itself."""
    sam = scene.begins()
    scene.peer.tell("hide", look_ups=1000)
    on_page(sam, APPROVED)
    sam.sees("If you have just paid")
    scene.peer.tell("mend")
    wait_until(lambda: "paid" == scene.status(), 30, 0.5, "the payment's being found")
    sam.go(f"{scene.here}/pay").sees("Paid")
    assert [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_page", PLAIN), indirect=True)
def test_a_return_address_for_all_of_the_terminal(scene):
    """Where Converge uses the address that is set in its interface: back among the invoices, and found without the payer."""
    scene.peer.tell("returns_to", address=f"{scene.house.url}/returns")
    sam = scene.begins()
    on_page(sam, APPROVED)
    sam.page.wait_for_url("**/invoices")
    wait_until(lambda: "paid" == scene.status(), 30, 0.5, "the payment's being found")
    assert [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_fields", SCRIPTED), indirect=True)
def test_the_window_is_closed_and_opened_again(scene):
    """Closed by the payer nothing has happened; declined, opened again and paid it is paid once; it opens by itself only once."""
    sam = scene.begins("Pay $129.24")
    frame = sam.page.frame_locator('iframe[title="Converge"]')
    frame.get_by_role("button", name="Cancel").click()
    sam.page.get_by_text("The card form was closed.").wait_for()
    sam.picture()
    sam.page.reload()
    assert 0 == sam.page.locator("iframe").count()
    for number in (DECLINED, APPROVED):
        in_form(sam, number)
    sam.page.wait_for_url(f"**{scene.here}")
    sam.sees("Paid")
    assert [12924] == scene.charged()


@pytest.mark.parametrize("scene", scenes("hosted_fields", SCRIPTED), indirect=True)
def test_without_converges_script_the_link_leads_to_its_page(scene):
    """The script can't be had: the same payment goes on at Converge's own page."""
    sam = scene.sam
    sam.page.route("**/PayWithConverge.js", lambda route: route.fulfill(status=404))
    scene.begins("Pay $129.24")
    sam.follow("Open the card form")
    on_page(to_page(sam), APPROVED)
    sam.page.wait_for_url(f"**{scene.here}")
    assert [12924] == scene.charged()
