"""The sandbox: a processor for trying things out, whose test cards show every ending. It keeps its own books elsewhere."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from services.processors import sandbox_books as books_of
from services.processors.adapters.base import Adapter, Field
from services.processors.orders import (
    APPROVED,
    CANCELED,
    CHARGE,
    DECLINED,
    NEEDS_PAYER,
    NOT_KNOWN,
    NOT_SENT,
    PREPARED,
    Check,
    Listed,
    Order,
    Outcome,
    Saved,
    Saving,
)
from services.processors.sandbox_books import Entry, SandboxBooks

SLOW = timedelta(seconds=5)  # "approved after 5 s"
LATE = timedelta(seconds=3)  # "charged 3 s later"
NO_ANSWER_AFTER = 1.0  # seconds until a lost answer is given up

_ENDINGS = {
    "4242424242424242": "approved",
    "4000000000000002": "card_declined",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000002500003155": "requires_action",
    "4000000000000077": "approved after 5 s",
    "4000000000000119": "charged, but the answer is lost",
    "4000000000000259": "no answer and not charged",
    "4000000000000341": "no answer, charged 3 s later",
}
_DECLINES = {"card_declined", "insufficient_funds", "expired_card", "incorrect_cvc", "authentication_required"}


class Sandbox(Adapter):
    """Any other number whose check digit is right is approved; a card past its month is expired."""

    name, title = "sandbox", "Sandbox"
    fields = (
        Field(
            "api_key",
            "API key",
            "Anything, or nothing. The word “refused” shows what refused credentials look like.",
            True,
        ),
    )
    test_cards = tuple(_ENDINGS.items())
    read_deadline = 8.0
    saves_cards = True

    def __init__(self, books: SandboxBooks, sleep: Callable[[float], None] = time.sleep):
        self.books, self.sleep = books, sleep

    def is_test(self, credentials: dict) -> bool:
        return True

    def check(self, credentials: dict) -> Check:
        if _refuses(credentials):
            return Check("refused", "The sandbox refuses this API key.", "api_key")
        return Check("ok")

    def save_card(self, credentials: dict, saving: Saving) -> Saved:
        """What is kept is how the card ends, never its number."""
        card = saving.means.card
        assert card is not None
        if _refuses(credentials):
            return Saved(DECLINED, refusal="processor_credentials_refused")
        if refusal := self._refusal_before(card.number.reveal(), card.exp_year, card.exp_month):
            return Saved(DECLINED, refusal=refusal, processor_code=refusal)
        ids = {"token": f"tok_{saving.reference}", "ending": _ENDINGS.get(card.number.reveal(), "approved")}
        return Saved(APPROVED, ids, card.brand, card.last4, card.exp_month, card.exp_year)

    def remove_card(self, credentials: dict, ids: dict) -> bool:
        return True

    def prepare(self, credentials: dict, order: Order) -> Outcome:
        if kept := order.means.on_file:
            return self._prepared(credentials, order, kept.brand, kept.last4, self._expired(kept.exp_year, kept.exp_month))
        card = order.card
        assert card is not None
        refusal = self._refusal_before(card.number.reveal(), card.exp_year, card.exp_month)
        return self._prepared(credentials, order, card.brand, card.last4, refusal)

    def _prepared(self, credentials: dict, order: Order, brand: str, last4: str, refusal: str | None) -> Outcome:
        if _refuses(credentials):
            return Outcome(DECLINED, refusal="processor_credentials_refused")
        return Outcome(
            DECLINED if refusal else PREPARED,
            ids={"reference": order.reference},
            brand=brand,
            last4=last4,
            refusal=refusal,
            processor_code=refusal,
        )

    def _refusal_before(self, number: str, year: int, month: int) -> str | None:
        """What a look at the card alone tells."""
        return self._expired(year, month) if check_digit_fits(number) else "incorrect_number"

    def _expired(self, year: int, month: int) -> str | None:
        today = self.books.clock.now()
        return "expired_card" if (year, month) < (today.year, today.month) else None

    def charge(self, credentials: dict, order: Order) -> Outcome:
        ending = _ending(order)
        if ending == "no answer and not charged":
            return self._no_answer()
        if ending in _DECLINES:
            entry = self._book(order, status=books_of.DECLINED, refusal=ending)
        elif ending == "requires_action":
            entry = self._book(order, status=books_of.WAITS_FOR_PAYER)
        else:
            delays = {"approved after 5 s": SLOW, "no answer, charged 3 s later": LATE}
            entry = self._book(order, after=delays.get(ending, timedelta(0)))
        if ending in ("charged, but the answer is lost", "no answer, charged 3 s later"):
            return self._no_answer()
        if ending == "approved after 5 s" and not entry.happened:
            self.sleep(SLOW.total_seconds())
            entry = self.books.look(order.reference) or entry
        return _outcome(entry, order)

    def _book(self, order: Order, **how) -> Entry:
        return self.books.charge(order.reference, order.account_id, order.amount, order.currency, **how)

    def _no_answer(self) -> Outcome:
        self.sleep(NO_ANSWER_AFTER)
        return Outcome(NOT_KNOWN, processor_code="exc:read_timeout")

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        entry = self.books.close_reference(order.reference, order.account_id, also_waiting=True)
        return _outcome(entry, order, closed=CANCELED)

    void = cancel

    def refund(self, credentials: dict, order: Order) -> Outcome:
        charge_reference = order.charge_ids.get("reference", "")
        entry = self.books.refund(order.reference, charge_reference, order.account_id, order.amount, order.currency)
        return _outcome(entry, order)

    def find(self, credentials: dict, order: Order) -> Outcome:
        """The books prove absence: what is not in them is closed, so that it can't come later."""
        return _outcome(self.books.close_reference(order.reference, order.account_id), order)

    def list_between(self, credentials: dict, since: datetime, until: datetime) -> list[Listed]:
        """Needs nothing but the books; every merchant's, as the sandbox knows no credentials that tell them apart."""
        return [
            Listed(entry.reference, entry.kind, entry.amount, entry.currency, entry.at, APPROVED, entry.reference)
            for entry in self.books.listed()
            if since <= entry.at < until and entry.happened and entry.status == books_of.DONE
        ]


def _ending(order: Order) -> str:
    """How a charge of this card ends; the payer of a card on file may be away, and then can't answer the bank."""
    if kept := order.means.on_file:
        asks_nobody = kept.off_session and kept.ids["ending"] == "requires_action"
        return "authentication_required" if asks_nobody else kept.ids["ending"]
    assert order.card is not None
    return _ENDINGS.get(order.card.number.reveal(), "approved")


def _refuses(credentials: dict) -> bool:
    return credentials.get("api_key") == "refused"


def check_digit_fits(number: str) -> bool:
    """Whether the last digit of a card number is right (Luhn, ISO/IEC 7812-1 annex B)."""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    doubled = [int(digit) * 2 for digit in number[-2::-2]]
    single = [int(digit) for digit in number[-1::-2]]
    return sum(single) % 10 == -sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10


def _outcome(entry: Entry, order: Order, closed: str = NOT_SENT) -> Outcome:
    """The books' word: what has not happened yet is not known, what was closed never will."""
    ids = {"reference": order.reference}
    if entry.status == books_of.CLOSED:
        return Outcome(closed, ids=ids, refusal="processor_unavailable" if closed == NOT_SENT else None)
    if not entry.happened:
        return Outcome(NOT_KNOWN, ids=ids)
    if entry.status == books_of.DECLINED:
        return Outcome(DECLINED, ids=ids, refusal=entry.refusal, processor_code=entry.refusal)
    if entry.status == books_of.WAITS_FOR_PAYER:
        action = {"type": "redirect", "url": f"/sandbox/authentication/{order.id}"}
        return Outcome(NEEDS_PAYER, ids=ids, next_action=action if order.kind == CHARGE else None)
    return Outcome(APPROVED, amount=entry.amount, currency=entry.currency, ids=ids)
