"""Paying on the processor's own page: nobody pays twice, whoever goes away, comes back or dies in between."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.model import LOOK_UPS
from services.processors.orders import APPROVED, CANCELED, NEEDS_PAYER, NOT_KNOWN, NOT_SENT, Check, Outcome
from services.processors.usecases import charging
from shared.contracts.processors import Processors
from shared.faults import Conflict, Invalid
from shared.ids import new_id
from tests.unit.processors.conftest import Desk

BACK = "https://practice.example/returns/inv_1"


class Paged(Adapter):
    """A processor with a page of its own and nothing else; it remembers what was paid there, as a processor does."""

    name, title = "elavon", "Paged"
    card_entry = ("hosted_page", "hosted_fields")

    def __init__(self) -> None:
        self.paid: dict[str, int] = {}
        self.opened: list[str] = []
        self.answers = Outcome(NEEDS_PAYER, next_action={"type": "redirect", "url": "https://pay.example/1"})
        self.closes = False
        self.before_answer = lambda: None

    def is_test(self, credentials):
        return True

    def check(self, credentials):
        return Check("ok", learned={"public": "value"})

    def open_page(self, credentials, order):
        self.opened.append(order.reference)
        self.before_answer()
        return replace(self.answers, lasts=timedelta(minutes=15))

    def find(self, credentials, order):
        if order.reference in self.paid:
            return Outcome(APPROVED, amount=self.paid[order.reference], currency=order.currency)
        return Outcome(NOT_KNOWN, absent=True)

    def cancel(self, credentials, order):
        found = self.find(credentials, order)
        return Outcome(CANCELED) if self.closes and found.absent else found


class PagedDesk(Desk):
    """A practice whose active account takes cards on the processor's page."""

    @property
    def theirs(self) -> Paged:
        return self.room.adapters["elavon"]

    def opens(self, payment_id: str = "") -> object:
        body = {
            "payment_id": payment_id or new_id("pay"),
            "invoice_id": "inv_1",
            "amount": 12924,
            "currency": "USD",
            "return_url": BACK,
        }
        return self.send(Processors.charge.load_request(body))

    def pays(self, payment_id: str, amount: int = 12924) -> None:
        self.theirs.paid[self.row(payment_id).reference] = amount


@pytest.fixture
def desk(room):
    made = PagedDesk(replace(room, adapters={**room.adapters, "elavon": Paged()}))
    made.account = made.add("elavon")
    return made


def test_the_payer_is_sent_to_the_page_and_the_look_up_decides(desk):
    """Where to go, until when, and who was asked; what is paid there is found, once."""
    opened = desk.opens()
    assert "requires_action" == opened.status
    assert {"type": "redirect", "url": "https://pay.example/1", "page": True} == opened.next_action
    row = desk.row(opened.payment_id)
    assert (True, "hosted_page") == (row.on_page, row.card_entry) and timedelta(minutes=15) == row.expires_at - row.sent_at
    assert "requires_action" == desk.check(opened.payment_id).status
    desk.pays(opened.payment_id)
    assert "succeeded" == desk.check(opened.payment_id).status
    assert "pay.example" not in str(desk.news())


def test_the_timer_finds_what_nobody_came_back_to_tell(desk):
    """The payer pays and closes the window: within a minute the payment is known."""
    opened = desk.opens()
    desk.pays(opened.payment_id)
    desk.after(21)
    assert "succeeded" == desk.row(opened.payment_id).status


def test_asked_twice_the_page_is_opened_once(desk):
    """A message that comes again is answered from the row."""
    first = desk.opens()
    again = desk.opens(first.payment_id)
    assert first.next_action == again.next_action and 1 == len(desk.theirs.opened)


def test_a_page_that_nobody_can_close_blocks_until_its_end_and_the_horizon(desk):
    """Giving up while it may still be paid on changes nothing; absence counts from its end on, and then it was canceled."""
    opened = desk.opens()
    assert "requires_action" == desk.cancel(opened.payment_id).status
    for _ in range(16):
        desk.after(60)
    assert "unknown" == desk.row(opened.payment_id).status
    for pause in LOOK_UPS[:3]:
        desk.after(pause.total_seconds() + 1)
        assert "unknown" == desk.row(opened.payment_id).status
    desk.after(LOOK_UPS[3].total_seconds() + 1)
    row = desk.row(opened.payment_id)
    assert ("canceled", None) == (row.status, row.failure_code)


def test_paid_in_the_last_second_it_is_found_within_the_horizon(desk):
    """The page's end is not the end of the payment."""
    opened = desk.opens()
    for _ in range(16):
        desk.after(60)
    desk.pays(opened.payment_id)
    desk.after(31)
    assert "succeeded" == desk.row(opened.payment_id).status


def test_money_that_is_not_as_asked_is_unknown_at_once_and_then_a_persons(desk):
    """More was paid on the page than was asked: the payer is not sent there again, and an admin has the last word."""
    opened = desk.opens()
    desk.pays(opened.payment_id, 99900)
    desk.after(21)
    row = desk.row(opened.payment_id)
    assert ("unknown", None) == (row.status, row.next_action)
    for pause in LOOK_UPS:
        desk.after(pause.total_seconds() + 1)
    assert "review" == desk.row(opened.payment_id).status


def test_a_processor_that_is_silent_after_the_pages_end_leaves_it_to_a_person(desk):
    """Silence proves no absence: unknown from the page's end on, never canceled."""
    opened = desk.opens()
    desk.theirs.find = lambda credentials, order: Outcome(NOT_KNOWN, refusal="processor_unavailable")
    for _ in range(16):
        desk.after(60)
    assert "unknown" == desk.row(opened.payment_id).status
    for pause in LOOK_UPS:
        desk.after(pause.total_seconds() + 1)
    assert "review" == desk.row(opened.payment_id).status


def test_a_page_that_can_be_closed_is(desk):
    """By the payer's wish, and by itself at its end."""
    desk.theirs.closes = True
    assert "canceled" == desk.cancel(desk.opens().payment_id).status
    left = desk.opens()
    for _ in range(16):
        desk.after(60)
    assert "canceled" == desk.row(left.payment_id).status


@pytest.mark.parametrize("status", [NOT_SENT, NOT_KNOWN])
def test_a_page_that_could_not_be_opened_moved_nothing(desk, status):
    """Nobody has its address: the invoice is payable again at once."""
    desk.theirs.answers = Outcome(status, refusal="processor_unavailable")
    assert ("not_sent", None) == ((said := desk.opens()).status, said.next_action)


def test_a_page_that_opened_too_late_is_nobodys(desk):
    """The lease ran out while it opened: the payment is over, its page is closed, and its address is told to nobody."""
    payment_id, closed = new_id("pay"), []
    desk.theirs.cancel = lambda credentials, order: closed.append(order.reference) or Outcome(CANCELED)
    desk.theirs.before_answer = lambda: desk.after(60)
    said = desk.opens(payment_id)
    assert ("not_sent", None) == (said.status, said.next_action)
    assert desk.theirs.opened == closed


def test_another_way_than_the_admins_is_refused_for_good(desk):
    """A card typed into an old page is not charged, now or when the message comes again."""
    request = desk.request()
    with pytest.raises(Conflict) as refused:
        charging.charge(desk.admin, request, desk.room)
    assert "card_entry" == refused.value.code and [] == desk.theirs.opened
    assert "not_sent" == desk.send(request).status


def test_a_processor_without_a_page_opens_none(room):
    """The sandbox has no page of its own."""
    sandbox = Desk(room)
    sandbox.add()
    body = {"payment_id": new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD", "return_url": BACK}
    with pytest.raises(Conflict):
        sandbox.send(Processors.charge.load_request(body))


@pytest.mark.parametrize("more", [{}, {"sealed_card": "x", "return_url": BACK}])
def test_one_way_is_asked_for(desk, more):
    """Neither or both is named."""
    body = {"payment_id": new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD", **more}
    with pytest.raises(Invalid):
        desk.send(Processors.charge.load_request(body))


def test_what_the_check_learned_is_kept(desk):
    """Public values that our page needs, as the processor said them."""
    with desk.room.database.reading() as session:
        assert {"public": "value"} == storage.account(session, "prc_1", desk.account.id).learned
