"""After a restore, the attempts: accounts are closed, what only the books know is entered, what may have been sent is looked up."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from services.invoicing.config import Pace
from services.invoicing.model import Payment, Refund
from services.invoicing.storage import Storage, Tx
from services.processors import storage as attempts_of
from services.processors.model import (
    CREATED,
    OPEN,
    PREPARED,
    REVIEW,
    SENDING,
    SUCCEEDED,
    TO_SETTLE,
    UNKNOWN,
    Account,
    Attempt,
    Restore,
    inbox,
    reference_of,
)
from services.processors.orders import CHARGE, REFUND
from shared.database import Database
from shared.settings import Settings

NOT_ENDED = (CREATED, PREPARED, SENDING, TO_SETTLE, *OPEN)


@dataclass
class Restoring:
    """Both databases of money, and the moment."""

    settings: Settings
    attempts: Database
    books: Storage
    now: datetime
    pace: Pace


def close(work: Restoring, restored_to: datetime) -> int:
    """Every account, removed ones too; and what a comparison has told may be lost where it was told to, so it is told again."""
    with work.attempts.transaction() as session:
        accounts = session.scalars(select(Account)).all()
        for account in accounts:
            account.close(restored_to, work.now)
        session.add(Restore(said_at=work.now, restored_to=restored_to))
        session.execute(delete(inbox).where(inbox.c.handler.like("comparison.%")))
        return len(accounts)


def done(work: Restoring) -> None:
    """From now on accounts may open: those of a run that was cut short never do, until one has come to its end."""
    with work.attempts.transaction() as session:
        session.execute(update(Restore).where(Restore.done_at.is_(None)).values(done_at=work.now))


def tell_processors(work: Restoring) -> Iterator[str]:
    """Attempts of what the books hold for settled or still under way, where processors has none or an older one."""
    entered = 0
    with work.attempts.reading() as session:
        known = {row.id: row.status for row in session.execute(select(Attempt.id, Attempt.status))}
    for its_id in _ids_of_the_books(work, known):
        with work.books.transaction() as tx:
            line = _line(tx, its_id)
        with work.attempts.transaction() as session:
            entered += _enter(session, work, line)
        yield from progress(entered, "entered in processors")
    yield f"processors: {entered} payment(s) or refund(s) entered again that only invoicing knew"


def _ids_of_the_books(work: Restoring, known: dict[str, str]) -> list[str]:
    """Card payments and then their refunds that have succeeded or may still, and of which `known` tells nothing or something else."""
    by_card = select(Payment.id).where(Payment.method == "card")
    with work.books.transaction() as tx:
        payments = tx.session.execute(
            select(Payment.id, Payment.status).where(Payment.method == "card", Payment.status.not_in(("failed", "canceled")))
        ).all()
        refunds = tx.session.execute(
            select(Refund.id, Refund.status).where(Refund.status != "failed", Refund.payment_id.in_(by_card))
        ).all()
    return [row.id for row in (*payments, *refunds) if row.id not in known or row.status == SUCCEEDED != known[row.id]]


def _line(tx: Tx, its_id: str) -> "Line":
    payment = tx.session.get(Payment, its_id)
    if payment is not None:
        return Line.of_payment(payment)
    refund = tx.session.get_one(Refund, its_id)
    return Line.of_refund(refund, tx.session.get_one(Payment, refund.payment_id))


def progress(done: int, what: str) -> Iterator[str]:
    if done and done % 1000 == 0:
        yield f"… {done} {what}"


@dataclass(frozen=True)
class Line:
    """A payment or refund as the books have it."""

    practice_id: str
    id: str
    kind: str
    payment_id: str
    invoice_id: str
    account_id: str | None
    reference: str | None
    amount: int
    currency: str
    status: str
    processor_type: str | None
    made_at: datetime
    settled_at: datetime | None
    on_page: bool = False
    card: dict | None = None

    @classmethod
    def of_payment(cls, row: Payment) -> "Line":
        return cls(
            row.practice_id, row.id, CHARGE, row.id, row.invoice_id, row.processor_id, row.processor_reference, row.amount, row.currency,
            row.status, row.processor_type, row.created_at, row.settled_at, bool((row.next_action or {}).get("page")), row.card,
        )  # fmt: skip

    @classmethod
    def of_refund(cls, row: Refund, payment: Payment) -> "Line":
        return cls(
            row.practice_id, row.id, REFUND, payment.id, row.invoice_id, payment.processor_id, None, row.amount, row.currency,
            row.status, payment.processor_type, row.created_at, row.settled_at,
        )  # fmt: skip


def _enter(session: Session, work: Restoring, line: Line) -> bool:
    """The attempt of a line: settled where the books say so, else to be looked up. False where nobody can say where it went."""
    row = attempts_of.attempt(session, line.practice_id, line.id, lock=True)
    if row is not None:
        return attempts_of.move(session, row, _further(row, line, _account(session, line), work.now))
    account = _account(session, line)
    card = line.card or {}
    row = Attempt(
        practice_id=line.practice_id, id=line.id, number=1, kind=line.kind, payment_id=line.payment_id, invoice_id=line.invoice_id,
        amount=line.amount, currency=line.currency, status=SUCCEEDED, version=1, processor_ids={}, look_ups=0, absences=0,
        created_at=line.made_at, sent_at=line.made_at, settled_at=line.settled_at, on_page=line.on_page,
        card_brand=card.get("brand"), card_last4=card.get("last4"),
    )  # fmt: skip
    row.account_id, row.processor_type, row.reference = line.account_id, line.processor_type, line.reference
    if account is not None:
        key = work.settings.keys("processors").hmac_key
        row.account_id, row.processor_type, row.credentials_version = account.id, account.type, account.credentials_version
        row.reference = line.reference or reference_of(key, line.id, account.id, 1)
    if line.status != SUCCEEDED:
        row.status, row.next_look_up_at = (UNKNOWN, work.now) if account is not None else (REVIEW, None)
    return attempts_of.add_attempt(session, row)


def _further(row: Attempt, line: Line, account: Account | None, now: datetime) -> dict:
    """What a row learns of books that are further along. Where both have ended, and otherwise, the processor is asked again."""
    if row.status not in NOT_ENDED:
        return {"woken_at": now} if row.processor_type else {}
    further: dict[str, Any] = {
        "status": SUCCEEDED, "settled_at": line.settled_at, "sent_at": row.sent_at or row.created_at, "lease_until": None,
        "next_look_up_at": None,
    }  # fmt: skip
    if line.reference and line.reference != row.reference:  # it went on to another account
        further |= {
            "account_id": line.account_id, "processor_type": line.processor_type, "reference": line.reference, "processor_ids": {},
            "credentials_version": account.credentials_version if account else None,
        }  # fmt: skip
    return further


def _account(session: Session, line: Line) -> Account | None:
    """The account that a line went to, as far as the books say, else the one that takes new payments."""
    if line.account_id is not None:
        return attempts_of.any_account(session, line.practice_id, line.account_id)
    return attempts_of.active_account(session, line.practice_id)


def look_up_again(work: Restoring) -> int:
    """What was not sent yet by these records may have been sent since: nothing of it is sent now, all is looked up."""
    with work.attempts.transaction() as session:
        rows = session.scalars(select(Attempt).where(Attempt.status.in_((CREATED, PREPARED, TO_SETTLE)))).all()
        for row in rows:
            again = {"status": UNKNOWN, "lease_until": None, "next_look_up_at": work.now, "look_ups": 0, "absences": 0}
            attempts_of.move(session, row, {**again, "sent_at": row.sent_at or row.created_at})
    return len(rows)
