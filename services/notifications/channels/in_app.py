"""What an alert says inside the app, where the reader has signed in: the number and the amount may be told here, and only here."""

from decimal import Decimal

from babel.numbers import format_currency

from shared.fields import Record
from shared.money import to_text

_TEXTS = {
    "invoice_sent": "You have a new invoice{number}: {amount}.",
    "payment_received": "Your payment of {amount}{for_number} was received. Thank you.",
    "payment_failed": "Your payment of {amount}{for_number} did not go through. You can try again with this or another card.",
    "refund_made": "{amount} of your payment{for_number} was refunded.",
    "invoice_voided": "Your invoice{number} was voided. Nothing is to be paid for it.",
    "invoice_forgiven": "The balance of your invoice{number} was forgiven. Nothing more is to be paid for it.",
    "staff_payment_received": "A payment of {amount}{for_number} was received.",
    "staff_payment_failed": "A payment of {amount}{for_number} did not go through.",
}

EXPIRING = "A card that you keep on file expires soon. Add its successor, or take it off file."


def text_of(kind: str, news: Record) -> str:
    """One sentence or two about an invoice, for somebody who may see it."""
    amount = format_currency(Decimal(to_text(news.amount, news.currency)), news.currency, locale="en_US")
    number = f" {news.number}" if news.get("number") else ""
    return _TEXTS[kind].format(amount=amount, number=number, for_number=f" for invoice{number}" if number else "")


def text_of_refusal(news: Record) -> str:
    """What admins read when a processor no longer takes the practice's credentials."""
    return f"The payment processor “{news.description}” refused its credentials. Cards can't be taken until they are replaced."
