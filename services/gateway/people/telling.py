"""What other services are to be told of people, written as due calls in the change's own transaction: copies and letters."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from services.gateway.people import storage
from services.gateway.people.model import Client, Colleague, DueCall, Link, Practice
from services.gateway.people.secrets import hashed, new_token
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.tax import Tax
from shared.faults import LimitReached
from shared.ids import new_id

FIRST_BY_REQUEST = timedelta(seconds=10)  # the request itself tries first; only then does the timer
NEWER_BY = 1000  # versions: more than were told between a backup and its restore
LETTERS_AN_HOUR = 5  # of one kind to one person
LASTS = {"invitation": timedelta(days=7), "confirmation": timedelta(days=3), "reset": timedelta(hours=1)}
_PATHS = {"invitation": "invitations", "confirmation": "confirmations", "reset": "password-resets"}


def tell_practice(s: Session, practice: Practice, now: datetime) -> None:
    """Copies of the practice for invoicing and notifications."""
    names = ("version", "name", "currency", "time_zone", "address", "number_prefix", "terms_days", "partial_payments")
    copy = {name: getattr(practice, name) for name in names}
    storage.drop_older_copies(s, practice.id, practice.id)
    for call in (Invoicing.put_practice, Notifications.put_practice):
        _due(s, call, practice.id, practice.id, practice.version, copy, now)


def tell_colleague(s: Session, keys: Any, place: Colleague, now: datetime) -> None:
    """Copies of a colleague: name and roles for invoicing, the sealed address for notifications."""
    storage.drop_older_copies(s, place.practice_id, place.id)
    copy = {
        "version": place.version,
        "colleague_id": place.id,
        "name": place.name,
        "roles": place.roles,
        "active": place.active,
    }
    _due(s, Invoicing.put_colleague, place.practice_id, place.id, place.version, copy, now)
    _tell_member(s, keys, place, place.roles, now)


def tell_client(s: Session, keys: Any, place: Client, provider_ids: list[str], now: datetime) -> None:
    """Copies of a client for invoicing, tax and notifications."""
    storage.drop_older_copies(s, place.practice_id, place.id)
    copy = {"version": place.version, "client_id": place.id, "name": place.name, "provider_ids": provider_ids}
    copy.update(address=place.address, active=place.active)
    _due(s, Invoicing.put_client, place.practice_id, place.id, place.version, copy, now)
    exempt = {"version": place.version, "client_id": place.id, "tax_exempt": place.tax_exempt}
    _due(s, Tax.put_client, place.practice_id, place.id, place.version, exempt, now)
    _tell_member(s, keys, place, ["client"], now)


def tell_everybody(s: Session, keys: Any, now: datetime) -> int:
    """Copies of all practices and people, newer than any that was told before; how many. After a restore of whichever service."""
    practices, colleagues, clients = storage.everybody(s)
    for practice in practices:
        practice.version += NEWER_BY
        tell_practice(s, practice, now)
    for colleague in colleagues:
        colleague.version += NEWER_BY
        tell_colleague(s, keys, colleague, now)
    for client in clients:
        client.version += NEWER_BY
        tell_client(s, keys, client, storage.provider_ids(s, client.practice_id, [client.id])[client.id], now)
    return len(practices) + len(colleagues) + len(clients)


def _tell_member(s: Session, keys: Any, place: Colleague | Client, roles: list[str], now: datetime) -> None:
    sealed = keys.seal(place.email.encode(), "notifications", f"address|{place.practice_id}|{place.id}")
    copy = {
        "version": place.version,
        "member_id": place.id,
        "roles": roles,
        "sealed_address": sealed,
        "active": place.active,
    }
    _due(s, Notifications.put_member, place.practice_id, place.id, place.version, copy, now)


def may_write(s: Session, kind: str, subject_id: str, now: datetime) -> bool:
    """Whether one more letter of this kind may go to the same subject now: nobody's mailbox is filled from here."""
    return storage.links_since(s, kind, subject_id, now - timedelta(hours=1)) < LETTERS_AN_HOUR


def invitations_must_be_few(s: Session, subject_id: str, now: datetime) -> None:
    """Raises LimitReached where enough invitations went to the same person within the hour."""
    if not may_write(s, "invitation", subject_id, now):
        words = "Five invitations went there within the hour, and the newest one works. Wait an hour before you send another."
        raise LimitReached("too_many_letters", words, retry_after=3600)


def write_letter(
    s: Session,
    gateway: Any,
    kind: str,
    letter: str,
    to: str,
    practice_id: str,
    subject_id: str,
    now: datetime,
    at_once: bool = False,
) -> None:
    """A mail with a new link of `kind`; earlier ones to the same subject stop working. `at_once` leaves it to the timer."""
    token, letter_id = new_token(), new_id("ltr")
    storage.drop_links(s, kind, subject_id, now)
    s.add(Link(
        token_hash=hashed(token), kind=kind, practice_id=practice_id, subject_id=subject_id, email=to,
        created_at=now, expires_at=now + LASTS[kind], used_at=None,
    ))  # fmt: skip
    words = json.dumps({"to": to, "link": gateway.link(_PATHS[kind], token)})
    sealed = gateway.keys.seal(words.encode(), "notifications", f"letter|{practice_id}|{letter_id}")
    _due(
        s,
        Notifications.send_letter,
        practice_id,
        subject_id,
        0,
        {"letter_id": letter_id, "kind": letter, "sealed": sealed},
        now,
        at_once,
    )


def _due(
    s: Session,
    call: Call,
    practice_id: str,
    subject_id: str,
    version: int,
    body: dict,
    now: datetime,
    at_once: bool = False,
) -> None:
    s.add(DueCall(
        service=call.service, call=call.name, practice_id=practice_id, subject_id=subject_id, version=version,
        body=json.dumps(body), created_at=now, tries=0, next_at=now if at_once else now + FIRST_BY_REQUEST,
    ))  # fmt: skip
    s.flush()
