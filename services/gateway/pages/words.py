"""The words of the pages: statuses with their look and icon, money, days and moments as people write them. No request."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_currency, format_decimal

from shared.fields import plain
from shared.money import decimals

LOCALE = "en_US"
MINUS = "\u2212"


@dataclass(frozen=True)
class Status:
    """A status as a pill: what it says, its colours (a class of style.css) and its icon (a symbol of the sprite)."""

    text: str
    look: str
    icon: str


INVOICE = {
    "draft": Status("Draft", "closed", "pen"),
    "open": Status("Open", "open", "dot"),
    "overdue": Status("Overdue", "overdue", "clock"),
    "partially_paid": Status("Partly paid", "open", "half"),
    "processing": Status("Checking with processor", "waiting", "clock"),
    "paid": Status("Paid", "paid", "check"),
    "partially_refunded": Status("Paid", "paid", "check"),  # the line below says how much was given back
    "refunded": Status("Refunded", "closed", "back"),
    "void": Status("Void", "closed", "cross"),
    "forgiven": Status("Forgiven", "closed", "check"),
}
# Where statuses are chosen from, without the line below the pill.
CHOSEN = {"partially_refunded": "Paid, partly refunded"}
MONEY = {
    "pending": Status("Checking with processor", "waiting", "clock"),
    "unknown": Status("Checking with processor", "waiting", "clock"),
    "requires_action": Status("Waiting for the payer", "waiting", "clock"),
    "waiting_for_settlement": Status("Waiting to settle", "waiting", "clock"),
    "succeeded": Status("Succeeded", "paid", "check"),
    "failed": Status("Failed", "failed", "cross"),
    "canceled": Status("Canceled", "closed", "cross"),
    "review": Status("Needs a look", "overdue", "alert"),
}
REFUND = {**MONEY, "succeeded": Status("Refunded", "closed", "back")}
PROCESSOR = {
    "ready": Status("Ready", "paid", "check"),
    "unchecked": Status("Not checked yet", "waiting", "clock"),
    "refused": Status("Credentials refused", "failed", "cross"),
}
CARD_EXPIRY = {
    "valid": Status("Valid", "paid", "check"),
    "soon": Status("Expires soon", "waiting", "clock"),
    "expired": Status("Expired", "failed", "cross"),
}
FINDING = {
    "refund_failed": Status("Refund failed afterwards", "failed", "alert"),
    "late_money": Status("Not given back", "failed", "alert"),
    "orphan": Status("Unknown here", "overdue", "alert"),
    "orphan_refund": Status("A refund unknown here", "overdue", "alert"),
    "missing": Status("Not in the processor's list", "overdue", "alert"),
    "amount": Status("Another amount there", "overdue", "alert"),
    "unbooked": Status("Not in these books", "overdue", "alert"),
    "undone": Status("Voided at the processor", "overdue", "alert"),
}
MEMBER = {
    "invited": Status("Invited", "waiting", "clock"),
    "active": Status("Active", "paid", "check"),
    "deactivated": Status("Deactivated", "closed", "cross"),
}
DELIVERY = {
    "waiting": Status("On its way", "waiting", "clock"),
    "sent": Status("Sent", "paid", "check"),
    "parked": Status("Could not be delivered", "failed", "cross"),
}
NEW = Status("New", "open", "dot")
ON, OFF = Status("On", "paid", "check"), Status("Off", "closed", "cross")
ROLES = {"admin": "Admin", "provider": "Provider", "client": "Client", "system": "Client Billing"}
METHODS = {
    "card": "Card",
    "cash": "Cash",
    "check": "Check",
    "bank_transfer": "Bank transfer",
    "other": "Other",
    "client_credit": "Client credit",
}
BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "jcb": "JCB",
    "diners": "Diners Club",
}
ACCOUNTS = {
    "receivable": "Owed by the client",
    "revenue": "Income",
    "sales_tax_payable": "Sales tax to pass on",
    "processor_clearing": "At the processor",
    "cash": "Cash and bank",
    "refunds": "Refunds",
    "write_offs": "Written off",
    "client_credit": "Client credit",
}


def status_of(words: dict[str, Status], status: str) -> Status:
    """The pill of a status; one that this release does not know is shown plainly rather than hidden."""
    return words.get(status) or Status(status.replace("_", " ").capitalize(), "closed", "dot")


def waits_for_payer(invoice: Any) -> bool:
    """Whether it is being paid, and the payer has something to do; else the processor is being asked."""
    return invoice["status"] == "processing" and invoice.get("live_payment_status") == "requires_action"


def invoice_status(invoice: Any, today: date) -> Status:
    """The pill of an invoice: an overdue one says by how many days."""
    found = status_of(INVOICE, invoice["status"])
    due = as_day(invoice.get("due_date"))
    if invoice["status"] == "overdue" and due and due < today:
        days = (today - due).days
        return Status(f"{days} day{'s' if days > 1 else ''} overdue", found.look, found.icon)
    return found


def invoice_note(invoice: Any, today: date) -> str:
    """The quiet line below an invoice's pill: what else a reader wants to know at a glance."""
    currency, status = invoice["currency"], invoice["status"]
    if status == "partially_refunded":
        return f"{money(invoice['amount_refunded'], currency)} refunded"
    if status in ("open", "partially_paid", "overdue") and invoice["amount_paid"]:
        return f"{money(invoice['balance_due'], currency)} to pay"
    if status == "open" and invoice.get("due_date"):
        return f"due {day(invoice['due_date'], today)}"
    return ""


def money(amount: int, currency: str) -> str:
    """`12050`, `USD` as `$120.50`; below zero with a real minus sign."""
    value = Decimal(amount).scaleb(-decimals(currency))
    return format_currency(value, currency, locale=LOCALE).replace("-", MINUS)


def percent(rate: str | Decimal) -> str:
    """`0.0725` as `7.25 %`."""
    return format_decimal(Decimal(rate) * 100, format="#,##0.######", locale=LOCALE) + "\u00a0%"


def plain_percent(rate: str | Decimal | None) -> str:
    """`0.0725` as `7.25`, for a form field."""
    return "" if rate is None else plain(Decimal(rate).scaleb(2))


def quantity(value: str | Decimal) -> str:
    return format_decimal(Decimal(value), format="#,##0.######", locale=LOCALE)


def as_day(value: Any) -> date | None:
    """A day from what an answer holds: a date, or `YYYY-MM-DD`."""
    return value if value is None or isinstance(value, date) else date.fromisoformat(value)


def as_moment(value: Any) -> datetime | None:
    """A moment from what an answer holds: a datetime, or RFC 3339 text."""
    moment = value if value is None or isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def is_moment(value: Any) -> bool:
    """Whether an answer's value is a moment rather than a day."""
    return isinstance(value, datetime) or (isinstance(value, str) and "T" in value)


def local(value: Any, zone: str) -> datetime | date:
    """A moment in the practice's time zone; a day stays as it is."""
    return as_moment(value).astimezone(ZoneInfo(zone)) if is_moment(value) else as_day(value)  # type: ignore[union-attr, return-value]


def day(value: Any, today: date, zone: str = "UTC") -> str:
    """`Nov 21`, with the year when it isn't this one."""
    there = local(value, zone)
    return format_date(there, "MMM d" if there.year == today.year else "MMM d, y", locale=LOCALE)


def moment(value: Any, today: date, zone: str) -> str:
    """`Nov 2, 2:05 PM`, with the year when it isn't this one."""
    there = local(value, zone)
    pattern = "MMM d, h:mm a" if there.year == today.year else "MMM d, y, h:mm a"
    return format_datetime(there, pattern, tzinfo=get_timezone(zone), locale=LOCALE)


def exact(value: Any, zone: str) -> str:
    """The whole of it, for hover and screen readers: `Monday, November 2, 2026 at 2:05:11 PM EST`, or the day in full."""
    if is_moment(value):
        return format_datetime(as_moment(value), "EEEE, MMMM d, y 'at' h:mm:ss a z", tzinfo=get_timezone(zone), locale=LOCALE)
    return format_date(as_day(value), "EEEE, MMMM d, y", locale=LOCALE)


def iso(value: Any) -> str:
    """What a <time> element says to machines."""
    return value if isinstance(value, str) else value.isoformat()


def card(card: Any) -> str:
    """`Visa ending 4242`."""
    return f"{BRANDS.get(card['brand'], card['brand'].replace('_', ' ').title())} ending {card['last4']}"


def card_until(card: Any) -> str:
    """`expires 04/2031`."""
    return f"expires {card['exp_month']:02d}/{card['exp_year']}"


def paid_with(payment: Any) -> str:
    """How a payment was made: the card, or the method it was recorded with."""
    return card(payment["card"]) if payment.get("card") else METHODS.get(payment["method"], payment["method"])


def kept_as_credit(payment: Any) -> int:
    """What of a recorded payment became the client's credit; late money on a card goes back by itself, so it is none."""
    return 0 if payment["method"] == "card" else payment.get("amount_credited") or 0


def card_outcome(outcome: str) -> str:
    """What a card for trying things out does: `requires_action` as a person would say it, other codes without their lines."""
    return "the bank asks to confirm" if outcome == "requires_action" else outcome.replace("_", " ")


def payment_words(payment: Any) -> str:
    """A payment to choose, with what is left of it: `Visa ending 4242, $60.00`."""
    return f"{paid_with(payment)}, {money(payment['left'], payment['currency'])}"


def card_groups(number: str) -> str:
    """A card number as cards print it, in fours."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))
