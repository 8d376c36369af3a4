"""Selects of cards on file."""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from services.processors.model import SavedCard


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
