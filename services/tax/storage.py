"""The only selects of tax, each taking the practice first. No rule lives here."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.tax.model import ClientCopy, Settings, idempotency

KEYS_ARE_KEPT = timedelta(hours=48)


def read_settings(session: Session, practice_id: str) -> Settings:
    """The practice's settings, readable after the session too, or what counts before any were chosen (not stored)."""
    found = session.scalar(select(Settings).where(Settings.practice_id == practice_id))
    session.expunge_all()
    return found or Settings.unchosen(practice_id)


def lock_settings(session: Session, practice_id: str) -> Settings:
    """The practice's settings, held until commit; made where there are none."""
    held = select(Settings).where(Settings.practice_id == practice_id).with_for_update()
    return session.scalar(held) or _made(session, Settings.unchosen(practice_id), held)


def lock_client(session: Session, practice_id: str, client_id: str) -> ClientCopy:
    """The copy of a client, held until commit; an empty one of version 0 where there is none yet."""
    held = select(ClientCopy).where(ClientCopy.practice_id == practice_id, ClientCopy.client_id == client_id).with_for_update()
    fresh = ClientCopy(practice_id=practice_id, client_id=client_id, version=0, tax_exempt=False)
    return session.scalar(held) or _made(session, fresh, held)


def is_exempt(session: Session, practice_id: str, client_id: str | None) -> bool:
    """Whether this client of the practice is exempt; a client nobody told us of is not."""
    known = select(ClientCopy.tax_exempt).where(ClientCopy.practice_id == practice_id, ClientCopy.client_id == client_id)
    return bool(client_id and session.scalar(known))


def forget_old_keys(session: Session, now: datetime) -> None:
    """Drop idempotency keys that nobody may count on any more (all practices: a timer asks)."""
    session.execute(delete(idempotency).where(idempotency.c.created_at < now - KEYS_ARE_KEPT))


def _made(session, fresh, held):
    """`fresh`, stored; or the row that somebody else stored at the same moment, once it is free."""
    try:
        with session.begin_nested():
            session.add(fresh)
        return fresh
    except IntegrityError:
        return session.scalars(held).one()
