"""Coming in by links and in several tabs: what is read where a link is used up, and what a form of an earlier tab leads to."""

import pytest

from tests.unit.gateway.pages.browser import Browser
from tests.unit.gateway.pages.test_returning import hidden
from tests.unit.gateway.world import PASSWORD

NEW = "another long passphrase"
TYPED = {"email": "ada@practice.example", "password": PASSWORD}


def invited(world, email: str = "pia@practice.example") -> str:
    """The path of an invitation to a colleague."""
    world.admin().must("POST", "/colleagues", 201, json={"name": "Pia", "email": email, "roles": ["provider"]})
    return f"/invitations/{world.link_to(email)}"


def words(browser: Browser) -> str:
    return browser.page[browser.page.index("<main") :]


def test_an_invitation_that_no_longer_works_says_what_to_do_and_never_why(world):
    """Accepted, too old or made up: the same page with status 404, to sign in or to ask the practice, whatever is done with it."""
    path, browser = invited(world), Browser(world)
    assert 303 == browser.fills(path, password=PASSWORD).status_code
    seen = set()
    for link in (path, "/invitations/a-token-that-nobody-made"):
        visitor = Browser(world)
        assert 404 == visitor.opens(link).status_code
        seen.add(words(visitor))
        assert 404 == visitor.sends(link, password=PASSWORD).status_code
        seen.add(words(visitor))
    (only,) = seen
    assert "If you accepted it already, sign in" in only and 'href="/sign-in"' in only
    world.later(days=8)
    late = Browser(world)
    late.opens(path)
    assert only == words(late)
    inside = Browser(world, "ada@practice.example")
    inside.opens(path)
    assert "If you accepted it already, sign in" in inside.page and ">Go to your account</a>" in inside.page


def test_a_confirmation_that_no_longer_works_draws_no_button(world):
    """The page of a used or made-up link says so before anything is pressed."""
    world.admin()
    path, browser = f"/confirmations/{world.link_to('ada@practice.example')}", Browser(world)
    assert 303 == browser.fills(path).status_code
    for link in (path, "/confirmations/made-up"):
        assert 404 == browser.opens(link).status_code
        assert "your address is confirmed" in browser.page
        assert "<form" not in words(browser)


def test_confirming_twice_with_one_form_is_no_dead_link(world):
    """A double click without script ends as the first click did."""
    world.admin()
    path, browser = f"/confirmations/{world.link_to('ada@practice.example')}", Browser(world)
    browser.opens(path)
    sent = hidden(browser.page)
    assert [303, 303] == [browser.sends(path, **sent).status_code for _ in range(2)]


def test_a_reset_that_is_sent_twice_with_one_form_is_set_once(world):
    """A double click ends as the first click did; another password under the same form sets nothing."""
    world.admin()
    browser = Browser(world)
    browser.fills("/password-resets", email="ada@practice.example")
    path = f"/password-resets/{world.link_to('ada@practice.example')}"
    browser.opens(path)
    sent = hidden(browser.page)
    assert [303, 303] == [browser.sends(path, **sent, password=NEW).status_code for _ in range(2)]
    assert 404 == browser.sends(path, **sent, password="a third long passphrase").status_code
    world.visitor().signs_in("ada@practice.example", NEW)


def test_asking_for_a_reset_twice_with_one_form_sends_one_mail(world):
    """One letter for one form."""
    world.admin()
    browser = Browser(world)
    browser.opens("/password-resets")
    sent = hidden(browser.page)
    for _ in range(2):
        assert 303 == browser.sends("/password-resets", **sent, email="ada@practice.example").status_code
    world.link_to("ada@practice.example")
    assert 1 == len([one for one in world.bus.letters if one["kind"] == "password_reset"])


def test_a_second_sign_in_tab_goes_on_to_what_it_was_for(world):
    """Signed in on one tab, the other's form leads to its page; opened again it does so at once."""
    world.admin()
    browser = Browser(world)
    browser.opens("/sign-in?next=/clients")
    browser.fills("/sign-in", **TYPED)
    answer = browser.sends("/sign-in?next=/clients", csrf_token="", **TYPED)
    assert (303, "/clients") == (answer.status_code, answer.location)
    browser.opens("/clients")
    assert "You are signed in already." in browser.page
    assert (303, "/clients") == ((answer := browser.opens("/sign-in?next=/clients")).status_code, answer.location)
    assert "/" == browser.sends("/sign-in?next=//evil.example", **TYPED).location


@pytest.mark.parametrize(("site", "kept"), [("same-origin", True), ("cross-site", False)])
def test_a_second_sign_in_tab_keeps_what_was_typed_before(world, site, kept):
    """What a form carried through the sign-in is drawn again, but only from our own page."""
    world.admin()
    browser = Browser(world, "ada@practice.example")
    carried = {"kept_at": "/clients/new", "kept-name": "Cleo Clark"}
    browser.sends("/sign-in", headers={"Sec-Fetch-Site": site}, **TYPED, **carried)
    assert kept == ("Cleo Clark" in browser.page)


def test_a_form_from_before_the_sign_in_says_so(world):
    """A token of an earlier session is not about roles: nothing was changed, and the way back is a link."""
    world.admin()
    browser = Browser(world, "ada@practice.example")
    assert 403 == browser.sends("/account/password", csrf_token="stale", password=NEW).status_code
    assert "from before you signed in or out" in browser.page
    assert "Nothing was changed" in browser.page
    assert 'href="/account"' in words(browser)
    assert "not for your role" not in browser.page


def two_places(world) -> tuple[Browser, str, str]:
    """Ada in front of the pages of her second practice, the first one's id, and the path of a client of the first."""
    ada = world.admin()
    client = ada.must("POST", "/clients", 201, json={"name": "Cleo", "email": "c@x.example"})["id"]
    other = world.admin("eve@practice.example", "Loud Room")
    other.must("POST", "/colleagues", 201, json={"name": "Ada", "email": "ada@practice.example", "roles": ["admin"]})
    path = f"/invitations/{world.link_to('ada@practice.example')}"
    browser = Browser(world, "ada@practice.example")
    browser.fills(path)
    browser.fills("/session/role", at="/account", practice_id=other.practice_id, role="admin")
    return browser, ada.practice_id, f"/clients/{client}"


def test_what_belongs_to_another_practice_of_theirs_leads_to_switching(world):
    """The page that isn't there names one's own other places, and the switch leads on to what was asked for."""
    browser, home, path = two_places(world)
    assert 404 == browser.opens(path).status_code
    assert "Switch to Admin at Quiet Room" in words(browser)
    answer = browser.sends("/session/role", **{**hidden(browser.page), "practice_id": home, "role": "admin"})
    assert (303, path) == (answer.status_code, answer.location)
    assert 200 == browser.opens(path).status_code


def test_who_has_one_place_only_is_not_told_to_switch(admin):
    """Nothing about memberships where there is no other one."""
    assert 404 == admin.opens("/clients/nobody").status_code
    assert "Switch to" not in admin.page


def test_the_token_of_a_link_is_not_drawn(world):
    """Neither as where to go on to, nor as where to go back to."""
    browser, _, _ = two_places(world)
    for kind in ("invitations", "confirmations", "password-resets"):
        browser.opens(f"/{kind}/a-token-nobody-made")
        assert "a-token-nobody-made" not in browser.page
        browser.sends(f"/{kind}/a-token-nobody-made", csrf_token="stale")
        assert "a-token-nobody-made" not in browser.page
