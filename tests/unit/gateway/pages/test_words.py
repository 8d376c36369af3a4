"""The words of the pages: money, days, moments, statuses."""

from datetime import UTC, date, datetime

import pytest

from services.gateway.pages import words
from services.gateway.pages.billing import status_options
from shared.contracts.invoicing import PAYMENT, REFUND, SHOWN

TODAY = date(2026, 11, 24)


def invoice(status: str, **more) -> dict:
    return {"status": status, "currency": "USD", "amount_paid": 0, "amount_refunded": 0, "balance_due": 0, "due_date": None, **more}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (12050, "USD", "$120.50"),
        (-6000, "USD", "\u2212$60.00"),
        (123456789, "USD", "$1,234,567.89"),
        (500, "JPY", "¥500"),
        (5, "EUR", "€0.05"),
    ],
)
def test_money_is_written_as_people_write_it(amount, currency, shown):
    """Minor units become the currency's own notation, below zero with a real minus sign."""
    assert shown == words.money(amount, currency)


@pytest.mark.parametrize(
    ("rate", "shown", "typed"),
    [("0.0725", "7.25\u00a0%", "7.25"), ("0.1", "10\u00a0%", "10"), ("0.08875", "8.875\u00a0%", "8.875")],
)
def test_rates_are_written_in_percent(rate, shown, typed):
    """A rate is shown in percent, and drawn into a form as it is typed."""
    assert (shown, typed) == (words.percent(rate), words.plain_percent(rate))


def test_moments_are_written_in_the_practices_time_zone():
    """Two in the night in UTC is the evening before in New York; the exact time says the zone."""
    at = "2026-11-24T02:05:11.000Z"
    assert "Nov 23, 9:05 PM" == words.moment(at, TODAY, "America/New_York")
    assert "Nov 23" == words.day(at, TODAY, "America/New_York")
    assert words.exact(at, "America/New_York").endswith("9:05:11 PM EST")
    assert at == words.iso(at)


def test_another_year_is_named():
    """Days of this year go without it, others with it; records and JSON text read alike."""
    assert ["Nov 3", "Nov 3, 2025"] == [words.day(value, TODAY) for value in ("2026-11-03", date(2025, 11, 3))]
    assert words.moment(datetime(2025, 1, 2, 12, tzinfo=UTC), TODAY, "UTC").startswith("Jan 2, 2025, 12:00")


def test_a_payment_that_waits_for_its_payer_is_told_from_one_that_is_checked():
    """In lists too."""
    waits = [
        words.waits_for_payer(invoice("processing", live_payment_status=live)) for live in ("requires_action", "unknown", None)
    ]
    assert [True, False, False] == waits


def test_an_overdue_invoice_says_by_how_much():
    """One day and six days overdue are said so."""
    said = [words.invoice_status(invoice("overdue", due_date=due), TODAY).text for due in ("2026-11-23", "2026-11-18")]
    assert ["1 day overdue", "6 days overdue"] == said


def test_the_note_below_a_status():
    """A partial refund says how much, an open invoice when it is due, a partly paid one what is left."""
    assert "$20.50 refunded" == words.invoice_note(invoice("partially_refunded", amount_refunded=2050), TODAY)
    assert "due Dec 4" == words.invoice_note(invoice("open", due_date="2026-12-04"), TODAY)
    assert "$5.00 to pay" == words.invoice_note(invoice("partially_paid", amount_paid=100, balance_due=500), TODAY)
    assert "" == words.invoice_note(invoice("paid"), TODAY)


def test_what_a_test_card_does_is_said_in_words():
    """No code of ours reaches the payer who tries things out."""
    said = [words.card_outcome(code) for code in ("approved after 5 s", "card_declined", "requires_action")]
    assert ["approved after 5 s", "card declined", "the bank asks to confirm"] == said


def test_a_partly_refunded_invoice_is_paid_first_of_all():
    """The pill says Paid and the line below what was given back; only where statuses are chosen it has a name of its own."""
    given_back = invoice("partially_refunded", amount_refunded=6000)
    assert ("Paid", "$60.00 refunded") == (words.invoice_status(given_back, TODAY).text, words.invoice_note(given_back, TODAY))
    offered = dict(status_options())
    assert ("Paid", "Paid, partly refunded") == (offered["paid"], offered["partially_refunded"])
    assert len(offered) == len(set(offered.values()))


def test_every_status_of_the_contracts_has_words_and_an_icon():
    """No status of an invoice, payment or refund is left without a pill of its own."""
    assert set(SHOWN) == set(words.INVOICE)
    assert {*PAYMENT, *REFUND} == set(words.MONEY)
    assert all(status.text and status.icon and status.look for status in [*words.INVOICE.values(), *words.MONEY.values()])


def test_how_a_payment_was_made():
    """A card by brand and last four, a recorded payment by its method."""
    assert "Visa ending 4242" == words.paid_with({"method": "card", "card": {"brand": "visa", "last4": "4242"}})
    assert "Bank transfer" == words.paid_with({"method": "bank_transfer", "card": None})
