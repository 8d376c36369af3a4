"""Practices, persons, their places in practices, sessions and links: tables with their rules, no session, no clock."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import Json, Moment
from shared.envelopes import Envelopes
from shared.idempotency import idempotency_table

INVITED, ACTIVE, DEACTIVATED = "invited", "active", "deactivated"
SESSION_AT_MOST = timedelta(hours=12)
IDLE_MINUTES = 30
_RANK = ("admin", "provider", "client")
_KEY = String(40)


class Base(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = {datetime: Moment, dict: Json, list: Json}


idempotency = idempotency_table(Base.metadata)


def answer_place(practice_id: str, key: str) -> tuple[str, ...]:
    """Where a kept answer that holds a secret is sealed to."""
    return ("idempotency", "answer", practice_id, key)


ENVELOPES = (Envelopes("answers", idempotency, "answer", lambda row: answer_place(row.practice_id, row.key)),)


class Practice(Base):
    __tablename__ = "practices"
    __table_args__ = {"info": {"practice_column": "id"}}

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[dict | None] = mapped_column(Json)
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    time_zone: Mapped[str] = mapped_column(String(64), default="America/New_York")
    number_prefix: Mapped[str] = mapped_column(String(12), default="INV-")
    terms_days: Mapped[int] = mapped_column(default=14)
    partial_payments: Mapped[bool] = mapped_column(default=False)
    idle_minutes: Mapped[int] = mapped_column(default=IDLE_MINUTES)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class Person(Base):
    """Somebody who signs in; one address, one person."""

    __tablename__ = "persons"

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    email_confirmed: Mapped[bool] = mapped_column(default=False)
    last_practice_id: Mapped[str | None] = mapped_column(_KEY)
    last_role: Mapped[str | None] = mapped_column(String(10))
    created_at: Mapped[datetime]


class Colleague(Base):
    """A person's place on the staff of one practice; `person_id` is empty until the invitation was accepted."""

    __tablename__ = "colleagues"
    __table_args__ = (UniqueConstraint("practice_id", "email"), Index("colleagues_person", "person_id"))

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    practice_id: Mapped[str] = mapped_column(_KEY)
    person_id: Mapped[str | None] = mapped_column(_KEY)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    roles: Mapped[list] = mapped_column(Json)
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @property
    def status(self) -> str:
        return status_of(self)


class Client(Base):
    """A client's file in one practice; `person_id` is empty until the invitation was accepted."""

    __tablename__ = "clients"
    __table_args__ = (
        UniqueConstraint("practice_id", "email"),
        Index("clients_person", "person_id"),
        Index("clients_by_name", "practice_id", "sort_name", "id"),
    )

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    practice_id: Mapped[str] = mapped_column(_KEY)
    person_id: Mapped[str | None] = mapped_column(_KEY)
    name: Mapped[str] = mapped_column(String(200))
    sort_name: Mapped[str] = mapped_column(String(400))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(40))
    address: Mapped[dict | None] = mapped_column(Json)
    tax_exempt: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @property
    def status(self) -> str:
        return status_of(self)


class Listing(Base):
    """Which provider a client is listed with."""

    __tablename__ = "client_providers"

    practice_id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    client_id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    colleague_id: Mapped[str] = mapped_column(_KEY, primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)


class SignInSession(Base):
    """A person signed in, acting in one membership. Only the hash of the token is kept."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_person", "person_id"),)

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[str] = mapped_column(_KEY)
    practice_id: Mapped[str] = mapped_column(_KEY)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    def is_over(self, idle_minutes: int, now: datetime) -> bool:
        """Whether it ended by itself: too long ago begun, or too long not used."""
        return now >= self.expires_at or now >= self.seen_at + timedelta(minutes=min(idle_minutes, IDLE_MINUTES))


class ApiToken(Base):
    """A token that a program uses in the name of the admin who made it."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("api_tokens_practice", "practice_id"),)

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    practice_id: Mapped[str] = mapped_column(_KEY)
    person_id: Mapped[str] = mapped_column(_KEY)
    name: Mapped[str] = mapped_column(String(100))
    hint: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class Link(Base):
    """A link that went out by mail: works once, until it expires. Only the hash of its token is kept."""

    __tablename__ = "links"
    __table_args__ = (Index("links_subject", "kind", "subject_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    practice_id: Mapped[str] = mapped_column(_KEY)
    subject_id: Mapped[str] = mapped_column(_KEY)
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    def is_good(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


class DueCall(Base):
    """A copy or a letter that a service is still to be given; written with the change it tells of."""

    __tablename__ = "due_calls"
    __table_args__ = (Index("due_calls_subject", "practice_id", "subject_id"), Index("due_calls_next", "next_at"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    service: Mapped[str] = mapped_column(String(20))
    call: Mapped[str] = mapped_column(String(40))
    practice_id: Mapped[str] = mapped_column(_KEY)
    subject_id: Mapped[str] = mapped_column(_KEY)
    version: Mapped[int] = mapped_column(default=0)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]


class SignInFailures(Base):
    """Failed sign-ins of one account from one address; the account is kept as a hash, `""` stands for all accounts."""

    __tablename__ = "sign_in_failures"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]


class Decline(Base):
    """A declined payment, counted to stop the testing of stolen cards."""

    __tablename__ = "declines"
    __table_args__ = (Index("declines_invoice", "practice_id", "invoice_id", "at"),)

    id: Mapped[str] = mapped_column(_KEY, primary_key=True)
    practice_id: Mapped[str] = mapped_column(_KEY)
    invoice_id: Mapped[str] = mapped_column(_KEY)
    at: Mapped[datetime]


def status_of(place: Colleague | Client) -> str:
    """invited until the person came, then active; deactivated at any time."""
    if not place.active:
        return DEACTIVATED
    return ACTIVE if place.person_id else INVITED


def by_rank(memberships: list[dict]) -> list[dict]:
    """Memberships with the most powerful role first, then by the practice's name."""
    return sorted(memberships, key=lambda one: (_RANK.index(one["role"]), one["practice_name"].lower(), one["practice_id"]))
