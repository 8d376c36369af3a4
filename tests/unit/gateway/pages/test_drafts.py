"""Typing an invoice: what was typed is never lost, a percentage stays one, an emptied row is dropped, and tax is named as it is."""

import re

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.tax import Tax
from shared.faults import Conflict, Forbidden, invalid
from tests.unit.gateway.pages.browser import invoice
from tests.unit.gateway.scripted import sample

LINE = {
    "description": "Session",
    "quantity": "1",
    "unit_amount": 12050,
    "amount": 12050,
    "taxable": True,
    "category": None,
    "tax": 0,
}
ROWS = {
    "lines-0-description": "", "lines-0-quantity": "1", "lines-0-unit_amount": "", "lines-0-category": "taxable",
    "lines-1-description": "Session", "lines-1-quantity": "2", "lines-1-unit_amount": "120.50", "lines-1-category": "",
}  # fmt: skip


def _draft(browser, **more) -> str:
    kept = {"status": "draft", "currency": "USD", "lines": [LINE], "allowed_actions": ["edit"], "memo": None}
    return invoice(browser.world, browser, **{**kept, "discount": 0, "discount_asked": None, **more})


def _client(world) -> str:
    staff = world.visitor().signs_in("ada@practice.example")
    return staff.must("POST", "/clients", 201, json={"name": "Cleo", "email": "c@x.example"})["id"]


def _value(page: str, name: str) -> str:
    field = re.search(rf'<input id="{name}"[^>]*>', page)[0]
    return re.search(r'value="([^"]*)"', field)[1]


def test_a_percentage_stays_a_percentage(admin):
    """A draft with 10 % off is drawn and saved as 10 %, whatever its lines come to; an amount stays an amount."""
    path = f"/invoices/{_draft(admin, discount=1205, discount_asked={'percent': '10'})}/edit"
    admin.opens(path)
    assert ("", "10") == (_value(admin.page, "discount-amount"), _value(admin.page, "discount-percent"))
    admin.fills(path, description="Session", amount="200.00", **{"discount-amount": "", "discount-percent": "10"})
    assert "10" == str(admin.world.bus.made(Invoicing.edit_invoice)[0].discount.percent)
    admin.opens(f"/invoices/{_draft(admin, discount=1205, discount_asked={'amount': 1205})}/edit")
    assert ("12.05", "") == (_value(admin.page, "discount-amount"), _value(admin.page, "discount-percent"))


def test_an_emptied_row_is_dropped(admin):
    """A row without description and amount is left out, though its quantity and its sales tax remain."""
    admin.fills(f"/invoices/{_draft(admin)}/edit", **ROWS)
    (saved,) = admin.world.bus.made(Invoicing.edit_invoice)
    assert [("Session", 12050)] == [(line.description, line.unit_amount) for line in saved.lines]


def test_an_error_is_beside_the_row_it_means(admin):
    """The rows close up where one was dropped, as invoicing counts what it was sent."""
    admin.world.bus.script(Invoicing.edit_invoice, invalid("lines.0.unit_amount", "This line comes to too much."))
    admin.fills(f"/invoices/{_draft(admin)}/edit", **ROWS)
    assert 'id="lines-0-unit_amount-wrong"' in admin.page and "Session" == _value(admin.page, "lines-0-description")
    assert "lines-1-" not in admin.page


def test_a_draft_that_a_colleague_sent_keeps_what_was_typed(admin):
    """Saving is refused with invoicing's own words, and everything typed stays on the page."""
    path = f"/invoices/{_draft(admin)}/edit"
    admin.opens(path)
    sent = Conflict("action_not_allowed", "This invoice is open, so it can't be changed this way.", allowed_actions=[])
    admin.world.bus.script(Invoicing.edit_invoice, sent)
    admin.world.bus.script(Invoicing.read_invoice, _as_open)
    answer = admin.fills(path, at="/billing", description="A long story", amount="99.00", memo="Written at length")
    assert 409 == answer.status_code
    assert "This invoice is open" in admin.page
    assert 'value="A long story"' in admin.page and "Written at length" in admin.page


def _as_open(request, caller) -> dict:
    return {
        **sample(Invoicing.read_invoice.gives),
        "id": request.invoice_id,
        "status": "open",
        "currency": "USD",
        "allowed_actions": [],
    }


@pytest.mark.parametrize("editing", [True, False])
def test_who_is_unassigned_meanwhile_keeps_what_was_typed(world, admin, editing):
    """The service is taken from the provider while they type: the form says why, and everything typed stays."""
    path = f"/invoices/{_draft(admin)}/edit" if editing else f"/clients/{_client(world)}/billing/create"
    admin.opens(path)
    why_not = "You are not assigned to the Client Billing service."
    offered = {**sample(Invoicing.read_service.gives), "may_create": False, "why_not": why_not}
    world.bus.script(Invoicing.read_service, offered)
    world.bus.script(Invoicing.edit_invoice if editing else Invoicing.create_invoice, Forbidden("not_assigned", why_not))
    answer = admin.fills(path, at="/billing", description="Session", amount="120.50", memo="Written at length")
    assert 403 == answer.status_code and why_not in admin.page
    assert 'value="Session"' in admin.page and "Written at length" in admin.page


TAXES = [((874, 10874), ", before sales tax"), ((676, 10000), ", sales tax included"), ((0, 10000), "In USD, such as 120.50.")]


@pytest.mark.parametrize(("quoted", "words"), TAXES)
def test_the_amount_is_named_as_tax_takes_it(world, admin, quoted, words):
    """Before sales tax, with it included, or without a word of it where none is due."""
    tax, total = quoted
    world.bus.script(Tax.quote, {**sample(Tax.quote.gives), "tax": tax, "total": total})
    admin.opens(f"/clients/{_client(world)}/billing/create")
    assert words in admin.page
    assert 1 == sum(words in admin.page for _, words in TAXES)
