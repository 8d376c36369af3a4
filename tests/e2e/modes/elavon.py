"""Converge's page and its Lightbox, as the simulator's stand-ins have them."""

from contextlib import suppress

from playwright.sync_api import Error, FrameLocator, Page

from tests.e2e.browser import Visitor
from tests.simulators.elavon_wire import REFUSALS, VISA

DECLINED = next(number for number, ending in REFUSALS.items() if ending.issuer == "51")
APPROVED = VISA


def to_page(sam: Visitor) -> Visitor:
    """From our page that waits to Converge's; a browser without script is not led on by itself where a window could open."""
    if sam.page.url.startswith(sam.url):
        sam.follow("Continue to the processor's page")
    return sam.sees("Converge", "To pay: 129.24")


def on_page(sam: Visitor, number: str) -> None:
    to_page(sam)
    _type(sam.page, number)
    sam.press("Pay")
    if number == DECLINED:
        sam.sees("Declined: DECLINED: NSF")
    elif not sam.page.url.startswith(sam.url):
        come_back(sam)


def come_back(sam: Visitor) -> None:
    """By the button; where there is script the page has sent itself, perhaps just now."""
    with suppress(Error):  # gone while we looked for it
        sam.page.get_by_role("button", name="Return to the merchant").click(timeout=2000)
    sam.page.wait_for_url(f"{sam.url}/**")
    sam.picture()


def in_form(sam: Visitor, number: str) -> None:
    """The Lightbox opens by itself when the payment begins; after a decline it is opened again."""
    if sam.page.get_by_role("button", name="Pay $129.24").count():
        sam.press("Pay $129.24")
    else:
        sam.page.get_by_role("link", name="Open the card form").click()
    frame = sam.page.frame_locator('iframe[title="Converge"]')
    frame.get_by_text("To pay: 129.24").wait_for()
    sam.picture()
    _type(frame, number)
    frame.get_by_role("button", name="Pay").click()
    if number == DECLINED:
        sam.page.get_by_text("The card was declined.").wait_for()
        sam.picture()


def _type(page: Page | FrameLocator, number: str) -> None:
    for name, text in (("number", number), ("expires", "1231"), ("cvc", "123")):
        page.locator(f'[name="{name}"]').fill(text)
