"""Negative controls: with a protection patched away, the story that watches over it goes red; with it, the story holds."""

import contextlib

import pytest

from services.invoicing.usecases import checking, paying
from shared.contracts.processors import Processors
from shared.fields import Record
from shared.ids import new_id
from shared.told import Told
from tests.unit.invoicing.test_answers import Died, dies
from tests.unit.invoicing.test_unknown import LOST, never, settle


def red(story, *given):
    """The story's own assertion fails."""
    with pytest.raises(AssertionError):
        story(*given)


def killed_after_the_charge(practice, house):
    """The process dies when the card was charged and nothing more was written; the payer tries again, and time passes."""
    invoice = practice.invoice()
    house.meddle["charge"] = dies
    with pytest.raises(Died):
        practice.pay(invoice)
    house.meddle.clear()
    with contextlib.suppress(Exception):
        practice.pay(invoice)
    house.after(30)
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == practice.charges()


def ask_then_write(caller, request, storage, bus, clock, pace):
    """Paying as it must not be: the processor is asked before anything is committed."""
    with storage.reading() as tx:
        invoice = tx.invoice(caller, request.invoice_id)
        assert "open" == invoice.status
        order = {"invoice_id": invoice.id, "amount": invoice.balance_due, "currency": invoice.currency}
    order.update(payment_id=request.payment_id, sealed_card=request.sealed_card)
    outcome = bus.ask(Processors.charge, order, caller).data
    with storage.transaction() as tx:
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        paying._begin(tx, invoice, caller, request, clock.now(), pace)
        paying.settle(tx, outcome, caller.practice_id, clock.now(), pace)
        text, status = paying.kept_answer(tx.payment(caller, request.payment_id))
    return Told(text, status=status)


def test_the_payment_is_committed_before_the_call(practice, house):
    """Killed between charge and record, the payer is charged once."""
    killed_after_the_charge(practice, house)


def test_without_that_the_payer_is_charged_twice(practice, house, monkeypatch):
    """Asked first and written afterwards, the same story ends with two charges: it would be seen."""
    monkeypatch.setattr(paying, "pay_invoice", ask_then_write)
    red(killed_after_the_charge, practice, house)
    assert [12924, 12924] == practice.charges()


def old_news_comes_again(practice, house):
    """News of an unknown outcome is heard, the processor says since that the charge is held, and the old news comes once more."""
    invoice, payment_id, room = practice.invoice(), new_id("pay"), house.services["invoicing"]
    house.meddle["charge"] = never
    practice.pay(invoice, LOST, payment_id)
    said = {"event_id": new_id("evt"), "practice_id": practice.id, "at": house.clock.now(), "status": "unknown"}
    news = Record(said, payment_id=payment_id)
    checking.charge_settled(news, room.storage, house.clock, room.pace)
    assert "unknown" == practice.read(invoice)["payments"][0]["status"]
    settle(house, practice, payment_id, "pending")
    checking.charge_settled(news, room.storage, house.clock, room.pace)
    assert "pending" == practice.read(invoice)["payments"][0]["status"]


def test_news_has_its_effect_once(practice, house):
    """What was heard before changes nothing: the newer word stands."""
    old_news_comes_again(practice, house)


def test_without_the_inbox_old_news_overwrites_newer(practice, house, monkeypatch):
    """With no inbox the payment falls back to what it was: it would be seen."""
    monkeypatch.setattr(checking, "heard_before", lambda *told: False)
    red(old_news_comes_again, practice, house)
