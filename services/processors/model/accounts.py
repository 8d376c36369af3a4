"""A practice's accounts at processors, their credentials, the order in which they stand in, and the keys that cards are sealed to."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from services.processors.model.base import Base
from services.processors.orders import Means
from shared.database import Json, Moment

READY, UNCHECKED, REFUSED = "ready", "unchecked", "refused"
LISTS_LAG = timedelta(minutes=15)  # what is younger may not be in a processor's own list yet
PAGES_LAST = timedelta(minutes=31)  # so long can be paid on a page of a processor that was opened before
OVERLAP = timedelta(hours=24)  # so long after it was replaced, what a credential signed or a key sealed still counts


class Account(Base):
    """A practice's account at one processor. At most one is active; one that was used is hidden, never deleted."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "one_active_account",
            "practice_id",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    description: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))
    problem: Mapped[str | None] = mapped_column(String(500))
    active: Mapped[bool] = mapped_column(Boolean, default=False)
    test_mode: Mapped[bool] = mapped_column(Boolean)
    card_entry: Mapped[str] = mapped_column(String(20))
    credentials_hint: Mapped[str | None] = mapped_column(String(100))
    credentials_version: Mapped[int] = mapped_column(Integer)
    checked_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    hidden_at: Mapped[datetime | None] = mapped_column(Moment)
    learned: Mapped[Any] = mapped_column(Json, default=dict, server_default="{}")  # public values, of the processor's own word
    compared_at: Mapped[datetime | None] = mapped_column(Moment)  # with the processor's own list
    compare_at: Mapped[datetime | None] = mapped_column(Moment)
    differences: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    check_at: Mapped[datetime | None] = mapped_column(Moment)  # when its credentials are tried again
    # After a restore: nothing is charged or given back since `closed_at`; with `restored_to` its list is still to be read from there.
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    restored_to: Mapped[datetime | None] = mapped_column(Moment)
    opens_by_hand: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # something is told to the admins

    @property
    def takes_cards(self) -> bool:
        """Whether a payer may be shown a card form for it."""
        return self.active and self.status != REFUSED and self.closed_at is None

    def close(self, restored_to: datetime, now: datetime) -> None:
        """Close it until its processor's list has been read from `restored_to` on: our records since then are lost."""
        self.closed_at, self.restored_to = now, min(restored_to, self.restored_to or restored_to)
        self.compare_at = None

    def can_open(self, now: datetime, after: timedelta) -> bool:
        """Whether an admin may open it: its list was asked for anew, and nothing that was begun before can be missing in it."""
        return self.restored_to is not None and self.compare_at is not None and self.is_read(now, after)

    def is_read(self, compared_at: datetime | None, after: timedelta) -> bool:
        """Whether a comparison at `compared_at` came so long `after` it was closed that nothing can be missing in the list any more."""
        return self.closed_at is None or (compared_at is not None and compared_at >= self.closed_at + after)

    def takes(self, means: Means, *, has_page: bool, takes_tokens: bool) -> bool:
        """Whether a charge may begin by these means: the way that the admin chose, or the processor's page where it has one."""
        if means.on_file is not None:
            return means.on_file.account_id == self.id
        if means.on_page:
            return has_page
        if means.token is not None:
            return self.card_entry == "hosted_fields" and takes_tokens
        return self.card_entry == "direct"


class CredentialVersion(Base):
    """One version of an account's credentials, sealed by the vault; kept while anything sent with it is unsettled."""

    __tablename__ = "credentials"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    replaced_at: Mapped[datetime | None] = mapped_column(Moment)  # webhooks signed with it count a day longer


def credentials_place(practice_id: str, account_id: str, version: int) -> tuple[str, ...]:
    """Where a sealed credential belongs: the vault opens it nowhere else."""
    return ("credentials", "sealed", practice_id, account_id, str(version))


class SealingKey(Base):
    """A key that cards and credentials are sealed to on their way here; all processes share it, its private half sealed by the vault.

    Numbered from 1 without gaps, so that two processes can't both make the next one.
    """

    __tablename__ = "sealing_keys"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    public: Mapped[str] = mapped_column(String(60))
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    replaced_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def id(self) -> str:
        return f"seal-{self.number}"


def sealing_key_place(number: int) -> tuple[str, ...]:
    """Where the private half of a sealing key belongs."""
    return ("sealing_keys", "sealed", str(number))


class Restore(Base):
    """That our records were restored to an earlier state. Nothing opens while what is still known is not carried over (`done_at`).

    An account that is added again soon afterwards is read first, too.
    """

    __tablename__ = "restores"

    said_at: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    restored_to: Mapped[datetime] = mapped_column(Moment)
    done_at: Mapped[datetime | None] = mapped_column(Moment)


class Failover(Base):
    """Whether, and in which order, a practice's other accounts take a payment that the one before certainly could not."""

    __tablename__ = "failovers"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    enabled: Mapped[bool] = mapped_column(Boolean)
    account_ids: Mapped[Any] = mapped_column(Json)
