"""After a restore from a backup: close payments, and enter what one service still knows and another one lost.

Run with everything stopped. What both have lost, only the card processors know: their lists are read when the services run
again, and payments open when those agree (`services/processors/usecases/comparing.py`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import kombu
import kombu.exceptions
from amqp.exceptions import NotFound
from sqlalchemy import delete, select

from deploy.holding import is_held
from deploy.restoring_attempts import Restoring, close, done, look_up_again, progress, tell_processors
from services.gateway.people import telling
from services.gateway.people.model import SignInSession
from services.invoicing.config import Pace
from services.invoicing.model import Payment, Refund
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import adopting
from services.processors import storage as attempts_of
from services.processors.model import (
    NOTHING_MOVED,
    SUCCEEDED,
    Attempt,
)
from services.processors.orders import CHARGE, REFUND
from services.processors.usecases.attempting import told
from shared.clock import SystemClock
from shared.database import Database
from shared.fields import Record
from shared.settings import Settings

SETTLED, ENTERED, LOST = "settled", "entered", "lost"


def whoever_serves(settings: Settings) -> str | None:
    """Who serves by these databases at this moment, in words; None where nobody is found."""
    if settings.embedded:
        return f"{settings.data} is being served" if is_held(settings.data) else None
    try:
        with kombu.Connection(settings.amqp_uri, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
            return next(
                (f"{service} is serving" for service in ("processors", "invoicing") if _consumers(connection, service)), None
            )
    except (OSError, kombu.exceptions.OperationalError):
        return None  # no broker, so nobody can be asked for a payment


def _consumers(connection: kombu.Connection, service: str) -> int:
    try:
        return connection.channel().queue_declare(f"rpc-{service}", passive=True).consumer_count
    except NotFound:
        return 0


def restored(settings: Settings, restored_to: datetime, clock: Any = None) -> Iterator[str]:
    """Close every account, carry over what is known on one side only, and tell every copy anew; a line for each step.

    Run twice it is once: what is carried over already is left alone, and payments are closed anew.
    """
    attempts, books, people = (Database(settings.database_url(name)) for name in ("processors", "invoicing", "gateway"))
    work = Restoring(settings, attempts, Storage(books), (clock or SystemClock()).now(), Pace.read(settings))
    try:
        yield f"payments are closed: {close(work, restored_to)} account(s), until the processors' lists have been read from then on"
        yield from tell_processors(work)
        yield f"processors: {look_up_again(work)} to be looked up, as they may have been sent since"
        yield from _tell_invoicing(work)
        yield from _people(people, settings, work.now)
        done(work)
    finally:
        for database in (attempts, books, people):
            database.dispose()


def _tell_invoicing(work: Restoring) -> Iterator[str]:
    """The books of what processors holds for settled or under way: settled where they have it, entered where they lost it."""
    count = {SETTLED: 0, ENTERED: 0, LOST: 0}
    for its_id in _ids_that_moved(work):
        with work.attempts.reading() as session:
            row = session.scalars(select(Attempt).where(Attempt.id == its_id)).one()
            outcome = Record(told(row))
            session.expunge_all()
        with work.books.transaction() as tx:
            how = _carry_over(tx, row, outcome, work)
        count[how] += 1
        if how == SETTLED and row.kind == REFUND and row.processor_type:
            _ask_again(work, row)
        if how == LOST:
            _opens_by_hand(work, row.practice_id)
        yield from progress(sum(count.values()), "told to invoicing")
    yield f"invoicing: {count[ENTERED]} payment(s) or refund(s) entered again that only processors knew, {count[SETTLED]} settled"
    if count[LOST]:
        yield f"invoicing: {count[LOST]} could not be entered: see the admins' work lists; an admin has to open payments there"


def _carry_over(tx: Tx, row: Attempt, outcome: Record, work: Restoring) -> str:
    if tx.session.get(Payment if row.kind == CHARGE else Refund, row.id) is not None:
        _settle(tx, row, outcome, work)
        return SETTLED
    if _adopted(tx, row, outcome, work):
        return ENTERED
    adopting.tell_a_person(tx, row.practice_id, outcome, work.now)
    return LOST


def _settle(tx: Tx, row: Attempt, outcome: Record, work: Restoring) -> None:
    if row.kind == CHARGE:
        adopting.settle_charge(tx, row.practice_id, outcome, work.now, work.pace)
    else:
        adopting.settle_refund(tx, row.practice_id, outcome, work.now, work.pace)


def _ask_again(work: Restoring, row: Attempt) -> None:
    """A refund may fail after it has succeeded: which of two ends is the later one, only the processor can say."""
    with work.attempts.transaction() as session:
        attempts_of.wake(session, [row], work.now)


def _opens_by_hand(work: Restoring, practice_id: str) -> None:
    """What the books lack the processors' lists can't show: somebody has to look before this practice takes payments."""
    with work.attempts.transaction() as session:
        attempts_of.open_by_hand(session, practice_id)


def _ids_that_moved(work: Restoring) -> list[str]:
    """Attempts that the books lack and that moved money or still may, and those that ended otherwise than the books have it.

    Charges in the order in which they were made, so that what ended lets its invoice go before the next one takes it; then refunds.
    """
    with work.books.transaction() as tx:
        booked = {
            row.id: row.status for family in (Payment, Refund) for row in tx.session.execute(select(family.id, family.status))
        }
    with work.attempts.reading() as session:
        every = select(Attempt.id, Attempt.status).order_by(Attempt.kind, Attempt.created_at, Attempt.id)
        return [row.id for row in session.execute(every) if _is_news(row.status, booked.get(row.id))]


def _is_news(status: str, booked: str | None) -> bool:
    if booked is None:
        return status not in NOTHING_MOVED
    if status == SUCCEEDED:
        return booked != SUCCEEDED
    return status in NOTHING_MOVED and booked not in ("failed", "canceled")


def _adopted(tx: Tx, row: Attempt, outcome: Record, work: Restoring) -> bool:
    when = (row.created_at, work.now, work.pace)
    if row.kind == CHARGE:
        return adopting.adopt_charge(tx, row.practice_id, row.invoice_id or "", outcome, *when)
    return adopting.adopt_refund(tx, row.practice_id, outcome, *when)


def _people(people: Database, settings: Settings, now: datetime) -> Iterator[str]:
    """Every copy told anew; sessions ended, as some may have been ended since."""
    with people.transaction() as session:
        told_anew = telling.tell_everybody(session, settings.keys("gateway"), now)
        session.execute(delete(SignInSession))
    yield f"gateway: {told_anew} copies of practices and people are told to the others anew, and everybody signs in again"
