"""Authorize.net's page and window in a real browser, where payers do what they shouldn't: what our page says is true each time."""

import pytest

from tests.api import Practice, card
from tests.e2e.browser import WAYS, Visitor, find_browser
from tests.e2e.modes import authorize_net as own
from tests.faults.processors import KINDS, Peer
from tests.system import Embedded

BROWSER = find_browser()
pytestmark = [pytest.mark.browser]
KIND, SIGNATURE = KINDS["authorize_net"], "5E1F" * 32
WAITS = "Waiting for you on the processor's page"


def ways() -> list:
    return list(WAYS) if BROWSER else []


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("authorize"), time_scale="20") as made:
        yield made


class Case:
    """A practice with an account at a simulator of its own, an invoice, and its client's browser windows."""

    def __init__(self, house, peer: Peer, chromium, way: str):
        self.house, self.peer, self.way, self.chromium, self.visitors = house, peer, way, chromium, []
        self.practice = Practice(house)
        account = {**peer.account, "credentials": {**peer.account["credentials"], "signature_key": SIGNATURE}}
        self.account = self.practice.add_processor({**account, "card_entry": "hosted_page"})
        self.invoice = self.practice.invoice()
        self.pay = f"/invoices/{self.invoice['id']}/pay"
        self.window = chromium.new_context(**WAYS[way])
        self.window.set_default_timeout(20_000)

    def signs_in(self, name: str) -> Visitor:
        sam = self.tab(name)
        return sam.go("/sign-in").fill(email=self.practice.client_email, password=Practice.PASSWORD).press("Sign in")

    def tab(self, name: str) -> Visitor:
        self.visitors.append(Visitor(self.window.new_page(), self.house.url, f"{self.way}-authorize-{name}"))
        return self.visitors[-1]

    def chooses(self, card_entry: str) -> None:
        self.practice.admin.must(200, "PATCH", f"/api/v1/processors/{self.account['id']}", {"card_entry": card_entry})

    def begins(self, sam: Visitor) -> Visitor:
        """From our pay page to Authorize.net's."""
        sam.go(self.pay).press("Continue to Authorize.net")
        return own.go_on(sam)

    def taken(self) -> list[int]:
        return [row["amount"] for row in self.peer.books() if row["status"] == "approved"]

    def is_paid(self, sam: Visitor) -> None:
        """Within the look-ups' time the client's page says paid, and there was one charge."""
        for _ in range(40):
            sam.page.goto(sam.url + f"/invoices/{self.invoice['id']}")
            if "Paid" in sam.page.locator("main").inner_text():
                break
            sam.page.wait_for_timeout(500)
        sam.picture().sees("Paid")
        assert [12924] == self.taken()
        assert "paid" == self.practice.read(self.invoice)["status"]

    def close(self) -> None:
        self.window.close()
        assert [] == [trouble for visitor in self.visitors for trouble in visitor.troubles]


@pytest.fixture
def case(request, house, chromium):
    peer = Peer(KIND)
    try:
        made = Case(house, peer, chromium, request.param)
        yield made
        made.close()
    finally:
        peer.close()


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_left_and_taken_up_again(case):
    """Cancel there leads back to a page that waits; giving up is not possible yet and said so; going on pays, once."""
    sam = case.signs_in("left")
    case.begins(sam).page.get_by_role("link", name="Cancel").click()
    sam.page.wait_for_url("**/pay")
    sam.picture().sees(WAITS, "please don't pay again")
    sam.press("Cancel this payment").sees("it ends by itself", WAITS)
    own.go_on(sam)
    own.on_page(sam, own.APPROVED)
    case.is_paid(sam)


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_left_for_good(case):
    """Nobody pays: when the page's time is over we check, and in the end the invoice can be paid again; no money moved."""
    sam = case.signs_in("for-good")
    case.begins(sam)
    sam.go(case.pay).sees(WAITS)
    for _ in range(120):
        if case.practice.read(case.invoice)["payments"][0]["status"] == "unknown":
            break
        sam.page.wait_for_timeout(500)
    sam.go(case.pay).sees("We are checking with the processor", "you won't be charged twice")
    assert [] == case.taken()


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_two_tabs_and_a_changed_mind(case):
    """A card form that is open while the page was chosen and begun in another tab charges nothing; the page's payment is the one."""
    case.chooses("direct")
    sam = case.signs_in("tab-1")
    old = case.tab("tab-2")
    old.go(case.pay).fill(card__number=own.APPROVED, card__exp_month="12", card__exp_year="31", card__cvc="123")
    case.chooses("hosted_page")
    old.press("Pay $129.24").sees("another way by now")
    old.troubles.clear()  # of the answer's status the browser's console tells
    case.begins(sam)
    case.chooses("direct")
    old.go(case.pay).sees(WAITS)
    refused = case.practice.client.ask("POST", f"/api/v1/invoices/{case.invoice['id']}/payments", {"card": card(own.APPROVED)})
    assert 409 == refused.status_code and [] == case.taken()
    own.on_page(sam, own.APPROVED)
    case.is_paid(sam)


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_back_after_paying(case):
    """The browser's Back leads to a page that can't be paid on again, or to ours, which says that it is paid."""
    sam = case.signs_in("back")
    case.begins(sam)
    own.on_page(sam, own.APPROVED)
    case.is_paid(sam)
    for _ in range(4):
        sam.page.go_back(wait_until="load")
        if "/payment/" in sam.page.url and sam.page.get_by_role("button", name="Pay").count():
            sam.fill(cardNum=own.APPROVED, expiryDate="12/31", cvv="123").press("Pay").sees("expired or was used")
    sam.go(case.pay).sees("Paid")
    assert [12924] == case.taken()


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_a_forged_return(case):
    """Whatever a browser brings to our address, by whatever method: nothing is paid, and the page waits on."""
    sam = case.signs_in("forged")
    case.begins(sam)
    sam.go(f"/returns/{case.invoice['id']}?transId=60120000001&responseCode=1&status=paid").sees(WAITS)
    ours = f"{sam.url}/returns/{case.invoice['id']}"
    form = f'<form method="post" action="{ours}"><input name="x_response_code" value="1"><button>Go</button></form>'
    case.window.route("http://elsewhere.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    sam.page.goto("http://elsewhere.example/")
    sam.press("Go").sees(WAITS)
    assert (12924, []) == (case.practice.read(case.invoice)["balance_due"], case.taken())


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_back_before_the_money_is_seen(case):
    """The payer returns before the lists show the payment: the page says not to pay again, and follows along to paid."""
    sam = case.signs_in("before")
    case.begins(sam)
    case.peer.tell("hide", look_ups=3)
    own.on_page(sam, own.APPROVED)
    sam.picture()
    assert [12924] == case.taken()
    case.is_paid(sam)


@pytest.mark.parametrize("case", ways(), indirect=True)
def test_the_notification_before_the_payer(case):
    """Authorize.net's notification comes first: whoever returns finds the invoice paid."""
    hook = f"{case.house.url}/webhooks/authorize_net/{case.account['id']}"
    login = KIND.credentials["api_login_id"]
    case.peer.tell("webhook", login=login, url=hook, signature_key=SIGNATURE)
    sam = case.signs_in("notified")
    case.begins(sam)
    own.on_page(sam, own.APPROVED)
    case.is_paid(sam)


@pytest.mark.skipif(not BROWSER, reason="no browser here")
@pytest.mark.parametrize("case", ["scripted-1280"], indirect=True)
def test_the_window_that_does_not_come(case):
    """Where their script can't be loaded the page says so, and its button sends nothing; closed, the window leaves the page as it was."""
    case.chooses("hosted_fields")
    sam = case.signs_in("no-window")
    sam.go(case.pay)
    sam.page.get_by_role("button", name="Pay $").click()
    window = sam.page.frame_locator("#AcceptUIContainer iframe")
    window.get_by_role("button", name="Close").click()
    sam.page.locator("#AcceptUIContainer").wait_for(state="hidden")
    policy = sam.page.request.get(sam.url + case.pay).headers["content-security-policy"]
    assert f"frame-src {case.peer.url};" in policy + ";" and "unsafe" not in policy
    case.window.route("**/v3/AcceptUI.js", lambda route: route.abort())
    sam.go(case.pay)
    sam.page.get_by_text("could not be loaded").wait_for()
    sam.picture().page.get_by_role("button", name="Pay $").click()
    assert sam.page.url.endswith(case.pay) and [] == case.peer.books()
    sam.troubles[:] = [trouble for trouble in sam.troubles if "ERR_FAILED" not in trouble]
