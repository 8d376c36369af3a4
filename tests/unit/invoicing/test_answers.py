"""One key, one answer: the first text is told for ever, through redeliveries, crashes and what happened since."""

import pytest

from shared.caller import IdempotencyKey
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict
from shared.ids import new_id
from tests.unit.invoicing.test_unknown import LOST, lost, never


class Died(BaseException):
    """Stands for kill -9: nothing after it runs."""


def dies(really):
    really()
    raise Died


def key(route="POST /x"):
    return IdempotencyKey("k", route, "body")


def test_an_answer_that_was_given_is_not_given_otherwise_later(practice, house):
    """202 was the answer; the payment is settled since; the message again and the key again both tell the 202."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    first = practice.pay(invoice, LOST, payment_id, key())
    house.after(6)
    assert "paid" == practice.read(invoice)["status"]
    assert first == practice.pay(invoice, LOST, payment_id, key())
    assert first == practice.pay(invoice, LOST, new_id("pay"), key())
    assert [12924] == practice.charges()


def test_a_refunds_first_answer_stays_too(practice, house):
    """The same for a refund: pending was told, and pending is told again."""
    invoice, refund_id = practice.invoice(), new_id("ref")
    practice.pay(invoice)
    house.meddle["refund"] = lost
    body = {"invoice_id": invoice["id"], "amount": 100}
    first = practice.do(Invoicing.refund_invoice, practice.ada.with_key(key()), refund_id=refund_id, **body)
    assert "pending" == first["status"]
    house.meddle.clear()
    house.deliver()
    for same_or_new in (refund_id, new_id("ref")):
        assert first == practice.do(Invoicing.refund_invoice, practice.ada.with_key(key()), refund_id=same_or_new, **body)
    assert 100 == practice.read(invoice)["amount_refunded"]


def test_a_crash_in_the_middle_gets_its_answer_from_the_sweeper(practice, house):
    """Killed after the processor was asked, and processors can't be reached since: the key answers 202 once the time is up."""
    invoice, payment_id, refund_id = practice.invoice(), new_id("pay"), new_id("ref")
    house.meddle["charge"] = dies
    with pytest.raises(Died):
        practice.pay(invoice, payment_id=payment_id, key=key())
    with pytest.raises(Conflict) as busy:
        practice.pay(invoice, key=key())
    assert "idempotency_in_progress" == busy.value.code
    house.meddle["read_charge"] = never
    house.clock.at += house.services["invoicing"].pace.first_check
    house.tick("invoicing", "sweep")
    assert (payment_id, "pending") == tuple(practice.pay(invoice, key=key())[name] for name in ("id", "status"))
    house.deliver()
    house.meddle.update(refund=dies, read_refund=never)
    body = {"invoice_id": invoice["id"], "amount": 100}
    with pytest.raises(Died):
        practice.do(Invoicing.refund_invoice, practice.ada.with_key(key("r")), refund_id=refund_id, **body)
    house.clock.at += house.services["invoicing"].pace.first_check
    house.tick("invoicing", "sweep")
    again = practice.do(Invoicing.refund_invoice, practice.ada.with_key(key("r")), refund_id=new_id("ref"), **body)
    assert (refund_id, "pending") == (again["id"], again["status"])
    house.deliver()
    assert 100 == practice.read(invoice)["amount_refunded"]


def test_canceling_twice_with_one_key_tells_the_same(practice):
    """The second cancel is no conflict: it is the first one, told again; without the key it is refused."""
    payment = practice.pay(practice.invoice(), "4000002500003155")
    who = practice.cleo.with_key(key())
    first = practice.do(Invoicing.cancel_payment, who, payment_id=payment["id"])
    assert "canceled" == first["status"]
    assert first == practice.do(Invoicing.cancel_payment, who, payment_id=payment["id"])
    with pytest.raises(Conflict):
        practice.do(Invoicing.cancel_payment, practice.cleo, payment_id=payment["id"])


def test_checking_twice_with_one_key_tells_the_same(practice, house):
    """A check is answered once per key, though the payment has moved on; a new key looks anew."""
    invoice = practice.invoice()
    payment = practice.pay(invoice, LOST)
    house.meddle["check_charge"] = lambda really: _standing(house, practice, payment)
    first = practice.do(Invoicing.check_payment, practice.ada.with_key(key()), payment_id=payment["id"])
    house.meddle.clear()
    house.after(6)
    assert "succeeded" == practice.do(Invoicing.read_payment, payment_id=payment["id"])["status"]
    assert first == practice.do(Invoicing.check_payment, practice.ada.with_key(key()), payment_id=payment["id"])


def _standing(house, practice, payment):
    from shared.contracts.processors import Processors

    return house.ask(Processors.read_charge, {"payment_id": payment["id"]}, practice.ada)


def test_a_created_invoice_is_told_again_whatever_changed_since(practice, house):
    """The service was switched off and tax is away: the key of an invoice that was made still answers with it."""
    body = {"invoice_id": new_id("inv"), "client_id": practice.cleo.member_id, "description": "x", "amount": 100, "send": True}
    who = practice.pat.with_key(key())
    first = practice.do(Invoicing.create_invoice, who, **body)
    practice.do(Invoicing.change_service, enabled=False)
    house.meddle["quote"] = never
    assert first == practice.do(Invoicing.create_invoice, who, **{**body, "invoice_id": new_id("inv")})
    assert 1 == len(practice.do(Invoicing.list_invoices)["data"])


def test_keys_are_forgotten_after_two_days(practice, house):
    """Nobody can ask for a key's answer any more after 48 hours: its row goes, younger ones stay."""
    from datetime import timedelta

    from sqlalchemy import text

    practice.pay(practice.invoice(), key=key("old"))
    house.clock.at += timedelta(hours=47)
    practice.pay(practice.invoice(), key=key("young"))
    house.clock.at += timedelta(hours=2)
    house.tick("invoicing", "forget_old_keys")
    with house.services["invoicing"].storage.reading() as tx:
        assert ["young"] == list(tx.session.scalars(text("select route from idempotency")))
