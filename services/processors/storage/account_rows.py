"""Selects of a practice's accounts, of when they are compared and checked, and of failover."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from services.processors.model import Account, Attempt, CredentialVersion, Failover, Restore, SavedCard, Try
from shared.faults import NotFound


def account(session: Session, practice_id: str, account_id: str, *, lock: bool = False) -> Account:
    """The practice's account; NotFound for another practice's, as for none and for a removed one.

    `lock` holds all of the practice's accounts until the commit, in one order: which is active concerns them all.
    """
    if lock:
        hold_accounts(session, practice_id)
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


def account_anywhere(session: Session, kind: str, account_id: str) -> Account | None:
    """An account of any practice, hidden or not: a processor's delivery names nothing else."""
    return session.scalars(select(Account).where(Account.type == kind, Account.id == account_id)).one_or_none()


def accounts_to_compare(session: Session, now: datetime, limit: int) -> list[Account]:
    """Accounts of every practice whose comparison is due, those removed from sight too (for the timer)."""
    due = or_(Account.compare_at <= now, Account.compare_at.is_(None))
    return list(session.scalars(select(Account).where(due).order_by(Account.compare_at).limit(limit)))


def claim_comparison(session: Session, account: Account, again: datetime) -> bool:
    """Take an account's comparison; False where another process has it."""
    seen = Account.compare_at.is_(None) if account.compare_at is None else Account.compare_at == account.compare_at
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    return session.execute(update(Account).where(*mine, seen).values(compare_at=again)).rowcount == 1  # type: ignore[attr-defined]


def note_compared(session: Session, account: Account, now: datetime, again: datetime, differences: int) -> None:
    """Write down when it was compared, when it is due again, and how much did not agree."""
    mine = (Account.practice_id == account.practice_id, Account.id == account.id)
    session.execute(update(Account).where(*mine).values(compared_at=now, differences=differences))
    # one that was closed meanwhile is read anew at once
    session.execute(update(Account).where(*mine, Account.compare_at.is_not(None)).values(compare_at=again))


def hold_accounts(session: Session, practice_id: str) -> None:
    """Hold all of the practice's accounts until the commit, in one order."""
    mine = select(Account.id).where(Account.practice_id == practice_id).order_by(Account.id)
    session.execute(mine.with_for_update(key_share=True)).all()


def note_read(session: Session, account: Account) -> None:
    """Nothing of its list is open any more since it was closed; not where it was closed anew meanwhile. Hold the accounts first."""
    this_closing = (Account.id == account.id, Account.closed_at == account.closed_at)
    mine = Account.practice_id == account.practice_id
    session.execute(update(Account).where(mine, *this_closing).values(restored_to=None, opens_by_hand=False))
    open_read(session, account.practice_id)


def open_read(session: Session, practice_id: str) -> None:
    """Open the practice's accounts where none waits for its list any more: a charge that is lost may have gone by any of them.

    A removed account keeps no other closed; it stays closed itself until its own list is read.
    """
    mine = Account.practice_id == practice_id
    waits = select(Account.id).where(mine, Account.restored_to.is_not(None), Account.hidden_at.is_(None))
    half_done = select(Restore.said_at).where(Restore.done_at.is_(None))
    if session.scalar(waits.limit(1)) is None and session.scalar(half_done.limit(1)) is None:
        shown_or_read = or_(Account.hidden_at.is_(None), Account.restored_to.is_(None))
        session.execute(update(Account).where(mine, shown_or_read).values(closed_at=None, opens_by_hand=False))


def lost_account(session: Session, practice_id: str, account_id: str) -> Account:
    """An account that may be removed; NotFound for another practice's."""
    row = session.get(Account, (practice_id, account_id))
    if row is None:
        raise NotFound()
    return row


def open_by_hand(session: Session, practice_id: str) -> None:
    """Something is told to the practice's admins that the lists don't show: none of its accounts opens by itself."""
    session.execute(update(Account).where(Account.practice_id == practice_id).values(opens_by_hand=True))


def read_first(session: Session, practice_id: str, since: datetime) -> None:
    """Close the practice's accounts until they are read, where our records were restored `since`.

    For when one is added: it may be one that was lost, with charges, and none is open before it is read.
    """
    restores = session.scalars(select(Restore).where(Restore.said_at > since).order_by(Restore.said_at)).all()
    if restores:
        session.flush()
        hold_accounts(session, practice_id)
        for row in accounts(session, practice_id):
            row.close(min(restore.restored_to for restore in restores), restores[-1].said_at)


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


def failover(session: Session, practice_id: str) -> Failover | None:
    """The practice's failover, where it was ever set."""
    return session.get(Failover, practice_id)
