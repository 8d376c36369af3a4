"""Cards on file over HTTP and in the browser, from consent to the charge by staff and off again."""

import pytest
from playwright.sync_api import sync_playwright

from tests.api import Practice, card
from tests.e2e.browser import ARGUMENTS, WAYS, Visitor, find_browser
from tests.system import Embedded

BROWSER = find_browser()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("cards")) as made:
        yield made


def test_a_card_on_file_over_http(house):
    """Kept with consent only, once per key; paid with by its owner, charged by staff with a reason; another client sees nothing."""
    practice = Practice(house)
    me, staff = practice.client, practice.provider
    refused = me.must(422, "POST", "/api/v1/cards", {"card": card(), "consent": False})
    assert ["consent"] == [error["field"] for error in refused["errors"]]
    saved = me.must(201, "POST", "/api/v1/cards", {"card": card(), "consent": True}, key="one")
    assert saved == me.must(201, "POST", "/api/v1/cards", {"card": card(), "consent": True}, key="one")
    assert ("4242", True, True) == (saved["last4"], saved["default"], saved["usable"]) and "keep this card on file" in saved[
        "consent"
    ]["text"]
    assert [saved["id"]] == [one["id"] for one in me.must(200, "GET", "/api/v1/cards")["data"]]

    own, theirs = practice.invoice(), practice.invoice()
    assert (
        "succeeded" == me.must(201, "POST", f"/api/v1/invoices/{own['id']}/payments", {"payment_method_id": saved["id"]})["status"]
    )
    path = f"/api/v1/invoices/{theirs['id']}/payments"
    assert 403 == staff.ask("POST", path, {"card": card()}).status_code
    no_card = staff.must(422, "POST", path, {"reason": "Missed the session"})
    assert ["payment_method_id"] == [error["field"] for error in no_card["errors"]]
    charged = staff.must(201, "POST", path, {"payment_method_id": saved["id"], "reason": "Missed the session"}, key="two")
    again = staff.ask("POST", path, {"payment_method_id": saved["id"], "reason": "Missed the session"}, key="two")
    assert (charged, "true") == (again.json(), again.headers["Idempotent-Replayed"])
    assert "paid" == practice.read(theirs)["status"]

    client_id = practice.client_id
    assert [saved["id"]] == [one["id"] for one in staff.must(200, "GET", f"/api/v1/clients/{client_id}/cards")["data"]]
    stranger = Practice(house)
    stranger.client.must(404, "DELETE", f"/api/v1/cards/{saved['id']}")
    stranger.provider.must(404, "GET", f"/api/v1/clients/{client_id}/cards")
    me.must(204, "DELETE", f"/api/v1/cards/{saved['id']}")
    assert [] == me.must(200, "GET", "/api/v1/cards")["data"]
    third = practice.invoice()
    gone = me.must(409, "POST", f"/api/v1/invoices/{third['id']}/payments", {"payment_method_id": saved["id"]})
    assert "not on file" in gone["detail"]
    assert 0 == house.ledger().returncode


def test_a_card_kept_while_paying_over_http(house):
    """One charge and one card, once per key; a practice's books balance; the second card of the same number takes the first one's place."""
    practice = Practice(house)
    me, own = practice.client, practice.invoice()
    path = f"/api/v1/invoices/{own['id']}/payments"
    paid = me.must(201, "POST", path, {"card": card(), "keep_card": True}, key="one")
    assert paid == me.must(201, "POST", path, {"card": card(), "keep_card": True}, key="one")
    assert ("succeeded", [paid["kept_card"]["id"]]) == (
        paid["status"],
        [one["id"] for one in me.must(200, "GET", "/api/v1/cards")["data"]],
    )
    me.must(409, "POST", path, {"card": card(), "keep_card": True}, key="two")
    assert 1 == len(practice.read(own)["payments"])
    declined = practice.invoice()
    me.must(402, "POST", f"/api/v1/invoices/{declined['id']}/payments", {"card": card("4000000000000002"), "keep_card": True})
    again = me.must(201, "POST", f"/api/v1/invoices/{declined['id']}/payments", {"card": card(), "keep_card": True})
    assert [again["kept_card"]["id"]] == [one["id"] for one in me.must(200, "GET", "/api/v1/cards")["data"]]
    assert 0 == house.ledger().returncode


@pytest.mark.browser
@pytest.mark.parametrize("way", WAYS if BROWSER else [])
def test_a_card_on_file_in_the_browser(house, way):
    """The client keeps a card, sees what was agreed, pays with it in one press; staff charge it with a reason; the client takes it off.

    Paying the next time with a typed card, the client keeps that in the same step.
    """
    practice = Practice(house)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        sam, pat = (
            _visitor(browser, way, house, *who) for who in (("client", practice.client_email), ("staff", practice.admin_email))
        )
        sam.go("/cards").sees("None yet").fill(
            card__number="4242 4242 4242 4242", card__exp_month="12", card__exp_year="31", card__cvc="123"
        )
        sam.press("Keep this card").sees("only if you allow it")
        sam.fill(card__number="4242 4242 4242 4242", card__exp_month="12", card__exp_year="31", card__cvc="123")
        sam.page.locator('[name="consent"]').check()
        sam.press("Keep this card").sees("Visa ending 4242 is on file", "offered first", "expires 12/2031")
        own, theirs = practice.invoice(), practice.invoice()
        sam.go(f"/invoices/{own['id']}/pay").press("Pay $129.24 with Visa ending 4242").sees("Thank you", "Paid")
        pat.go(f"/invoices/{theirs['id']}").follow("Charge card on file").fill(reason="Missed the session")
        pat.press("Charge $129.24").sees("is charged", "Missed the session")
        sam.go(f"/invoices/{theirs['id']}").sees("Paid", "Missed the session")
        pat.go(f"/clients/{practice.client_id}/billing").sees("Visa ending 4242")
        sam.go("/cards").follow("Take off file").press("Take it off file").sees("off file", "None yet")
        pat.go(f"/clients/{practice.client_id}/billing")
        assert "Visa ending 4242" not in pat.page.locator("body").inner_text()
        third = practice.invoice()
        sam.go(f"/invoices/{third['id']}/pay").sees("I allow", "to keep this card on file").tick(
            "Keep this card for later invoices"
        )
        assert sam.fits()
        sam.fill(card__number="4242 4242 4242 4242", card__exp_month="12", card__exp_year="31", card__cvc="123")
        sam.press("Pay $129.24").sees("Thank you", "Your card is on file")
        sam.go("/cards").sees("Visa ending 4242", "offered first")
        assert sam.fits() and pat.fits() and [] == sam.troubles + pat.troubles
        browser.close()


def _visitor(browser, way: str, house, name: str, email: str) -> Visitor:
    window = browser.new_context(**WAYS[way])
    window.set_default_timeout(20_000)
    visitor = Visitor(window.new_page(), house.url, f"{way}-cards-{name}")
    visitor.go("/sign-in").fill(email=email, password=Practice.PASSWORD).press("Sign in")
    return visitor
