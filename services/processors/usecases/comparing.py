"""The daily comparison of each processor's own list with ours, in both directions. What differs is looked up, or told to a person."""

import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.config import Room
from services.processors.model import IN_FLIGHT, NOTHING_MOVED, SUCCEEDED, Account, Attempt
from services.processors.orders import APPROVED, CANCELED, DECLINED, REFUND, Listed
from services.processors.usecases.attempting import kept_credentials, opened
from shared.contracts.processors import Processors
from shared.mishap import log_mishap
from shared.outbox import emit, heard_before

log = logging.getLogger(__name__)

EVERY, AGAIN = timedelta(days=1), timedelta(hours=1)  # the second where the list could not be had
LOOKS_BACK = timedelta(days=2)  # before the last comparison: lists lag, refunds fail late
LAG = timedelta(minutes=15)  # what is younger may not be in the processor's list yet
_OURS = re.compile(r"[0-9a-z]{20}")  # the shape of our references; others belong to other programs of the practice


@dataclass(frozen=True)
class Difference:
    """Something that only a person can explain: `orphan` (theirs, not ours), `missing` (ours, not theirs), `amount` or `undone`."""

    kind: str
    reference: str
    amount: int
    currency: str
    at: datetime
    row: Attempt | None = None


def compare_due(room: Room) -> int:
    """Compare every account whose day has passed; how many were compared."""
    compared = 0
    with room.database.reading() as session:
        due = storage.taken_out(session, storage.accounts_to_compare(session, room.clock.now()))
    for account in due:
        try:
            compared += _compare(account, room)
        except Exception as trouble:
            log_mishap(log, f"comparing {account.id}", trouble)
    return compared


def _compare(account: Account, room: Room) -> bool:
    now = room.clock.now()
    if account.type not in room.adapters or not _claim(account, room, now):
        return False
    since = (account.compared_at or account.created_at) - LOOKS_BACK
    until = now - LAG
    with room.database.reading() as session:
        kept = kept_credentials(session, account.practice_id, account.id, account.credentials_version)
    theirs = room.adapters[account.type].list_between(opened(room, kept), since, until)
    if theirs is None:
        log.warning("the list of account %s could not be had; it is asked again later", account.id)
        return False
    with room.database.transaction() as session:
        sent = storage.sent_between(session, account.practice_id, account.id, since, until)
        known = {row.reference: row for row in sent} | storage.by_reference(session, [line.reference for line in theirs])
        to_compare = [row for row in sent if since + LAG <= _sent(row) and _booked_by(row) < until - LAG]
        to_wake, differences = differ(to_compare, theirs, known)
        storage.wake(session, to_wake, now)
        for difference in differences:
            _tell(session, account, difference, now)
        storage.note_compared(session, account, now, now + EVERY / room.time_scale, len(differences))
    return True


def _claim(account: Account, room: Room, now: datetime) -> bool:
    with room.database.transaction() as session:
        return storage.claim_comparison(session, account, now + AGAIN / room.time_scale)


def differ(sent: list[Attempt], theirs: list[Listed], known: dict[str | None, Attempt]) -> tuple[list[Attempt], list[Difference]]:
    """(what a look-up can settle, what only a person can explain). `known` holds every attempt that a line may name."""
    lines: dict[str, Listed] = {}
    to_wake: list[Attempt] = []
    found: list[Difference] = []
    for line in theirs:
        reference = line.reference or ""
        if not _OURS.fullmatch(reference):
            continue
        first = lines.get(reference)
        if first is None or line.status == APPROVED:
            lines[reference] = line
        if first is not None and first.status == line.status == APPROVED and first.id != line.id:
            # Paid twice on one page of theirs: what we hold is the one, and the other nobody here asked for.
            found.append(Difference("orphan", reference, line.amount, line.currency, line.at))
    for reference, line in lines.items():
        row = known.get(reference)
        if row is None:
            if line.status == APPROVED:
                found.append(Difference("orphan", reference, line.amount, line.currency, line.at))
        elif row.status in IN_FLIGHT:
            continue
        elif line.status == APPROVED and row.status != SUCCEEDED:
            to_wake.append(row)
        elif line.status == APPROVED and (line.amount, line.currency) != (row.amount, row.currency):
            found.append(Difference("amount", reference, line.amount, line.currency, line.at, row))
        elif line.status in (DECLINED, CANCELED) and row.status == SUCCEEDED:
            if row.kind == REFUND:
                to_wake.append(row)
            elif not _given_back(row, known):
                found.append(Difference("undone", reference, line.amount, line.currency, line.at, row))
    for row in sent:
        if row.status == SUCCEEDED and row.reference not in lines and not _was_a_void(row, lines, known):
            found.append(Difference("missing", row.reference or "", row.amount or 0, row.currency or "", _sent(row), row))
    return to_wake, found


def _sent(row: Attempt) -> datetime:
    return row.sent_at or row.created_at


def _booked_by(row: Attempt) -> datetime:
    """When the processor has it in its list at the latest: on its own page it is paid when the payer pays, not when we opened it."""
    return row.settled_at if row.on_page and row.settled_at else _sent(row)


def _given_back(charge: Attempt, known: dict[str | None, Attempt]) -> bool:
    """Whether all of the charge was refunded: where it had not settled yet, the processor shows that as a void."""
    refunds = [row for row in known.values() if row.kind == REFUND and row.payment_id == charge.id]
    return any(row.amount == charge.amount and row.status not in NOTHING_MOVED for row in refunds)


def _was_a_void(row: Attempt, lines: dict[str, Listed], known: dict[str | None, Attempt]) -> bool:
    """Whether a refund shows only in its charge, which was voided as a whole."""
    charge = next((one for one in known.values() if row.kind == REFUND and one.id == row.payment_id), None)
    line = lines.get(charge.reference or "") if charge is not None else None
    return line is not None and line.status == CANCELED


def _tell(session: Session, account: Account, difference: Difference, now: datetime) -> None:
    """News for the admins' work list, once for each difference."""
    named = hashlib.sha256(f"{difference.kind}|{difference.reference}".encode()).hexdigest()[:40]
    if heard_before(session, {"event_id": named}, f"comparison.{account.id}", now):
        return
    row = difference.row
    whose = row.practice_id if row is not None else account.practice_id
    news = {
        "processor_id": account.id,
        "kind": difference.kind,
        "reference": difference.reference,
        "payment_id": row.payment_id if row is not None else None,
        "refund_id": row.id if row is not None and row.kind == REFUND else None,
        "amount": difference.amount,
        "currency": difference.currency,
    }
    emit(session, Processors.difference_found, news, now, whose)
