"""What isn't known is not taken for a no: a service that breaks after it moved money, messages that come again, late discoveries."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.invoicing.usecases import paying
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Forbidden, NotFound, Rejected, Unanswered, Unavailable
from shared.fields import Record
from shared.ids import new_id
from tests.house import Practice

LOST, NOT_CHARGED = "4000000000000119", "4000000000000259"


def breaks_afterwards(really):
    """The service does what was asked and trips over its own record of it."""
    really()
    raise Unavailable("internal_error")


def lost(really):
    """The call is carried out, its answer never arrives."""
    really()
    raise Unanswered("deadline_passed")


def never(really):
    """The call never arrives."""
    raise Unanswered("deadline_passed")


def settle(house, practice, payment_id, status, **more):
    """Say how a charge stands, as any of the four doors would."""
    room = house.services["invoicing"]
    with room.storage.transaction() as tx:
        paying.settle(tx, Record(payment_id=payment_id, status=status, **more), practice.id, house.clock.now(), room.pace)


def test_a_processors_service_that_breaks_after_charging_is_no_refusal(practice, house):
    """An internal error may come after the money moved: the payment stays live, a second card is refused, one charge in the end."""
    invoice = practice.invoice()
    house.meddle["charge"] = breaks_afterwards
    assert "pending" == practice.pay(invoice)["status"]
    house.meddle.clear()
    with pytest.raises(Conflict) as busy:
        practice.pay(invoice)
    assert "payment_in_progress" == busy.value.code
    house.deliver()
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == practice.charges()


def test_a_refund_that_breaks_afterwards_keeps_its_share(practice, house):
    """The same for a refund: it holds its share of the cap, so that the same money is not given back twice."""
    invoice = practice.invoice()
    practice.pay(invoice)
    house.meddle["refund"] = breaks_afterwards
    assert "pending" == practice.refund(invoice, 10000)["status"]
    house.meddle.clear()
    with pytest.raises(Conflict) as no:
        practice.refund(invoice, 10000)
    assert 2924 == no.value.extra["refundable"]
    house.deliver()
    assert 10000 == practice.read(invoice)["amount_refunded"]
    assert [] == practice.proof()


def test_a_message_that_comes_again_after_a_definite_no_charges_nothing(practice, house):
    """The payment failed and its payer was told so: the same message, delivered again, asks nobody for money."""
    invoice, payment_id = practice.invoice(), new_id("pay")

    def refuse(really):
        raise Forbidden("caller_expired", "The call was signed too long ago.")

    house.meddle["charge"] = refuse
    for _ in range(2):
        with pytest.raises(Rejected):
            practice.pay(invoice, payment_id=payment_id)
        house.meddle.clear()
    house.after(30)
    assert [] == practice.charges()
    assert "open" == practice.read(invoice)["status"]


def test_an_id_of_another_invoice_is_not_carried_out(practice):
    """A payment or refund id that belongs to another invoice is refused, and nothing moves."""
    first, second = practice.invoice(), practice.invoice(2000)
    payment_id = practice.pay(first)["id"]
    refund_id = practice.refund(first, 100)["id"]
    with pytest.raises(NotFound):
        practice.pay(second, payment_id=payment_id)
    practice.record(second)
    with pytest.raises(NotFound):
        practice.do(Invoicing.refund_invoice, refund_id=refund_id, invoice_id=second["id"], amount=100)
    assert [12924] == practice.charges()
    assert 0 == practice.read(second)["amount_refunded"]


def test_a_canceled_payment_found_charged_pays_the_open_invoice(practice, house):
    """canceled → succeeded while the invoice is open and no other payment is live: it is applied, not given back."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = lost
    practice.pay(invoice, payment_id=payment_id)
    settle(house, practice, payment_id, "canceled")
    assert "open" == practice.read(invoice)["status"]
    house.deliver()
    assert "paid" == practice.read(invoice)["status"]
    assert [] == practice.proof()


def test_a_failed_payment_found_charged_beside_a_live_one_is_late_money(practice, house):
    """failed → succeeded while another payment is live: all of it goes back, and the live one pays."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = lost
    practice.pay(invoice, payment_id=payment_id)
    settle(house, practice, payment_id, "not_sent")
    house.meddle.clear()
    assert "unknown" == practice.pay(invoice, LOST)["status"]
    house.after(6)
    read = practice.read(invoice)
    assert ("paid", 12924) == (read["status"], read["amount_paid"])
    assert ["succeeded"] == [refund["status"] for refund in read["refunds"]]
    assert [12924, 12924] == practice.charges()
    assert [] == practice.proof()


def test_a_failed_refund_found_given_counts_again(practice, house):
    """A refund thought failed that happened after all is posted then, and the cap knows it."""
    from services.invoicing.usecases import refunding

    invoice, refund_id = practice.invoice(), new_id("ref")
    practice.pay(invoice)
    house.meddle["refund"] = lost
    practice.do(Invoicing.refund_invoice, refund_id=refund_id, invoice_id=invoice["id"], amount=12000)
    room = house.services["invoicing"]
    with room.storage.transaction() as tx:
        refunding.settle(tx, Record(refund_id=refund_id, status="not_sent"), practice.id, house.clock.now(), room.pace)
    house.deliver()
    house.after(1)  # news may be old: processors is asked first
    read = practice.read(invoice)
    assert ("partially_refunded", 12000) == (read["status"], read["amount_refunded"])
    house.meddle.clear()
    with pytest.raises(Conflict) as no:
        practice.refund(invoice, 925)
    assert 924 == no.value.extra["refundable"]
    assert [] == practice.proof()


def test_news_that_names_another_practice_moves_nothing(practice, house):
    """News of a charge or refund counts only in the practice that its envelope names."""
    from services.invoicing.usecases import checking

    stranger = Practice(house, "2")
    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = never
    practice.pay(invoice, payment_id=payment_id)
    room = house.services["invoicing"]
    for practice_id, status in ((stranger.id, "pending"), (practice.id, "paid")):
        said = {"event_id": new_id("evt"), "practice_id": practice_id, "at": house.clock.now(), "status": "succeeded"}
        checking.charge_settled(Record(said, payment_id=payment_id), room.storage, house.clock, room.pace)
        assert (status == "paid") == (practice.read(invoice)["status"] == "paid")
    house.meddle["refund"] = house.meddle.pop("charge")
    refund_id = practice.refund(invoice, 100)["id"]
    for practice_id, refunded in ((stranger.id, 0), (practice.id, 100)):
        said = {"event_id": new_id("evt"), "practice_id": practice_id, "at": house.clock.now(), "status": "succeeded"}
        checking.refund_settled(Record(said, refund_id=refund_id), room.storage, house.clock, room.pace)
        assert refunded == practice.read(invoice)["amount_refunded"]


def test_one_payment_that_can_not_be_swept_does_not_stop_the_others(practice, house):
    """The sweeper trips over one payment and still settles those after it."""
    invoices = [practice.invoice() for _ in range(3)]
    house.meddle["charge"] = never
    for invoice in invoices:
        practice.pay(invoice)
    asked = []

    def trip_once(really):
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("a row that nobody foresaw")
        return really()

    house.meddle["read_charge"] = trip_once
    house.clock.at += house.services["invoicing"].pace.first_check
    house.tick("invoicing", "sweep")
    assert ["open", "open", "processing"] == sorted(practice.read(invoice)["status"] for invoice in invoices)


def test_a_payer_is_not_told_that_a_card_is_stolen(practice, house):
    """Suspicion and theft read like any decline to the payer, in the answer and later; staff see what the processor said."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = never
    practice.pay(invoice, payment_id=payment_id)
    failure = {"code": "lost_or_stolen", "message": "The card was declined.", "processor_code": "pickup_card"}
    settle(house, practice, payment_id, "declined", failure=failure)
    to_payer = practice.read(invoice, practice.cleo)["payments"][0]["failure"]
    assert ("card_declined", None) == (to_payer["code"], to_payer["processor_code"])
    assert "lost_or_stolen" == practice.read(invoice)["payments"][0]["failure"]["code"]
    with house.services["invoicing"].storage.reading() as tx:
        kept = paying.kept_answer(tx.payment_by_id(practice.id, payment_id))[0]
    assert "stolen" not in kept
    assert "pickup" not in kept


def test_a_draft_in_the_old_currency_is_not_sent(practice, house):
    """The practice changed its currency after the draft was made: sending it says so, and no number is lost."""
    draft = practice.invoice(send=False)
    system = practice.ada.system(practice.id)
    copy = {"version": 2, "name": "Riverside", "currency": "EUR", "time_zone": "UTC"}
    house.ask(Invoicing.put_practice, copy, system)
    with pytest.raises(Conflict) as no:
        practice.do(Invoicing.send_invoice, practice.pat, invoice_id=draft["id"])
    assert "currency_changed" == no.value.code
    assert practice.invoice()["number"].endswith("-0001")


def test_one_sent_invoice_among_many_drafts_is_counted(practice, house):
    """A practice that has sent anything is told so, however many drafts it has: its currency hangs on it."""
    template = practice.invoice(send=False)
    with house.services["invoicing"].storage.database.transaction() as session:
        columns = [row[1] for row in session.execute(text("pragma table_info(invoices)")) if row[1] != "id"]
        names = ", ".join(columns)
        for number in range(120):
            copy = f"insert into invoices (id, {names}) select 'inv_0{number:03d}', {names} from invoices where id = :id"
            session.execute(text(copy), {"id": template["id"]})
    practice.invoice()
    assert practice.do(Invoicing.read_summary)["sent"]


def test_a_provider_who_is_not_assigned_edits_no_draft(practice):
    """Editing is for those who may create: an unassigned provider is told why not."""
    draft = practice.invoice(send=False)
    practice.do(Invoicing.change_service, provider_ids=[])
    with pytest.raises(Forbidden) as no:
        practice.do(Invoicing.edit_invoice, practice.pat, invoice_id=draft["id"], amount=1)
    assert "not_assigned" == no.value.code


def test_a_split_refund_is_answered_within_the_time_of_one(house):
    """Two silent cards share what time the asker has: what was not sent is not begun late, fails, and can be asked again."""
    practice = Practice(house, "8", partial_payments=True)
    invoice = practice.invoice()
    for amount in (5000, 7924):
        practice.pay(invoice, amount=amount)
        house.after(1)
    asked = []

    def silent(really):
        asked.append(house.clock.now())
        house.clock.at += timedelta(seconds=20)
        raise Unanswered("deadline_passed")

    house.meddle["refund"] = silent
    begun = house.clock.now()
    assert ["pending", "pending"] == [refund["status"] for refund in practice.refund(invoice)["data"]]
    assert 1 == len(asked) and timedelta(seconds=21) > house.clock.now() - begun
    house.meddle.clear()
    house.after(60)
    assert ["failed", "failed"] == [refund["status"] for refund in practice.read(invoice)["refunds"]]
    practice.refund(invoice)
    assert "refunded" == practice.read(invoice)["status"] and [] == practice.proof()
