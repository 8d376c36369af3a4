"""What invoicing says where it says no: the actions that are left, the field that is wrong."""

import pytest

from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Invalid


def refused(act):
    with pytest.raises(Conflict) as refusal:
        act()
    return refusal.value.allowed_actions


def test_a_refusal_lists_a_refund_among_what_can_still_be_done(practice):
    """What a paid or partly paid invoice refuses comes with the actions that reading it shows."""
    paid, partly = practice.invoice(), practice.invoice()
    practice.pay(paid)
    practice.record(partly, 100)
    for invoice in (paid, partly):
        shown = practice.read(invoice)["allowed_actions"]
        assert "refund" in shown
        for call in (Invoicing.void_invoice, Invoicing.send_invoice, Invoicing.delete_invoice):
            assert shown == refused(lambda call=call, invoice=invoice: practice.do(call, invoice_id=invoice["id"]))
    assert ["refund"] == refused(lambda: practice.record(paid, 1))
    assert ["refund"] == refused(lambda: practice.do(Invoicing.forgive_invoice, invoice_id=paid["id"]))
    assert ["refund"] == refused(lambda: practice.do(Invoicing.edit_invoice, invoice_id=paid["id"], memo="x"))


@pytest.mark.parametrize("discount", [{}, {"amount": 1, "percent": "1"}])
def test_a_discount_is_an_amount_or_a_percent(practice, discount):
    """Neither and both are refused, when a draft is made and when it is edited."""
    draft = practice.invoice(send=False)
    for act in (
        lambda: practice.invoice(discount=discount),
        lambda: practice.do(Invoicing.edit_invoice, invoice_id=draft["id"], discount=discount),
    ):
        with pytest.raises(Invalid) as refusal:
            act()
        assert ["discount"] == [error["field"] for error in refusal.value.errors]


def test_a_discount_is_taken_away_by_null(practice):
    """An edit with no discount named keeps it; null removes it."""
    draft = practice.invoice(send=False, discount={"amount": 50})
    kept = practice.do(Invoicing.edit_invoice, invoice_id=draft["id"], memo="x")
    gone = practice.do(Invoicing.edit_invoice, invoice_id=draft["id"], discount=None)
    assert (50, 0) == (kept["discount"], gone["discount"])


@pytest.mark.parametrize("cursor", ["x", "inv_", "inv_1", "' or 1=1", "pay_00000000000000000000000000", "\U0001f4a9"])
def test_a_cursor_that_no_list_gave_is_refused(practice, cursor):
    """It is named, rather than read as some place in the list."""
    practice.invoice()
    with pytest.raises(Invalid) as refusal:
        practice.do(Invoicing.list_invoices, cursor=cursor)
    assert ["cursor"] == [error["field"] for error in refusal.value.errors]


def test_numbers_without_a_prefix_begin_with_the_year(house, practice):
    """A practice that wants no prefix has none."""
    copy = {"version": 2, "name": "Riverside", "currency": "USD", "time_zone": "UTC", "number_prefix": ""}
    practice.do(Invoicing.put_practice, practice.ada.system(practice.id), **copy)
    assert practice.invoice()["number"].endswith("-0001") and practice.read(practice.invoice())["number"][:4].isdigit()
