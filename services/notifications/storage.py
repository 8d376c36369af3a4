"""The only selects of notifications, each taking the practice first (a timer's work excepted). No rule lives here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.notifications.model import LEASE, WAITING, Alert, Delivery, Member, Practice, Preference, idempotency

KEYS_ARE_KEPT = timedelta(hours=48)


def practice_name(session: Session, practice_id: str) -> str | None:
    """The name that mail may tell; None while no copy has arrived."""
    return session.scalar(select(Practice.name).where(Practice.practice_id == practice_id))


def lock_practice(session: Session, practice_id: str) -> Practice:
    """The copy of the practice, held until commit; an empty one of version 0 where there is none yet."""
    held = select(Practice).where(Practice.practice_id == practice_id).with_for_update()
    return session.scalar(held) or _made(session, Practice(practice_id=practice_id, version=0, name=""), held)


def lock_member(session: Session, practice_id: str, member_id: str) -> Member:
    """The copy of a member, held until commit; an empty one of version 0 where there is none yet."""
    held = select(Member).where(Member.practice_id == practice_id, Member.member_id == member_id).with_for_update()
    fresh = Member(
        practice_id=practice_id,
        member_id=member_id,
        version=0,
        is_admin=False,
        is_provider=False,
        is_client=False,
        active=False,
        address="",
    )
    return session.scalar(held) or _made(session, fresh, held)


def lock_preference(session: Session, practice_id: str, member_id: str) -> Preference:
    """What a member chose, held until commit; made where nothing was."""
    held = select(Preference).where(Preference.practice_id == practice_id, Preference.member_id == member_id).with_for_update()
    return session.scalar(held) or _made(session, Preference(practice_id=practice_id, member_id=member_id, email=True), held)


def read_member(session: Session, practice_id: str, member_id: str) -> Member | None:
    return session.scalar(select(Member).where(Member.practice_id == practice_id, Member.member_id == member_id))


def active_admins(session: Session, practice_id: str) -> Sequence[str]:
    """The members who act as admins of the practice."""
    return session.scalars(
        select(Member.member_id).where(Member.practice_id == practice_id, Member.is_admin.is_(True), Member.active.is_(True))
    ).all()


def inactive_among(session: Session, practice_id: str, member_ids: Sequence[str]) -> set[str]:
    """Those who are known to have left; somebody whose copy has not arrived is not among them."""
    left = select(Member.member_id).where(
        Member.practice_id == practice_id, Member.member_id.in_(member_ids), Member.active.is_(False)
    )
    return set(session.scalars(left))


def without_email(session: Session, practice_id: str, member_ids: Sequence[str]) -> set[str]:
    """Those who asked for no mail."""
    chose = select(Preference.member_id).where(
        Preference.practice_id == practice_id, Preference.member_id.in_(member_ids), Preference.email.is_(False)
    )
    return set(session.scalars(chose))


def wants_email(session: Session, practice_id: str, member_id: str) -> bool:
    return not without_email(session, practice_id, [member_id])


def list_alerts(session: Session, practice_id: str, member_id: str, before: str | None, limit: int) -> Sequence[Alert]:
    """The member's alerts, newest first, one more than `limit` where there are more."""
    mine = select(Alert).where(Alert.practice_id == practice_id, Alert.member_id == member_id)
    return _for_reading(session, _page(mine, Alert.id, before, limit))


def count_unread(session: Session, practice_id: str, member_id: str) -> int:
    unread = select(func.count()).select_from(Alert)
    unread = unread.where(Alert.practice_id == practice_id, Alert.member_id == member_id, Alert.read_at.is_(None))
    return session.scalar(unread) or 0


def lock_alert(session: Session, practice_id: str, member_id: str, alert_id: str) -> Alert | None:
    """This member's alert, held until commit."""
    mine = select(Alert).where(Alert.practice_id == practice_id, Alert.member_id == member_id, Alert.id == alert_id)
    return session.scalar(mine.with_for_update())


def list_deliveries(session: Session, practice_id: str, status: str | None, before: str | None, limit: int) -> Sequence[Delivery]:
    """The practice's deliveries, newest first, one more than `limit` where there are more."""
    ours = select(Delivery).where(Delivery.practice_id == practice_id)
    return _for_reading(session, _page(ours.where(Delivery.status == status) if status else ours, Delivery.id, before, limit))


def lock_delivery(session: Session, practice_id: str, delivery_id: str) -> Delivery | None:
    """One delivery of the practice, held until commit."""
    return session.scalar(select(Delivery).where(Delivery.practice_id == practice_id, Delivery.id == delivery_id).with_for_update())


def letter_is_here(session: Session, practice_id: str, letter_id: str) -> bool:
    known = select(Delivery.id).where(Delivery.practice_id == practice_id, Delivery.letter_id == letter_id)
    return session.scalar(known) is not None


def due_deliveries(session: Session, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(practice, delivery) of what is due in any practice and claimed by nobody, the longest due first: a timer asks."""
    due = select(Delivery.practice_id, Delivery.id).where(*_claimable(now)).order_by(Delivery.due_at, Delivery.id).limit(limit)
    return [(practice_id, delivery_id) for practice_id, delivery_id in session.execute(due)]


def claim(session: Session, practice_id: str, delivery_id: str, now: datetime) -> Delivery | None:
    """The delivery with one try more, ours until the lease runs out; None where another process was quicker."""
    free = update(Delivery).where(Delivery.practice_id == practice_id, Delivery.id == delivery_id, *_claimable(now))
    taken = free.values(claimed_until=now + LEASE, tries=Delivery.tries + 1).returning(Delivery)
    return session.scalars(taken, execution_options={"synchronize_session": False}).one_or_none()


def still_claimed(session: Session, claimed: Delivery) -> Delivery | None:
    """The row of a delivery that we claimed, held until commit; None where the lease ran out and somebody took it over."""
    ours = (Delivery.practice_id == claimed.practice_id, Delivery.id == claimed.id)
    same = (Delivery.claimed_until == claimed.claimed_until, Delivery.tries == claimed.tries)
    return session.scalar(select(Delivery).where(*ours, *same).with_for_update())


def forget_old_keys(session: Session, now: datetime) -> None:
    """Drop idempotency keys that nobody may count on any more (all practices: a timer asks)."""
    session.execute(delete(idempotency).where(idempotency.c.created_at < now - KEYS_ARE_KEPT))


def _claimable(now: datetime):
    return (
        Delivery.status == WAITING,
        Delivery.due_at <= now,
        or_(Delivery.claimed_until.is_(None), Delivery.claimed_until <= now),
    )


def _page(rows, newest, before: str | None, limit: int):
    return (rows.where(newest < before) if before else rows).order_by(newest.desc()).limit(limit + 1)


def _for_reading(session, rows):
    """What was found, cut loose from the session so that it can still be read when that has ended."""
    found = session.scalars(rows).all()
    session.expunge_all()
    return found


def _made(session, fresh, held):
    """`fresh`, stored; or the row that somebody else stored at the same moment, once it is free."""
    try:
        with session.begin_nested():
            session.add(fresh)
        return fresh
    except IntegrityError:
        return session.scalars(held).one()
