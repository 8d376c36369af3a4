"""The only selects of the gateway's database; what belongs to a practice is always asked for with the practice first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from services.gateway.people.model import (
    ApiToken,
    Client,
    Colleague,
    Decline,
    DueCall,
    Link,
    Listing,
    Person,
    Practice,
    SignInFailures,
    SignInSession,
    idempotency,
)
from shared.faults import Invalid, NotFound

KEPT = timedelta(days=2)  # twice what idempotency keys are promised to last
DATABASE_DOWN = (OperationalError, InterfaceError, TimeoutError)


@contextmanager
def reading(database: Any) -> Iterator[Session]:
    """A session that only reads, whose objects may be looked at after its end."""
    with database.reading() as s:
        yield s
        s.expunge_all()


def practice(s: Session, practice_id: str, lock: bool = False) -> Practice:
    """The practice; raises NotFound."""
    return _one(s, select(Practice).where(Practice.id == practice_id), lock)


def person(s: Session, person_id: str) -> Person:
    return _one(s, select(Person).where(Person.id == person_id))


def person_by_email(s: Session, email: str) -> Person | None:
    return s.scalars(select(Person).where(Person.email == email)).one_or_none()


def memberships(s: Session, person_id: str) -> list[dict]:
    """Every role that a person holds now: `{practice_id, practice_name, role, member_id}`."""
    found = []
    staff = select(Colleague, Practice.name).join(Practice, Practice.id == Colleague.practice_id)
    for place, practice_name in s.execute(staff.where(Colleague.person_id == person_id, Colleague.active)):
        found += [_membership(place, practice_name, role) for role in place.roles]
    own = select(Client, Practice.name).join(Practice, Practice.id == Client.practice_id)
    for file, practice_name in s.execute(own.where(Client.person_id == person_id, Client.active)):
        found.append(_membership(file, practice_name, "client"))
    return found


def _membership(place: Colleague | Client, practice_name: str, role: str) -> dict:
    return {"practice_id": place.practice_id, "practice_name": practice_name, "role": role, "member_id": place.id}


def colleague(s: Session, practice_id: str, colleague_id: str, lock: bool = False) -> Colleague:
    """A colleague of this practice; raises NotFound for another's, as for none."""
    return _one(s, select(Colleague).where(Colleague.practice_id == practice_id, Colleague.id == colleague_id), lock)


def colleagues(s: Session, practice_id: str) -> list[Colleague]:
    """All colleagues by name; a practice has few enough to read whole."""
    return list(
        s.scalars(select(Colleague).where(Colleague.practice_id == practice_id).order_by(func.lower(Colleague.name), Colleague.id))
    )


def colleague_by_email(s: Session, practice_id: str, email: str) -> Colleague | None:
    return s.scalars(select(Colleague).where(Colleague.practice_id == practice_id, Colleague.email == email)).one_or_none()


def client(s: Session, practice_id: str, client_id: str, listed_with: str | None = None, lock: bool = False) -> Client:
    """A client of this practice (and on this provider's list); raises NotFound for any other, as for none."""
    wanted = select(Client).where(Client.practice_id == practice_id, Client.id == client_id)
    return _one(s, _only_listed(wanted, practice_id, listed_with), lock)


def client_by_email(s: Session, practice_id: str, email: str) -> Client | None:
    return s.scalars(select(Client).where(Client.practice_id == practice_id, Client.email == email)).one_or_none()


def clients(s: Session, practice_id: str, listed_with: list[str], wanted: Any, after: tuple[str, str] | None) -> list[Client]:
    """Up to `wanted.limit` + 1 clients by name, on the lists of all of `listed_with`."""
    found = select(Client).where(Client.practice_id == practice_id)
    for colleague_id in listed_with:
        found = _only_listed(found, practice_id, colleague_id)
    if wanted.active is not None:
        found = found.where(Client.active == wanted.active)
    if wanted.q:
        part = f"%{_plain(wanted.q.lower())}%"
        found = found.where(or_(Client.sort_name.like(part, escape="\\"), Client.email.like(part, escape="\\")))
    if after:
        name, client_id = after
        found = found.where(or_(Client.sort_name > name, and_(Client.sort_name == name, Client.id > client_id)))
    return list(s.scalars(found.order_by(Client.sort_name, Client.id).limit(wanted.limit + 1)))


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _only_listed(found: Any, practice_id: str, colleague_id: str | None) -> Any:
    if colleague_id is None:
        return found
    listed = select(Listing.client_id).where(Listing.practice_id == practice_id, Listing.colleague_id == colleague_id)
    return found.where(Client.id.in_(listed))


def provider_ids(s: Session, practice_id: str, client_ids: list[str]) -> dict[str, list[str]]:
    """For each client the providers they are listed with, in the order they were given."""
    found: dict[str, list[str]] = {client_id: [] for client_id in client_ids}
    rows = select(Listing).where(Listing.practice_id == practice_id, Listing.client_id.in_(client_ids))
    for row in s.scalars(rows.order_by(Listing.position, Listing.colleague_id)):
        found[row.client_id].append(row.colleague_id)
    return found


def everybody(s: Session) -> tuple[Sequence[Practice], Sequence[Colleague], Sequence[Client]]:
    """Every practice, colleague and client there is (for operators' commands)."""
    return s.scalars(select(Practice)).all(), s.scalars(select(Colleague)).all(), s.scalars(select(Client)).all()


def list_with(s: Session, practice_id: str, client_id: str, colleague_ids: list[str]) -> None:
    """List the client with exactly these providers."""
    s.execute(delete(Listing).where(Listing.practice_id == practice_id, Listing.client_id == client_id))
    for position, colleague_id in enumerate(dict.fromkeys(colleague_ids)):
        s.add(Listing(practice_id=practice_id, client_id=client_id, colleague_id=colleague_id, position=position))
    s.flush()


def session_by_hash(s: Session, token_hash: str) -> SignInSession | None:
    return s.scalars(select(SignInSession).where(SignInSession.token_hash == token_hash)).one_or_none()


def end_sessions(s: Session, person_id: str, but: str = "") -> None:
    """End every session of a person (but one)."""
    s.execute(delete(SignInSession).where(SignInSession.person_id == person_id, SignInSession.id != but))


def end_session(s: Session, session_id: str) -> None:
    s.execute(delete(SignInSession).where(SignInSession.id == session_id))


def note_seen(s: Session, session_id: str, now: datetime) -> None:
    s.execute(update(SignInSession).where(SignInSession.id == session_id).values(seen_at=now))


def note_used(s: Session, token_id: str, now: datetime) -> None:
    s.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now))


def token_by_hash(s: Session, token_hash: str) -> ApiToken | None:
    return s.scalars(select(ApiToken).where(ApiToken.token_hash == token_hash)).one_or_none()


def tokens(s: Session, practice_id: str) -> list[ApiToken]:
    return list(s.scalars(select(ApiToken).where(ApiToken.practice_id == practice_id).order_by(ApiToken.id.desc())))


def token(s: Session, practice_id: str, token_id: str) -> ApiToken:
    return _one(s, select(ApiToken).where(ApiToken.practice_id == practice_id, ApiToken.id == token_id))


def end_tokens(s: Session, person_id: str) -> None:
    """End every API token that a person made, in whatever practice."""
    s.execute(delete(ApiToken).where(ApiToken.person_id == person_id))


def link_by_hash(s: Session, kind: str, token_hash: str, lock: bool = False) -> Link | None:
    wanted = select(Link).where(Link.kind == kind, Link.token_hash == token_hash)
    return s.scalars(wanted.with_for_update() if lock else wanted).one_or_none()


def drop_links(s: Session, kind: str, subject_id: str, now: datetime) -> None:
    """Links of this kind that went out earlier stop working; they stay, because how many went out is counted."""
    open_ones = update(Link).where(Link.kind == kind, Link.subject_id == subject_id, Link.used_at.is_(None))
    s.execute(open_ones.values(used_at=now))


def links_since(s: Session, kind: str, subject_id: str, since: datetime) -> int:
    wanted = (
        select(func.count()).select_from(Link).where(Link.kind == kind, Link.subject_id == subject_id, Link.created_at >= since)
    )
    return s.scalar(wanted) or 0


def due_calls(s: Session, now: datetime, most: int = 50) -> list[DueCall]:
    """What is due now, the longest due first, of all practices: the timer's list."""
    return list(s.scalars(select(DueCall).where(DueCall.next_at <= now).order_by(DueCall.next_at, DueCall.id).limit(most)))


def due_calls_of(s: Session, practice_id: str, subject_ids: list[str]) -> list[DueCall]:
    """What is still to be told of these subjects, due or not."""
    wanted = select(DueCall).where(DueCall.practice_id == practice_id, DueCall.subject_id.in_(subject_ids))
    return list(s.scalars(wanted.order_by(DueCall.id)))


def drop_older_copies(s: Session, practice_id: str, subject_id: str) -> None:
    """A newer version of a copy makes the earlier ones needless; letters (version 0) stay."""
    s.execute(delete(DueCall).where(DueCall.practice_id == practice_id, DueCall.subject_id == subject_id, DueCall.version > 0))


def claim(s: Session, due: DueCall, next_at: datetime) -> bool:
    """Whether this process may try the call now: nobody else has since it was read."""
    mine = update(DueCall).where(*_this(due), DueCall.tries == due.tries).values(tries=due.tries + 1, next_at=next_at)
    return s.execute(mine.returning(DueCall.id)).scalar() is not None


def done(s: Session, due: DueCall) -> None:
    """Forget a call that was taken; another that has its number by now stays."""
    s.execute(delete(DueCall).where(*_this(due)))


def _this(due: DueCall) -> tuple[Any, ...]:
    """The very row: SQLite gives the number of the last one again once that was deleted."""
    named = ("id", "practice_id", "service", "call", "subject_id", "version", "body")
    return tuple(getattr(DueCall, name) == getattr(due, name) for name in named)


def sign_in_failures(s: Session, account: str, address: str, now: datetime) -> SignInFailures:
    """The count of this account and address, held until commit; begun where there is none (also in a race)."""
    if found := s.get(SignInFailures, (account, address), with_for_update=True):
        return found
    begun = SignInFailures(account=account, address=address, failures=0, last_at=now)
    try:
        with s.begin_nested():
            s.add(begun)
            s.flush()
        return begun
    except IntegrityError:
        return s.get_one(SignInFailures, (account, address), with_for_update=True)


def count_decline(s: Session, decline: Decline) -> None:
    """One more decline, unless this very one is counted already (also in a race with its repeat)."""
    try:
        with s.begin_nested():
            s.add(decline)
    except IntegrityError:
        return


def is_counted(s: Session, practice_id: str, decline_id: str) -> bool:
    """Whether this very request was declined and counted before."""
    known = s.get(Decline, decline_id)
    return known is not None and known.practice_id == practice_id


def declines_since(s: Session, practice_id: str, invoice_id: str, since: datetime) -> list[datetime]:
    """When this invoice's payments were declined, oldest first."""
    wanted = select(Decline.at).where(Decline.practice_id == practice_id, Decline.invoice_id == invoice_id, Decline.at > since)
    return list(s.scalars(wanted.order_by(Decline.at)))


def save(s: Session, *rows: Any) -> None:
    """Write these rows now; raises Invalid naming `email` where that address is taken (also in a race with another)."""
    try:
        with s.begin_nested():
            s.add_all(rows)
            s.flush()
    except IntegrityError:
        raise Invalid("email_taken", errors=[{"field": "email", "message": "This address is here already."}]) from None


def forget_old(s: Session, now: datetime) -> None:
    """Drop what nobody may count on any more, of all practices: sessions, links, kept answers, counted failures."""
    long_ago = now - KEPT
    s.execute(delete(SignInSession).where(SignInSession.expires_at < now))
    s.execute(delete(Link).where(Link.expires_at < long_ago))
    s.execute(delete(SignInFailures).where(SignInFailures.last_at < long_ago))
    s.execute(delete(Decline).where(Decline.at < long_ago))
    s.execute(delete(idempotency).where(idempotency.c.created_at < long_ago))


def _one(s: Session, wanted: Any, lock: bool = False) -> Any:
    found = s.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if found is None:
        raise NotFound()
    return found
