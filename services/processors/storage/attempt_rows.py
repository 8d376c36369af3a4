"""Selects of attempts: by id, by reference, by what is due."""

from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.processors.model import IN_FLIGHT, NOTHING_MOVED, OPEN, SUCCEEDED, Account, Attempt, Try
from services.processors.orders import REFUND


def attempt(session: Session, practice_id: str, subject_id: str, *, lock: bool = False) -> Attempt | None:
    """The attempt (or tombstone) of a payment or refund of this practice; `lock` holds the row until the commit."""
    query = select(Attempt).where(Attempt.practice_id == practice_id, Attempt.id == subject_id)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def attempts(session: Session, practice_id: str, subject_ids: list[str]) -> list[Attempt]:
    """Those of these payments and refunds that the practice has."""
    return list(session.scalars(select(Attempt).where(Attempt.practice_id == practice_id, Attempt.id.in_(subject_ids))))


def add_attempt(session: Session, row: Attempt) -> bool:
    """Insert it; False where this id has its attempt or tombstone already."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def move(session: Session, row: Attempt, changes: dict) -> bool:
    """Change a row by compare-and-set; False where somebody changed it since it was read, and then nothing was changed."""
    moved = session.execute(
        update(Attempt)
        .where(
            Attempt.practice_id == row.practice_id,
            Attempt.id == row.id,
            Attempt.number == row.number,
            Attempt.status == row.status,
            Attempt.version == row.version,
        )
        .values(**changes, version=row.version + 1)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1  # type: ignore[attr-defined]


def given_back(session: Session, practice_id: str, payment_id: str) -> int:
    """What refunds of this charge give back or may yet give back, in minor units."""
    query = select(func.coalesce(func.sum(Attempt.amount), 0)).where(
        Attempt.practice_id == practice_id,
        Attempt.payment_id == payment_id,
        Attempt.kind == REFUND,
        Attempt.status.not_in(NOTHING_MOVED),
    )
    return int(session.scalar(query) or 0)


def run_out(session: Session, now: datetime, limit: int) -> list[Attempt]:
    """Attempts of every practice whose lease has run out (for the timer)."""
    query = select(Attempt).where(Attempt.lease_until <= now).order_by(Attempt.lease_until).limit(limit)
    return list(session.scalars(query))


def due_for_look_up(session: Session, now: datetime, limit: int) -> list[Attempt]:
    """Attempts of every practice that are to be looked up by now (for the timer)."""
    due = or_(Attempt.next_look_up_at <= now, Attempt.woken_at <= now)
    query = select(Attempt).where(due, Attempt.status.not_in(IN_FLIGHT))
    return list(session.scalars(query.order_by(func.coalesce(Attempt.woken_at, Attempt.next_look_up_at)).limit(limit)))


def attempts_named(session: Session, practice_id: str, account_id: str, reference: str | None, ids: dict) -> list[Attempt]:
    """The account's attempt of this reference, else those of the latest two hundred that hold one of the processor's ids."""
    mine = select(Attempt).where(Attempt.practice_id == practice_id, Attempt.account_id == account_id)
    if reference:
        return list(session.scalars(mine.where(Attempt.reference == reference)))
    wanted = set(ids.values()) - {None, ""}
    latest = session.scalars(mine.order_by(Attempt.created_at.desc()).limit(200)) if wanted else ()
    return [row for row in latest if wanted & set(row.processor_ids.values())]


def open_attempts(session: Session, practice_id: str, account_id: str) -> list[Attempt]:
    """What is still open at an account, the oldest fifty."""
    mine = (Attempt.practice_id == practice_id, Attempt.account_id == account_id, Attempt.status.in_(OPEN))
    return list(session.scalars(select(Attempt).where(*mine).order_by(Attempt.created_at).limit(50)))


def wake(session: Session, rows: list[Attempt], now: datetime) -> None:
    """Have the timer look these up at once, settled ones too; what is under way is left alone.

    It is a look beside the schedule: that it found nothing proves nothing, however often somebody wakes it.
    """
    for row in rows:
        if row.status not in IN_FLIGHT:
            move(session, row, {"woken_at": now})


def sent_between(session: Session, practice_id: str, account_id: str, since: datetime, until: datetime) -> list[Attempt]:
    """What was sent through an account in a span of time."""
    mine = (Attempt.practice_id == practice_id, Attempt.account_id == account_id)
    return list(session.scalars(select(Attempt).where(*mine, Attempt.sent_at >= since, Attempt.sent_at < until)))


def given_back_between(session: Session, account: Account, since: datetime, until: datetime) -> list[Attempt]:
    """Refunds of an account that have succeeded and were sent in a span of time."""
    mine = (Attempt.practice_id == account.practice_id, Attempt.account_id == account.id)
    succeeded = (Attempt.kind == REFUND, Attempt.status == SUCCEEDED)
    return list(session.scalars(select(Attempt).where(*mine, *succeeded, Attempt.sent_at >= since, Attempt.sent_at < until)))


def by_reference(session: Session, references: list[str | None]) -> dict[str | None, Attempt]:
    """Attempts of any practice by reference: two practices may share an account at their processor (for the timer)."""
    wanted = [reference for reference in references if reference]
    found: dict[str | None, Attempt] = {}
    for start in range(0, len(wanted), 500):
        rows = session.scalars(select(Attempt).where(Attempt.reference.in_(wanted[start : start + 500])))
        found.update({row.reference: row for row in rows})
    return found


def tried_before(session: Session, references: list[str | None]) -> set[str]:
    """Those of these references that belong to tries which payments of any practice have left behind."""
    wanted = [reference for reference in references if reference]
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        found |= set(session.scalars(select(Try.reference).where(Try.reference.in_(wanted[start : start + 500]))))
    return found


def accounts_tried(session: Session, practice_id: str, attempt_id: str) -> list[str]:
    """The accounts that an attempt has left behind."""
    query = select(Try.account_id).where(Try.practice_id == practice_id, Try.attempt_id == attempt_id)
    return list(session.scalars(query))
