"""What an answer tells of a payment and a draft, and to whom: what can be refunded, what became credit, the discount as it was asked."""

from services.processors.orders import Outcome
from shared.contracts.invoicing import Invoicing
from tests.house import Practice


def _paid(practice, invoice, who=None) -> dict:
    return practice.read(invoice, who)["payments"][0]


def test_what_can_be_refunded_is_told_to_staff(practice):
    """It falls by what was given back, and a client's answer doesn't have it."""
    invoice = practice.invoice()
    practice.pay(invoice)
    assert 12924 == _paid(practice, invoice)["refundable"]
    practice.refund(invoice, 2924)
    assert 10000 == _paid(practice, invoice)["refundable"]
    assert "refundable" not in _paid(practice, invoice, practice.cleo)


def test_what_is_on_its_way_back_can_not_be_refunded_again(practice, house, monkeypatch):
    """A refund whose end is not known holds its share."""
    invoice = practice.invoice()
    practice.pay(invoice)
    monkeypatch.setattr(house.services["processors"].room.adapters["sandbox"], "refund", lambda *given: Outcome("unknown"))
    practice.refund(invoice, 2924)
    assert 10000 == _paid(practice, invoice)["refundable"]


def test_kept_credit_is_not_refundable_with_the_payment(practice):
    """Of $200.00 recorded, $129.24 went to the invoice and can be given back; the rest is told as credit, to the client too."""
    invoice = practice.invoice()
    practice.record(invoice, 20000, keep_as_credit=True)
    assert (20000, 12924, 7076) == tuple(_paid(practice, invoice)[name] for name in ("amount", "refundable", "amount_credited"))
    assert 7076 == _paid(practice, invoice, practice.cleo)["amount_credited"]


def test_a_discount_is_told_as_it_was_asked(house):
    """Staff read the percent or the amount that was typed, the client only what it came to."""
    practice = Practice(house, "3")
    for asked in ({"percent": "10"}, {"amount": 1000}):
        draft = practice.invoice(discount=asked, send=False)
        assert asked == practice.read(draft, practice.pat)["discount_asked"]
    assert practice.read(practice.invoice(send=False), practice.pat)["discount_asked"] is None
    sent = practice.invoice(discount={"percent": "10"})
    assert "discount_asked" not in practice.do(Invoicing.read_invoice, practice.cleo, invoice_id=sent["id"])
