"""Cards on file."""

from datetime import date, datetime

from sqlalchemy import Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.processors.model.base import Base
from shared.database import Moment


class SavedCard(Base):
    """A client's card on file, at one account. What the processor keeps it under is `sealed`; no number was ever kept here."""

    __tablename__ = "saved_cards"
    __table_args__ = (Index("cards_of_a_client", "practice_id", "client_id"),)

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[str] = mapped_column(String(40))
    brand: Mapped[str] = mapped_column(String(20))
    last4: Mapped[str] = mapped_column(String(4))
    exp_month: Mapped[int] = mapped_column(Integer)
    exp_year: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[str] = mapped_column(Text)  # empty once its processor forgot it, or keeps it for another one only
    is_default: Mapped[bool] = mapped_column(Boolean)
    consent: Mapped[str] = mapped_column(String(500))
    consent_at: Mapped[datetime] = mapped_column(Moment)
    removed_at: Mapped[datetime | None] = mapped_column(Moment)
    warned_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def place(self) -> tuple[str, ...]:
        return saved_card_place(self.practice_id, self.id)

    def is_same(self, other: "SavedCard") -> bool:
        """Whether both look like one card to their owner: the same account's, with the same ending and the same expiry."""
        return all(
            getattr(self, name) == getattr(other, name) for name in ("account_id", "brand", "last4", "exp_month", "exp_year")
        )

    def expiry(self, today: date) -> str:
        """`valid`, `soon` (its month is this one or the next) or `expired`; a card is good to the end of its month."""
        months = (self.exp_year - today.year) * 12 + self.exp_month - today.month
        return "expired" if months < 0 else "soon" if months < 2 else "valid"


def saved_card_place(practice_id: str, card_id: str) -> tuple[str, ...]:
    """Where what a processor keeps a card under belongs."""
    return ("saved_cards", "sealed", practice_id, card_id)
