"""The pay page in each way of card entry: its words and buttons, what its security policy lets in, and the way back to it."""

import re

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from tests.unit.gateway.pages.browser import Browser, invoice
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import World

AT = "https://pay.example"
WINDOW = {"kind": "converge_lightbox", "script": f"{AT}/window.js", "token": "t+/="}
SOURCES = {"script-src": [AT], "frame-src": [AT]}
OPENED = {"type": "redirect", "page": True, "url": f"{AT}/page?t=1"}


def _entry(world, **more) -> None:
    entry = {"available": True, "processor_id": "pcr_1", "type": "elavon", "title": "Elavon", "form": None, "page": True}
    world.bus.script(Processors.read_card_entry, {**entry, "sources": {}, "test_cards": None, **more})


def _waits(browser, action: dict) -> str:
    payment = {**sample(Invoicing.read_payment.gives), "status": "requires_action", "failure": None, "next_action": action}
    return invoice(browser.world, browser, payments=[payment], allowed_actions=[])


def _policy(answer) -> dict[str, list[str]]:
    parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in parts}


def test_the_form_on_our_page_may_lead_to_the_processors(client):
    """On the processor's page: the button says so, and only the form's target is let in."""
    _entry(client.world, card_entry="hosted_page", sources={"form-action": [f"{AT}/"]})
    answer = client.opens(f"/invoices/{invoice(client.world, client)}/pay")
    assert "Continue to Elavon to pay" in client.page and "card-number" not in client.page
    assert ["'self'", AT] == _policy(answer)["form-action"]
    assert "frame-src" not in _policy(answer) and AT not in _policy(answer)["script-src"]


def test_payments_that_are_closed_after_a_restore_say_so(client):
    """Nobody is asked to pay again, and no form is drawn."""
    _entry(client.world, available=False, closed=True)
    client.opens(f"/invoices/{invoice(client.world, client)}/pay")
    assert "If you paid this invoice already" in client.page
    assert "card-number" not in client.page and "Continue to" not in client.page


def test_a_form_that_is_a_window_has_a_button_for_either_browser(client):
    """With script the window is named, without script the processor's page; nothing from elsewhere is let in yet."""
    _entry(client.world, card_entry="hosted_fields")
    answer = client.opens(f"/invoices/{invoice(client.world, client)}/pay")
    assert re.search(r'with-script"><button[^>]*>Pay ', client.page)
    assert re.search(r'without-script"><button[^>]*>Continue to Elavon to pay ', client.page)
    assert AT not in answer.headers["Content-Security-Policy"]


def test_the_page_that_waits_with_a_window_lets_in_what_that_needs(client):
    """Its scripts, its sources and no others; the processor is told the site it is opened from, never the page."""
    answer = client.opens(f"/invoices/{_waits(client, {**OPENED, 'window': WINDOW, 'sources': SOURCES})}/pay")
    assert [AT] == _policy(answer)["frame-src"] and AT in _policy(answer)["script-src"]
    assert ["'self'"] == _policy(answer)["form-action"] == _policy(answer)["connect-src"]
    assert '<meta name="referrer" content="strict-origin">' in client.page
    assert f'src="{AT}/window.js"' in client.page and "cards/converge_lightbox.js" in client.page
    assert f'href="{AT}/page?t=1"' in client.page


def test_the_page_that_waits_without_a_window_lets_nothing_in(client):
    """A link is all it needs, and no referrer goes along."""
    answer = client.opens(f"/invoices/{_waits(client, OPENED)}/pay")
    assert f'href="{AT}/page?t=1"' in client.page
    assert AT not in answer.headers["Content-Security-Policy"] and "strict-origin" not in client.page


@pytest.mark.parametrize("signed_in", [True, False])
def test_whatever_a_browser_brings_back_is_neither_read_nor_kept(client, signed_in):
    """A POST from the processor's site carries no session and no token: on to the page of ours that asks, and nothing of it."""
    browser = client if signed_in else Browser(client.world)
    brought = {"ssl_result": "0", "ssl_amount": "129.24", "ssl_card_number": "41**********9990"}
    elsewhere = {"Origin": "https://api.convergepay.com", "Sec-Fetch-Site": "cross-site"}
    for path, on in (("/returns/inv_1", "/invoices/inv_1/pay/return"), ("/returns", "/invoices")):
        answer = browser.sends(path, headers=elsewhere, **brought)
        assert (303, on) == (answer.status_code, answer.location)
        assert "9990" not in browser.page


@pytest.mark.parametrize(
    ("public_url", "back"),
    [
        ("https://billing.example", "https://billing.example/returns/"),  # TLS ended at a proxy that doesn't say so
        ("http://localhost:8000", "http://localhost:9000/returns/"),  # on this machine, at whatever port it is served
    ],
)
def test_the_payer_comes_back_to_the_address_that_people_know(tmp_path, public_url, back):
    """Behind TLS the processor is given the public address, which it takes; on this machine the one that the browser is at."""
    world = World(tmp_path, public_url=public_url)
    staff = world.admin()
    world.client(staff)
    browser = Browser(world, "cleo@home.example")
    browser.practice_id = staff.practice_id
    _entry(world, card_entry="hosted_page")
    world.bus.script(Invoicing.pay_invoice, {**sample(Invoicing.pay_invoice.gives), "status": "pending", "next_action": None})
    path = f"/invoices/{invoice(world, browser)}/pay"
    browser.opens(path)
    hidden = {name: re.search(f'name="{name}" value="([^"]*)"', browser.page)[1] for name in ("csrf_token", "idempotency_key")}
    answer = browser.sends(path, headers={"Host": "localhost:9000"}, **hidden, hosted="true")
    assert 303 == answer.status_code
    (order,) = world.bus.made(Invoicing.pay_invoice)
    assert order.return_url.startswith(back)
    world.close()
