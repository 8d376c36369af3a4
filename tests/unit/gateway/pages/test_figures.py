"""The figures of an invoice as people read them: what can be refunded, what was forgiven or kept, tax that prices hold, days and sums."""

import re
from pathlib import Path

import pytest

from services.gateway import pages
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from tests.unit.gateway.pages.browser import invoice
from tests.unit.gateway.scripted import sample

STATIC = Path(pages.__file__).parents[1] / "static"
PLAIN = {
    "status": "paid", "currency": "USD", "number": "INV-1", "subtotal": 12050, "discount": 0, "tax": 0, "tax_lines": [], "total": 12050,
    "amount_paid": 12050, "amount_refunded": 0, "amount_forgiven": 0, "balance_due": 0, "due_date": None,
}  # fmt: skip
TAXED = {"tax": 874, "tax_lines": [{"jurisdiction": "City", "rate": "0.0725", "amount": 874}]}


def _payment(**more) -> dict:
    bare = {"status": "succeeded", "currency": "USD", "amount": 12050, "failure": None, "received_on": None, "amount_credited": 0}
    return {**sample(Invoicing.read_payment.gives), "method": "card", "card": None, **bare, **more}


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_card_whose_last_digits_are_not_known_is_refunded_to_the_card(admin):
    """The method says that it was a card: the money goes back by itself, nobody is told to hand it over."""
    invoice_id = invoice(admin.world, admin, **{**PLAIN, "payments": [_payment(refundable=12050)], "allowed_actions": ["refund"]})
    admin.opens(f"/invoices/{invoice_id}/refund")
    assert "$120.50 can go back to the card that paid." in _text(admin.page)
    assert "hand the money over" not in admin.page


def test_no_more_is_offered_for_a_refund_than_can_be_given(admin):
    """Of $200.00 recorded $120.50 went to the invoice, and $20.50 of that is given back: $100.00 is the most."""
    recorded = _payment(method="cash", amount=20000, amount_credited=7950, refundable=10000)
    invoice_id = invoice(admin.world, admin, **{**PLAIN, "payments": [recorded], "allowed_actions": ["refund"]})
    admin.opens(f"/invoices/{invoice_id}/refund")
    assert "Up to $100.00" in _text(admin.page) and 'value="100.00"' in admin.page
    assert "$100.00 paid by cash can be recorded as given back" in _text(admin.page)


def test_the_receipt_adds_up(client):
    """What was forgiven, and what of a payment was kept as credit, have their rows; the invoice names the credit too."""
    paid = _payment(method="check", amount=11000, amount_credited=1000)
    figures = {**PLAIN, "status": "forgiven", "amount_paid": 10000, "amount_forgiven": 2050, "payments": [paid]}
    invoice_id = invoice(client.world, client, **figures)
    client.opens(f"/invoices/{invoice_id}/receipt")
    assert "Forgiven $20.50" in _text(client.page) and "of it kept as credit for later $10.00" in _text(client.page)
    client.opens(f"/invoices/{invoice_id}")
    assert "$10.00 of it kept as credit" in _text(client.page)


@pytest.mark.parametrize(("total", "included"), [(12050, True), (12924, False)])
@pytest.mark.parametrize("page", ["", "/receipt", "/pay"])
def test_tax_that_the_prices_hold_is_not_listed_as_added(client, page, total, included):
    """Where the total is the lines less the discount, the tax among them says that it is included."""
    open_ = {"status": "open", "amount_paid": 0, "balance_due": total} if page == "/pay" else {"payments": [_payment()]}
    actions = ["pay"] if page == "/pay" else []
    invoice_id = invoice(client.world, client, **{**PLAIN, **TAXED, "total": total, "allowed_actions": actions, **open_})
    client.world.bus.script(
        Processors.read_card_entry, {**sample(Processors.read_card_entry.gives), "available": False, "sources": {}}
    )
    client.opens(f"/invoices/{invoice_id}{page}")
    assert "City 7.25" in _text(client.page)
    assert included == ("7.25 %, included" in _text(client.page))


def test_a_recorded_payment_shows_the_day_it_was_received(admin):
    """Not the moment at which somebody typed it."""
    recorded = _payment(method="check", received_on="2026-01-05", settled_at="2026-02-20T10:00:00.000Z")
    admin.opens(f"/invoices/{invoice(admin.world, admin, **{**PLAIN, 'payments': [recorded]})}")
    assert "received Jan 5" in _text(admin.page) and "Feb 20" not in admin.page


def test_what_happened_names_the_sums(admin):
    """An entry that moved money says how much."""
    entry = {**sample(Invoicing.read_timeline.gives)["data"][0], "text": "Refunded", "amount": 6000}
    why = {**entry, "text": "Refunded: a shorter session"}
    admin.world.bus.script(Invoicing.read_timeline, {"data": [entry, why, {**entry, "amount": None}], "next_cursor": None})
    admin.opens(f"/invoices/{invoice(admin.world, admin, **PLAIN)}")
    assert "Refunded $60.00" in _text(admin.page) and "Refunded: a shorter session ($60.00)" in _text(admin.page)
    assert 2 == admin.page.count("$60.00")


@pytest.mark.parametrize("status", ["pending", "unknown"])
def test_the_page_that_follows_along_does_so_without_script(admin, status):
    """It says that it follows along, so it looks again by itself without script too."""
    payment = _payment(status=status)
    path = f"/invoices/{invoice(admin.world, admin, **{**PLAIN, 'status': 'processing', 'payments': [payment]})}"
    admin.opens(path)
    assert "This page follows along." in admin.page
    assert f'<noscript><meta http-equiv="refresh" content="10; url={path}"></noscript>' in admin.page


def test_a_form_is_asked_for_its_method_by_the_attribute():
    """`form.method` is a field where one has that name, as where payments are recorded: the guard against two presses would not run."""
    scripts = [path.read_text() for path in STATIC.rglob("*.js")]
    assert not [script for script in scripts if re.search(r"\bform\.(method|action)\b", script)]
    assert 'form.getAttribute("method") !== "post"' in (STATIC / "app.js").read_text()
