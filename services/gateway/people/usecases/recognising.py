"""Recognising who asks from a token: a session that is not over, or an API token, of somebody who still has that role."""

from datetime import datetime, timedelta
from typing import Any

from services.gateway.asker import Asker
from services.gateway.people import storage
from services.gateway.people.model import ApiToken, Practice, SignInSession, by_rank
from services.gateway.people.secrets import API, derived, hashed
from services.gateway.people.words import MembershipRead, PersonRead, PracticeRead
from shared.caller import Caller
from shared.contract import Call
from shared.fields import Record
from shared.tenancy import acting_for_all

_SEEN_EVERY = timedelta(seconds=30)  # how finely activity is written down; a write for each request would cost more


@acting_for_all()
def recognise(gateway: Any, token: str, via: str, polling: bool = False) -> Asker | None:
    """Who holds this token, or None. Polling is answered but doesn't count as activity."""
    now = gateway.clock.now()
    with storage.reading(gateway.database) as s:
        known = _by_token(s, token, via)
        if known is None:
            return None
        practice = storage.practice(s, known.practice_id)
        if isinstance(known, SignInSession) and known.is_over(practice.idle_minutes, now):
            return None
        person = storage.person(s, known.person_id)
        memberships = by_rank(storage.memberships(s, person.id))
    role = known.role if isinstance(known, SignInSession) else "admin"
    acting = next((one for one in memberships if (one["practice_id"], one["role"]) == (practice.id, role)), None)
    if acting is None:
        return None
    _note_activity(gateway, known, practice, now, polling)
    return asker(gateway, known.id, person, memberships, practice, acting, via)


def asker(gateway: Any, session_id: str, person: Any, memberships: list[dict], practice: Any, acting: dict, via: str) -> Asker:
    """An Asker of these facts."""
    return Asker(
        gateway=gateway,
        caller=Caller(practice.id, acting["role"], person.id, acting["member_id"], person.name),
        person=_record(PersonRead, person),
        memberships=[_record(MembershipRead, one) for one in memberships],
        practice=_record(PracticeRead, practice),
        csrf_token=csrf_token(gateway, session_id),
        via=via,
        session_id=session_id,
    )


def csrf_token(gateway: Any, session_id: str) -> str:
    return derived(gateway.keys.hmac_key, "csrf", session_id)


def _by_token(s: Any, token: str, via: str) -> SignInSession | ApiToken | None:
    if token.startswith(API + "_"):
        return storage.token_by_hash(s, hashed(token)) if via == "token" else None
    return storage.session_by_hash(s, hashed(token))


def _note_activity(gateway: Any, known: SignInSession | ApiToken, practice: Practice, now: datetime, polling: bool) -> None:
    if isinstance(known, SignInSession):
        if not polling and now - known.seen_at >= _SEEN_EVERY:
            with gateway.database.transaction() as s:
                storage.note_seen(s, known.id, now)
    elif known.last_used_at is None or now - known.last_used_at >= timedelta(minutes=1):
        with gateway.database.transaction() as s:
            storage.note_used(s, known.id, now)


def _record(words: Any, facts: Any) -> Record:
    return Call(gives=words).load_answer(words().dump(facts))
