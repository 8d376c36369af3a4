"""Signing in and out, and switching roles. A wrong password and an unknown address are answered alike, in time and words."""

import time
from datetime import datetime
from typing import Any

from services.gateway.asker import Answer, told
from services.gateway.faults import NotSignedIn
from services.gateway.limits import place_of
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import SESSION_AT_MOST, Person, SignInSession, by_rank
from services.gateway.people.secrets import SESSION, hashed, new_token
from services.gateway.people.usecases import lockout
from services.gateway.people.usecases.recognising import csrf_token
from services.gateway.people.words import RoleSwitch, SignedIn, SignIn
from shared.caller import Caller, IdempotencyKey
from shared.contract import read
from shared.faults import Forbidden, NotFound
from shared.ids import new_id
from shared.tenancy import acting_for_all


@acting_for_all()
def sign_in(gateway: Any, body: dict, remote: str, key: IdempotencyKey | None = None) -> Answer:
    """A new session, acting as last time or in the most powerful role; raises NotSignedIn or LimitReached."""
    wanted = read(SignIn, body)
    person_id = prove_password(gateway, wanted.email, wanted.password, remote)

    def work(s: Any, now: datetime) -> dict:
        person = storage.person(s, person_id)
        memberships = by_rank(storage.memberships(s, person.id))
        if not memberships:
            raise Forbidden("no_membership", "You don't belong to a practice at present. Ask its admin.")
        acting = _last_or_first(person, memberships)
        return _begin_session(s, gateway, person, memberships, acting, now, now + SESSION_AT_MOST)

    return take_effect(gateway, Caller("", "anyone", person_id, key=key), work, SignedIn, secret=True)


@acting_for_all()
def prove_password(gateway: Any, email: str, password: str, remote: str) -> str:
    """The id of the person whose address and password these are; failures are counted and slowed down."""
    account, place = lockout.account_of(gateway, email), place_of(remote)
    with storage.reading(gateway.database) as s:
        lockout.must_be_open(s, account, place, gateway.clock.now())
        person = storage.person_by_email(s, email)
    right = gateway.passwords.matches(person.password_hash if person else None, password)
    if person is None or not right:
        with gateway.database.transaction() as s:
            delay = lockout.count_failure(s, account, place, gateway.clock.now())
        time.sleep(delay)
        raise NotSignedIn("wrong_credentials", "The address or the password is not right.")
    outdated = gateway.passwords.is_outdated(person.password_hash)
    password_hash = gateway.passwords.hash(password) if outdated else person.password_hash
    with gateway.database.transaction() as s:
        lockout.forget(s, account, place)
        storage.person(s, person.id).password_hash = password_hash
    return person.id


def _last_or_first(person: Person, memberships: list[dict]) -> dict:
    last = (person.last_practice_id, person.last_role)
    return next((one for one in memberships if (one["practice_id"], one["role"]) == last), memberships[0])


def _begin_session(
    s: Any, gateway: Any, person: Person, memberships: list[dict], acting: dict, now: datetime, expires_at: datetime
) -> dict:
    token = new_token(SESSION)
    session = SignInSession(
        id=new_id("ses"), token_hash=hashed(token), person_id=person.id, practice_id=acting["practice_id"], role=acting["role"],
        created_at=now, seen_at=now, expires_at=expires_at,
    )  # fmt: skip
    s.add(session)
    person.last_practice_id, person.last_role = acting["practice_id"], acting["role"]
    said = {"token": token, "csrf_token": csrf_token(gateway, session.id), "person": person}
    return {**said, "memberships": memberships, "acting_as": acting}


def sign_out(asker: Any) -> None:
    """End the session; raises Forbidden for an API token, which an admin removes instead."""
    with asker.gateway.database.transaction() as s:
        if s.get(SignInSession, asker.session_id) is None:
            raise Forbidden("not_a_session", "An API token has no session to end. Remove the token instead.")
        storage.end_session(s, asker.session_id)


@acting_for_all()
def switch_role(asker: Any, body: dict) -> Answer:
    """A new session in that membership, which ends when the old one would have; raises NotFound for one that the person doesn't hold."""
    wanted = read(RoleSwitch, body)
    gateway, now = asker.gateway, asker.gateway.clock.now()
    with gateway.database.transaction() as s:
        old = s.get(SignInSession, asker.session_id)
        if old is None:
            raise Forbidden("not_a_session", "An API token acts in one role only.")
        person = storage.person(s, asker.person.id)
        memberships = by_rank(storage.memberships(s, person.id))
        acting = next((one for one in memberships if (one["practice_id"], one["role"]) == (wanted.practice_id, wanted.role)), None)
        if acting is None:
            raise NotFound("no_such_membership", "You don't hold that role.")
        answer = told(_begin_session(s, gateway, person, memberships, acting, now, old.expires_at), SignedIn, 200)
        storage.end_session(s, old.id)
        return answer
