"""Stripe's stand-ins: the page with its own address, and the form in a frame of our pay page."""

from tests.e2e.browser import Visitor

DECLINED, APPROVED = "4000000000009995", "4242424242424242"
ASKS = "4000002500003155"


def on_page(sam: Visitor, number: str) -> None:
    """On Stripe's page: the card, and Pay."""
    assert "/c/pay/cs_" in sam.page.url
    sam.fill(number=number, expiry="12 / 31", cvc="123").picture()
    sam.page.get_by_role("button", name="Pay").click()
    if number == DECLINED:
        sam.page.get_by_role("alert").wait_for()
        sam.sees("insufficient funds")
    else:
        sam.page.wait_for_url("**/invoices/**")


def in_form(sam: Visitor, number: str) -> None:
    """In the form that Stripe's script draws on the pay page."""
    typed_in_form(sam, number)
    if number == DECLINED:
        sam.page.get_by_text("not enough funds").first.wait_for()
        sam.picture()
    else:
        sam.page.wait_for_url(lambda url: not url.split("#")[0].endswith("/pay"))


def typed_in_form(sam: Visitor, number: str) -> None:
    """The card in the form's frame, and our button; how it ends is still to come."""
    form = sam.page.frame_locator("#card-fields iframe")
    for name, value in (("number", number), ("expiry", "12 / 31"), ("cvc", "123")):
        form.locator(f'[name="{name}"]').fill(value)
    sam.picture()
    sam.page.get_by_role("button", name="Pay $129.24").click()
