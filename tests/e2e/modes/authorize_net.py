"""Authorize.net's stand-ins: the page that a form of ours is sent to, and the window that its script opens over our page."""

from tests.e2e.browser import Visitor
from tests.simulators.authorize_net import card_for

APPROVED, DECLINED = "4111111111111111", card_for(2)


def go_on(sam: Visitor) -> Visitor:
    """To the processor's page: with script the form that leads there is sent by itself, without it it has a button."""
    if sam.page.get_by_role("button", name="Continue to the processor's page").count():
        sam.press("Continue to the processor's page")
    sam.page.wait_for_url("**/payment/*")
    return sam.sees("Authorize.net stand-in")


def on_page(sam: Visitor, number: str) -> None:
    if "/payment/" not in sam.page.url:
        go_on(sam)
    sam.fill(cardNum=number, expiryDate="12/31", cvv="123").press("Pay")
    sam.page.wait_for_load_state("networkidle")
    if number == DECLINED:
        sam.sees("has been declined")


def in_form(sam: Visitor, number: str) -> None:
    sam.page.get_by_role("button", name="Pay $").click()
    window = sam.page.frame_locator("#AcceptUIContainer iframe")
    for name, value in (("cardNum", number), ("expiryDate", "12/31"), ("cvv", "123")):
        window.locator(f'[name="{name}"]').fill(value)
    sam.picture()
    window.get_by_role("button", name="Pay").click()
    sam.page.wait_for_load_state("networkidle")
    if number == DECLINED:
        sam.page.get_by_text("The card was declined").first.wait_for()
        sam.picture()
