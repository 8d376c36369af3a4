"""A client's card on file pays an invoice: charged by its owner, or by staff who say why."""

import json

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden, NotFound
from shared.ids import new_id
from tests.house import Practice


@pytest.fixture
def card_id(practice, house):
    """Cleo's card on file."""
    card_id, now = new_id("card"), house.clock.now()
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": now.year + 2, "cvc": "123"}
    secret = json.dumps({"card": card, "expires_at": now.timestamp() + 120}).encode()
    info = f"save-card|{practice.id}|{practice.cleo.member_id}|{card_id}"
    sealed = house.settings.keys("gateway").seal(secret, "processors", info)
    practice.do(Processors.save_card, practice.cleo, card_id=card_id, sealed_card=sealed, consent="I allow it.")
    return card_id


def charge(practice, invoice, card_id, who, **more):
    return practice.do(Invoicing.pay_invoice, who, payment_id=new_id("pay"), invoice_id=invoice["id"], card_id=card_id, **more)


def timeline(practice, invoice):
    return practice.do(Invoicing.read_timeline, practice.cleo, invoice_id=invoice["id"])["data"]


def test_its_owner_pays(practice, card_id):
    """As with a card typed in; the timeline is the client's."""
    invoice = practice.invoice()
    assert "succeeded" == charge(practice, invoice, card_id, practice.cleo)["status"]
    assert "paid" == practice.read(invoice)["status"]
    (paid,) = [row for row in timeline(practice, invoice) if row["what"] == "paid"]
    assert "client" == paid["role"] and [] == practice.proof()


@pytest.mark.parametrize("who", ["pat", "ada"])
def test_staff_charge_it_with_a_reason(practice, card_id, who):
    """Who and why stand in what happened to the invoice, for the client to read; the money is right."""
    staff, invoice = getattr(practice, who), practice.invoice()
    assert "succeeded" == charge(practice, invoice, card_id, staff, reason="Missed the session")["status"]
    (paid,) = [row for row in timeline(practice, invoice) if row["what"] == "paid"]
    assert (staff.role, staff.name) == (paid["role"], paid["who"]) and "Missed the session" in paid["text"]
    assert [12924] == practice.charges() and [] == practice.proof()


def test_staff_type_no_card(practice, card_id):
    """Nothing is begun without a card on file; a reason is theirs to give, and the timeline does without."""
    invoice = practice.invoice()
    with pytest.raises(Forbidden):
        practice.do(Invoicing.pay_invoice, practice.pat, payment_id=new_id("pay"), invoice_id=invoice["id"], sealed_card="x")
    assert [] == practice.read(invoice)["payments"]
    assert "succeeded" == charge(practice, invoice, card_id, practice.pat)["status"]
    (paid,) = [row for row in timeline(practice, invoice) if row["what"] == "paid"]
    assert "Pat" == paid["who"] and paid["text"].endswith(", a card on file")


def test_a_card_is_charged_for_its_owners_invoices_only(practice, card_id, house):
    """Another practice's staff find nothing; a card that is nobody's here moves nothing and says so."""
    invoice, other = practice.invoice(), Practice(house, "2")
    with pytest.raises(NotFound):
        charge(other, invoice, card_id, other.pat, reason="x")
    with pytest.raises(Conflict) as no:
        charge(practice, invoice, new_id("card"), practice.pat, reason="x")
    assert "not on file" in no.value.detail
    assert "open" == practice.read(invoice)["status"] and [] == practice.charges()
