"""What notifications remembers: copies of practices and members, alerts, deliveries. No session, no clock, no network."""

from datetime import datetime, timedelta

from sqlalchemy import Boolean, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.caller import ADMIN, CLIENT, PROVIDER
from shared.database import Moment
from shared.envelopes import Envelopes, mapped
from shared.faults import Conflict
from shared.fields import Record
from shared.idempotency import idempotency_table
from shared.outbox import inbox_table

WAITING, SENT, PARKED = "waiting", "sent", "parked"
EMAIL = "email"
# The pause after each failed try; the last try is the eighth, then a person has to look.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 300, 3600, 4 * 3600, 12 * 3600, 24 * 3600))
MOST_TRIES = len(PAUSES) + 1
# Longer than any conversation with a mail server that keeps its ten-second deadlines at each step.
LEASE = timedelta(minutes=2)


class Base(DeclarativeBase):
    """The tables of notifications."""


idempotency = idempotency_table(Base.metadata)
inbox = inbox_table(Base.metadata)


class Practice(Base):
    """The copy of a practice: its name is all that mail may tell."""

    __tablename__ = "practices"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=0)
    name: Mapped[str] = mapped_column(String(200), default="")

    def follow(self, request: Record) -> None:
        """Take over a newer version; an older one, or the same again, changes nothing."""
        if request.version > self.version:
            self.version, self.name = request.version, request.name


class Member(Base):
    """The copy of one membership: its roles, and its address in an envelope that opens in this row only."""

    __tablename__ = "members"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=0)
    is_admin: Mapped[bool] = mapped_column(Boolean, default=False)
    is_provider: Mapped[bool] = mapped_column(Boolean, default=False)
    is_client: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=False)
    address: Mapped[str] = mapped_column(Text, default="")

    def follow(self, request: Record, address: str) -> None:
        """Take over a newer version, with the address as the vault sealed it."""
        self.version, self.active, self.address = request.version, request.active, address
        self.is_admin, self.is_provider, self.is_client = (role in request.roles for role in (ADMIN, PROVIDER, CLIENT))

    @property
    def place(self) -> tuple[str, ...]:
        """Where the address is sealed to."""
        return address_place(self.practice_id, self.member_id)


def address_place(practice_id: str, member_id: str) -> tuple[str, ...]:
    """Where a member's address is sealed to."""
    return ("members", "address", practice_id, member_id)


class Preference(Base):
    """What a member chose; who chose nothing gets mail."""

    __tablename__ = "preferences"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[bool] = mapped_column(Boolean, default=True)


class Alert(Base):
    """One alert in the app: shown once to one member, whatever the bus repeats."""

    __tablename__ = "alerts"
    __table_args__ = (
        UniqueConstraint("event_id", "member_id", "kind", name="alerts_shown_once"),
        Index("alerts_of_member", "practice_id", "member_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    member_id: Mapped[str] = mapped_column(String(40))
    event_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(String(500))
    path: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Moment)
    read_at: Mapped[datetime | None] = mapped_column(Moment)


class Delivery(Base):
    """One message on its way out by one channel: an alert's mail (to a member) or a letter (to the address inside it)."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "member_id", "kind", "channel", name="deliveries_sent_once"),
        UniqueConstraint("practice_id", "letter_id", name="letters_sent_once"),
        Index("deliveries_due", "status", "due_at"),
        Index("deliveries_of_practice", "practice_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(20), default=EMAIL)
    member_id: Mapped[str | None] = mapped_column(String(40))
    event_id: Mapped[str | None] = mapped_column(String(40))
    letter_id: Mapped[str | None] = mapped_column(String(40))
    path: Mapped[str | None] = mapped_column(String(200))
    letter: Mapped[str | None] = mapped_column(Text)  # the vault's envelope of {to, link}; erased when sent
    status: Mapped[str] = mapped_column(String(10), default=WAITING)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    problem: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    claimed_until: Mapped[datetime | None] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def place(self) -> tuple[str, ...]:
        """Where the letter is sealed to."""
        return letter_place(self.practice_id, self.id)

    def succeed(self, now: datetime) -> None:
        """It has left: nothing of a letter stays."""
        self.status, self.sent_at, self.problem, self.claimed_until, self.letter = SENT, now, None, None, None

    def fail(self, problem: str, for_good: bool, now: datetime, time_scale: float) -> None:
        """This try failed: wait longer before the next, or park it where an admin sees it."""
        self.problem, self.claimed_until = problem, None
        if for_good or self.tries >= MOST_TRIES:
            self.status = PARKED
        else:
            self.due_at = now + PAUSES[self.tries - 1] / time_scale

    def send_again(self, now: datetime) -> None:
        """Begin anew, as an admin asked; raises Conflict for what was sent already. What is just being sent is left to that."""
        if self.status == SENT:
            raise Conflict("already_sent", "This was sent already.")
        if self.status == WAITING and self.claimed_until is not None and self.claimed_until > now:
            return
        self.status, self.tries, self.due_at = WAITING, 0, now


def letter_place(practice_id: str, delivery_id: str) -> tuple[str, ...]:
    """Where a letter is sealed to."""
    return ("deliveries", "letter", practice_id, delivery_id)


ENVELOPES = (
    Envelopes("addresses", mapped(Member), "address", lambda row: address_place(row.practice_id, row.member_id)),
    Envelopes("letters", mapped(Delivery), "letter", lambda row: letter_place(row.practice_id, row.id)),
)
