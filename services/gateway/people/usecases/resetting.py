"""New passwords: by the person themselves, or by a link in a mail. Whether an address is known is never told."""

from typing import Any

from services.gateway.asker import Answer
from services.gateway.faults import NotSignedIn
from services.gateway.people import storage
from services.gateway.people.effects import ANYONE, take_effect
from services.gateway.people.model import Link, idempotency
from services.gateway.people.passwords import must_be_good
from services.gateway.people.secrets import hashed
from services.gateway.people.telling import may_write, write_letter
from services.gateway.people.usecases.signing_in import prove_password
from services.gateway.people.words import NewPassword, PasswordChange, ResetRequest
from shared.caller import Caller, IdempotencyKey
from shared.contract import read
from shared.faults import Invalid, NotFound, invalid
from shared.fields import Nothing
from shared.idempotency import known
from shared.tenancy import acting_for_all


@acting_for_all()
def begin(gateway: Any, body: dict, caller: Caller | None = None) -> Answer:
    """Always the same answer; a letter goes out by the timer, so that the time taken tells nothing either."""
    email = read(ResetRequest, body).email

    def work(s: Any, now: Any) -> dict:
        person = storage.person_by_email(s, email)
        memberships = storage.memberships(s, person.id) if person else []
        if person and memberships and may_write(s, "reset", person.id, now):
            practice_id = memberships[0]["practice_id"]
            write_letter(s, gateway, "reset", "password_reset", person.email, practice_id, person.id, now, at_once=True)
        return {}

    return take_effect(gateway, caller or ANYONE, work, Nothing, status=202)


@acting_for_all()
def look_up(gateway: Any, token: str) -> None:
    """Raises NotFound for a link that doesn't work (any more)."""
    with storage.reading(gateway.database) as s:
        _good_link(s, token, gateway.clock.now())


@acting_for_all()
def finish(gateway: Any, token: str, body: dict, key: IdempotencyKey | None = None) -> Answer:
    """The password is the new one; every session of the person is over, and so are the API tokens that they made and other links."""
    with storage.reading(gateway.database) as s:
        link = storage.link_by_hash(s, "reset", hashed(token))
        if link is None or key is None:
            link = _good_link(s, token, gateway.clock.now())
    wanted = read(NewPassword, body)
    # a link that was used brings only a kept answer, so the password needs no look
    password_hash = _new_hash(gateway, link, wanted.password) if link.is_good(gateway.clock.now()) else ""

    def work(s: Any, now: Any) -> dict:
        good = _good_link(s, token, now, lock=True)
        person = storage.person(s, good.subject_id)
        person.password_hash, good.used_at = password_hash, now
        person.email_confirmed = person.email_confirmed or person.email == good.email
        storage.drop_links(s, "reset", person.id, now)
        storage.end_sessions(s, person.id)
        storage.end_tokens(s, person.id)
        return {}

    return take_effect(gateway, Caller("", "anyone", link.subject_id, key=key), work, Nothing)


def _new_hash(gateway: Any, link: Link, password: str) -> str:
    with storage.reading(gateway.database) as s:
        person = storage.person(s, link.subject_id)
        staff = _is_staff(storage.memberships(s, person.id))
    must_be_good(password, staff=staff, own_words=(person.email, person.name))
    return gateway.passwords.hash(password)


@acting_for_all()
def change_password(asker: Any, body: dict) -> Answer:
    """The password is the new one; the person's other sessions and open reset links are over. Raises Invalid for `current_password`."""
    wanted = read(PasswordChange, body)
    if (repeated := _kept_answer(asker)) is not None:
        return repeated
    password_hash = _proved_hash(asker, wanted)

    def work(s: Any, now: Any) -> dict:
        storage.person(s, asker.person.id).password_hash = password_hash
        storage.end_sessions(s, asker.person.id, but=asker.session_id)
        storage.drop_links(s, "reset", asker.person.id, now)
        return {}

    return take_effect(asker.gateway, asker.caller, work, Nothing)


def _kept_answer(asker: Any) -> Answer | None:
    """The answer to this very change, where it was made before: by its key and, word for word, its body."""
    with storage.reading(asker.gateway.database) as s:
        try:
            kept = known(s, idempotency, asker.caller)
        except Invalid:  # the key came with other words: they are proved, and counted, like any others
            return None
    return Answer(kept.text, kept.status, True, Nothing) if kept else None


def _proved_hash(asker: Any, wanted: Any) -> str:
    """The new password's hash, once the one before is proved."""
    must_be_good(wanted.password, staff=_is_staff(asker.memberships), own_words=(asker.person.email, asker.person.name))
    try:  # counted like a sign-in, for all sessions: somebody who found the screen open can't try one password after the other
        prove_password(asker.gateway, asker.person.email, wanted.current_password, f"person {asker.person.id}")
    except NotSignedIn:
        raise invalid("current_password", "This is not your password.") from None
    return asker.gateway.passwords.hash(wanted.password)


def _good_link(s: Any, token: str, now: Any, lock: bool = False) -> Link:
    link = storage.link_by_hash(s, "reset", hashed(token), lock)
    if link is None or not link.is_good(now):
        raise NotFound("link_gone", "This link has been used, has expired, or was never sent.")
    return link


def _is_staff(memberships: list[Any]) -> bool:
    return any(one["role"] != "client" for one in memberships)
