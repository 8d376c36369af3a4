"""Many at once on the money core, on both databases: one charge, no refund above it, numbers without gaps, books that balance."""

import threading
from contextlib import suppress

import pytest
from sqlalchemy import text

from services.invoicing.storage import Tx
from services.invoicing.usecases import checking, sending
from shared.caller import IdempotencyKey
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Fault, Unanswered
from shared.fields import Record
from shared.ids import new_id
from tests.integration.invoicing.conftest import AT_ONCE, all_at_once
from tests.unit.invoicing.test_unknown import lost


def many(doors, act, number=AT_ONCE):
    """`act(practice, position)` so many times at once, the two processes taking turns."""
    return all_at_once([lambda n=n: act(doors[n % 2], n) for n in range(number)])


def test_twenty_payers_at_once_are_charged_once(doors):
    """Twenty browsers pay one invoice: one succeeds, nineteen are told that a payment is there already, one charge is booked."""
    practice = doors[0]
    invoice = practice.invoice()
    said = many(doors, lambda door, n: door.pay(invoice))
    assert ["succeeded"] == [answer["status"] for answer in said if isinstance(answer, dict)]
    assert {Conflict} == {type(answer) for answer in said if not isinstance(answer, dict)}
    assert [12924] == practice.charges()
    assert [] == practice.proof()


def race(doors, monkeypatch):
    """Two payers read the same open invoice, neither held up by the other's lock, and both go on."""
    practice, meet = doors[0], threading.Barrier(2)
    invoice = practice.invoice()
    real, met = Tx.invoice, threading.local()

    def unlocked(tx, caller, invoice_id, *, lock=False):
        found = real(tx, caller, invoice_id)
        if lock and not getattr(met, "once", False):
            met.once = True
            with suppress(threading.BrokenBarrierError):
                meet.wait(timeout=5)
        return found

    monkeypatch.setattr(Tx, "invoice", unlocked)
    many(doors, lambda door, n: door.pay(invoice), 2)
    monkeypatch.undo()
    assert [12924] == practice.charges()


@pytest.mark.parametrize("houses", ["postgresql"], indirect=True)
def test_the_index_alone_stops_a_second_payment(doors, monkeypatch):
    """Without the row's lock the partial unique index still lets one live payment through."""
    race(doors, monkeypatch)


@pytest.mark.parametrize("houses", ["postgresql"], indirect=True)
def test_without_lock_and_index_both_are_charged(doors, houses, monkeypatch):
    """The negative control: with both protections away the payer is charged twice, and the race's own assertion goes red."""
    with houses[0].services["invoicing"].storage.database.transaction() as session:
        session.execute(text("drop index one_live_payment"))
    with pytest.raises(AssertionError):
        race(doors, monkeypatch)
    assert [12924, 12924] == doors[0].charges()


def test_one_key_twenty_times_is_one_charge(doors):
    """Twenty requests with one key: one charge; each is told the one payment, or that it is still being worked on."""
    practice, key = doors[0], IdempotencyKey("k", "POST /pay", "body")
    invoice = practice.invoice()
    said = many(doors, lambda door, n: door.pay(invoice, key=key))
    assert 1 == len({answer["id"] for answer in said if isinstance(answer, dict)})
    assert {"idempotency_in_progress"} >= {answer.code for answer in said if isinstance(answer, Fault)}
    assert [12924] == practice.charges()


def test_parallel_refunds_stay_within_the_capture(doors):
    """Twenty refunds of $10.00 of $129.24 at once: twelve succeed, eight are refused, and processors agrees."""
    practice = doors[0]
    invoice = practice.invoice()
    practice.pay(invoice)
    said = many(doors, lambda door, n: door.refund(invoice, 1000))
    assert 12 == len([answer for answer in said if isinstance(answer, dict) and answer["status"] == "succeeded"])
    assert 8 == len([answer for answer in said if isinstance(answer, Conflict)])
    assert 12000 == practice.read(invoice)["amount_refunded"]
    assert [] == practice.proof()


def test_thirty_sends_with_rollbacks_leave_no_gap(doors, monkeypatch):
    """Thirty first sends of a practice at once, a fifth of them rolled back after they took a number: 1 to 30, chain whole."""
    practice, real, fell = doors[0], sending.news.tell, set()
    drafts = [practice.invoice(1000 + n, send=False) for n in range(30)]
    falls = {draft["id"] for draft in drafts[::5]}

    def fall_once(tx, event, invoice, *rest):
        if invoice.id in falls - fell:
            fell.add(invoice.id)
            raise Conflict("fell_over", "after the number was taken")
        real(tx, event, invoice, *rest)

    monkeypatch.setattr(sending.news, "tell", fall_once)

    def send(door, n):
        return door.do(Invoicing.send_invoice, door.pat, invoice_id=drafts[n]["id"])

    said = many(doors, send, 30)
    assert falls == fell == {drafts[n]["id"] for n, answer in enumerate(said) if isinstance(answer, Fault)}
    numbers = sorted(int(answer["number"][-4:]) for answer in said if isinstance(answer, dict))
    assert list(range(1, 25)) == numbers
    many(doors, lambda door, n: send(door, n * 5), 6)
    rows = practice.do(Invoicing.list_invoices)["data"]
    assert list(range(1, 31)) == sorted(int(row["number"][-4:]) for row in rows)
    assert [] == practice.proof()


def test_payouts_at_once_never_take_more_than_there_is(doors):
    """$70.76 of credit, twenty payouts of $10.00 at once: seven are paid."""
    practice = doors[0]
    practice.record(practice.invoice(), 20000, keep_as_credit=True)

    def pay_out(door, n):
        return door.do(Invoicing.refund_credit, payout_id=new_id("out"), client_id=practice.cleo.member_id, amount=1000)

    said = many(doors, pay_out)
    assert 7 == len([answer for answer in said if isinstance(answer, dict)])
    assert 76 == practice.do(Invoicing.read_client_account, client_id=practice.cleo.member_id)["credit"]
    assert [] == practice.proof()


def test_every_door_at_once_posts_a_payment_once(doors):
    """The event (twice over), another event, the sweeper and a person's check bring the same outcome together: one posting."""
    practice, payment_id = doors[0], new_id("pay")
    invoice = practice.invoice()
    for door in doors:
        door.house.meddle["charge"] = lost
    practice.pay(invoice, payment_id=payment_id)
    for door in doors:
        door.house.clock.at += door.house.services["invoicing"].pace.first_check
    event_ids = [new_id("evt"), new_id("evt")]

    def hear(door, n):
        room = door.house.services["invoicing"]
        if n % 4 == 2:
            return door.house.tick("invoicing", "sweep")
        if n % 4 == 3:
            return door.do(Invoicing.check_payment, payment_id=payment_id)
        said = {"event_id": event_ids[n % 3 == 0], "practice_id": door.id, "at": room.clock.now(), "status": "succeeded"}
        return checking.charge_settled(Record(said, payment_id=payment_id), room.storage, room.clock, room.pace)

    assert not [answer for answer in many(doors, hear) if isinstance(answer, Fault)]
    read = practice.read(invoice)
    assert ("paid", 12924) == (read["status"], read["amount_paid"])
    assert 1 == len(
        [row for row in practice.do(Invoicing.read_timeline, invoice_id=invoice["id"])["data"] if row["what"] == "paid"]
    )
    assert [] == practice.proof()


def test_two_sweepers_ask_about_each_payment_once(doors):
    """Both processes sweep in the same moment: every payment that is due is asked about by one of them."""
    practice, asked = doors[0], []

    def never(really):
        raise Unanswered("deadline_passed")

    for door in doors:
        door.house.meddle["charge"] = never
        door.house.meddle["read_charge"] = lambda really: asked.append(1) or really()
    invoices = [practice.invoice() for _ in range(6)]
    for invoice in invoices:
        practice.pay(invoice)
    for door in doors:
        door.house.clock.at += door.house.services["invoicing"].pace.first_check
    many(doors, lambda door, n: door.house.tick("invoicing", "sweep"), 4)
    assert 6 == len(asked)
    assert {"open"} == {practice.read(invoice)["status"] for invoice in invoices}
