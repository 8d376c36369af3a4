"""Charges in the sandbox, from the first call to the last look-up."""

from datetime import timedelta

import pytest

from shared.faults import Conflict, Forbidden, Invalid, NotFound
from tests.unit.processors.conftest import (
    ANSWER_LOST,
    APPROVED,
    ASKS_PAYER,
    CHARGED_LATE,
    DECLINED,
    NO_FUNDS,
    NOT_CHARGED,
    SLOW,
)


def test_an_approved_charge_is_in_the_books_once(open_desk):
    """A good card is charged: the answer names amount, card, account and reference, and the books hold that reference."""
    said = open_desk.charge()
    assert ("succeeded", 12924, "USD") == (said.status, said.amount, said.currency)
    assert {"brand": "visa", "last4": "4242"} == said.card
    assert ("sandbox", open_desk.account.id) == (said.processor_type, said.processor_id)
    assert 20 == len(said.reference)
    assert [(said.reference, "charge", 12924, "USD", 1)] == [
        (entry.reference, entry.kind, entry.amount, entry.currency, entry.asked) for entry in open_desk.books()
    ]


def test_a_repeated_charge_is_answered_from_the_row(open_desk):
    """The same message twice, as a broker delivers it again: the same answer, and the processor was asked once."""
    request = open_desk.request()
    first = open_desk.send(request)
    assert first == open_desk.send(request)
    assert [1] == [entry.asked for entry in open_desk.books()]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (DECLINED, "card_declined"),
        (NO_FUNDS, "insufficient_funds"),
        ("4000000000000069", "expired_card"),
        ("4000000000000127", "incorrect_cvc"),
        ("4242424242424241", "incorrect_number"),
        ("42424242", "incorrect_number"),
    ],
)
def test_a_refused_card_moves_nothing(open_desk, number, code):
    """Each refusing card ends as declined with its reason in words, and nothing is in the books."""
    said = open_desk.charge(number)
    assert ("declined", code) == (said.status, said.failure.code)
    assert said.failure.message.endswith((".", "!"))
    assert [] == open_desk.books()


def test_a_card_past_its_month_is_expired(open_desk):
    """The card is good to the end of its month and expired in the next."""
    assert "succeeded" == open_desk.charge(card={"exp_month": 11, "exp_year": 2026}).status
    assert "expired_card" == open_desk.charge(card={"exp_month": 10, "exp_year": 2026}).failure.code


def test_any_number_with_a_right_check_digit_is_approved(open_desk):
    """A number that is on no list but passes the check digit is approved, with its scheme."""
    said = open_desk.charge("5555555555554444")
    assert ("succeeded", "mastercard", "4444") == (said.status, said.card.brand, said.card.last4)


def test_a_slow_card_is_approved_after_five_seconds(open_desk, clock):
    """The sandbox takes five seconds and then approves, in the same call."""
    began = clock.now()
    assert "succeeded" == open_desk.charge(SLOW).status
    assert timedelta(seconds=5) == clock.now() - began


def test_a_lost_answer_is_found_not_sent_again(open_desk):
    """The sandbox charges but its answer is lost: unknown, then succeeded by a look-up, and the books hold one charge."""
    said = open_desk.charge(ANSWER_LOST)
    assert "unknown" == said.status
    assert said.next_look_at is not None
    open_desk.after(5)
    assert "succeeded" == open_desk.look(said.payment_id).status
    assert [1] == [entry.asked for entry in open_desk.books()]


def test_what_was_not_charged_is_proven_absent_and_closed(open_desk):
    """No answer and nothing charged: the look-up closes the reference, so that a late charge under it is refused."""
    said = open_desk.charge(NOT_CHARGED)
    assert "unknown" == said.status
    open_desk.after(5)
    assert "not_sent" == open_desk.look(said.payment_id).status
    late = open_desk.room.books.charge(said.reference, open_desk.account.id, 12924, "USD")
    assert "closed" == late.status
    assert [] == open_desk.books()


def test_a_charge_that_happens_later_is_found(open_desk):
    """Charged three seconds after the lost answer, by the processor alone: the look-up at five seconds finds it."""
    said = open_desk.charge(CHARGED_LATE)
    assert ("unknown", []) == (said.status, open_desk.books())
    open_desk.after(5)
    assert "succeeded" == open_desk.look(said.payment_id).status
    assert 1 == len(open_desk.books())


def test_a_look_before_it_happened_prevents_it(open_desk, clock):
    """Asked before the three seconds have passed, the books close the reference: it never happens, and we know it."""
    said = open_desk.charge(CHARGED_LATE)
    assert "not_sent" == open_desk.check(said.payment_id).status
    clock.at += timedelta(minutes=1)
    assert [] == open_desk.books()


@pytest.mark.parametrize(("approve", "status"), [(True, "succeeded"), (False, "declined")])
def test_the_payer_answers_the_bank(open_desk, approve, status):
    """A card whose bank asks waits for the payer at the sandbox's page; the answer ends it, with news."""
    said = open_desk.charge(ASKS_PAYER)
    assert "requires_action" == said.status
    assert {"type": "redirect", "url": f"/sandbox/authentication/{said.payment_id}"} == said.next_action
    ended = open_desk.payer_says(said.payment_id, approve)
    assert status == ended.status
    assert ended.next_action is None
    assert [("charge_settled", "requires_action"), ("charge_settled", status)] == [
        (event, body["status"]) for event, body in open_desk.news()
    ]


def test_a_payer_who_never_answers_is_not_waited_for(open_desk):
    """After half an hour the waiting charge is cancelled at the processor; an answer that comes later changes nothing."""
    said = open_desk.charge(ASKS_PAYER)
    for _ in range(10):
        open_desk.after(5 * 60)
    assert "canceled" == open_desk.look(said.payment_id).status
    assert "canceled" == open_desk.payer_says(said.payment_id, True).status
    assert [] == open_desk.books()


def test_giving_up_asks_the_processor_first(open_desk):
    """Cancelling an unknown charge that has happened answers succeeded; one that waits for the payer is cancelled."""
    lost, waiting = open_desk.charge(ANSWER_LOST), open_desk.charge(ASKS_PAYER)
    assert "succeeded" == open_desk.cancel(lost.payment_id).status
    assert "canceled" == open_desk.cancel(waiting.payment_id).status
    assert 1 == len(open_desk.books())


def test_without_an_account_there_is_no_charge_ever(desk):
    """No active account is a conflict, and the same message later, when there is one, must not charge after all."""
    request = desk.request()
    with pytest.raises(Conflict) as refused:
        desk.send(request)
    assert "no_processor" == refused.value.code
    desk.add()
    assert "not_sent" == desk.send(request).status
    assert [] == desk.books()


def test_a_card_that_was_sealed_too_long_ago_is_not_sent(open_desk, clock):
    """The message lay in a queue beyond the card's two minutes: not sent, and the payment can be made anew."""
    request = open_desk.request()
    clock.at += timedelta(seconds=121)
    assert "not_sent" == open_desk.send(request).status
    assert [] == open_desk.books()


def test_a_card_sealed_for_something_else_does_not_open(open_desk):
    """The seal binds practice, invoice and payment: moved to another invoice, the card can't be used."""
    with pytest.raises(Forbidden):
        open_desk.charge(info="card|prc_1|inv_other|pay_other")
    assert [] == open_desk.books()


def test_what_is_sealed_must_be_a_card(open_desk):
    """Something that opens but is no card is refused naming the field, and tells nothing of it."""
    with pytest.raises(Invalid) as refused:
        open_desk.charge(card={"exp_month": "soon"})
    assert ["card"] == [error["field"] for error in refused.value.errors]


def test_another_practice_has_its_own_attempts(open_desk):
    """The same payment id asked by another practice tells nothing of ours, and does not touch it."""
    said = open_desk.charge()
    other = open_desk.of("prc_2")
    assert "not_sent" == other.look(said.payment_id).status
    assert other.look(said.payment_id).amount is None
    assert "succeeded" == open_desk.look(said.payment_id).status


def test_a_card_number_is_nowhere_in_the_rows(open_desk):
    """After every kind of ending, neither number nor code is found in our database's file."""
    for number in (APPROVED, DECLINED, ASKS_PAYER, ANSWER_LOST):
        open_desk.charge(number, card={"cvc": "9157"})
    files = open_desk.room.database.url.database
    with open_desk.room.database.reading() as session:
        held = " ".join(
            str(session.connection().exec_driver_sql(f"SELECT * FROM {table}").all()) for table in ("attempts", "outbox")
        )
    assert files and not [secret for secret in (APPROVED, DECLINED, ASKS_PAYER, ANSWER_LOST, "9157") if secret in held]


def test_the_sandbox_page_is_for_sandbox_payments(open_desk):
    """An answer for a payment that the sandbox does not have is not found."""
    with pytest.raises(NotFound):
        open_desk.payer_says("pay_unknown", True)


def test_news_tells_nothing_secret(open_desk):
    """The event of a charge that waits for the payer leaves the next step out."""
    open_desk.charge(ASKS_PAYER)
    [(_, body)] = open_desk.news()
    assert body.get("next_action") is None
