"""Buttons and forms with addresses of their own: what a refusal leads back to, and what opening such an address shows."""

import re

import pytest

from services.gateway.pages.places import STANDS_ON
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.faults import Conflict, Unanswered, Unreachable
from tests.unit.gateway.pages.browser import Browser
from tests.unit.gateway.pages.test_returning import hidden
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import PASSWORD

FINDING, DELIVERY, PROCESSOR = f"fnd_{'1' * 26}", f"dlv_{'1' * 26}", f"proc_{'1' * 26}"
SETUP = f"/billing/setup/processors/{PROCESSOR}"
CONFLICT = Conflict("not_now", "That was decided already.")
BUTTONS = [
    (Invoicing.close_finding, f"/worklist/{FINDING}/close", "/worklist"),
    (Notifications.resend_delivery, f"/deliveries/{DELIVERY}/resend", "/worklist"),
    (Processors.check_processor, f"{SETUP}/check", SETUP),
    (Processors.activate_processor, f"{SETUP}/activate", SETUP),
    (Processors.open_payments, f"{SETUP}/open", SETUP),
]


@pytest.fixture
def known(world, admin):
    """An admin in a practice that knows one object of every kind."""
    world.bus.knows(admin.practice_id, FINDING, DELIVERY, PROCESSOR)
    return admin


def invited(world) -> tuple[str, str]:
    """A client and a colleague who have not accepted yet."""
    ada = world.visitor().signs_in("ada@practice.example")
    client = ada.must("POST", "/clients", 201, json={"name": "Cleo", "email": "cleo@home.example"})["id"]
    body = {"name": "Pia", "email": "pia@practice.example", "roles": ["provider"]}
    return f"/clients/{client}", f"/colleagues/{ada.must('POST', '/colleagues', 201, json=body)['id']}"


@pytest.mark.parametrize(("call", "path", "page"), BUTTONS)
def test_a_button_that_is_refused_leads_back_to_its_page(world, known, call, path, page):
    """The page it stands on says why not, in the colours of a failure; while nobody answers, in those of waiting."""
    for fault, look in ((CONFLICT, "failed"), (Unreachable(), "waiting")):
        world.bus.script(call, fault)
        answer = known.fills(path, at="/account")
        assert (303, page) == (answer.status_code, answer.location)
        known.opens(page)
        drawn = known.page[known.page.index("<main") :]
        assert fault.detail in drawn
        assert f'class="notice {look}"' in drawn
        assert "#i-check" not in drawn[: drawn.index(fault.detail)]


def test_inviting_again_is_refused_on_the_page_and_sent_twice_mails_once(world, admin):
    """Pressed twice it is one letter; once accepted, the page says so."""
    for path, email in zip(invited(world), ("cleo@home.example", "pia@practice.example"), strict=True):
        world.link_to(email)
        before = len(world.bus.letters)
        admin.opens(path)
        form = re.search(rf'<form method="post" action="{path}/invitation">.*?</form>', admin.page, re.DOTALL)[0]
        sent = hidden("<main" + form)
        assert [303, 303] == [admin.sends(f"{path}/invitation", **sent).status_code for _ in range(2)]
        token = world.link_to(email)
        assert before + 1 == len(world.bus.letters)
        assert 303 == Browser(world).fills(f"/invitations/{token}", password="a good long passphrase").status_code
        answer = admin.fills(f"{path}/invitation", at=path)
        assert (303, path) == (answer.status_code, answer.location)
        admin.opens(path)
        assert "This invitation was accepted already" in admin.page


def test_a_password_that_is_changed_twice_with_one_form_is_changed_once(admin):
    """A double click without script ends as the first click did, not in "This is not your password"."""
    admin.opens("/account")
    form = admin.page[admin.page.index('action="/account/password"') :]
    sent = {**hidden("<main" + form), "current_password": PASSWORD, "password": "another long passphrase"}
    for _ in range(2):
        assert "/account" == admin.sends("/account/password", **sent).location
    admin.opens("/account")
    assert "Your new password is set." in admin.page


UNFOLDED = [
    ("/practice", "/practice/api-tokens/[^/]*/remove", "can&#39;t sign in any more"),
    (SETUP, f"{SETUP}/open", "could be paid a second time"),
    (SETUP, f"{SETUP}/activate", "From then on card payments go to"),
    ("/worklist", f"/worklist/{FINDING}/close", "No money moves"),
]


@pytest.mark.parametrize(("page", "action", "words"), UNFOLDED)
def test_what_a_button_will_do_is_said_before_it_can_be_pressed(world, known, page, action, words):
    """The button is below the consequence, inside what has to be opened first; that works without script."""
    world.visitor().signs_in("ada@practice.example").must("POST", "/api-tokens", 201, json={"name": "books"})
    account = {"id": PROCESSOR, "active": False, "can_open": True}
    world.bus.script(Processors.read_processor, {**sample(Processors.read_processor.gives), **account})
    finding = {**sample(Invoicing.list_work.gives)["data"][0], "kind": "finding", "id": FINDING, "status": "orphan"}
    world.bus.script(Invoicing.list_work, {"data": [finding], "next_cursor": None})
    known.opens(page)
    (around,) = re.findall(rf'<details(?:(?!</details>).)*?action="{action}".*?</details>', known.page, re.DOTALL)
    assert around.index(words) < around.index("<form")
    assert not re.search(f'action="{action}"', known.page.replace(around, ""))


def test_a_token_that_is_removed_twice_is_no_error(world, admin):
    """A double click ends on the page of the tokens."""
    made = world.visitor().signs_in("ada@practice.example").must("POST", "/api-tokens", 201, json={"name": "books"})
    for words in ("The token is removed", "There is no such token any more."):
        assert "/practice" == admin.fills(f"/practice/api-tokens/{made['id']}/remove", at="/practice").location
        admin.opens("/practice")
        assert words in admin.page


def rules(world, method: str) -> set[str]:
    return {rule.rule for rule in world.app.url_map.iter_rules() if rule.endpoint.startswith("pages.") and method in rule.methods}


def test_every_address_that_is_only_sent_to_shows_the_page_of_its_form(world, admin):
    """Opened by itself, by whoever re-enters it, it leads to a page that can be opened; none is forgotten."""
    only_sent_to = rules(world, "POST") - rules(world, "GET")
    assert only_sent_to
    for rule in world.app.url_map.iter_rules():
        if rule.rule in only_sent_to:
            answer = admin.opens(rule.build(dict.fromkeys(rule.arguments, "x_1"))[1])
            assert 303 == answer.status_code, rule.rule
            assert admin.opens(answer.location).status_code != 405, rule.rule
    views = {rule.endpoint.removeprefix("pages.") for rule in world.app.url_map.iter_rules() if rule.rule in only_sent_to}
    assert set(STANDS_ON) <= views


def test_more_of_a_list_is_on_the_lists_own_page(world, admin):
    """After a payout that was refused, "Show more" leads to the client's billing, not to the address of the payout."""
    client, _ = invited(world)
    page = {**sample(Invoicing.list_invoices.gives), "next_cursor": "later"}
    world.bus.script(Invoicing.list_invoices, page)
    world.bus.script(Invoicing.refund_credit, CONFLICT)
    assert 409 == admin.fills(f"{client}/credit-refunds", at=f"{client}/billing", amount="5").status_code
    assert f'<a href="{client}/billing?cursor=later">Show more</a>' in admin.page
    admin.opens("/billing?status=open&cursor=now")
    assert 'href="/billing?status=open&amp;cursor=later"' in admin.page


SILENCES = [(Unreachable(), "Nothing was changed."), (Unanswered(), "Whether it was done can&#39;t be told")]


@pytest.mark.parametrize(("fault", "words"), SILENCES)
def test_what_is_not_answered_leads_back_to_the_page(world, known, fault, words):
    """A form whose page can't be drawn either says whether anything was changed, and links to where it stood."""
    world.bus.script(Processors.change_processor, fault)
    world.bus.script(Processors.read_processor, fault)
    assert 503 == known.fills(f"{SETUP}/credentials", at="/account").status_code
    assert words in known.page
    assert f'href="{SETUP}"' in known.page
    assert "Load this page again" not in known.page


LOOKS = [("ready", "paid"), ("refused", "failed"), ("unchecked", "waiting")]


@pytest.mark.parametrize(("status", "look"), LOOKS)
def test_what_a_check_found_has_the_colours_of_it(world, known, status, look):
    """Refused credentials are no success with a tick; nor is an account that could not be checked."""
    found = {**sample(Processors.check_processor.gives), "status": status}
    world.bus.script(Processors.check_processor, found)
    world.bus.script(Processors.add_processor, found)
    for path in (f"{SETUP}/check", "/billing/setup/processors"):
        assert 303 == known.fills(path, at="/account", type="sandbox", description="Main").status_code
        known.opens("/account")
        assert f'class="notice {look}"' in known.page, path
        assert ('role="alert"' in known.page) == (look == "failed")
