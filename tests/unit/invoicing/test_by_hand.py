"""What a person ends: payments and refunds in review, refunds that failed afterwards, and what the daily comparison found."""

import pytest
from sqlalchemy import text

from services.invoicing.usecases import checking
from services.invoicing.usecases import settling as by_hand
from services.processors import storage
from services.processors.orders import DECLINED, NOT_KNOWN, Outcome
from shared.caller import IdempotencyKey
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Forbidden, NotFound
from shared.fields import Record
from shared.ids import new_id
from tests.house import Practice

LOST = "4000000000000119"
DAY = 86400


def in_review(house, practice, monkeypatch) -> tuple[dict, str]:
    """An invoice whose payment no look-up could settle, and that payment's id."""
    with monkeypatch.context() as silent:
        adapter = house.services["processors"].room.adapters["sandbox"]
        silent.setattr(adapter, "find", lambda credentials, order: Outcome(NOT_KNOWN))
        invoice = practice.invoice()
        payment = practice.pay(invoice, LOST)
        for _ in range(12):
            house.after(DAY)
    assert "review" == practice.read(invoice)["payments"][0]["status"]
    return invoice, payment["id"]


def wake(house, practice, its_id: str) -> None:
    """Have the processor looked at again, as a delivery of its own would."""
    with house.services["processors"].room.database.transaction() as session:
        storage.wake(session, storage.attempts(session, practice.id, [its_id]), house.clock.now())
    house.after(1)


def failed_afterwards(house, practice, refund_id: str) -> None:
    """The processor's later word on a refund that had succeeded."""
    adapter = house.services["processors"].room.adapters["sandbox"]
    adapter.find = lambda credentials, order: Outcome(DECLINED, refusal="unknown")
    wake(house, practice, refund_id)
    del adapter.find
    with adapter.books.database.transaction() as session:
        session.execute(text("update entries set status = 'declined' where kind = 'refund'"))


def settle(practice, payment_id: str, outcome: str, who=None, key=None) -> dict:
    who = (who or practice.ada).with_key(key)
    return practice.do(Invoicing.settle_payment, who, payment_id=payment_id, outcome=outcome, reason="Seen in its dashboard")


@pytest.mark.parametrize(
    ("outcome", "payment", "invoice"), [("happened", "succeeded", "paid"), ("did_not_happen", "failed", "open")]
)
def test_an_admin_ends_a_payment_in_review(house, practice, monkeypatch, outcome, payment, invoice):
    """The word is written down first by processors, then settles the payment; the timeline says who and why; the books agree."""
    billed, payment_id = in_review(house, practice, monkeypatch)
    (item,) = practice.do(Invoicing.list_work)["data"]
    assert ("payment", payment_id, "review") == (item["kind"], item["id"], item["status"])
    assert payment == settle(practice, payment_id, outcome)["status"]
    house.deliver()
    assert invoice == practice.read(billed)["status"]
    assert [] == practice.do(Invoicing.list_work)["data"]
    timeline = practice.do(Invoicing.read_timeline, invoice_id=billed["id"])["data"]
    assert ("Ada", "settled_by_hand") in [(entry["who"], entry["what"]) for entry in timeline]
    assert [] == practice.proof()


def test_only_an_admin_and_only_when_nobody_else_can(house, practice, monkeypatch):
    """A provider may not; a settled or unknown payment is refused; another practice's is not there."""
    _, payment_id = in_review(house, practice, monkeypatch)
    with pytest.raises(Forbidden):
        settle(practice, payment_id, "happened", practice.pat)
    with pytest.raises(NotFound):
        settle(Practice(house, "2"), payment_id, "happened")
    unknown = practice.pay(practice.invoice(), LOST)
    with pytest.raises(Conflict, match="still_being_checked"):
        settle(practice, unknown["id"], "happened")
    settle(practice, payment_id, "happened")
    with pytest.raises(Conflict, match="settled_otherwise"):
        settle(practice, payment_id, "did_not_happen")


def test_said_happened_after_the_invoice_was_paid_otherwise_is_late_money(house, practice, monkeypatch):
    """An admin's no frees the invoice, somebody else pays it, then the first charge is found: it becomes credit and goes back."""
    billed, payment_id = in_review(house, practice, monkeypatch)
    settle(practice, payment_id, "did_not_happen")
    assert "succeeded" == practice.pay(billed)["status"]
    wake(house, practice, payment_id)
    house.after(60)
    assert [] == practice.proof()
    late = [refund for refund in practice.read(billed)["refunds"] if refund["payment_id"] == payment_id]
    assert [("succeeded", 12924)] == [(refund["status"], refund["amount"]) for refund in late]


def test_a_refund_of_a_paid_invoice_that_failed_afterwards(house, practice):
    """Its postings are undone, the invoice reads paid again, the payment can be refunded again, and the work list says so."""
    billed = practice.invoice()
    practice.pay(billed)
    refund = practice.refund(billed, 2050)
    failed_afterwards(house, practice, refund["id"])
    failed_afterwards(house, practice, refund["id"])
    read = practice.read(billed)
    assert ("paid", 0, "failed") == (read["status"], read["amount_refunded"], read["refunds"][0]["status"])
    assert [] == practice.proof()
    (item,) = practice.do(Invoicing.list_work)["data"]
    assert ("finding", "refund_failed", billed["id"], 2050) == (item["kind"], item["status"], item["invoice_id"], item["amount"])
    assert "succeeded" == practice.refund(billed)["status"]
    assert [] == practice.proof()


def partly_paid(house) -> tuple[Practice, dict, dict]:
    """A practice that takes parts, and its open invoice of which 100.00 was paid by card and refunded, which reopened it."""
    practice = Practice(house, "9", partial_payments=True)
    billed = practice.invoice()
    practice.pay(billed, amount=10000)
    refund = practice.refund(billed, 10000)
    assert (12924, "open") == (practice.read(billed)["balance_due"], practice.read(billed)["status"])
    return practice, billed, refund


def test_a_refund_that_reopened_the_balance_closes_it_again(house):
    """Failed afterwards while the invoice is open: the balance is lower again by what had been paid."""
    practice, billed, refund = partly_paid(house)
    failed_afterwards(house, practice, refund["id"])
    assert (2924, 10000) == (practice.read(billed)["balance_due"], practice.read(billed)["amount_paid"])
    assert [] == practice.proof()
    assert "succeeded" == practice.refund(billed, 10000)["status"]
    assert [] == practice.proof()


def test_a_refund_that_failed_after_the_invoice_was_paid_otherwise_is_credit(house):
    """What the balance can't take any more is the client's credit, and the ledger proves it."""
    practice, billed, refund = partly_paid(house)
    practice.record(billed, 12000)
    failed_afterwards(house, practice, refund["id"])
    account = practice.do(Invoicing.read_client_account, practice.pat, client_id=practice.cleo.member_id)
    assert ("paid", 9076) == (practice.read(billed)["status"], account["credit"])
    assert [] == practice.proof()


def test_old_news_does_not_undo_a_refund_that_succeeded(house, practice):
    """News that comes late and says that nothing was given back is asked about, and the refund stands: handlers bear any order."""
    billed = practice.invoice()
    practice.pay(billed)
    refund = practice.refund(billed, 2050)
    room = house.services["invoicing"]
    told = {"event_id": new_id("evt"), "practice_id": practice.id, "at": house.clock.now(), "status": "not_sent"}
    checking.refund_settled(Record(told, refund_id=refund["id"]), room.storage, house.clock, room.pace)
    for seconds in (1, 60):
        assert ("succeeded", 2050) == (practice.read(billed)["refunds"][0]["status"], practice.read(billed)["amount_refunded"])
        house.after(seconds)
    assert [] == practice.proof()
    with room.storage.reading() as tx:
        assert tx.refund_by_id(practice.id, refund["id"]).check_at is None


def test_old_news_does_not_book_a_refund_again_that_failed_afterwards(house, practice):
    """That it had succeeded comes late, after it failed and was taken back: it is asked about, and nothing is given back twice."""
    billed = practice.invoice()
    practice.pay(billed)
    refund = practice.refund(billed, 2050)
    failed_afterwards(house, practice, refund["id"])
    assert ("failed", 0) == (practice.read(billed)["refunds"][0]["status"], practice.read(billed)["amount_refunded"])
    room = house.services["invoicing"]
    told = {"event_id": new_id("evt"), "practice_id": practice.id, "at": house.clock.now(), "status": "succeeded"}
    checking.refund_settled(Record(told, refund_id=refund["id"]), room.storage, house.clock, room.pace)
    for seconds in (1, 60):
        assert ("failed", 0) == (practice.read(billed)["refunds"][0]["status"], practice.read(billed)["amount_refunded"])
        house.after(seconds)
    assert [] == practice.proof()
    with room.storage.reading() as tx:
        assert tx.refund_by_id(practice.id, refund["id"]).check_at is None


def test_a_finding_of_the_comparison_is_on_the_work_list_until_it_is_closed(house, practice):
    """Once for each piece of news, for admins only, closed by an admin of the practice."""
    billed = practice.invoice()
    payment = practice.pay(billed)
    news = Record(
        event_id="evt_1", practice_id=practice.id, kind="missing", reference="r" * 20, payment_id=payment["id"], amount=12924,
        currency="USD", processor_id="pcr_1", refund_id=None,
    )  # fmt: skip
    room = house.services["invoicing"]
    for _ in range(2):
        by_hand.difference_found(news, room.storage, house.clock)
    (item,) = practice.do(Invoicing.list_work)["data"]
    assert ("finding", "missing", billed["id"], "r" * 20) == (item["kind"], item["status"], item["invoice_id"], item["reference"])
    assert [] == practice.do(Invoicing.list_work, practice.pat)["data"]
    with pytest.raises(Forbidden):
        practice.do(Invoicing.close_finding, practice.pat, finding_id=item["id"])
    with pytest.raises(NotFound):
        Practice(house, "2").do(Invoicing.close_finding, finding_id=item["id"])
    keyed = practice.ada.with_key(IdempotencyKey("k", "POST /worklist", "a body"))
    told = [house.ask(Invoicing.close_finding, {"finding_id": item["id"]}, keyed) for _ in range(2)]
    assert [False, True] == [answer.replayed for answer in told] and told[0].text == told[1].text
    assert [] == practice.do(Invoicing.list_work)["data"]


def test_what_was_recorded_by_hand_is_not_settled_by_hand(practice):
    """A cash payment and its refund never were at a processor: a conflict says so."""
    billed = practice.invoice()
    cash = practice.record(billed)
    refund = practice.refund(billed)
    with pytest.raises(Conflict, match="settled_otherwise"):
        settle(practice, cash["id"], "happened")
    with pytest.raises(Conflict, match="settled_otherwise"):
        practice.do(Invoicing.settle_refund, refund_id=refund["id"], outcome="happened", reason="Seen")


def test_an_orphan_has_no_invoice(house, practice):
    """A charge that nobody here made is listed without an invoice or client."""
    news = Record(
        event_id=new_id("evt"), practice_id=practice.id, kind="orphan", reference="0" * 20, payment_id=None, refund_id=None,
        amount=500, currency="USD", processor_id="pcr_1",
    )  # fmt: skip
    by_hand.difference_found(news, house.services["invoicing"].storage, house.clock)
    (item,) = practice.do(Invoicing.list_work)["data"]
    assert ("orphan", None, None) == (item["status"], item.get("invoice_id"), item.get("client"))
