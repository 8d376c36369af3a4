"""The whole journey in a real browser: with script at 1280 px on Stripe's SDK, and without script at 360 px with the sandbox."""

import re
import uuid

import pytest

from tests.e2e.browser import WAYS, Visitor, find_browser
from tests.system import Embedded

BROWSER = find_browser()
pytestmark = [pytest.mark.browser]
PASSWORD = "a long walk by the river"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture
def visit(chromium, house, request):
    """Open a window for somebody, in the way that the test is told."""
    windows, visitors = [], []

    def opened(name: str, way: str) -> Visitor:
        window = chromium.new_context(**WAYS[way])
        window.set_default_timeout(15_000)
        windows.append(window)
        visitors.append(Visitor(window.new_page(), house.url, f"{way}-{name}"))
        return visitors[-1]

    yield opened
    for window in windows:
        window.close()
    assert [] == [trouble for visitor in visitors for trouble in visitor.troubles]


def ways() -> list:
    return list(WAYS) if BROWSER else []


@pytest.mark.parametrize("way", ways())
def test_the_journey(way, visit, house, stripe_url):
    """Sign up, set up, invite, bill $120.50 plus 7.25 %, pay with 4242…, refund $20.50; forgive, void and record one each."""
    mark = uuid.uuid4().hex[:6]
    ada = visit("admin", way)
    ada.go("/sign-up").fill(
        practice_name="Riverside Therapy", name="Ada Admin", email=f"ada-{mark}@practice.example", password=PASSWORD
    ).press("Sign up")
    ada.sees("Billing")

    _add_processor(ada, way, stripe_url)
    ada.page.get_by_label("One flat rate").check()
    ada.fill(rate="7.25").press("Save sales tax")
    ada.go("/colleagues/new").fill(name="Noor Amari", email=f"noor-{mark}@practice.example").press("Send the invitation")
    ada.go("/services").follow("Edit Service").tick("Client Billing is on").tick("Noor Amari").press("Save")

    noor = _accept(visit("provider", way), house, f"noor-{mark}@practice.example")
    noor.go("/clients/new").fill(name="Sam Ortiz", email=f"sam-{mark}@people.example").press("Add the client")
    noor.go("/clients").follow("Sam Ortiz").follow("Billing").follow("Create Invoice")
    noor.fill(description="Individual session, 50 min", amount="120.50").press("Send Invoice")
    noor.sees("$129.24", "Open")
    invoice = re.sub(r"^https?://[^/]+", "", noor.page.url).split("?")[0]

    sam = _accept(visit("client", way), house, f"sam-{mark}@people.example")
    sam.go("/invoices").sees("$129.24").follow("$129.24").follow("Pay $129.24")
    sam.fill(**{"card__number": "4242 4242 4242 4242", "card__exp_month": "12", "card__exp_year": "31", "card__cvc": "123"})
    sam.press("Pay $129.24").sees("Paid", "4242")
    sam.go(f"{invoice}/receipt").sees("$129.24")
    sam.go("/alerts").sees("129.24")

    ada.go("/billing").sees("Sam Ortiz", "$129.24", "Paid").follow("$129.24").follow("Refund…")
    ada.fill(amount="20.50", reason="One session was shorter").press("Refund").sees("$20.50")
    for action, button, end in (("forgive", "Forgive $", "Forgiven"), ("void", "Void the invoice", "Void")):
        _bill(noor, "50.00")
        noor.follow(f"{action.capitalize()}…").press(button).sees(end)
    _bill(noor, "70.00")
    noor.follow("Record a payment…")
    noor.page.locator('[name="method"]').select_option("check")
    noor.press("Record the payment").sees("Paid")
    for path in (
        "/billing",
        "/billing/setup",
        "/services",
        "/clients",
        "/colleagues",
        "/worklist",
        "/practice",
        "/alerts",
        "/account",
    ):
        ada.go(path)
    ada.go(f"{invoice}/explanation").sees("$129.24")
    noor.go("/invoices")

    proof = house.ledger()
    assert 0 == proof.returncode, proof.stdout


@pytest.mark.parametrize("way", ways())
def test_mistakes_are_named_and_nothing_typed_is_lost(way, visit, house):
    """An empty or odd form comes back with a summary, the field named, and what was typed."""
    visitor = visit("mistakes", way)
    visitor.go("/sign-up").fill(practice_name="Riverside", name="Ada", email="not an address", password="short")
    visitor.press("Sign up").sees("12 characters", "name@example.com")
    assert "Riverside" == visitor.page.locator('[name="practice_name"]').input_value()
    visitor.go("/sign-in").fill(email="nobody@practice.example", password="something else").press("Sign in")
    visitor.sees("is not right")


@pytest.mark.skipif(BROWSER is None, reason="said at the end of the run")
def test_every_page_fits_a_narrow_window_and_the_keyboard_reaches_it(visit, house):
    """At 320 px no page scrolls sideways, and Tab reaches the content's first link or field with a visible focus."""
    mark = uuid.uuid4().hex[:6]
    ada = visit("narrow", "scripted-1280")
    ada.go("/sign-up").fill(practice_name="R", name="Ada", email=f"n-{mark}@practice.example", password=PASSWORD).press("Sign up")
    ada.page.set_viewport_size({"width": 320, "height": 640})
    pages = ("/billing", "/billing/setup", "/billing/setup?type=stripe", "/services", "/services/client-billing", "/clients",
             "/clients/new", "/colleagues", "/colleagues/new", "/worklist", "/practice", "/alerts", "/account")  # fmt: skip
    for path in pages:
        ada.go(path)
        assert ada.fits(), path
        ada.page.keyboard.press("Tab")
        assert "Skip to the content" == ada.page.evaluate("document.activeElement.textContent"), path


def _add_processor(ada: Visitor, way: str, stripe_url: str) -> None:
    ada.go("/billing/setup")
    kind = "stripe" if way == "scripted-1280" else "sandbox"
    ada.page.locator('[name="type"]').select_option(kind)
    ada.fill(description="Main account")
    if way == "plain-360":
        ada.press("Continue")
    if kind == "stripe":
        ada.fill(**{"credentials__secret_key": "sk_test_localserver", "credentials__api_base": stripe_url})
        ada.tick("In a form of our own")
    ada.press("Add the processor").sees("Main account", "takes new payments" if way == "scripted-1280" else "Main account")


def _accept(visitor: Visitor, house: Embedded, address: str) -> Visitor:
    visitor.go(f"/invitations/{house.token_for(address)}").fill(password=PASSWORD).press("Accept the invitation")
    if "/sign-in" in visitor.page.url:
        visitor.fill(email=address, password=PASSWORD).press("Sign in")
    return visitor


def _bill(noor: Visitor, amount: str) -> None:
    noor.go("/clients").follow("Sam Ortiz").follow("Billing").follow("Create Invoice")
    noor.fill(description="Individual session", amount=amount).press("Send Invoice").sees("Open")
