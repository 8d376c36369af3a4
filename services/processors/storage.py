"""The only selects of processors. Each takes the practice first; the timer's two are the exception, by design."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.processors.model import (
    IN_FLIGHT,
    NOTHING_MOVED,
    OPEN,
    TO_SETTLE,
    Account,
    Attempt,
    CredentialVersion,
    Failover,
    SavedCard,
    SealingKey,
    Try,
    idempotency,
)
from services.processors.orders import REFUND
from shared.faults import NotFound


def attempt(session: Session, practice_id: str, subject_id: str, *, lock: bool = False) -> Attempt | None:
    """The attempt (or tombstone) of a payment or refund of this practice; `lock` holds the row until the commit."""
    query = select(Attempt).where(Attempt.practice_id == practice_id, Attempt.id == subject_id)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def attempts(session: Session, practice_id: str, subject_ids: list[str]) -> list[Attempt]:
    """Those of these payments and refunds that the practice has."""
    return list(session.scalars(select(Attempt).where(Attempt.practice_id == practice_id, Attempt.id.in_(subject_ids))))


def taken_out(session: Session, rows):
    """The rows, free of their session: they keep what was read after the reading has ended."""
    session.expunge_all()
    return rows


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


def account(session: Session, practice_id: str, account_id: str, *, lock: bool = False) -> Account:
    """The practice's account; NotFound for another practice's, as for none and for a removed one.

    `lock` holds all of the practice's accounts until the commit, in one order: which is active concerns them all.
    """
    if lock:
        mine = select(Account.id).where(Account.practice_id == practice_id).order_by(Account.id)
        session.execute(mine.with_for_update(key_share=True)).all()
    query = select(Account).where(Account.practice_id == practice_id, Account.id == account_id, Account.hidden_at.is_(None))
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound()
    return row


def wait_for_charges(session: Session, account: Account) -> None:
    """Hold the account against charges that begin, and wait until those that are beginning have their attempt committed."""
    mine = select(Account.id).where(Account.practice_id == account.practice_id, Account.id == account.id)
    session.execute(mine.with_for_update()).all()


def any_account(session: Session, practice_id: str, account_id: str, *, hold: bool = False) -> Account | None:
    """The account, hidden or not: what was charged through it can still be refunded. `hold` keeps it from being deleted."""
    query = select(Account).where(Account.practice_id == practice_id, Account.id == account_id)
    return session.scalars(query.with_for_update(read=True, key_share=True) if hold else query).one_or_none()


def accounts(session: Session, practice_id: str) -> list[Account]:
    """The practice's accounts that are not removed, oldest first."""
    query = select(Account).where(Account.practice_id == practice_id, Account.hidden_at.is_(None))
    return list(session.scalars(query.order_by(Account.created_at, Account.id)))


def active_account(session: Session, practice_id: str, *, hold: bool = False) -> Account | None:
    """The account that takes new payments; `hold` keeps it from being deleted until the commit."""
    query = select(Account).where(Account.practice_id == practice_id, Account.active, Account.hidden_at.is_(None))
    return session.scalars(query.with_for_update(read=True, key_share=True) if hold else query).one_or_none()


def make_active(session: Session, practice_id: str, account_id: str) -> None:
    """Make this the practice's only active account."""
    mine = Account.practice_id == practice_id
    session.execute(update(Account).where(mine, Account.active, Account.id != account_id).values(active=False))
    session.execute(update(Account).where(mine, Account.id == account_id).values(active=True))


def is_used(session: Session, practice_id: str, account_id: str) -> bool:
    """Whether anything was ever sent through the account, or its processor keeps a card for it."""
    keeps = select(SavedCard.account_id).where(SavedCard.account_id == account_id, SavedCard.sealed != "")
    return session.scalar(keeps.where(SavedCard.practice_id == practice_id).limit(1)) is not None or any(
        session.scalar(select(used.account_id).where(used.practice_id == practice_id, used.account_id == account_id).limit(1))
        for used in (Attempt, Try)
    )


def delete_account(session: Session, practice_id: str, account_id: str) -> None:
    """Forget an account that was never used, with its credentials."""
    for table, column in ((CredentialVersion, CredentialVersion.account_id), (Account, Account.id)):
        session.execute(delete(table).where(table.practice_id == practice_id, column == account_id))


def credentials(session: Session, practice_id: str, account_id: str, version: int) -> str:
    """One version of the sealed credentials."""
    query = select(CredentialVersion.sealed).where(
        CredentialVersion.practice_id == practice_id,
        CredentialVersion.account_id == account_id,
        CredentialVersion.version == version,
    )
    sealed = session.scalar(query)
    if sealed is None:
        raise NotFound()
    return sealed


def has_credentials(session: Session, practice_id: str, account_id: str, version: int) -> bool:
    """Whether this version is still kept: it goes once it was replaced and nothing that it sent is open."""
    return session.get(CredentialVersion, (practice_id, account_id, version)) is not None


def replace_credentials(session: Session, new: CredentialVersion) -> None:
    """Add a version; those before it are replaced from its time on."""
    mine = (CredentialVersion.practice_id == new.practice_id, CredentialVersion.account_id == new.account_id)
    before = update(CredentialVersion).where(*mine, CredentialVersion.replaced_at.is_(None))
    session.execute(before.values(replaced_at=new.created_at))
    session.add(new)


def drop_old_credentials(session: Session, before: datetime) -> None:
    """Delete versions of every practice that were replaced before then and that nothing unsettled was sent with (for the timer)."""
    unsettled = select(Attempt.id).where(
        Attempt.practice_id == CredentialVersion.practice_id,
        Attempt.account_id == CredentialVersion.account_id,
        Attempt.credentials_version == CredentialVersion.version,
        or_(Attempt.status.in_((*OPEN, TO_SETTLE)), Attempt.lease_until.is_not(None)),
    )
    session.execute(
        delete(CredentialVersion)
        .where(CredentialVersion.replaced_at < before, ~unsettled.exists())
        .execution_options(synchronize_session=False)
    )


def credentials_in_use(session: Session, practice_id: str, account_id: str, since: datetime) -> list[CredentialVersion]:
    """The newest version of an account's sealed credentials, and those that were replaced after `since`; newest first."""
    mine = (CredentialVersion.practice_id == practice_id, CredentialVersion.account_id == account_id)
    used = or_(CredentialVersion.replaced_at.is_(None), CredentialVersion.replaced_at > since)
    return list(session.scalars(select(CredentialVersion).where(*mine, used).order_by(CredentialVersion.version.desc())))


def account_anywhere(session: Session, kind: str, account_id: str) -> Account | None:
    """An account of any practice, hidden or not: a processor's delivery names nothing else."""
    return session.scalars(select(Account).where(Account.type == kind, Account.id == account_id)).one_or_none()


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


def accounts_to_compare(session: Session, now: datetime) -> list[Account]:
    """Accounts of every practice whose comparison is due, those removed from sight too (for the timer)."""
    due = or_(Account.compare_at <= now, Account.compare_at.is_(None))
    return list(session.scalars(select(Account).where(due).order_by(Account.compare_at).limit(20)))


def claim_comparison(session: Session, account: Account, again: datetime) -> bool:
    """Take an account's comparison; False where another process has it."""
    seen = Account.compare_at.is_(None) if account.compare_at is None else Account.compare_at == account.compare_at
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    return session.execute(update(Account).where(*mine, seen).values(compare_at=again)).rowcount == 1  # type: ignore[attr-defined]


def note_compared(session: Session, account: Account, now: datetime, again: datetime, differences: int) -> None:
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    seen = {"compared_at": now, "compare_at": again, "differences": differences}
    session.execute(update(Account).where(*mine).values(**seen))


def accounts_to_check(session: Session, now: datetime, day: timedelta) -> list[Account]:
    """Accounts of every practice whose credentials were not tried for a day, but for those that are removed (for the timer)."""
    never = and_(Account.check_at.is_(None), func.coalesce(Account.checked_at, Account.created_at) <= now - day)
    query = select(Account).where(or_(Account.check_at <= now, never), Account.hidden_at.is_(None))
    return list(session.scalars(query.order_by(Account.check_at, Account.id).limit(20)))


def claim_check(session: Session, account: Account, again: datetime) -> bool:
    """Take an account's check; False where another process has it."""
    seen = Account.check_at.is_(None) if account.check_at is None else Account.check_at == account.check_at
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    return session.execute(update(Account).where(*mine, seen).values(check_at=again)).rowcount == 1  # type: ignore[attr-defined]


def note_checked(session: Session, account: Account, again: datetime) -> None:
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    session.execute(update(Account).where(*mine).values(check_at=again))


def sealing_key(session: Session, number: int) -> SealingKey | None:
    return session.get(SealingKey, number)


def newest_sealing_key(session: Session) -> SealingKey | None:
    return session.scalars(select(SealingKey).order_by(SealingKey.number.desc()).limit(1)).one_or_none()


def add_sealing_key(session: Session, key: SealingKey) -> bool:
    """Insert it and replace those before it; False where another process has just made this number."""
    try:
        with session.begin_nested():
            session.add(key)
    except IntegrityError:
        return False
    before = update(SealingKey).where(SealingKey.number < key.number, SealingKey.replaced_at.is_(None))
    session.execute(before.values(replaced_at=key.created_at))
    return True


def drop_sealing_keys(session: Session, before: datetime) -> None:
    """Delete those that were replaced before then."""
    session.execute(delete(SealingKey).where(SealingKey.replaced_at <= before))


def sent_between(session: Session, practice_id: str, account_id: str, since: datetime, until: datetime) -> list[Attempt]:
    """What was sent through an account in a span of time."""
    mine = (Attempt.practice_id == practice_id, Attempt.account_id == account_id)
    return list(session.scalars(select(Attempt).where(*mine, Attempt.sent_at >= since, Attempt.sent_at < until)))


def by_reference(session: Session, references: list[str | None]) -> dict[str | None, Attempt]:
    """Attempts of any practice by reference: two practices may share an account at their processor (for the timer)."""
    wanted = [reference for reference in references if reference]
    found: dict[str | None, Attempt] = {}
    for start in range(0, len(wanted), 500):
        rows = session.scalars(select(Attempt).where(Attempt.reference.in_(wanted[start : start + 500])))
        found.update({row.reference: row for row in rows})
    return found


def failover(session: Session, practice_id: str) -> Failover | None:
    """The practice's failover, where it was ever set."""
    return session.get(Failover, practice_id)


def accounts_tried(session: Session, practice_id: str, attempt_id: str) -> list[str]:
    """The accounts that an attempt has left behind."""
    query = select(Try.account_id).where(Try.practice_id == practice_id, Try.attempt_id == attempt_id)
    return list(session.scalars(query))


def saved_card(session: Session, practice_id: str, card_id: str) -> SavedCard | None:
    """A card on file of this practice, removed or not."""
    return session.get(SavedCard, (practice_id, card_id))


def saved_cards(session: Session, practice_id: str, client_id: str, *, lock: bool = False) -> list[SavedCard]:
    """A client's cards on file, the default one first, then the newest."""
    mine = (SavedCard.practice_id == practice_id, SavedCard.client_id == client_id, SavedCard.removed_at.is_(None))
    query = select(SavedCard).where(*mine).order_by(SavedCard.is_default.desc(), SavedCard.consent_at.desc(), SavedCard.id)
    return list(session.scalars(query.with_for_update() if lock else query))


def cards_to_warn_of(session: Session, year: int, month: int) -> list[SavedCard]:
    """Cards of every practice that expire by that month and whose owners were not told (for the timer)."""
    soon = or_(SavedCard.exp_year < year, and_(SavedCard.exp_year == year, SavedCard.exp_month <= month))
    query = select(SavedCard).where(soon, SavedCard.removed_at.is_(None), SavedCard.warned_at.is_(None))
    return list(session.scalars(query.limit(100).with_for_update(skip_locked=True)))


def cards_to_forget(session: Session) -> list[SavedCard]:
    """Fifty removed cards of every practice that their processors may still keep, whichever (for the timer).

    By chance, so that those whose processor does not answer keep no others waiting.
    """
    query = select(SavedCard).where(SavedCard.removed_at.is_not(None), SavedCard.sealed != "")
    return list(session.scalars(query.order_by(func.random()).limit(50)))


def cards_alike(session: Session, removed: SavedCard) -> list[SavedCard]:
    """The practice's cards on file at the same account that end as a removed one does."""
    like = (SavedCard.account_id == removed.account_id, SavedCard.last4 == removed.last4, SavedCard.removed_at.is_(None))
    return list(session.scalars(select(SavedCard).where(SavedCard.practice_id == removed.practice_id, *like)))


def forget_keys(session: Session, before: datetime) -> None:
    """Delete every practice's idempotency rows older than `before` (for the timer)."""
    session.execute(delete(idempotency).where(idempotency.c.created_at < before))
