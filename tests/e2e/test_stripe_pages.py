"""Stripe's page and form when people do as they do: go away, come back early, press Back, use two tabs, or forge a return."""

import pytest
import requests

from tests.api import Practice
from tests.e2e.browser import WAYS, Visitor
from tests.e2e.modes import stripe
from tests.e2e.test_browser_modes import BROWSER, house  # noqa: F401
from tests.faults.processors import KINDS, Peer
from tests.system import wait_until

pytestmark = [pytest.mark.browser]
ways = pytest.mark.parametrize("way", list(WAYS) if BROWSER else [])
scripted = pytest.mark.parametrize("way", ["scripted-1280"] if BROWSER else [])
SECRET = "whsec_0123456789abcdef"


class Story:
    """A practice on Stripe that takes cards in one way, with an open invoice and its client at the pay page."""

    def __init__(self, house, visit, way: str, mode: str):  # noqa: F811
        self.peer, self.practice, self.visit, self.way, self.house = Peer(KINDS["stripe"]), Practice(house), visit, way, house
        account = self.peer.account
        account["credentials"] = {**account["credentials"], "webhook_secret": SECRET}
        self.processor = self.practice.add_processor({**account, "card_entry": mode})
        self.invoice = self.practice.invoice()
        self.page, self.pay = f"/invoices/{self.invoice['id']}", f"/invoices/{self.invoice['id']}/pay"
        self.sam = self.opened("sam")

    def opened(self, name: str) -> Visitor:
        return self.visit(f"stripe-{name}", self.way, self.practice.client_email).go(self.pay)

    def takes(self, mode: str) -> None:
        self.practice.admin.must(200, "PATCH", f"/api/v1/processors/{self.processor['id']}", {"card_entry": mode})

    def leaves(self) -> Visitor:
        """On to Stripe's page."""
        return self.sam.press("Continue to Stripe")

    def taken(self) -> list[int]:
        return [row["amount"] for row in self.peer.books() if row["status"] == "approved"]

    def is_paid_once(self, sam: Visitor | None = None) -> None:
        """The truth on the page, in the books, and in the ledger."""
        (sam or self.sam).go(self.pay).sees("Paid", "$129.24")
        assert [12924] == self.taken()
        assert "paid" == self.practice.read(self.invoice)["status"]
        proof = self.house.ledger()
        assert 0 == proof.returncode, proof.stdout


@pytest.fixture
def story(house, visit):  # noqa: F811
    made: list[Story] = []

    def begin(way: str, mode: str = "hosted_page") -> Story:
        made.append(Story(house, visit, way, mode))
        return made[-1]

    yield begin
    for one in made:
        one.peer.close()


# going away and coming back


@ways
def test_the_page_is_left_and_gone_on_with(story, way):
    """Back without paying: the page says where it waits, leads there again, and the second time it is paid."""
    told = story(way)
    told.leaves().page.get_by_role("link", name="Cancel and go back").click()
    told.sam.page.wait_for_url("**/pay")
    told.sam.picture().sees("Waiting for you on the processor's page", "you won't be charged twice")
    assert told.sam.fits()
    assert [] == told.taken()
    told.sam.follow("Continue to the processor's page")
    stripe.on_page(told.sam, stripe.APPROVED)
    told.is_paid_once()


@ways
def test_the_payment_is_given_up(story, way):
    """Canceled on our page: Stripe's page is closed, nothing moved, and the invoice can be paid anew."""
    told = story(way)
    left = told.leaves().page.url
    told.sam.go(told.pay).press("Cancel this payment").sees("The payment is canceled. No money moved.", "Continue to Stripe")
    assert told.sam.fits()
    told.sam.page.goto(left)
    told.sam.sees("This page has expired")
    told.sam.go(told.pay)
    told.leaves()
    stripe.on_page(told.sam, stripe.APPROVED)
    told.is_paid_once()


@ways
def test_back_after_paying(story, way):
    """The browser's Back leads to no second payment, from wherever it is pressed."""
    told = story(way)
    told.leaves()
    stripe.on_page(told.sam, stripe.APPROVED)
    told.sam.sees("Paid")
    for _ in range(2):
        told.sam.page.go_back()
        told.sam.page.wait_for_load_state()
        if told.sam.page.get_by_role("button", name="Continue to Stripe").count():
            told.sam.press("Continue to Stripe").sees("Paid")
    told.is_paid_once()


@scripted
def test_back_after_paying_in_the_form(story, way):
    """The form that Back shows again has no token any more; typed again, nothing is taken twice."""
    told = story(way, "hosted_fields")
    stripe.in_form(told.sam, stripe.APPROVED)
    told.sam.page.go_back()
    told.sam.page.wait_for_load_state()
    if told.sam.page.locator("#card-fields iframe").count():
        stripe.in_form(told.sam, stripe.APPROVED)
    told.is_paid_once()


# two tabs


@ways
def test_two_tabs_and_another_way_meanwhile(story, way):
    """One tab is at Stripe's page, the other was drawn before; then the admin switches: at most one of them can pay."""
    told = story(way)
    other = told.opened("other-tab")
    told.leaves()
    told.takes("direct")
    other.press("Continue to Stripe").sees("Waiting for you on the processor's page")
    stripe.on_page(told.sam, stripe.APPROVED)
    told.is_paid_once(other)


@ways
def test_a_stale_page_after_a_payment_by_another_way(story, way):
    """The old tab still leads to Stripe; the new one pays by a typed card first: the old one is told that it is paid."""
    told = story(way)
    told.takes("direct")
    other = told.opened("other-tab")
    other.fill(card__number=stripe.APPROVED, card__exp_month="12", card__exp_year="31", card__cvc="123").press("Pay $129.24")
    other.sees("Paid")
    told.leaves().sees("Paid")
    told.is_paid_once()


@ways
def test_a_card_typed_into_an_old_page_is_not_taken(story, way):
    """Drawn while cards were typed here, sent when the admin had switched: refused in words, and paid at Stripe instead."""
    told = story(way, "direct")
    told.takes("hosted_page")
    card = {"card__number": stripe.APPROVED, "card__exp_month": "12", "card__exp_year": "31", "card__cvc": "123"}
    told.sam.fill(**card).press("Pay $129.24").sees("takes cards another way by now")
    told.sam.troubles.clear()  # the browser's own word on a form that came back as not taken
    assert [] == told.taken()
    told.sam.go(told.pay)
    told.leaves()
    stripe.on_page(told.sam, stripe.APPROVED)
    told.is_paid_once()


# what a browser brings back, and what Stripe tells


@ways
def test_a_forged_return_is_not_believed(story, way):
    """Whatever it carries, by GET or POST: the payment waits as before, and nothing is taken."""
    told = story(way)
    told.leaves()
    forged = "redirect_status=succeeded&payment_intent=pi_1&session_id=cs_test_1&status=paid"
    told.sam.go(f"/returns/{told.invoice['id']}?{forged}").sees("Waiting for you on the processor's page")
    answer = requests.post(f"{told.house.url}/returns/{told.invoice['id']}", data=forged, timeout=10, allow_redirects=False)
    assert (303, f"/invoices/{told.invoice['id']}/pay/return") == (answer.status_code, answer.headers["Location"])
    assert ([], "processing") == (told.taken(), told.practice.read(told.invoice)["status"])


@ways
def test_back_before_the_money_shows(story, way):
    """Stripe's answers lag: the page asks for patience, refuses nothing and starts nothing, and then says that it is paid."""
    told = story(way)
    told.leaves()
    told.peer.tell("hide", look_ups=1000)
    told.sam.fill(number=stripe.APPROVED, expiry="12/31", cvc="123").page.get_by_role("button", name="Pay").click()
    told.sam.page.wait_for_url("**/invoices/**")
    told.sam.picture().sees("If you have just paid, this page follows along")
    told.peer.tell("mend")
    wait_until(lambda: "paid" == told.practice.read(told.invoice)["status"], 20)
    told.sam.arrives(told.page)  # without anybody pressing anything
    told.is_paid_once()


@ways
@pytest.mark.parametrize("first", ["delivery", "browser"])
def test_stripes_word_and_the_browser_in_any_order(story, way, first):
    """The delivery before the payer is back, or long after: paid once, and told once."""
    told = story(way)
    path = told.practice.admin.must(200, "GET", f"/api/v1/processors/{told.processor['id']}")["webhook_path"]
    told.peer.tell("webhook", url=told.house.url + path, secret=SECRET, hold=first == "browser")
    address = told.leaves().page.url
    if first == "delivery":  # paid from elsewhere, and the payer comes back only later
        requests.post(address, data={"number": stripe.APPROVED, "expiry": "12/31", "cvc": "123"}, timeout=10, allow_redirects=False)
        wait_until(lambda: "paid" == told.practice.read(told.invoice)["status"], 20)
        told.sam.page.reload()
        told.sam.page.wait_for_url("**/invoices/**")
    else:
        stripe.on_page(told.sam, stripe.APPROVED)
        told.sam.sees("Paid")
        assert {200} == set(told.peer.tell("deliver", times=2))
    told.is_paid_once()
    received = [line for line in told.practice.client.must(200, "GET", "/api/v1/alerts")["data"] if "129.24" in str(line)]
    assert received


# the payer's bank, in a window over our page


@scripted
@pytest.mark.parametrize("mode", ["hosted_fields", "direct"])
@pytest.mark.parametrize("approve", [True, False])
def test_the_bank_asks_in_a_window(story, way, mode, approve):
    """3-D Secure by Stripe's script: approved it is paid; refused, the page says so, and another card pays."""
    told = story(way, mode)
    _pays(told, stripe.ASKS)
    bank = told.sam.page.frame_locator('iframe[src*="3d_secure"]')
    bank.get_by_text("Your bank asks").wait_for()
    told.sam.picture()
    assert [] == told.taken()
    bank.get_by_role("button", name="Approve" if approve else "Refuse").click()
    if not approve:
        told.sam.page.get_by_text("The last try did not go through").wait_for()
        told.sam.sees("Your bank needs you to confirm the payment, and that did not happen")
        _pays(told, stripe.APPROVED)
    told.sam.page.get_by_text("Paid").first.wait_for()
    told.is_paid_once()


@scripted
def test_the_banks_window_opens_by_itself_once(story, way):
    """Loaded again while the bank waits, the page offers the window instead of opening it; it pays as before."""
    told = story(way, "direct")
    _pays(told, stripe.ASKS)
    told.sam.page.frame_locator('iframe[src*="3d_secure"]').get_by_text("Your bank asks").wait_for()
    told.sam.go(told.pay)
    told.sam.press("Open the bank's window")
    told.sam.page.frame_locator('iframe[src*="3d_secure"]').get_by_role("button", name="Approve").click()
    told.sam.page.get_by_text("Paid").first.wait_for()
    told.is_paid_once()


@pytest.mark.parametrize("way", ["plain-360"] if BROWSER else [])
def test_without_script_the_bank_can_not_ask(story, way):
    """In a form of our own, without script: said in words, given up without a charge, and another card pays."""
    told = story(way, "direct")
    _pays(told, stripe.ASKS)
    told.sam.sees("That needs script", "Nothing was charged")
    assert told.sam.fits()
    told.sam.press("Cancel this payment").sees("No money moved")
    _pays(told, stripe.APPROVED)
    told.is_paid_once()


@scripted
def test_a_form_that_does_not_load_says_so(story, way):
    """Stripe's script is out of reach: words instead of an empty form, and no button that does nothing."""
    told = story(way, "hosted_fields")
    told.sam.page.route("**/stripe.js", lambda route: route.abort() if "/static/" not in route.request.url else route.continue_())
    told.sam.go(told.pay).sees("did not load", "Nothing was charged")
    assert 0 == told.sam.page.get_by_role("button", name="Pay $129.24").count()
    told.sam.troubles.clear()  # the browser's own complaint about what we cut off


@scripted
def test_a_card_that_is_none_is_told_once(story, way):
    """What is missing stands in Stripe's form, what its check says beside it: before anything is sent to us."""
    told = story(way, "hosted_fields")
    told.sam.page.get_by_role("button", name="Pay $129.24").click()
    told.sam.page.frame_locator("#card-fields iframe").get_by_text("incomplete").wait_for()
    assert told.sam.page.locator("#card-problem").is_hidden()
    stripe.typed_in_form(told.sam, "4242424242424241")
    told.sam.page.locator("#card-problem").get_by_text("incorrect").wait_for()
    assert told.sam.picture().fits()
    stripe.in_form(told.sam, stripe.APPROVED)
    told.is_paid_once()


def _pays(told: Story, number: str) -> None:
    if told.sam.page.locator("#card-fields").count():
        stripe.typed_in_form(told.sam, number)
    else:
        told.sam.fill(card__number=number, card__exp_month="12", card__exp_year="31", card__cvc="123").press("Pay $129.24")
