"""Late money is the client's credit for a moment only: it is held for its way back, and nobody spends it meanwhile."""

import pytest
from sqlalchemy import event

from services.invoicing.usecases import refunding
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Invalid, Unanswered
from shared.fields import Record
from shared.ids import new_id
from tests.unit.invoicing.test_unknown import LOST, lost, settle


def late_money(practice, house):
    """$129.24 that came after its invoice was voided; its return is not asked for yet."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = lost
    practice.pay(invoice, payment_id=payment_id)
    settle(house, practice, payment_id, "not_sent")
    house.meddle.clear()
    practice.do(Invoicing.void_invoice, practice.pat, invoice_id=invoice["id"])
    house.deliver()
    return invoice


def credit(practice):
    return practice.do(Invoicing.read_client_account, client_id=practice.cleo.member_id)["credit"]


def test_late_money_can_not_be_spent_on_its_way_back(practice, house):
    """Held from the moment it is booked: neither an invoice nor a payout takes it, and credit never goes below zero."""
    late_money(practice, house)
    other = practice.invoice(1000)
    with pytest.raises(Invalid):
        practice.record(other, method="client_credit")
    with pytest.raises(Conflict) as no:
        practice.do(Invoicing.refund_credit, payout_id=new_id("out"), client_id=practice.cleo.member_id, amount=1)
    assert 0 == no.value.extra["credit"]
    assert [] == practice.proof()
    house.after(1)
    assert 0 == credit(practice)
    assert [] == practice.proof()


def test_kept_credit_beside_late_money_can_be_used(practice, house):
    """Only what is on its way back is held: $70.76 that was kept before still pays."""
    practice.record(practice.invoice(), 20000, keep_as_credit=True)
    late_money(practice, house)
    assert 7076 == credit(practice)
    practice.record(practice.invoice(1000), method="client_credit")
    house.after(1)
    assert 7076 - 1073 == credit(practice)
    assert [] == practice.proof()


def test_late_money_whose_return_failed_can_be_used(practice, house):
    """The processor refuses to give it back: now it is credit like any other."""
    invoice = late_money(practice, house)
    refund_id = practice.read(invoice)["refunds"][0]["id"]
    room = house.services["invoicing"]
    with room.storage.transaction() as tx:
        failure = {"code": "invalid_request", "message": "No.", "processor_code": "54"}
        word = Record(refund_id=refund_id, status="declined", failure=failure)
        refunding.settle(tx, word, practice.id, house.clock.now(), room.pace)
    assert 12924 == credit(practice)
    assert ["late_money"] == [item["status"] for item in practice.do(Invoicing.list_work)["data"]]
    practice.record(practice.invoice(1000), method="client_credit")
    assert [] == practice.proof()


def returned(house, practice, invoice, status, code=None, said=None, which=-1):
    """Say how a return of late money ended, the newest unless another is named."""
    room, refund = house.services["invoicing"], practice.read(invoice)["refunds"][which]
    failure = {"code": code, "message": "No.", "processor_code": said} if code else None
    with room.storage.transaction() as tx:
        word = Record(refund_id=refund["id"], status=status, failure=failure)
        refunding.settle(tx, word, practice.id, house.clock.now(), room.pace)


@pytest.mark.parametrize(("status", "code"), [("not_sent", "processor_unavailable"), ("declined", "processor_credentials_refused")])
def test_late_money_that_could_not_be_given_back_yet_is_given_back_later(practice, house, status, code):
    """A processor that was not there for a minute: a new return under a new id; until it is back nobody spends the credit."""
    invoice = late_money(practice, house)
    returned(house, practice, invoice, status, code)
    assert ["failed", "pending"] == [refund["status"] for refund in practice.read(invoice)["refunds"]]
    assert 0 == credit(practice) and [invoice["id"]] == [item["invoice_id"] for item in practice.do(Invoicing.list_work)["data"]]
    house.after(30)
    assert "pending" == practice.read(invoice)["refunds"][-1]["status"]
    house.after(31)
    assert "succeeded" == practice.read(invoice)["refunds"][-1]["status"]
    assert 0 == credit(practice) and [] == practice.do(Invoicing.list_work)["data"] and [] == practice.proof()


def test_late_money_that_never_goes_back_is_told_to_a_person(practice, house):
    """After the last pause, or at once where the processor says no: on the work list, and credit like any other."""
    invoice = late_money(practice, house)
    for _ in house.services["invoicing"].pace.returns:
        returned(house, practice, invoice, "not_sent", "processor_unavailable")
    assert 0 == credit(practice)
    returned(house, practice, invoice, "not_sent", "processor_unavailable")
    assert 12924 == credit(practice)
    (item,) = practice.do(Invoicing.list_work)["data"]
    assert ("finding", "late_money", invoice["id"], 12924) == tuple(
        item[name] for name in ("kind", "status", "invoice_id", "amount")
    )
    assert [] == practice.proof()


def test_late_money_that_was_given_back_after_all_is_not_given_back_again(practice, house):
    """The first return is found while the second one waits: that one is closed, and nothing more goes out."""
    invoice = late_money(practice, house)
    returned(house, practice, invoice, "not_sent", "processor_unavailable")
    returned(house, practice, invoice, "succeeded", which=0)
    house.after(61)
    assert ["succeeded", "failed"] == [refund["status"] for refund in practice.read(invoice)["refunds"]]
    house.after(7 * 86400)
    assert 2 == len(practice.read(invoice)["refunds"]) and 0 == credit(practice)
    assert [] == practice.do(Invoicing.list_work)["data"] and [] == practice.proof()


def test_a_return_that_is_only_believed_not_sent_goes_to_a_person(practice, house):
    """No look-up found it, which proves nothing: it is not begun anew."""
    invoice = late_money(practice, house)
    returned(house, practice, invoice, "not_sent", "processor_unavailable", said="absent")
    assert ["failed"] == [refund["status"] for refund in practice.read(invoice)["refunds"]]
    assert ["late_money"] == [item["status"] for item in practice.do(Invoicing.list_work)["data"]]


def test_asking_about_a_return_that_waits_begins_it(practice, house):
    """A person's question uses up no try: the money goes back now."""
    invoice = late_money(practice, house)
    returned(house, practice, invoice, "not_sent", "processor_unavailable")
    waiting = practice.read(invoice)["refunds"][-1]
    assert "succeeded" == practice.do(Invoicing.check_refund, refund_id=waiting["id"])["status"]
    assert 0 == credit(practice) and [] == practice.proof()


def test_a_refund_that_is_given_up_keeps_the_processors_reason(practice, house):
    """What the look found stays told: only a return of late money has none, because nothing of it is to pass."""
    invoice = practice.invoice()
    practice.pay(invoice)
    house.meddle["refund"] = lambda really: (_ for _ in ()).throw(Unanswered("deadline_passed"))
    refund = practice.refund(invoice, 1000)
    house.meddle.clear()
    given_up = practice.do(Invoicing.cancel_refund, refund_id=refund["id"])
    assert ("failed", "processor_unavailable") == (given_up["status"], given_up["failure"]["code"])


def test_a_return_that_a_person_gives_up_is_not_begun_anew(practice, house):
    """The credit is the client's then, and the work list says so."""
    invoice = late_money(practice, house)
    returned(house, practice, invoice, "not_sent", "processor_unavailable")
    waiting = practice.read(invoice)["refunds"][-1]
    assert "failed" == practice.do(Invoicing.cancel_refund, refund_id=waiting["id"])["status"]
    house.after(7 * 86400)
    assert 2 == len(practice.read(invoice)["refunds"]) and 12924 == credit(practice)
    assert ["late_money"] == [item["status"] for item in practice.do(Invoicing.list_work)["data"]] and [] == practice.proof()


def test_late_money_is_on_the_work_list_until_it_is_back(practice, house):
    """A person sees it while it waits, and not afterwards."""
    invoice = late_money(practice, house)
    assert [(invoice["id"], 12924)] == [(item["invoice_id"], item["amount"]) for item in practice.do(Invoicing.list_work)["data"]]
    house.after(1)
    assert [] == practice.do(Invoicing.list_work)["data"]


def test_the_work_list_asks_the_same_few_questions_however_long_it_is(practice, house):
    """Five payments that need a look take as many statements as one."""
    counted = []
    engine = house.services["invoicing"].storage.database.engine
    event.listen(engine, "before_cursor_execute", lambda *told: counted.append(told[2]))
    statements = []
    for number in (1, 4):
        for _ in range(number):
            practice.pay(practice.invoice(), LOST)
        counted.clear()
        listed = practice.do(Invoicing.list_work)["data"]
        statements.append(len(counted))
    assert 5 == len(listed)
    assert statements[0] == statements[1]
