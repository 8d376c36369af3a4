"""What charges and refunds share: how an attempt is begun, moved, settled and told. Nothing is sent to a processor twice."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.adapters.base import Adapter, words_for
from services.processors.config import Room
from services.processors.model import (
    IN_FLIGHT,
    PREPARED,
    REFUSED,
    REQUIRES_ACTION,
    SUCCEEDED,
    TOMBSTONE,
    Account,
    Attempt,
    Pace,
    credentials_place,
)
from services.processors.orders import APPROVED, CANCELED, CHARGE, DECLINED, NOT_KNOWN, REFUND, Means, Order, Outcome
from shared.caller import Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden
from shared.killpoints import reach
from shared.outbox import emit

log = logging.getLogger(__name__)

CLOSED = "payments_closed"
LEASE_BEYOND = timedelta(seconds=10)  # a call may take this much longer than its read deadline before it counts as gone


def practice_of(caller: Caller) -> str:
    """The practice that the caller acts in; raises Forbidden for nobody's."""
    if not caller.practice_id:
        raise Forbidden()
    return caller.practice_id


def payments_closed() -> Conflict:
    """Why nothing moves after a restore: a payment that is lost from our records would be taken twice."""
    return Conflict(
        CLOSED,
        "Our records were restored from a backup. Until they agree with the card processor's, no card is charged and nothing given "
        "back, so that nothing is done twice. Nothing was moved; try again later.",
    )


def told(row: Attempt) -> dict:
    """How an attempt stands, in the contract's words (of a charge or of a refund)."""
    said = {
        "status": row.shown,
        "amount": row.amount,
        "currency": row.currency,
        "reference": row.reference,
        "failure": _failure(row),
        "next_look_at": row.next_look_up_at,
    }
    if row.kind == REFUND:
        return {"refund_id": row.id, "payment_id": row.payment_id, **said}
    card = {"brand": row.card_brand, "last4": row.card_last4} if row.card_last4 else None
    action = row.next_action if row.status == REQUIRES_ACTION else None
    whose = {"processor_id": row.account_id, "processor_type": row.processor_type}
    return {"payment_id": row.id, **said, **whose, "card": card, "next_action": action}


def _failure(row: Attempt) -> dict | None:
    if not row.failure_code:
        return None
    words = words_for(row.kind, row.failure_code)
    return {"code": row.failure_code, "message": words, "processor_code": row.processor_code}


def read(room: Room, practice_id: str, subject_id: str) -> Attempt | None:
    with room.database.reading() as session:
        return storage.taken_out(session, storage.attempt(session, practice_id, subject_id))


def lease(room: Room, adapter: Adapter) -> datetime:
    """Until when a call that begins now may be under way."""
    return room.clock.now() + timedelta(seconds=adapter.read_deadline) + LEASE_BEYOND


def begin(room: Room, row: Attempt) -> tuple[Attempt, bool]:
    """Insert the attempt, committed before anybody is asked for money; (whichever stands under the id, whether it is ours)."""
    with room.database.transaction() as session:
        ours = storage.add_attempt(session, row)
        standing = row if ours else storage.attempt(session, row.practice_id, row.id)
    assert standing is not None
    return standing, ours


def bury(room: Room, practice_id: str, subject_id: str, kind: str) -> Attempt:
    """The row of an id; for one never seen a tombstone, so that a message that comes late can't be carried out."""
    now = room.clock.now()
    stone = Attempt(
        practice_id=practice_id, id=subject_id, number=1, kind=kind, status=TOMBSTONE, version=1, processor_ids={},
        look_ups=0, absences=0, created_at=now, settled_at=now, failure_code="processor_unavailable",
    )  # fmt: skip
    return begin(room, stone)[0]


def advance(room: Room, row: Attempt, **changes) -> Attempt | None:
    """Move the row on by compare-and-set and commit; None where somebody else moved it first."""
    with room.database.transaction() as session:
        if not storage.move(session, row, changes):
            return None
        return storage.attempt(session, row.practice_id, row.id)


def settle(
    room: Room, row: Attempt, outcome: Outcome, *, scheduled: bool = True, only: str | None = None, points: str = "look"
) -> Attempt:
    """Record an outcome, whenever it comes, with its news in the same transaction; the row as it stands afterwards.

    With `only` it is recorded in that status alone, and nothing happens in another.
    """
    now = room.clock.now()
    with room.database.transaction() as session:
        current = _locked(session, row)
        if only is not None and current.status != only:
            return current
        if outcome.refusal == "processor_credentials_refused":
            credentials_are_refused(session, room, current, now)
        changes = current.after(outcome, now, pace(room, current), scheduled=scheduled)
        if row.woken_at is not None and current.woken_at == row.woken_at:
            # It has just been looked at; what woke it since then still counts.
            changes = {**changes, "woken_at": current.woken_again(outcome, now, pace(room, current))}
        if changes:
            tell_change(session, current, changes, now)
        reach(f"{points}.before_commit")
    reach(f"{points}.after_commit")
    return current


def end_lease(room: Room, row: Attempt) -> Attempt:
    """The state after a lease has run out. What was only prepared is cancelled at the processor first."""
    if row.status == PREPARED:
        outcome = ask(room, "cancel", row)
        if outcome.status == APPROVED:
            return settle(room, row, outcome)
    now = room.clock.now()
    with room.database.transaction() as session:
        current = _locked(session, row)
        if current.status in IN_FLIGHT and not current.leased(now):
            tell_change(session, current, current.after_its_lease(now), now)
    return current


def _locked(session: Session, row: Attempt) -> Attempt:
    current = storage.attempt(session, row.practice_id, row.id, lock=True)
    assert current is not None
    return current


def tell_change(session: Session, row: Attempt, changes: dict, now: datetime) -> None:
    """Change a row that is locked, with its news in the same transaction where its status is another one then."""
    before = row.status
    if not storage.move(session, row, changes):
        raise RuntimeError("a locked attempt was changed by somebody else")
    session.refresh(row)
    if row.status == before:
        return
    event = Processors.charge_settled if row.kind == CHARGE else Processors.refund_settled
    # The payer's next step holds a secret of the processor: it is read when needed and never put into news.
    news = {name: value for name, value in told(row).items() if name != "next_action"}
    emit(session, event, news, now, row.practice_id)


def credentials_are_refused(session: Session, room: Room, row: Attempt, now: datetime) -> None:
    """Mark the attempt's account, unless its credentials were replaced meanwhile."""
    account = storage.any_account(session, row.practice_id, row.account_id or "")
    if account is not None and account.credentials_version == row.credentials_version:
        refuse_account(session, account, room.adapters[account.type].title, now)


def refuse_account(session: Session, account: Account, title: str, now: datetime) -> None:
    """Mark an account whose credentials the processor refuses, and tell it once."""
    if account.status == REFUSED:
        return
    account.status, account.problem = REFUSED, f"{title} refuses these credentials. Replace them."
    news = {"processor_id": account.id, "description": account.description}
    emit(session, Processors.credentials_refused, news, now, account.practice_id)


def pace(room: Room, row: Attempt) -> Pace:
    adapter = room.adapters.get(row.processor_type or "")
    return Pace(scale=room.time_scale, horizon=adapter.absence_counts_after if adapter else 0)


def ask(room: Room, verb: str, row: Attempt, means: Means | None = None) -> Outcome:
    """One verb of the row's adapter. Whatever is raised is `unknown`, and only its kind is logged: it might hold a card."""

    def call() -> Outcome:
        with room.database.reading() as session:
            order = _order(session, row, means)
            kept = kept_credentials(session, row.practice_id, order.account_id, row.credentials_version or 1)
        return getattr(room.adapters[row.processor_type or ""], verb)(opened(room, kept), order)

    return guarded(call, row.reference)


def guarded(call: Callable[[], Outcome], reference: str | None) -> Outcome:
    try:
        return call()
    except Exception as failure:
        log.error("the processor's adapter failed on %s: %s", reference, type(failure).__name__)
        return Outcome(NOT_KNOWN)


def look(room: Room, row: Attempt) -> Outcome:
    """Find the order at the processor, and take back what was approved only in part; nothing is ever sent again."""
    return take_back_a_part(room, row, _found(room, row))


def take_back_a_part(room: Room, row: Attempt, outcome: Outcome) -> Outcome:
    """A charge approved for less than was asked is voided at the processor, and declined once that is certain."""
    if row.kind != CHARGE or row.status == SUCCEEDED or not outcome.is_a_part_of(row.amount or 0, row.currency or ""):
        return outcome
    row.processor_ids = {**row.processor_ids, **outcome.ids}
    reversed_ = ask(room, "void", row)
    if reversed_.status != CANCELED:
        return replace(outcome, status=NOT_KNOWN, refusal="unknown", processor_code="approved_in_part")
    return replace(outcome, status=DECLINED, refusal="insufficient_funds", processor_code="approved_in_part")


def _found(room: Room, row: Attempt) -> Outcome:
    """As the processor shows it; by newer credentials where those it was sent with are refused by now, or gone."""
    with room.database.reading() as session:
        kept = storage.has_credentials(session, row.practice_id, row.account_id or "", row.credentials_version or 1)
    outcome = ask(room, "find", row) if kept else Outcome(NOT_KNOWN)
    if kept and outcome.refusal != "processor_credentials_refused":
        return outcome
    with room.database.reading() as session:
        account = storage.any_account(session, row.practice_id, row.account_id or "")
        if account is None or account.credentials_version == row.credentials_version:
            return outcome
        order = _order(session, row, None)
        newest, adapter = (
            kept_credentials(session, row.practice_id, account.id, account.credentials_version),
            room.adapters[account.type],
        )
    found = guarded(lambda: adapter.find(opened(room, newest), order), row.reference)
    return replace(found, absent=False)  # these may be of another merchant: what they don't see may still be there


def _order(session: Session, row: Attempt, means: Means | None) -> Order:
    charge_ids: dict = {}
    if row.kind == REFUND:
        charge = storage.attempt(session, row.practice_id, row.payment_id or "")
        charge_ids = charge.processor_ids if charge else {}
    return Order(
        kind=row.kind,
        id=row.id,
        reference=row.reference or "",
        amount=row.amount or 0,
        currency=row.currency or "",
        account_id=row.account_id or "",
        ids=row.processor_ids,
        charge_ids=charge_ids,
        means=means or Means(),
        sent_at=row.sent_at,
        card_entry=row.card_entry,
        on_page=row.on_page,
    )


class Kept(NamedTuple):
    """Credentials as they lie in the database, and the place that they are bound to."""

    envelope: str
    place: tuple[str, ...]


def kept_credentials(session: Session, practice_id: str, account_id: str, version: int) -> Kept:
    """One version of an account's credentials, sealed; NotFound for one that isn't there."""
    sealed = storage.credentials(session, practice_id, account_id, version)
    return Kept(sealed, credentials_place(practice_id, account_id, version))


def opened(room: Room, kept: Kept) -> dict:
    """Credentials in clear; they go to the adapter and nowhere else. Outside any transaction: a KMS may have to be asked."""
    return json.loads(room.vault.open(kept.envelope, *kept.place))
