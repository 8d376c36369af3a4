"""Refunds, credit, closing, numbers and the proof of the ledger."""

import random

import pytest
from sqlalchemy import text

from shared.contracts.invoicing import SHOWN, Invoicing
from shared.faults import Conflict, Forbidden, Invalid, NotFound, Refused, Rejected
from shared.ids import new_id
from tests.house import Practice


def paid(practice, amount=12050):
    invoice = practice.invoice(amount)
    practice.pay(invoice)
    return invoice


def shown(invoice):
    return invoice["status"], invoice["allowed_actions"]


def test_a_refund_gives_back_its_share_of_tax(practice):
    """$20.50 of $129.24 holds $1.39 tax; the rest of the refunds hold the rest of the tax, to the cent."""
    invoice = paid(practice)
    refund = practice.refund(invoice, 2050)
    assert ("succeeded", 139) == (refund["status"], refund["tax"])
    assert "partially_refunded" == practice.read(invoice)["status"]
    assert 874 - 139 == practice.refund(invoice)["tax"]
    read = practice.read(invoice)
    assert ("refunded", 12924, []) == (read["status"], read["amount_refunded"], read["allowed_actions"])
    assert [] == practice.proof()


def test_refunds_never_exceed_what_was_taken(practice):
    """The sum of refunds stops at the payment, also with one still unknown."""
    invoice = paid(practice)
    practice.refund(invoice, 12000)
    with pytest.raises(Conflict) as no:
        practice.refund(invoice, 925)
    assert 924 == no.value.extra["refundable"]


def test_refunding_an_open_invoice_reopens_its_balance(house):
    """A part payment that is refunded is due again; then the invoice can be voided."""
    practice = Practice(house, "3", partial_payments=True)
    invoice = practice.invoice()
    practice.pay(invoice, amount=5000)
    with pytest.raises(Conflict):
        practice.do(Invoicing.void_invoice, practice.pat, invoice_id=invoice["id"])
    practice.refund(invoice)
    read = practice.read(invoice)
    assert ("open", 12924, 0, 0) == tuple(read[name] for name in ("status", "balance_due", "amount_paid", "amount_refunded"))
    practice.do(Invoicing.void_invoice, practice.pat, invoice_id=invoice["id"])
    assert [] == practice.proof()


def test_a_refund_over_several_payments_takes_the_newest_first(house):
    """Cash first, then card: $100 back comes from the card payment before the cash one."""
    practice = Practice(house, "4", partial_payments=True)
    invoice = practice.invoice()
    practice.record(invoice, 8000)
    house.after(60)
    practice.pay(invoice)
    split = practice.refund(invoice, 10000)["data"]
    assert [4924, 5076] == [refund["amount"] for refund in split]
    assert "partially_refunded" == practice.read(invoice)["status"]
    assert [] == practice.proof()


def test_forgiving_keeps_what_was_paid(house):
    """The balance is written off; what was paid can still be refunded, is shown so, and the invoice stays closed."""
    practice = Practice(house, "5", partial_payments=True)
    invoice = practice.invoice()
    practice.record(invoice, 2924)
    forgiven = practice.do(Invoicing.forgive_invoice, practice.pat, invoice_id=invoice["id"])
    assert ("forgiven", 10000, 0) == tuple(forgiven[name] for name in ("status", "amount_forgiven", "balance_due"))
    practice.refund(invoice, 924)
    assert ("partially_refunded", ["refund"]) == shown(practice.read(invoice))
    practice.refund(invoice)
    assert ("refunded", []) == shown(practice.read(invoice))
    assert [invoice["id"]] == [row["id"] for row in practice.do(Invoicing.list_invoices, status="refunded")["data"]]
    assert [] == practice.do(Invoicing.list_invoices, status="forgiven")["data"]
    assert [] == practice.proof()


def test_kept_credit_pays_the_next_invoice_and_comes_back_when_refunded(practice):
    """More cash than due is refused unless kept; the credit pays another invoice; its refund is credit again."""
    invoice = practice.invoice()
    with pytest.raises(Invalid):
        practice.record(invoice, 20000)
    practice.record(invoice, 20000, keep_as_credit=True)
    account = {"client_id": practice.cleo.member_id}
    assert 7076 == practice.do(Invoicing.read_client_account, **account)["credit"]
    second = practice.invoice(1000)
    practice.record(second, method="client_credit")
    assert ("paid", 7076 - 1073) == (
        practice.read(second)["status"],
        practice.do(Invoicing.read_client_account, **account)["credit"],
    )
    practice.refund(second)
    assert 7076 == practice.do(Invoicing.read_client_account, **account)["credit"]
    with pytest.raises(Conflict):
        practice.do(Invoicing.refund_credit, payout_id=new_id("out"), amount=7077, **account)
    assert 0 == practice.do(Invoicing.refund_credit, payout_id=new_id("out"), amount=7076, **account)["credit"]
    assert [] == practice.proof()


def test_numbers_have_no_gaps(practice):
    """Numbers are given at send, one after another; drafts have none, refused and voided ones leave no hole."""
    drafts = [practice.invoice(send=False) for _ in range(3)]
    assert [None] * 3 == [draft["number"] for draft in drafts]
    for draft in (drafts[2], drafts[0]):
        practice.do(Invoicing.send_invoice, practice.pat, invoice_id=draft["id"])
    with pytest.raises(Conflict):
        practice.do(Invoicing.send_invoice, practice.pat, invoice_id=drafts[0]["id"])
    practice.do(Invoicing.void_invoice, practice.pat, invoice_id=drafts[0]["id"])
    practice.invoice()
    listed = practice.do(Invoicing.list_invoices)["data"]
    assert [1, 2, 3] == sorted(int(row["number"][-4:]) for row in listed if row["number"])


def test_a_sent_invoice_is_frozen(practice):
    """Editing and deleting are for drafts; the other states say what they allow."""
    invoice = practice.invoice()
    for call in (Invoicing.edit_invoice, Invoicing.delete_invoice):
        with pytest.raises(Conflict) as no:
            practice.do(call, practice.pat, invoice_id=invoice["id"])
        assert ["record_payment", "forgive", "void"] == no.value.allowed_actions


def test_drafts_are_edited_and_thrown_away(practice):
    """Lines, discount and memo change the sums; the memo is staff's own; a draft is invisible to the client."""
    draft = practice.invoice(send=False)
    lines = [{"description": "Session", "quantity": "1.5", "unit_amount": 10000}, {"description": "Book", "unit_amount": 999}]
    change = {"invoice_id": draft["id"], "lines": lines, "discount": {"percent": "10"}, "memo": "Sliding scale"}
    edited = practice.do(Invoicing.edit_invoice, practice.pat, **change)
    assert (15999, 1600, 1044, 15443) == tuple(edited[name] for name in ("subtotal", "discount", "tax", "total"))
    assert 1044 == sum(line["tax"] for line in edited["lines"])
    with pytest.raises(NotFound):
        practice.read(draft, practice.cleo)
    sent = practice.do(Invoicing.send_invoice, practice.pat, invoice_id=draft["id"])
    assert "Sliding scale" == sent["memo"]
    assert "memo" not in practice.read(draft, practice.cleo)
    other = practice.invoice(send=False)
    practice.do(Invoicing.delete_invoice, practice.pat, invoice_id=other["id"])
    with pytest.raises(NotFound):
        practice.read(other)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [{"description": "x", "unit_amount": 0}]}, "amount"),
        ({"lines": [{"description": "x", "unit_amount": 100}], "discount": {"amount": 100}}, "discount"),
        ({"lines": [{"description": "x", "unit_amount": 100}], "discount": {"amount": 1, "percent": "1"}}, "discount"),
        ({"lines": [{"description": "x", "unit_amount": 100}], "amount": 100}, "amount"),
        ({"lines": [{"description": "x", "quantity": "100000", "unit_amount": 10**12}]}, "lines.0.unit_amount"),
    ],
)
def test_what_cannot_be_billed_names_its_field(practice, body, field):
    """An invoice needs something to pay, one kind of discount, lines or an amount."""
    wanted = {"invoice_id": new_id("inv"), "client_id": practice.cleo.member_id, **body}
    with pytest.raises(Invalid) as no:
        practice.do(Invoicing.create_invoice, practice.pat, **wanted)
    assert field == no.value.errors[0]["field"]


def test_only_who_may_creates_invoices(practice, house):
    """Not assigned: forbidden; switched off: a conflict that says so; a client never."""
    practice.do(Invoicing.change_service, provider_ids=[])
    with pytest.raises(Forbidden) as no:
        practice.invoice()
    assert "not_assigned" == no.value.code
    practice.do(Invoicing.change_service, enabled=False, provider_ids=[practice.pat.member_id])
    with pytest.raises(Conflict) as off:
        practice.invoice()
    assert "service_disabled" == off.value.code
    with pytest.raises(Invalid):
        practice.do(Invoicing.change_service, provider_ids=["col_nobody"])


def test_a_provider_sees_their_own_clients_only(practice, house):
    """Another provider of the practice finds nothing, like one of another practice."""
    from dataclasses import replace

    invoice = practice.invoice()
    stranger = replace(practice.pat, member_id="col_other")
    for who in (stranger, Practice(house, "2").ada):
        with pytest.raises(NotFound):
            practice.read(invoice, who)
        assert [] == practice.do(Invoicing.list_invoices, who)["data"]


def test_lists_filter_by_the_status_that_is_shown(house):
    """Each shown status finds exactly the invoices that show it; pages and search find what is asked."""
    practice = Practice(house, "6", partial_payments=True)
    for number in range(12):
        invoice = practice.invoice(1000 + number)
        if number % 6 == 1:
            practice.pay(invoice)
        if number % 6 == 2:
            practice.pay(invoice, amount=500)
        if number == 3:
            practice.pay(invoice, "4000000000000119")
        if number == 4:
            practice.do(Invoicing.void_invoice, practice.pat, invoice_id=invoice["id"])
        if number == 7:
            practice.refund(invoice, 100)
        if number == 1:
            practice.refund(invoice)
        if number == 5:
            practice.do(Invoicing.forgive_invoice, practice.pat, invoice_id=invoice["id"])
    practice.invoice(send=False)
    from datetime import timedelta

    house.clock.at += timedelta(days=10)
    practice.invoice(77)
    house.clock.at += timedelta(days=6)
    rows = practice.do(Invoicing.list_invoices)["data"]
    for status in SHOWN:
        found = practice.do(Invoicing.list_invoices, status=status)["data"]
        assert [row["id"] for row in rows if row["status"] == status] == [row["id"] for row in found], status
    assert {"overdue", "open", "processing", "refunded", "partially_refunded"} <= {row["status"] for row in rows}
    first = practice.do(Invoicing.list_invoices, limit=5)
    second = practice.do(Invoicing.list_invoices, limit=50, cursor=first["next_cursor"])
    assert [row["id"] for row in rows] == [row["id"] for row in first["data"] + second["data"]]
    assert [rows[0]["id"]] == [row["id"] for row in practice.do(Invoicing.list_invoices, q=rows[0]["number"])["data"]]
    assert [] == practice.do(Invoicing.list_invoices, q="100%")["data"]


def test_explanations_add_up(practice):
    """The entries behind total, tax and balance sum to the number they explain."""
    invoice = paid(practice)
    for of in ("total", "tax", "balance"):
        told = practice.do(Invoicing.explain, practice.cleo, invoice_id=invoice["id"], of=of)
        assert told["value"] == sum(entry["amount"] for entry in told["entries"]), of
        assert told["rule"]


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        ("update ledger_entries set amount = amount + 1 where seq = 2", "entry ent_"),
        ("update ledger_entries set at = '2020-01-01 00:00:00.000000' where seq = 3", "entry ent_"),
        ("delete from ledger_entries where seq = 2", "entry ent_"),
        ("delete from ledger_entries where seq = (select max(seq) from ledger_entries)", "ends at entry"),
        ("update invoices set balance_due = 1", "balance_due is stored as 1"),
        ("update invoices set amount_paid = 12923", "amount_paid is stored as 12923"),
        ("update invoices set tax = 0", "tax is stored as 0"),
        ("update clients set credit = 5", "credit is stored as 5"),
        ("update invoices set status = 'open'", "status is stored as open"),
        ("update invoices set status = 'forgiven'", "status is stored as forgiven"),
        ("update payments set applied = 1", "applied is stored as 1"),
        ("update payments set credited = 7", "credited is stored as 7"),
        ("update payments set refunded = -100", "refunded is stored as -100"),
        ("update payments set held = -100", "held is stored as -100"),
        ("update number_counters set last = 9", "numbers of practice"),
    ],
)
def test_the_proof_names_what_was_altered_by_hand(practice, house, harm, named):
    """An altered entry, a cut chain and an altered stored figure are each named."""
    paid(practice)
    assert [] == practice.proof()
    with house.services["invoicing"].storage.database.transaction() as session:
        session.execute(text(harm))
    assert any(named in finding for finding in practice.proof()), practice.proof()


def test_random_stories_keep_the_books(house):
    """Two hundred random actions: whatever is refused or done, the ledger proves every figure and cash is what the sandbox holds."""
    dice = random.Random(7)
    practice = Practice(house, "7", partial_payments=True)
    invoices = []
    for _ in range(200):
        action = dice.choice(["invoice", "pay", "pay", "record", "refund", "void", "forgive", "tick"])
        if action == "invoice" or not invoices:
            invoices.append(practice.invoice(dice.randint(1, 30000)))
            continue
        invoice = dice.choice(invoices[-8:])
        try:
            if action == "pay":
                number = dice.choice(["4242424242424242", "4000000000000119", "4000000000000259", "4000000000000002"])
                practice.pay(invoice, number, amount=dice.choice([None, dice.randint(1, 5000)]))
            elif action == "record":
                practice.record(invoice, dice.choice([None, dice.randint(1, 9000)]), keep_as_credit=dice.random() < 0.3)
            elif action == "refund":
                practice.refund(invoice, dice.choice([None, dice.randint(1, 3000)]))
            elif action == "tick":
                house.after(dice.choice([1, 6, 30]))
            else:
                call = Invoicing.void_invoice if action == "void" else Invoicing.forgive_invoice
                practice.do(call, practice.pat, invoice_id=invoice["id"])
        except (Conflict, Invalid, NotFound, Refused, Rejected):
            pass
    house.after(60)
    assert [] == practice.proof()
    with house.services["invoicing"].storage.database.reading() as session:
        clearing = session.execute(text("select sum(amount) from ledger_entries where account = 'processor_clearing'")).scalar()
    from services.processors.sandbox_books import list_books

    booked = sum(row["amount"] * (1 if row["kind"] == "charge" else -1) for row in list_books(house.settings))
    assert booked == clearing
