"""Payments by card: once, whatever is lost on the way, and the books say the same as the processor's."""

import pytest

from shared.caller import IdempotencyKey
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Invalid, NotFound, Refused, Unanswered
from shared.ids import new_id
from tests.house import Practice

LOST, NOT_CHARGED, LATER, AUTHENTICATE = "4000000000000119", "4000000000000259", "4000000000000341", "4000002500003155"


def lost(really):
    """The call is carried out, its answer never arrives."""
    really()
    raise Unanswered("deadline_passed")


def never(really):
    """The call never arrives."""
    raise Unanswered("deadline_passed")


def test_an_approved_card_pays_the_invoice(practice):
    """Paid in full, one charge in the sandbox's books, and the proof finds nothing."""
    invoice = practice.invoice()
    assert "succeeded" == practice.pay(invoice)["status"]
    read = practice.read(invoice)
    assert ("paid", 0, 12924) == (read["status"], read["balance_due"], read["amount_paid"])
    assert [12924] == practice.charges()
    assert [] == practice.proof()


def test_a_declined_card_leaves_the_invoice_open(practice):
    """The refusal is raised with a sentence for the payer; the payment is kept as failed; another card pays."""
    invoice = practice.invoice()
    with pytest.raises(Refused) as no:
        practice.pay(invoice, "4000000000009995")
    assert ("card_declined", "insufficient_funds") == (no.value.code, no.value.extra["reason"])
    assert "open" == practice.read(invoice)["status"]
    assert "succeeded" == practice.pay(invoice)["status"]
    assert ["failed", "succeeded"] == [payment["status"] for payment in practice.read(invoice)["payments"]]


def test_a_lost_answer_is_found_not_sent_again(practice, house):
    """The sandbox charges but its answer is lost: the payment is unknown, then paid, and its books hold one charge."""
    invoice = practice.invoice()
    assert "unknown" == practice.pay(invoice, LOST)["status"]
    for _ in range(10):
        with pytest.raises(Conflict) as busy:
            practice.pay(invoice)
        assert "payment_in_progress" == busy.value.code
    house.after(6)
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == practice.charges()
    assert [] == practice.proof()


def test_no_answer_and_no_charge_makes_it_payable_again(practice, house):
    """Absence is proven and closed at the processor: the payment failed, nothing was charged, another card pays."""
    invoice = practice.invoice()
    assert "unknown" == practice.pay(invoice, NOT_CHARGED)["status"]
    house.after(6)
    assert "open" == practice.read(invoice)["status"]
    assert "succeeded" == practice.pay(invoice)["status"]
    assert [12924] == practice.charges()


def test_a_charge_that_comes_later_is_one_charge(practice, house):
    """The sandbox charges 3 s after it went silent; the look-up finds it and nobody pays twice."""
    invoice = practice.invoice()
    practice.pay(invoice, LATER)
    house.after(6)
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == practice.charges()


def test_processors_answer_lost_on_the_bus_is_learnt_from_the_news(practice, house):
    """The charge happened but invoicing never heard: pending, then paid by the event, with one charge."""
    invoice = practice.invoice()
    house.meddle["charge"] = lost
    assert "pending" == practice.pay(invoice)["status"]
    house.deliver()
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == practice.charges()
    house.deliver()
    assert [] == practice.proof()


def test_a_call_that_never_arrived_is_closed_by_a_tombstone(practice, house):
    """The sweeper asks about the id, processors has never seen it and closes it: the message that comes late can't charge."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    orders = []
    house.meddle["charge"] = lambda really: (orders.append(really), never(really))
    assert "pending" == practice.pay(invoice, payment_id=payment_id)["status"]
    house.after(30)
    assert ["failed"] == [payment["status"] for payment in practice.read(invoice)["payments"]]
    orders[0]()
    house.deliver()
    assert [] == practice.charges()
    assert "open" == practice.read(invoice)["status"]


def test_the_same_message_twice_is_one_payment(practice):
    """A redelivered pay_invoice finds its own payment and answers as before."""
    invoice, payment_id = practice.invoice(), new_id("pay")
    first = practice.pay(invoice, payment_id=payment_id)
    assert first == practice.pay(invoice, payment_id=payment_id)
    assert [12924] == practice.charges()


def test_one_key_is_one_payment_and_one_answer(practice):
    """The same key answers the same text; with another body it is refused; another practice's key leaks nothing."""
    key = IdempotencyKey("k", "POST /pay", "body-1")
    invoice = practice.invoice()
    first = practice.pay(invoice, key=key)
    assert first == practice.pay(invoice, key=key)
    with pytest.raises(Invalid) as reused:
        practice.pay(invoice, key=IdempotencyKey("k", "POST /pay", "body-2"))
    assert "idempotency_key_reused" == reused.value.code
    other = Practice(practice.house, "2")
    assert first["id"] != other.pay(other.invoice(), key=key)["id"]


def test_a_declined_answer_is_kept_under_its_key_too(practice):
    """The refusal is told again for the same key, marked as replayed, though another card would do."""
    key = IdempotencyKey("k", "POST /pay", "body-1")
    invoice = practice.invoice()
    for replayed in (False, True):
        with pytest.raises(Refused) as no:
            practice.pay(invoice, "4000000000000002", key=key)
        assert replayed is no.value.replayed


def test_authentication_is_waited_for_and_can_be_given_up(practice, house):
    """requires_action keeps the invoice for itself; canceled at the processor it is payable again."""
    invoice = practice.invoice()
    payment = practice.pay(invoice, AUTHENTICATE)
    assert "requires_action" == payment["status"]
    assert payment["next_action"]
    house.deliver()
    assert payment["next_action"] == practice.read(invoice, practice.cleo)["payments"][0]["next_action"], "news leave it as it is"
    for staff in (practice.ada, practice.pat):
        assert practice.read(invoice, staff)["payments"][0]["next_action"] is None, "it opens the page in the payer's name"
    with pytest.raises(Conflict):
        practice.record(invoice)
    other = practice.invoice()
    for who in (practice.ada, practice.pat, practice.cleo):
        listed = {row["id"]: row for row in practice.do(Invoicing.list_invoices, who)["data"]}
        assert ("processing", "requires_action") == _standing(listed[invoice["id"]]) == _standing(practice.read(invoice, who))
        assert ("open", None) == _standing(listed[other["id"]]) == _standing(practice.read(other, who))
    ended = practice.do(Invoicing.cancel_payment, practice.cleo, payment_id=payment["id"])
    assert "canceled" == ended["status"]
    assert "succeeded" == practice.pay(invoice)["status"]
    with pytest.raises(Conflict):
        practice.do(Invoicing.cancel_payment, practice.cleo, payment_id=payment["id"])


def _standing(shown):
    return shown["status"], shown["live_payment_status"]


def test_late_money_is_kept_for_the_client_and_given_back(practice, house):
    """A charge found after its invoice was voided goes to the client's credit and back to the card, all in the books."""
    from services.invoicing.usecases import paying
    from shared.fields import Record

    invoice, payment_id = practice.invoice(), new_id("pay")
    house.meddle["charge"] = lost
    practice.pay(invoice, payment_id=payment_id)
    room = house.services["invoicing"]
    with room.storage.transaction() as tx:
        paying.settle(tx, Record(payment_id=payment_id, status="not_sent"), practice.id, house.clock.now(), room.pace)
    practice.do(Invoicing.void_invoice, practice.pat, invoice_id=invoice["id"])
    house.deliver()
    with room.storage.reading() as tx:
        assert 12924 == tx.client(practice.ada, practice.cleo.member_id).credit
    assert [] == practice.proof()
    house.after(1)
    assert 0 == practice.do(Invoicing.read_client_account, client_id=practice.cleo.member_id)["credit"]
    assert "void" == practice.read(invoice)["status"]
    assert [] == practice.proof()


def test_part_payments_only_where_the_practice_allows_them(house):
    """An amount below the balance is refused by default; where allowed, the invoice is partially paid."""
    strict, open_handed = Practice(house, "1"), Practice(house, "2", partial_payments=True)
    with pytest.raises(Invalid) as no:
        strict.pay(strict.invoice(), amount=100)
    assert "amount" == no.value.errors[0]["field"]
    invoice = open_handed.invoice()
    open_handed.pay(invoice, amount=2924)
    assert ("partially_paid", 10000) == tuple(open_handed.read(invoice)[name] for name in ("status", "balance_due"))
    with pytest.raises(Invalid):
        open_handed.pay(invoice, amount=10001)
    open_handed.pay(invoice)
    assert "paid" == open_handed.read(invoice)["status"]
    assert [] == open_handed.proof()


def test_nobody_pays_what_is_not_theirs(practice, house):
    """Another practice's client finds nothing; staff can't pay with a card typed in."""
    invoice, other = practice.invoice(), Practice(house, "2")
    body = {"payment_id": new_id("pay"), "invoice_id": invoice["id"], "sealed_card": "x"}
    with pytest.raises(NotFound):
        other.do(Invoicing.pay_invoice, other.cleo, **body)


def test_without_a_processor_nothing_hangs(practice, house):
    """No account to charge with: a conflict says so at once, in words, and the invoice stays payable."""
    from shared.contracts.processors import Processors

    account = house.ask(Processors.list_processors, {}, practice.ada).data["data"][0]
    house.ask(Processors.remove_processor, {"processor_id": account["id"]}, practice.ada)
    invoice = practice.invoice()
    with pytest.raises(Conflict) as no:
        practice.pay(invoice)
    assert ("no_processor", "The practice can't take cards yet.") == (no.value.code, no.value.detail)
    assert "open" == practice.read(invoice)["status"]
