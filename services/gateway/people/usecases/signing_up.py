"""Signing up: a new practice with its first admin, and confirming the admin's address."""

from typing import Any

from services.gateway.asker import Answer
from services.gateway.people import storage
from services.gateway.people.effects import ANYONE, take_effect
from services.gateway.people.model import Colleague, Link, Person, Practice
from services.gateway.people.passwords import must_be_good
from services.gateway.people.secrets import hashed
from services.gateway.people.telling import tell_colleague, tell_practice, write_letter
from services.gateway.people.words import PersonRead, SignedUp, SignUp
from shared.caller import Caller
from shared.contract import read
from shared.faults import Conflict, Invalid, NotFound
from shared.ids import new_id
from shared.tenancy import acting_for_all


@acting_for_all()
def sign_up(gateway: Any, body: dict, caller: Caller | None = None) -> Answer:
    """`{practice, person}`; raises Conflict `email_taken` for an address that signs in already."""
    wanted = read(SignUp, body)
    must_be_good(wanted.password, staff=True, own_words=(wanted.email, wanted.name, wanted.practice_name))
    password_hash = gateway.passwords.hash(wanted.password)
    answer = take_effect(
        gateway,
        caller or ANYONE,
        lambda s, now: _begin(s, gateway, wanted, password_hash, now),
        SignedUp,
        status=201,
        tell=lambda made: [(made.practice.id, made.practice.id), *_places(gateway, made)],
    )
    return answer


def _begin(s: Any, gateway: Any, wanted: Any, password_hash: str, now: Any) -> dict:
    if storage.person_by_email(s, wanted.email):
        raise Conflict("email_taken", "This address has an account already. Sign in instead.")
    practice = Practice(id=new_id("prac"), name=wanted.practice_name, created_at=now)
    person = Person(id=new_id("per"), email=wanted.email, name=wanted.name, password_hash=password_hash, created_at=now)
    place = Colleague(id=new_id("col"), practice_id=practice.id, person_id=person.id, name=person.name, email=person.email)
    place.roles, place.created_at = ["admin"], now
    try:
        storage.save(s, practice, person, place)
    except Invalid:  # somebody with the same address was quicker
        raise Conflict("email_taken", "This address has an account already. Sign in instead.") from None
    tell_practice(s, practice, now)
    tell_colleague(s, gateway.keys, place, now)
    _ask_to_confirm(s, gateway, person, practice.id, now)
    return {"practice": practice, "person": person}


def _places(gateway: Any, made: Any) -> list[tuple[str, str]]:
    """The subjects of the new admin: their place in the practice, and the letter to them."""
    with storage.reading(gateway.database) as s:
        places = [one["member_id"] for one in storage.memberships(s, made.person.id) if one["practice_id"] == made.practice.id]
    return [(made.practice.id, subject_id) for subject_id in [*places, made.person.id]]


def _ask_to_confirm(s: Any, gateway: Any, person: Person, practice_id: str, now: Any) -> None:
    write_letter(s, gateway, "confirmation", "confirm_address", person.email, practice_id, person.id, now)


def ask_again(asker: Any) -> Answer:
    """The mail once more; nothing happens where the address is confirmed already."""

    def work(s: Any, now: Any) -> Person:
        person = storage.person(s, asker.person.id)
        if not person.email_confirmed:
            _ask_to_confirm(s, asker.gateway, person, asker.practice_id, now)
        return person

    tell = [(asker.practice_id, asker.person.id)]
    return take_effect(asker.gateway, asker.caller, work, PersonRead, status=202, tell=lambda _: tell)


@acting_for_all()
def look_up(gateway: Any, token: str) -> None:
    """Raises NotFound for a link that doesn't work (any more)."""
    with storage.reading(gateway.database) as s:
        _good_link(s, token, gateway.clock.now())


@acting_for_all()
def confirm(gateway: Any, token: str, caller: Caller | None = None) -> Answer:
    """The person whose address it is; raises NotFound for a link that doesn't work (any more)."""

    def work(s: Any, now: Any) -> Person:
        link = _good_link(s, token, now, lock=True)
        person = storage.person(s, link.subject_id)
        if person.email == link.email:
            person.email_confirmed = True
        link.used_at = now
        return person

    return take_effect(gateway, caller or ANYONE, work, PersonRead)


def _good_link(s: Any, token: str, now: Any, lock: bool = False) -> Link:
    link = storage.link_by_hash(s, "confirmation", hashed(token), lock)
    if link is None or not link.is_good(now):
        raise NotFound("link_gone", "This link has been used, has expired, or was never sent.")
    return link
