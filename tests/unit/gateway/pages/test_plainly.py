"""What is said beside a field: in people's words, at something that is drawn, and for a field that was emptied too."""

import re

import pytest
from werkzeug.datastructures import MultiDict

from services.gateway.pages.forms import SENT_BEFORE, Form, decimal, needed, needed_whole, one, percent, several
from services.gateway.pages.plainly import plainly
from services.gateway.people.words import ColleagueChange, NewCreditRefund
from shared.contract import read
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Invalid
from shared.fields import Number
from tests.unit.gateway.pages.browser import Browser
from tests.unit.gateway.scripted import sample


def filled(**typed) -> Form:
    return Form(MultiDict({name.replace("__", "-"): value for name, value in typed.items()}))


TYPED = [("10", "10"), ("10%", "10"), (" 7.5 % ", "7.5"), (".5", "0.5"), ("100", "100")]


@pytest.mark.parametrize(("typed", "told"), TYPED)
def test_a_percentage_is_typed_as_people_write_it(typed, told):
    """With its sign or without, it is the API's decimal."""
    assert {"discount": {"percent": told}} == filled(discount__percent=typed).body(discount=one(percent=percent))


@pytest.mark.parametrize("typed", ["1,5", "10%", "x", "1.2.3", "1e3", "-1", "%"])
def test_what_is_no_number_is_named_in_words(typed):
    """What to type is said by an example, without anything of the API's; nothing is guessed."""
    with pytest.raises(Invalid) as refused:
        filled(lines__0__quantity=typed).body(**{"lines-0-quantity": decimal})
    assert [{"field": "lines.0.quantity", "message": "Write a number with a point, such as 1.5."}] == refused.value.errors
    assert {"quantity": "1.5"} == filled(quantity="1.50").body(quantity=decimal, percent=percent)


def said(schema, body: dict) -> list[tuple[str, str]]:
    """What a person reads of what the API says of this body."""
    with pytest.raises(Invalid) as refused:
        read(schema, body)
    return [(error["field"], plainly(error["field"], error["message"])) for error in refused.value.errors]


def test_the_apis_words_become_plain():
    """The API's own words for programs are matched as they are, so that a change of them is noticed here."""
    assert [("roles", "At least one is needed.")] == said(ColleagueChange, {"roles": []})
    assert [("amount", "Write an amount above zero.")] == said(NewCreditRefund, {"amount": 0})
    assert [("amount", "This amount is too large.")] == said(NewCreditRefund, {"amount": 10**13})
    assert [("amount", "Write an amount such as 120.50.")] == said(NewCreditRefund, {"amount": "5"})
    with pytest.raises(Exception) as wrong:
        Number().deserialize("10%")
    assert "Write a number with a point, such as 1.5." == plainly("lines.0.quantity", wrong.value.args[0])
    assert "Write a percentage such as 10 or 7.5." == plainly("discount.percent", wrong.value.args[0])
    assert "This must be at least 5." == plainly("idle_minutes", "This must be at least 5.")


def test_what_is_wrong_with_one_box_is_said_of_its_group():
    """A numbered error of ticked boxes names the group that is drawn; one of a row keeps its number."""
    form = filled(ids="x")
    form.body(ids=several)
    wrong = [{"field": "ids.0", "message": "No."}, {"field": "lines.0.quantity", "message": "Too much."}]
    assert {"ids": "No.", "lines-0-quantity": "Too much."} == form.refused(Invalid(errors=wrong)).errors


def test_a_form_that_was_sent_before_names_no_key():
    """What the browser's way back brings about is one sentence."""
    errors = [{"field": "Idempotency-Key", "message": "This key came with another body before; send a new one."}]
    form = filled().refused(Invalid("idempotency_key_reused", "Send a new key.", errors=errors))
    assert (SENT_BEFORE, {}) == (form.problem, form.errors)


def test_an_emptied_field_is_sent_empty():
    """Only where it was drawn: a field that the form lacks stays out."""
    assert {"name": ""} == filled(name=" ").body(name=needed, prefix=needed, days=needed_whole)
    with pytest.raises(Invalid) as refused:
        filled(days="").body(days=needed_whole)
    assert ["days"] == [error["field"] for error in refused.value.errors]


def path_of(world, kind: str) -> str:
    """The page of a client, a colleague, a processor account, or the practice."""
    ada = world.visitor().signs_in("ada@practice.example")
    if kind == "client":
        return f"/clients/{ada.must('POST', '/clients', 201, json={'name': 'Cleo', 'email': 'c@x.example'})['id']}"
    if kind == "colleague":
        return f"/colleagues/{ada.must('GET', '/colleagues', 200)['data'][0]['id']}"
    if kind == "processor":
        world.bus.knows(ada.practice_id, f"proc_{'1' * 26}")
        return f"/billing/setup/processors/proc_{'1' * 26}"
    return "/practice"


EMPTIED = [
    ("practice", "name"),
    ("practice", "terms_days"),
    ("practice", "idle_minutes"),
    ("client", "name"),
    ("client", "email"),
    ("colleague", "name"),
    ("processor", "description"),
]


@pytest.mark.parametrize(("kind", "name"), EMPTIED)
def test_what_was_emptied_is_not_saved_as_if_it_were(world, admin, kind, name):
    """The form comes back with what is wrong at the field, instead of saying that it is saved."""
    assert 422 == admin.fills(path_of(world, kind), **{name: ""}).status_code
    assert f'id="{name}-wrong"' in admin.page
    assert not world.bus.made(Processors.change_processor)


def test_an_emptied_prefix_is_none(world, admin):
    """Invoices may be numbered without one."""
    assert 303 == admin.fills("/practice", number_prefix="").status_code
    assert "" == world.bus.made(Invoicing.put_practice)[-1].number_prefix


def test_a_token_without_a_name_leads_to_its_own_field(admin):
    """The summary's link goes to the field of the token, not to the practice's name."""
    assert 422 == admin.fills("/practice/api-tokens", at="/practice", name="").status_code
    assert '<a href="#token-name">Name of the program' in admin.page
    assert re.search(r'id="token-name"[^>]*aria-invalid="true"', admin.page)


def deactivated(world) -> tuple[str, list[str]]:
    """A client whose first provider was deactivated, and the ids of both providers."""
    ada = world.visitor().signs_in("ada@practice.example")
    ids = [world.provider(ada, f"{name}@practice.example").member_id for name in ("pia", "paul")]
    body = {"name": "Cleo", "email": "cleo@home.example", "provider_ids": ids[:1]}
    client = ada.must("POST", "/clients", 201, json=body)["id"]
    ada.must("PATCH", f"/colleagues/{ids[0]}", 200, json={"active": False})
    return client, ids


def test_a_deactivated_provider_is_marked_and_dropped_when_others_are_chosen(world, admin):
    """Saving something else leaves them; choosing who is listed saves without them, and names no number."""
    client, ids = deactivated(world)
    ada = world.visitor().signs_in("ada@practice.example")
    path = f"/clients/{client}"
    admin.opens(path)
    assert "Deactivated: taken off when you choose otherwise here." in admin.page
    assert 303 == admin.fills(path, phone="1 23", assigns="1", provider_ids=ids[:1]).status_code
    assert ids[:1] == ada.must("GET", path, 200)["provider_ids"]
    assert 303 == admin.fills(path, assigns="1", provider_ids=ids).status_code
    assert ids[1:] == ada.must("GET", path, 200)["provider_ids"]
    admin.opens(path)
    assert "Deactivated" not in admin.page
    admin.opens("/clients/new")
    assert ids[1] in admin.page and ids[0] not in admin.page


def test_what_is_wrong_with_a_provider_is_said_at_their_group(world, admin):
    """Who was deactivated while the form was open is an error of a group that is drawn."""
    _, ids = deactivated(world)
    answer = admin.fills("/clients/new", name="Cy", email="cy@x.example", assigns="1", provider_ids=ids[:1])
    assert 422 == answer.status_code
    assert '<a href="#provider_ids">Providers of this client: There is no such provider here.' in admin.page
    assert "provider_ids-0" not in admin.page


def test_a_consent_that_is_missing_is_told_at_its_box(world, client: Browser):
    """The box says itself that it is wrong, and by what; the words have the look of an error."""
    entry = {**sample(Processors.read_card_entry.gives), "available": True, "card_entry": "direct", "form": None, "sources": {}}
    world.bus.script(Processors.read_card_entry, entry)
    errors = [{"field": "consent", "message": "Tick this."}]
    world.bus.script(Processors.save_card, Invalid(errors=errors))
    card = {"card-number": "4242424242424242", "card-exp_month": "12", "card-exp_year": "31", "card-cvc": "123"}
    assert 422 == client.fills("/cards", **card).status_code
    assert re.search(
        r'<input type="checkbox" id="consent"[^>]* aria-invalid="true" aria-describedby=" ?consent-wrong"', client.page
    )
    assert re.search(r'<div class="check">(?:(?!</div>).)*</div>\s*<p class="wrong" id="consent-wrong">', client.page)
    style = client.opens("/static/style.css").get_data(as_text=True)
    assert ".check + .wrong" in style
