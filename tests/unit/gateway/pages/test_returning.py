"""Sessions that end while a form is open: nothing is sent, nothing typed is lost, and no secret is carried along."""

import html
import re

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from tests.unit.gateway.pages.browser import Browser
from tests.unit.gateway.world import PASSWORD

TYPED = {"description": 'Session "B" & more', "amount": "80", "discount-percent": "5"}


@pytest.fixture
def path(admin) -> str:
    """The form of a new invoice, in front of an admin."""
    staff = admin.world.visitor().signs_in("ada@practice.example")
    return f"/clients/{staff.must('POST', '/clients', 201, json={'name': 'Cleo', 'email': 'c@x.example'})['id']}/billing/create"


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the (first) form in the page's content."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page[page.index("<main") :])
    return {html.unescape(name): html.unescape(value) for name, value in found}


def sent_too_late(browser: Browser, path: str, **typed: str) -> Browser:
    """Types into the form at `path`, waits until the session is over, sends it."""
    browser.opens(path)
    token = hidden(browser.page)["csrf_token"]
    browser.world.later(minutes=31)
    assert 401 == browser.sends(path, csrf_token=token, idempotency_key="k", **typed).status_code
    return browser


def test_what_was_typed_outlives_the_session(admin, path):
    """A form sent after the session ended asks to sign in, then draws itself with what was typed; nothing is made by it."""
    sent_too_late(admin, path, **TYPED, send="true")
    assert "What you typed is kept" in admin.page
    assert f'action="/sign-in?next={path}"' in admin.page
    admin.sends("/sign-in", email="ada@practice.example", password=PASSWORD, **hidden(admin.page))
    assert f'action="{path}"' in admin.page
    drawn = admin.sends(path, **hidden(admin.page))
    assert 200 == drawn.status_code
    assert 'value="Session &#34;B&#34; &amp; more"' in admin.page
    assert 'value="80"' in admin.page
    assert not admin.world.bus.made(Invoicing.create_invoice)


def test_a_wrong_password_in_between_loses_nothing(admin, path):
    """Mistyping the password keeps carrying what was typed before."""
    sent_too_late(admin, path, **TYPED)
    before = hidden(admin.page)
    answer = admin.sends("/sign-in", email="ada@practice.example", password="not the password at all", **before)
    assert 401 == answer.status_code
    kept = {name: value for name, value in before.items() if name.startswith("kept")}
    assert kept.items() <= hidden(admin.page).items()
    assert "Session" in kept["kept-description"]


def test_no_secret_is_carried_through_the_sign_in(admin):
    """Credentials, passwords and cards are not in the sign-in page that follows; the rest is."""
    secrets = {"credentials-secret_key": "sk_canary", "card-number": "4242canary", "password": "pw_canary"}
    admin.opens("/billing/setup")
    token = hidden(admin.page)["csrf_token"]
    admin.world.later(minutes=31)
    admin.sends("/billing/setup/processors", csrf_token=token, type="stripe", description="Main account", **secrets)
    assert "Main account" in admin.page
    assert "canary" not in admin.page
    assert token not in admin.page
    assert not admin.world.bus.made(Processors.add_processor)


def test_a_button_pressed_too_late_is_not_pressed_by_signing_in(admin):
    """A form that is one button leads back to the page it stood on, and is not done on the way."""
    admin.world.later(minutes=31)
    stands = {"headers": {"Referer": "http://localhost/worklist"}, "from_page": "/worklist"}
    answer = admin.sends("/payments/pay_0000000000000000000000000a/check", **stands)
    assert 401 == answer.status_code
    assert 'action="/sign-in?next=/worklist"' in admin.page
    assert "kept_at" not in admin.page
    assert not admin.world.bus.made(Invoicing.check_payment)


def test_another_site_named_by_the_browser_is_not_gone_back_to(admin):
    """Only a page of ours is gone back to."""
    admin.world.later(minutes=31)
    assert 401 == admin.sends("/deliveries/dlv_x/resend", headers={"Referer": "https://evil.example/worklist"}).status_code
    assert "next=" not in admin.page
    assert "evil" not in admin.page


@pytest.mark.parametrize(("site", "offered"), [("same-origin", True), ("cross-site", False)])
def test_a_form_of_an_earlier_session_can_be_drawn_again(admin, path, site, offered):
    """A stale CSRF token from our own page offers the form with what was typed; from elsewhere it offers nothing."""
    answer = admin.sends(path, headers={"Sec-Fetch-Site": site}, csrf_token="stale", **TYPED)
    assert 403 == answer.status_code
    assert offered == ("Session" in admin.page)
    assert not admin.world.bus.made(Invoicing.create_invoice)
    if offered:
        assert 200 == admin.sends(path, **hidden(admin.page)).status_code
        assert 'value="80"' in admin.page


def test_what_a_processors_page_sends_back_is_not_drawn(world):
    """A payer who comes back by POST is led on at once: nobody signs in for it, and nothing of what it brought is in the answer."""
    for path in ("/returns", "/returns/inv_1"):
        answer = world.app.test_client().post(path, data={"ssl_result": "canary", "name": "canary"})
        assert 303 == answer.status_code
        assert b"canary" not in answer.data + str(answer.headers).encode()
