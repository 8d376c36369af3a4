"""The daily comparison of each processor's own list with ours, in both directions. What differs is looked up, or told to a person."""

import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.config import Room
from services.processors.model import IN_FLIGHT, LISTS_LAG, NOTHING_MOVED, SUCCEEDED, Account, Attempt
from services.processors.orders import APPROVED, CANCELED, CHARGE, DECLINED, NOT_SENT, REFUND, Listed
from services.processors.usecases.attempting import kept_credentials, opened
from shared.contracts.processors import Processors
from shared.mishap import log_mishap
from shared.outbox import emit, heard_before

log = logging.getLogger(__name__)

EVERY, AGAIN = timedelta(days=1), timedelta(hours=1)  # the second where the list could not be had
SOON = timedelta(minutes=5)  # the same, while payments are closed until it is read
LOOKS_BACK = timedelta(days=2)  # before the last comparison: lists lag, refunds fail late
LAG = LISTS_LAG
ORPHAN, ORPHAN_REFUND = "orphan", "orphan_refund"
ONE_BY_ONE = timedelta(seconds=2)  # between looks that nothing waits for
AT_ONCE, TURNS = 20, 10  # accounts of one turn, and turns of one run: after a restore all are due
_OURS = re.compile(r"[0-9a-z]{20}")  # the shape of our references; others belong to other programs of the practice


@dataclass(frozen=True)
class Difference:
    """What only a person can explain: `orphan`, `orphan_refund` (theirs, not ours), `missing` (ours, not theirs), `amount`, `undone`."""

    kind: str
    reference: str
    amount: int
    currency: str
    at: datetime
    row: Attempt | None = None


def compare_due(room: Room) -> int:
    """Compare every account whose day has passed, turn after turn while turns are full; how many were compared."""
    compared = 0
    for _ in range(TURNS):
        with room.database.reading() as session:
            due = storage.taken_out(session, storage.accounts_to_compare(session, room.clock.now(), AT_ONCE))
        for account in due:
            try:
                compared += _compare(account, room)
            except Exception as trouble:
                log_mishap(log, f"comparing {account.id}", trouble)
        if len(due) < AT_ONCE:
            break
    return compared


def _compare(account: Account, room: Room) -> bool:
    now = room.clock.now()
    if account.type not in room.adapters or not _claim(account, room, now):
        return False
    since, until = _span(account, room, now)
    with room.database.reading() as session:
        kept = kept_credentials(session, account.practice_id, account.id, account.credentials_version)
    theirs = room.adapters[account.type].list_between(opened(room, kept), since, until)
    if theirs is None:
        log.warning("the list of account %s could not be had; it is asked again later", account.id)
        return False
    with room.database.transaction() as session:
        if account.restored_to is not None:
            storage.hold_accounts(session, account.practice_id)
            tried = storage.tried_before(session, [line.reference for line in theirs])
            theirs = [line for line in theirs if line.status == APPROVED or line.reference not in tried]
        sent = storage.sent_between(session, account.practice_id, account.id, since, until)
        known = {row.reference: row for row in sent} | storage.by_reference(session, [line.reference for line in theirs])
        to_compare = [row for row in sent if since + LAG <= _sent(row) and _booked_by(row) < until - LAG]
        to_wake, differences = differ(to_compare, theirs, known, lost=account.restored_to is not None)
        if account.restored_to is not None:
            _learn_ids(session, room.adapters[account.type], theirs, known)
        storage.wake(session, to_wake, now)
        _wake_what_may_fail_late(session, account, room, since)
        for difference in differences:
            _tell(session, account, difference, now)
        storage.note_compared(session, account, now, _next(account, room, now), len(differences))
        surprises = any(row.status in NOTHING_MOVED for row in to_wake)
        if account.restored_to and surprises:
            storage.open_by_hand(session, account.practice_id)  # the books may have lost what is found to have moved money
        agrees = not _unexplained(differences) and not surprises and not account.opens_by_hand
        if account.restored_to and account.is_read(now, room.all_listed_after) and agrees:
            log.info("the list of account %s agrees since it was closed", account.id)
            storage.note_read(session, account)
    return True


def _claim(account: Account, room: Room, now: datetime) -> bool:
    with room.database.transaction() as session:
        again = SOON if account.restored_to else AGAIN
        return storage.claim_comparison(session, account, now + again / room.time_scale)


def _span(account: Account, room: Room, now: datetime) -> tuple[datetime, datetime]:
    """From when to when the list is read; since before the restore, where our records were restored."""
    since = account.compared_at or account.created_at
    if account.restored_to is None:
        return since - LOOKS_BACK, now - LAG
    return min(since, account.restored_to) - LOOKS_BACK, now - room.lists_lag


def _next(account: Account, room: Room, now: datetime) -> datetime:
    """When it is compared again: where it is closed, as soon as all that was begun before must be in the list."""
    if account.restored_to and account.closed_at and not account.is_read(now, room.all_listed_after):
        return account.closed_at + room.all_listed_after
    return now + (AGAIN if account.restored_to else EVERY) / room.time_scale


def _unexplained(differences: list[Difference]) -> list[Difference]:
    """What the processor lists and nobody here knows."""
    return [one for one in differences if one.kind in (ORPHAN, ORPHAN_REFUND)]


def _wake_what_may_fail_late(session: Session, account: Account, room: Room, since: datetime) -> None:
    """Refunds from before the span that may have failed meanwhile: each is looked at once a day, whether or not webhooks come."""
    within = room.adapters[account.type].refunds_fail_within
    if within is not None and account.restored_to is None:
        for place, row in enumerate(storage.given_back_between(session, account, since - within, since)):
            storage.wake(session, [row], room.clock.now() + place * ONE_BY_ONE / room.time_scale)  # others have their turn between


def _learn_ids(session: Session, adapter: Adapter, theirs: list[Listed], known: dict[str | None, Attempt]) -> None:
    """The processor's ids of charges, where our records of them are lost: charges are found and given back by these."""
    for line in sorted(theirs, key=lambda line: line.status != APPROVED):  # of several tries the one that was approved
        row = known.get(line.reference)
        if row is None or not line.id or not row.kind == line.kind == CHARGE or row.status in IN_FLIGHT:
            continue
        lacks = adapter.listed_as not in row.processor_ids
        if lacks and (line.status == APPROVED or not row.on_page):  # on a page a declined try ends nothing
            storage.move(session, row, {"processor_ids": {**row.processor_ids, **adapter.ids_of(line, row.card_last4)}})
            session.refresh(row)


def differ(
    sent: list[Attempt], theirs: list[Listed], known: dict[str | None, Attempt], *, lost: bool = False
) -> tuple[list[Attempt], list[Difference]]:
    """(what a look-up can settle, what only a person can explain). `known` holds every attempt that a line may name.

    Where our records were `lost`, what is not known here and may still be approved is told, too.
    """
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
            found.append(Difference(_orphan(line), reference, line.amount, line.currency, line.at))
    for reference, line in lines.items():
        row = known.get(reference)
        if row is None:
            if line.status == APPROVED or (lost and line.status not in (DECLINED, CANCELED, NOT_SENT)):
                found.append(Difference(_orphan(line), reference, line.amount, line.currency, line.at))
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


def _orphan(line: Listed) -> str:
    return ORPHAN_REFUND if line.kind == REFUND else ORPHAN


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
