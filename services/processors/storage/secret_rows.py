"""Selects of sealed credentials and of sealing keys."""

from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.processors.model import OPEN, TO_SETTLE, Attempt, CredentialVersion, SealingKey
from shared.faults import NotFound


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
