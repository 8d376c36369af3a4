"""Idempotency keys: a row in the database that owns the effect, in the effect's transaction, later holding the exact answer."""

from datetime import datetime

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, select, update
from sqlalchemy.orm import Session

from shared.caller import Caller
from shared.database import Moment, insert_new
from shared.faults import Conflict, Invalid
from shared.told import Told


def idempotency_table(metadata: MetaData) -> Table:
    """The table that every service which owns a POST adds to its own."""
    return Table(
        "idempotency",
        metadata,
        Column("practice_id", String(40), primary_key=True),
        Column("person_id", String(40), primary_key=True),
        Column("route", String(200), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("subject_id", String(40)),
        Column("answer", Text),
        Column("status", Integer),
        Column("created_at", Moment, nullable=False),
    )


def _mine(table: Table, caller: Caller):
    assert caller.key is not None
    return (
        (table.c.practice_id == caller.practice_id)
        & (table.c.person_id == caller.person_id)
        & (table.c.route == caller.key.route)
        & (table.c.key == caller.key.value)
    )


def recall(session: Session, table: Table, caller: Caller, now: datetime, subject_id: str | None = None) -> Told | None:
    """The kept answer to this very request, or None and an open row made for it.

    Raises Invalid for a key that came with another body, Conflict while the first request is still being worked on.
    `subject_id` (the payment's, say) lets a crashed request's answer be rebuilt.
    """
    if caller.key is None:
        return None
    opened = {
        "practice_id": caller.practice_id, "person_id": caller.person_id, "route": caller.key.route, "key": caller.key.value,
        "fingerprint": caller.key.fingerprint, "subject_id": subject_id, "created_at": now,
    }  # fmt: skip
    return None if insert_new(session, table, opened) else known(session, table, caller)


def known(session: Session, table: Table, caller: Caller) -> Told | None:
    """The kept answer to this very request, or None for a key that is new; unlike `recall` it leaves no row. Raises as that does."""
    if caller.key is None:
        return None
    row = session.execute(select(table).where(_mine(table, caller))).one_or_none()
    if row is None:
        return None
    if row.fingerprint != caller.key.fingerprint:
        raise Invalid(
            "idempotency_key_reused",
            "This Idempotency-Key came with another body before. Send a new key for a new request.",
            errors=[{"field": "Idempotency-Key", "message": "This key came with another body before; send a new one."}],
        )
    if row.answer is None:
        raise Conflict(
            "idempotency_in_progress", "The first request with this key is still being worked on. Ask again in a moment."
        )
    return Told(row.answer, replayed=True, status=row.status)


def keep(session: Session, table: Table, caller: Caller, text: str, status: int | None = None) -> None:
    """Keep the exact answer for the key; nothing to do for a request without one."""
    if caller.key is not None:
        session.execute(update(table).where(_mine(table, caller)).values(answer=text, status=status))


def keep_for(session: Session, table: Table, subject_id: str, text: str, status: int | None) -> None:
    """Keep the answer of whichever request began `subject_id` and still has none (a crash came between)."""
    session.execute(
        update(table).where(table.c.subject_id == subject_id, table.c.answer.is_(None)).values(answer=text, status=status)
    )
