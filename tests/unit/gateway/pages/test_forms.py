"""A form becomes the API's JSON: kinds of fields, errors beside them, what is drawn again, and the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from services.gateway.pages import forms
from services.gateway.pages.forms import (
    ADDRESS,
    Form,
    clearable,
    digits,
    flag,
    many,
    money,
    or_null,
    rate,
    secret,
    several,
    text,
    whole,
    year,
)
from shared.faults import Conflict, Invalid, Refused
from shared.money import to_text


def filled(**typed) -> Form:
    return Form(MultiDict({name.replace("__", "-"): value for name, value in typed.items()}))


def test_amounts_become_minor_units():
    """120.50 typed in a USD practice is 12050; 500 typed in a JPY practice is 500."""
    assert {"amount": 12050} == filled(amount=" $120.50 ").body("USD", amount=money)
    assert {"amount": 500} == filled(amount="500").body("JPY", amount=money)


@given(st.integers(0, 10**9), st.sampled_from(["USD", "JPY"]))
def test_every_amount_survives_being_drawn_and_typed(amount, currency):
    """What a form draws for an amount reads back as that amount."""
    assert {"amount": amount} == filled(amount=to_text(amount, currency)).body(currency, amount=money)


@pytest.mark.parametrize("typed", ["abc", "12.345", "-5", "1e3", "٣", "1.2.3"])
def test_what_is_not_an_amount_is_named_at_its_field(typed):
    """An amount that can't be read is an error of that field, in words, and never a guess."""
    with pytest.raises(Invalid) as refused:
        filled(lines__0__unit_amount=typed).body(lines=many(unit_amount=money))
    assert ["lines.0.unit_amount"] == [error["field"] for error in refused.value.errors]


RATES = [("7.25", "0.0725"), ("7.25 %", "0.0725"), ("0", "0"), ("100", "1"), ("0.5", "0.005"), ("12.3456", "0.123456")]


@pytest.mark.parametrize(("typed", "told"), RATES)
def test_a_rate_is_typed_in_percent(typed, told):
    """7.25 typed is 0.0725 in the API, exactly."""
    assert {"rate": told} == filled(rate=typed).body(rate=rate)


def test_rows_without_anything_typed_are_left_out():
    """Lines are taken in order, the empty row at the end isn't one."""
    first = {"lines__0__description": "Session", "lines__0__unit_amount": "10"}
    form = filled(**first, lines__7__description="Book", lines__8__description="")
    read = form.body(lines=many(description=text, quantity=text, unit_amount=money))
    assert {"lines": [{"description": "Session", "unit_amount": 1000}, {"description": "Book"}]} == read


def test_an_emptied_field_says_null_only_where_it_may():
    """An emptied phone is taken away (null), an emptied name is left out; a field that the form lacks stays out."""
    assert {"phone": None} == filled(phone="", name=" ").body(phone=clearable, name=text, memo=clearable)
    assert {"address": None} == filled(address__city="").body(address=or_null(ADDRESS))
    assert {"address": {"city": "Albany"}} == filled(address__city="Albany").body(address=or_null(ADDRESS))


def test_boxes_and_numbers():
    """A ticked box is true, an absent one false; several boxes of one name are a list; card numbers lose their spaces."""
    ticked = [("on", "true"), ("ids", "col_1"), ("ids", "col_2")]
    form = Form(MultiDict([*ticked, ("number", "4242 4242-42"), ("year", "31"), ("days", "x")]))
    read = form.body(on=flag, off=flag, ids=several, number=digits, year=year)
    assert {"on": True, "off": False, "ids": ["col_1", "col_2"], "number": "4242424242", "year": 2031} == read
    with pytest.raises(Invalid):
        form.body(days=whole)


def test_a_password_is_taken_to_the_letter():
    """Spaces around a password belong to it."""
    assert {"password": " two words "} == filled(password=" two words ").body(password=secret)


def test_secrets_are_never_drawn_again():
    """What was typed comes back into the form, but for passwords, card numbers, codes and expiry."""
    card = {"card-number": "4242424242424242", "card-cvc": "123", "card-exp_month": "12", "card-exp_year": "31"}
    typed = {**card, "password": "x", "name": "Sam"}
    form = Form(MultiDict({**typed, "current_password": "y", "credentials-secret_key": "sk_live_1"}))
    assert [""] * 7 == [form.value(name, "default") for name in form.typed if name != "name"]
    assert "Sam" == form.value("name", "default")


def test_a_fault_is_shown_at_its_fields():
    """Dotted paths become field names; a fault without fields is a sentence; one that names no field is a sentence, too."""
    form = filled().refused(Invalid(errors=[{"field": "lines.0.quantity", "message": "Too much."}]))
    assert {"lines-0-quantity": "Too much."} == form.errors
    assert "Line 1, quantity" == form.label("lines-0-quantity")
    assert "No." == filled().refused(Conflict("x", "No.")).problem
    whole_body = filled().refused(Invalid(errors=[{"field": "body", "message": "Bad."}]))
    assert ("Bad.", {}) == (whole_body.problem, whole_body.errors)


def test_one_line_becomes_several_without_losing_what_was_typed():
    """Asking for several lines carries description and amount over to the first and adds an empty second."""
    first, second = filled(description="Session", amount="120.50", add_line="1").drawn_lines()
    assert {"prefix": "lines-0-", "description": "Session", "unit_amount": "120.50"} == first
    assert {"prefix": "lines-1-"} == second
    assert [] == filled(description="Session").drawn_lines()


def test_a_draft_with_one_plain_line_is_drawn_short():
    """A draft of one plain line shows description and amount; one with a quantity shows its lines."""
    line = {"description": "Session", "quantity": "1", "unit_amount": 12050, "category": None}
    assert [] == Form().drawn_lines({"currency": "USD", "lines": [line]})
    (drawn,) = Form().drawn_lines({"currency": "USD", "lines": [{**line, "quantity": "1.50"}]})
    assert ("1.5", "120.50") == (drawn["quantity"], drawn["unit_amount"])


def test_the_key_stands_for_the_form_its_address_and_what_was_typed():
    """The same form sent twice has one key and fingerprint; another body has another fingerprint; CSRF does not count."""
    one, other = filled(amount="1", csrf_token="a"), filled(amount="2", csrf_token="a")
    same = filled(amount="1", csrf_token="b")
    one.key = other.key = same.key = "key_1"
    made = [forms.idempotency_key(form, "POST /x", b"k") for form in (one, same, other)]
    assert made[0] == made[1] != made[2]
    assert "POST /x" == made[0].route
    assert "key_1" != one.renewed().key


def test_a_declined_card_keeps_its_sentence_and_nothing_else():
    """A refusal is one sentence above the form."""
    form = filled(**{"card__number": "4000000000000002"}).refused(Refused("card_declined", "Your bank said no."))
    assert ("Your bank said no.", {}, "") == (form.problem, form.errors, form.value("card-number"))
