"""Charges and refunds as attempts: their states, the rules between them, and when each is looked up again."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from services.processors import orders
from services.processors.model.base import Base
from services.processors.orders import Outcome
from shared.database import Json, Moment
from shared.ids import base32

ON_FILE = "on_file"  # how the card of a charge was entered, besides the ways of an account
ABSENT = "absent"  # the code of a refund that no look-up found in all that time

CREATED, PREPARED, SENDING = "created", "prepared", "sending"
SUCCEEDED, DECLINED, NOT_SENT, CANCELED, TOMBSTONE = "succeeded", "declined", "not_sent", "canceled", "tombstone"
UNKNOWN, PENDING, REQUIRES_ACTION, REVIEW = "unknown", "pending", "requires_action", "review"
TO_SETTLE = "waiting_for_settlement"  # a refund that the processor takes only when its charge has settled

IN_FLIGHT = (CREATED, PREPARED, SENDING)
OPEN = (UNKNOWN, PENDING, REQUIRES_ACTION, REVIEW)
NOTHING_MOVED = (DECLINED, NOT_SENT, CANCELED, TOMBSTONE)

# After these pauses an open attempt is looked up again; after the last one a person is asked.
LOOK_UPS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(hours=1),
    *[timedelta(days=1)] * 5,
)
PAYER_LOOK_UPS = (timedelta(seconds=30), timedelta(minutes=5))  # while the payer is at the bank's page
PAGE_LOOK_UPS = (timedelta(seconds=20), timedelta(seconds=40), timedelta(minutes=1))  # while the payer is at the processor's page
PAYER_HAS = timedelta(minutes=30)  # to answer the bank
WOKEN_EVERY, WOKEN_FOR = timedelta(hours=1), timedelta(days=30)  # after it was made
SETTLES_EVERY = timedelta(hours=1)  # a refund that waits for settlement is tried again; batches close once a day
SETTLES_WITHIN = timedelta(days=10)  # after this a person is asked

_BECOMES = {
    orders.APPROVED: SUCCEEDED,
    orders.DECLINED: DECLINED,
    orders.WAITING: PENDING,
    orders.NEEDS_PAYER: REQUIRES_ACTION,
    orders.NOT_SENT: NOT_SENT,
    orders.CANCELED: CANCELED,
    orders.NOT_KNOWN: UNKNOWN,
    orders.NOT_SETTLED: TO_SETTLE,
}


@dataclass(frozen=True)
class Pace:
    """How fast intervals run (`scale` times) and after how many look-ups that found nothing absence counts (0: never)."""

    scale: float = 1.0
    horizon: int = 0

    def later(self, now: datetime, pause: timedelta) -> datetime:
        return now + pause / self.scale


class Attempt(Base):
    """One charge or refund towards the processor, or the tombstone of one that may never be made under this id.

    With failover it is the chain of a payment: it goes from account to account, what it was before is kept as a `Try`, and
    it is settled or closed as a whole.

    An attempt and its tombstone share the primary key, so only one of them can exist. `version` counts the changes:
    every change names the one it saw.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index("attempts_by_lease", "lease_until", sqlite_where=text("lease_until IS NOT NULL"),
              postgresql_where=text("lease_until IS NOT NULL")),
        Index("attempts_by_look_up", "next_look_up_at", sqlite_where=text("next_look_up_at IS NOT NULL"),
              postgresql_where=text("next_look_up_at IS NOT NULL")),
        Index("attempts_by_wake", "woken_at", sqlite_where=text("woken_at IS NOT NULL"),
              postgresql_where=text("woken_at IS NOT NULL")),
        Index("attempts_by_payment", "practice_id", "payment_id"),
        Index("attempts_by_account", "practice_id", "account_id"),
    )  # fmt: skip

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, default=1)
    kind: Mapped[str] = mapped_column(String(10))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    invoice_id: Mapped[str | None] = mapped_column(String(40))
    account_id: Mapped[str | None] = mapped_column(String(40))
    processor_type: Mapped[str | None] = mapped_column(String(40))
    credentials_version: Mapped[int | None] = mapped_column(Integer)
    reference: Mapped[str | None] = mapped_column(String(20), unique=True)
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer, default=1)
    processor_ids: Mapped[Any] = mapped_column(Json, default=dict)
    card_brand: Mapped[str | None] = mapped_column(String(20))
    card_last4: Mapped[str | None] = mapped_column(String(4))
    failure_code: Mapped[str | None] = mapped_column(String(40))
    processor_code: Mapped[str | None] = mapped_column(String(100))
    next_action: Mapped[Any] = mapped_column(Json, nullable=True)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    next_look_up_at: Mapped[datetime | None] = mapped_column(Moment)
    woken_at: Mapped[datetime | None] = mapped_column(Moment)  # somebody says that it changed: looked up once, beside the schedule
    look_ups: Mapped[int] = mapped_column(Integer, default=0)
    absences: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(Integer, default=1, server_default="1")  # accounts tried, this one included
    card_entry: Mapped[str] = mapped_column(String(20), default="direct", server_default="direct")
    on_page: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    settled_by: Mapped[str | None] = mapped_column(String(40))
    settled_reason: Mapped[str | None] = mapped_column(String(500))

    @property
    def shown(self) -> str:
        """The status in the contract's words."""
        if self.status in IN_FLIGHT:
            return PENDING
        return NOT_SENT if self.status == TOMBSTONE else self.status

    def leased(self, now: datetime) -> bool:
        """Whether a call of ours may still be under way: until then nobody reads it as absent."""
        return self.status in IN_FLIGHT and self.lease_until is not None and now < self.lease_until

    def after(self, outcome: Outcome, now: datetime, pace: Pace, *, scheduled: bool = True) -> dict:
        """The columns that `outcome` changes; none where it teaches nothing new.

        What was approved stays so, but for a refund that failed afterwards; an approval found late counts whatever we
        believed before. A look that was not `scheduled` (somebody asked) never counts towards the horizon: impatience is
        no proof of absence.
        """
        outcome = outcome.as_asked(self.amount or 0, self.currency or "")
        target = _BECOMES[outcome.status]
        if self.is_settled and not self._is_overturned_by(target):
            return {"next_look_up_at": None} if self.next_look_up_at else {}
        if not scheduled and self.status in OPEN and target in (self.status, UNKNOWN):
            return {}
        if self.status in OPEN and target == UNKNOWN:
            return self._after_a_miss(outcome, now, pace)
        return {**self._learned(outcome), **self._standing(target, outcome, now, pace)}

    def woken_again(self, outcome: Outcome, now: datetime, pace: Pace) -> datetime | None:
        """When a look that somebody woke is made once more, because the processor was silent: what is open has its own schedule."""
        silent = outcome.status == orders.NOT_KNOWN and not outcome.absent
        has_none = self.is_settled or self.status == REVIEW
        over = now >= self.created_at + WOKEN_FOR / pace.scale
        return pace.later(now, WOKEN_EVERY) if silent and has_none and not over else None

    @property
    def is_settled(self) -> bool:
        """Whether it has ended; only the processor's own later word can change that."""
        return self.status == SUCCEEDED or self.status in NOTHING_MOVED

    def _is_overturned_by(self, target: str) -> bool:
        if self.status == SUCCEEDED:
            return self.kind == orders.REFUND and target == DECLINED
        return target == SUCCEEDED

    def _learned(self, outcome: Outcome) -> dict:
        return {
            "processor_ids": {**self.processor_ids, **outcome.ids},
            "card_brand": outcome.brand or self.card_brand,
            "card_last4": outcome.last4 or self.card_last4,
            "failure_code": outcome.refusal,
            "processor_code": outcome.processor_code,
            "lease_until": None,
        }

    def _standing(self, target: str, outcome: Outcome, now: datetime, pace: Pace) -> dict:
        """The columns of a status that is reached or stayed in."""
        stays = target == self.status
        look_ups = self.look_ups + 1 if stays else 0
        changes = {"status": target, "look_ups": look_ups, "next_look_up_at": None, "next_action": None}
        if target == REQUIRES_ACTION:
            expires_at = (self.expires_at if stays else None) or pace.later(now, outcome.lasts or PAYER_HAS)
            changes |= {"next_action": outcome.next_action or self.next_action, "expires_at": expires_at}
            soon = pace.later(now, self._payer_pause(look_ups))
            changes["next_look_up_at"] = min(soon, max(expires_at, now + timedelta(seconds=1)))
        elif target == TO_SETTLE:
            over = now >= self.created_at + SETTLES_WITHIN / pace.scale
            changes["status"] = REVIEW if over else TO_SETTLE
            changes["next_look_up_at"] = None if over else pace.later(now, SETTLES_EVERY)
        elif target in (UNKNOWN, PENDING):
            changes["next_look_up_at"] = pace.later(now, LOOK_UPS[min(look_ups, len(LOOK_UPS) - 1)])
        else:
            changes["settled_at"] = now
        return changes

    def _after_a_miss(self, outcome: Outcome, now: datetime, pace: Pace) -> dict:
        """A look-up that settled nothing: absence counts after the horizon, and after the last look a person is asked."""
        looks, absences = self.look_ups + 1, self.absences + outcome.absent
        changes: dict[str, Any] = {"look_ups": looks, "absences": absences}
        if self.status == REQUIRES_ACTION and self._is_past_the_payer(outcome, now):
            # What comes now is not the payer's to do: from here on absence counts, as of a charge whose answer was lost.
            ended = {"status": UNKNOWN, "look_ups": 0, "absences": 0, "next_action": None}
            return {**ended, "next_look_up_at": pace.later(now, LOOK_UPS[0])}
        if self.status == UNKNOWN and pace.horizon and absences >= pace.horizon:
            gone = {"status": NOT_SENT, "failure_code": "processor_unavailable", "settled_at": now}
            if self.on_page:  # the payer went away
                gone |= {"status": CANCELED, "failure_code": None}
            if self.kind == orders.REFUND:  # believed, and not proved: an empty list of refunds proves nothing anywhere
                gone["processor_code"] = ABSENT
            return {**changes, **gone, "next_look_up_at": None}
        if self.status == UNKNOWN and looks >= len(LOOK_UPS):
            return {**changes, "status": REVIEW, "next_look_up_at": None}
        if self.status == REVIEW:
            return {"next_look_up_at": None}
        if self.status == REQUIRES_ACTION:
            return {**changes, "next_look_up_at": self._payer_look_up(looks, now, pace)}
        return {**changes, "next_look_up_at": pace.later(now, LOOK_UPS[min(looks, len(LOOK_UPS) - 1)])}

    def _is_past_the_payer(self, outcome: Outcome, now: datetime) -> bool:
        """Whether the page has ended, with nobody able to close it, or money was found there that is not as asked."""
        over = self.expires_at is not None and self.expires_at <= now
        return (over and (outcome.absent or self.on_page)) or (self.on_page and outcome.refusal == "unknown")

    def _payer_pause(self, looks: int) -> timedelta:
        pauses = PAGE_LOOK_UPS if self.on_page else PAYER_LOOK_UPS
        return pauses[min(looks, len(pauses) - 1)]

    def _payer_look_up(self, looks: int, now: datetime, pace: Pace) -> datetime:
        """While the payer is away: soon, and once more when the time is over."""
        soon = pace.later(now, self._payer_pause(looks))
        return min(soon, self.expires_at) if self.expires_at and self.expires_at > now else soon

    def after_a_person(self, happened: bool, who: str, reason: str, now: datetime) -> dict:
        """The columns once an admin has settled what nobody else could."""
        ended = {"status": SUCCEEDED} if happened else {"status": NOT_SENT, "failure_code": "unknown"}
        return {**ended, "settled_at": now, "settled_by": who, "settled_reason": reason, "next_look_up_at": None}

    def after_its_lease(self, now: datetime) -> dict:
        """The columns once its lease has run out: what was never sent is not sent; what was sent is looked up, at once."""
        if self.status == SENDING:
            return {"status": UNKNOWN, "lease_until": None, "next_look_up_at": now, "look_ups": 0}
        return {"status": NOT_SENT, "lease_until": None, "settled_at": now, "failure_code": "processor_unavailable"}


class Try(Base):
    """What an attempt was before it went on to the next account: a definite no, by which no money moved."""

    __tablename__ = "tries"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    attempt_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[str] = mapped_column(String(40), index=True)
    reference: Mapped[str] = mapped_column(String(20))
    processor_ids: Mapped[Any] = mapped_column(Json, default=dict)
    failure_code: Mapped[str | None] = mapped_column(String(40))
    processor_code: Mapped[str | None] = mapped_column(String(100))
    ended_at: Mapped[datetime] = mapped_column(Moment)


def reference_of(key: bytes, subject_id: str, account_id: str, number: int) -> str:
    """What the processor sees: 20 letters of base 32 that tell nothing but can be made again from our ids."""
    digest = hmac.new(key, f"{subject_id}|{account_id}|{number}".encode(), hashlib.sha256).digest()
    return base32(int.from_bytes(digest[:13]) >> 4, 20)
