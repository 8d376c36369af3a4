"""What a payer is charged is what the button says: the whole balance, or the part that was chosen; never more than was shown."""

import re

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Refused, invalid
from shared.ids import new_id
from tests.unit.gateway.pages.browser import Browser, invoice
from tests.unit.gateway.scripted import sample

CARD = {"card-number": "4000 0000 0000 0002", "card-exp_month": "12", "card-exp_year": "31", "card-cvc": "123"}
FORM = {"kind": "accept_ui", "script": "https://pay.example/form.js"}
# how cards are taken -> the words of the button
WAYS = [
    ({"card_entry": "direct", "form": None}, "Pay $60.00"),
    ({"card_entry": "hosted_fields", "form": FORM}, "Pay $60.00"),
    ({"card_entry": "hosted_fields", "form": None}, "Pay $60.00"),
    ({"card_entry": "hosted_page", "form": None}, "Continue to Elavon to pay $60.00"),
]
WHOLE = invalid("amount", "This practice takes the whole balance at once.")
TOO_MUCH = invalid("amount", "This is more than what is due.")


def _entry(world, **more) -> None:
    entry = {"available": True, "processor_id": "pcr_1", "type": "elavon", "title": "Elavon", "form": None, "page": True}
    world.bus.script(Processors.read_card_entry, {**entry, "card_entry": "direct", "sources": {}, "test_cards": None, **more})


def _on_file(world, practice_id: str) -> str:
    card_id = new_id("card")
    world.bus.knows(practice_id, card_id)
    card = {**sample(Processors.list_cards.gives)["data"][0], "id": card_id, "usable": True, "expiry": "valid"}
    world.bus.script(Processors.list_cards, {"data": [card], "can_save": True})
    return card_id


def _due(world, browser, amount: int = 12924, **more) -> str:
    return invoice(world, browser, balance_due=amount, total=12924, currency="USD", **more)


def _in_parts(world) -> None:
    world.visitor().signs_in("ada@practice.example").must("PATCH", "/practice", 200, json={"partial_payments": True})


def _forms(page: str) -> list[str]:
    """The forms that pay: those that neither choose an amount nor sign out or switch."""
    return [form for form in re.findall(r"<form\b.*?</form>", page, re.DOTALL) if 'name="amount" value="' in form and "Pay" in form]


def _sent(form: str) -> str:
    return re.search(r'<input type="hidden" name="amount" value="([^"]*)"', form)[1]


@pytest.mark.parametrize(("way", "button"), WAYS)
def test_each_way_to_pay_sends_what_its_button_says(world, client, way, button):
    """The card on file, our form, the processor's form and its page, with and without script: the amount shown is the amount sent."""
    _entry(world, **way)
    _on_file(world, client.practice_id)
    client.opens(f"/invoices/{_due(world, client)}/pay")
    forms = _forms(client.page)
    assert len(forms) >= 2 and {"129.24"} == {_sent(form) for form in forms}
    assert button.replace("$60.00", "$129.24") in client.page


def test_a_card_on_file_is_charged_what_was_shown(world, client):
    """Its form's amount goes along to invoicing."""
    _entry(world)
    card_id = _on_file(world, client.practice_id)
    path = f"/invoices/{_due(world, client)}/pay"
    client.fills(path, payment_method_id=card_id, amount="129.24")
    (asked,) = world.bus.made(Invoicing.pay_invoice)
    assert (12924, card_id) == (asked.amount, asked.card_id)


def test_a_balance_that_changed_meanwhile_is_told_and_nothing_is_charged(world, client):
    """The page showed $129.24, now $60.00 is due: one sentence with the new balance, and buttons that say so."""
    _entry(world)
    path = f"/invoices/{_due(world, client, 6000)}/pay"
    world.bus.script(Invoicing.pay_invoice, WHOLE)
    answer = client.fills(path, amount="129.24", **CARD)
    assert 422 == answer.status_code
    assert "What is due has changed: it is $60.00 now. Nothing was charged." in client.page
    assert "Pay $60.00" in client.page and "$129.24</button>" not in client.page
    assert {"60.00"} == {_sent(form) for form in _forms(client.page)}
    assert "4000 0000 0000 0002" not in client.page


def _charge_page(world, client, amount: int = 12924) -> str:
    """The page on which staff charge the client's card on file."""
    theirs = {"client": {"id": client.member_id, "name": "Cleo"}, "allowed_actions": ["record_payment"]}
    return f"/invoices/{_due(world, client, amount, **theirs)}/charge-card"


def test_staff_charge_what_was_shown_or_are_told_the_new_balance(world, client):
    """The amount of the button is sent; where another one is due by now, the sentence says it and the reason stays."""
    card_id = _on_file(world, client.practice_id)
    admin, path = Browser(world, "ada@practice.example"), _charge_page(world, client, 6000)
    admin.opens(path)
    assert 'name="amount" value="60.00"' in admin.page
    assert 422 == admin.fills(path, payment_method_id=card_id, amount="60.00").status_code
    assert "Say why the card is charged" in admin.page
    world.bus.script(Invoicing.pay_invoice, TOO_MUCH)
    answer = admin.fills(path, payment_method_id=card_id, reason="Missed the session", amount="129.24")
    assert 422 == answer.status_code
    assert "it is $60.00 now" in admin.page and 'value="Missed the session"' in admin.page
    assert 12924 == world.bus.made(Invoicing.pay_invoice)[0].amount
    assert 'name="amount" value="60.00"' in admin.page


def test_without_parts_there_is_no_amount_to_choose(world, client):
    """A practice that takes the whole balance shows no field, and what somebody sends in its place is not drawn."""
    _entry(world)
    path = f"/invoices/{_due(world, client)}/pay"
    client.fills(path, draw_again="1", amount="60.00")
    assert "How much to pay now" not in client.page and "Pay $129.24" in client.page


@pytest.mark.parametrize(("way", "button"), WAYS)
def test_a_part_is_paid_by_any_means(world, client, way, button):
    """Chosen once, without script too, the part stands on each button, in each form and in the processor's own form."""
    _in_parts(world)
    _entry(world, **way)
    card_id = _on_file(world, client.practice_id)
    path = f"/invoices/{_due(world, client)}/pay"
    client.opens(path)
    assert 'value="129.24"' in re.search(r'<input id="amount"[^>]*>', client.page)[0]
    assert 200 == client.fills(path, draw_again="1", amount="60").status_code
    assert [] == world.bus.made(Invoicing.pay_invoice)
    assert button in client.page and "$129.24 with" not in client.page
    assert {"60.00"} == {_sent(form) for form in _forms(client.page)}
    assert 'data-amount="6000"' in client.page or not way["form"]
    assert 'value="60"' in re.search(r'<input id="amount"[^>]*>', client.page)[0]
    client.fills(path, payment_method_id=card_id, amount="60.00")
    assert 6000 == world.bus.made(Invoicing.pay_invoice)[0].amount


@pytest.mark.parametrize(("typed", "words"), [("60,5", "such as 120.50"), ("200", "from $0.01 to $129.24"), ("0", "from $0.01")])
def test_an_amount_that_can_not_be_paid_is_named_at_its_field(world, client, typed, words):
    """What was typed stays, the field is named, and the buttons pay the balance that they show."""
    _in_parts(world)
    _entry(world)
    path = f"/invoices/{_due(world, client)}/pay"
    client.fills(path, draw_again="1", amount=typed)
    assert 'href="#amount">How much to pay now: ' in client.page and words in client.page
    assert f'value="{typed}"' in re.search(r'<input id="amount"[^>]*>', client.page)[0]
    assert "Pay $129.24" in client.page


def test_a_part_above_what_is_due_by_now_is_told_with_the_balance(world, client):
    """Another payment came first: the server's no stands at the field, with what is due now."""
    _in_parts(world)
    _entry(world)
    path = f"/invoices/{_due(world, client, 5000)}/pay"
    world.bus.script(Invoicing.pay_invoice, TOO_MUCH)
    assert 422 == client.fills(path, amount="60.00", **CARD).status_code
    assert "How much to pay now: This is more than what is due: $50.00 is due now." in client.page
    assert "Pay $50.00" in client.page and "4000 0000 0000 0002" not in client.page


def test_a_declined_part_stays_chosen(world, client):
    """After a decline the same part is on the buttons, and the card is not."""
    _in_parts(world)
    _entry(world)
    path = f"/invoices/{_due(world, client)}/pay"
    world.bus.script(Invoicing.pay_invoice, Refused("card_declined", "The card was declined."))
    assert 402 == client.fills(path, amount="60.00", **CARD).status_code
    assert "Pay $60.00" in client.page and "4000 0000 0000 0002" not in client.page


def test_the_problems_are_told_once(world, client):
    """With the processor's form and, without script, its page: one summary of what is wrong."""
    _entry(world, card_entry="hosted_fields", form=FORM)
    path = f"/invoices/{_due(world, client)}/pay"
    world.bus.script(Invoicing.pay_invoice, Refused("card_declined", "The card was declined."))
    client.fills(path, token="t", amount="129.24")
    assert 1 == client.page.count('id="problems"')
    assert '<noscript><form method="post"' in client.page


def test_staff_can_not_choose_a_part(world, client):
    """Parts are the payer's: staff charge the balance that the button says."""
    _in_parts(world)
    _on_file(world, client.practice_id)
    staff = Browser(world, "ada@practice.example")
    staff.opens(_charge_page(world, client))
    assert "How much to pay now" not in staff.page and 'name="amount" value="129.24"' in staff.page
