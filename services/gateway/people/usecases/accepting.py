"""Accepting an invitation: a new person chooses a password; somebody who has one proves it. No password is ever changed here."""

from datetime import datetime
from typing import Any

from services.gateway.asker import Answer, told
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import Client, Colleague, Link, Person
from services.gateway.people.passwords import must_be_good
from services.gateway.people.secrets import hashed
from services.gateway.people.usecases.signing_in import prove_password
from services.gateway.people.words import Acceptance, Accepted, InvitationRead
from shared.caller import Caller
from shared.contract import read
from shared.faults import Conflict, NotFound, invalid
from shared.ids import new_id
from shared.tenancy import acting_for_all


@acting_for_all()
def look_up(gateway: Any, token: str) -> Answer:
    """`{practice_name, name, email, role, has_password}`; raises NotFound for a link that doesn't work (any more)."""
    now = gateway.clock.now()
    with storage.reading(gateway.database) as s:
        link = _link(s, token)
        place = _open_place(s, link, now)
        practice = storage.practice(s, link.practice_id)
        known = storage.person_by_email(s, link.email) is not None
    said = {
        "practice_name": practice.name,
        "name": place.name,
        "email": link.email,
        "role": _role(place),
        "has_password": known,
    }
    return told(said, InvitationRead)


@acting_for_all()
def accept(gateway: Any, token: str, body: dict, asker: Any = None, remote: str = "", key: Any = None) -> Answer:
    """`{person, membership}`; raises Conflict `sign_in_first` where the address has an account that wasn't proved."""
    now = gateway.clock.now()
    with storage.reading(gateway.database) as s:
        link = _link(s, token)
        if key is None or link.is_good(now):
            _open_place(s, link, now)
        person = storage.person_by_email(s, link.email)
    wanted = read(Acceptance, body)
    caller = Caller(link.practice_id, "anyone", link.subject_id, key=key)
    prepared: Person | None
    if link.is_good(now):
        prepared = _prove(gateway, person, wanted, asker, remote) if person else _new_person(gateway, link, wanted, now)
    else:
        prepared = person  # a repeat with the same key: only the kept answer can come of it
    return take_effect(gateway, caller, lambda s, at: _take_place(s, token, prepared, at), Accepted)


def _prove(gateway: Any, person: Person, wanted: Any, asker: Any, remote: str) -> Person:
    if asker is not None and asker.person.id == person.id:
        return person
    if "password" not in wanted:
        raise Conflict("sign_in_first", "This address has an account already. Sign in with it, then open the link again.")
    prove_password(gateway, person.email, wanted.password, remote)
    return person


def _new_person(gateway: Any, link: Link, wanted: Any, now: datetime) -> Person:
    if "password" not in wanted:
        raise invalid("password", "Choose a password.")
    with storage.reading(gateway.database) as s:
        place = _open_place(s, link, now)
    must_be_good(wanted.password, staff=isinstance(place, Colleague), own_words=(link.email, place.name))
    password_hash = gateway.passwords.hash(wanted.password)
    return Person(
        id=new_id("per"),
        email=link.email,
        name=place.name,
        password_hash=password_hash,
        email_confirmed=True,
        created_at=now,
    )


def _take_place(s: Any, token: str, prepared: Person | None, now: datetime) -> dict:
    link = _link(s, token, lock=True)
    place = _open_place(s, link, now)
    person = storage.person_by_email(s, link.email)
    if person is None and prepared is not None:
        storage.save(s, prepared)
        person = prepared
    if person is None or prepared is None or person.id != prepared.id:  # somebody else took this address meanwhile
        raise Conflict("sign_in_first", "This address has an account already. Sign in with it, then open the link again.")
    person.email_confirmed = True
    place.person_id, link.used_at = person.id, now
    s.flush()
    mine = [one for one in storage.memberships(s, person.id) if one["member_id"] == place.id]
    return {"person": person, "membership": next(one for one in mine if one["role"] == _role(place))}


def _link(s: Any, token: str, lock: bool = False) -> Link:
    link = storage.link_by_hash(s, "invitation", hashed(token), lock)
    if link is None:
        raise NotFound("link_gone", "This link has been used, has expired, or was never sent.")
    return link


def _open_place(s: Any, link: Link, now: datetime) -> Colleague | Client:
    """The place that the link offers; raises NotFound where it is taken, withdrawn, or the link is too old."""
    family = storage.colleague if link.subject_id.startswith("col_") else storage.client
    place = family(s, link.practice_id, link.subject_id)
    if not link.is_good(now) or place.status != "invited":
        raise NotFound("link_gone", "This link has been used, has expired, or was never sent.")
    return place


def _role(place: Colleague | Client) -> str:
    if isinstance(place, Client):
        return "client"
    return "admin" if "admin" in place.roles else "provider"
