"""What is due goes out: claimed by one process, sent, and marked; after a failed try later again, after the last one parked."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.notifications import storage
from services.notifications.channels.base import Channel, Mail, NotDelivered
from services.notifications.model import Delivery
from services.notifications.texts import Template
from shared.clock import SystemClock
from shared.database import Database
from shared.faults import Fault
from shared.vault import Vault

AT_A_TIME = 50
_UNNAMED = "Client Billing"  # stands in for a practice whose name has not arrived

log = logging.getLogger(__name__)


class Sealed(NamedTuple):
    """An envelope of the vault and its place. It is opened outside any transaction: a KMS may have to be asked."""

    envelope: str
    place: tuple[str, ...]


@dataclass(frozen=True)
class Post:
    """What sending needs besides database and clock: the ways out, what they say, and where links lead."""

    channels: Mapping[str, Channel]
    texts: Mapping[str, Template]
    vault: Vault
    public_url: str
    time_scale: float = 1.0


def send_due(db: Database, clock: SystemClock, post: Post) -> int:
    """Send what is due in every practice, one after another; how many left. Stops early where the server is away."""
    with db.reading() as session:
        due = storage.due_deliveries(session, clock.now(), AT_A_TIME)
    sent = 0
    for practice_id, delivery_id in due:
        with db.transaction() as session:
            claimed = storage.claim(session, practice_id, delivery_id, clock.now())
        if claimed is None:  # another process was quicker
            continue
        failure = _try(claimed, db, clock, post)
        _mark(claimed, failure, db, clock, post)
        sent += failure is None
        if failure and failure.nobody_there:
            break
    return sent


def _try(claimed: Delivery, db: Database, clock: SystemClock, post: Post) -> NotDelivered | None:
    """One try at sending, outside any transaction; None when the other side has accepted."""
    try:
        with db.reading() as session:
            sealed = Sealed(claimed.letter, claimed.place) if claimed.letter else _address(session, claimed)
            practice = storage.practice_name(session, claimed.practice_id) or _UNNAMED
        post.channels[claimed.channel].send(_mail(claimed, sealed, practice, post), clock.now())
    except NotDelivered as failure:
        return failure
    except Exception as unexpected:  # nothing of it may stop the others, nor reach a log with an address in it
        log.error("delivery %s could not be tried: %s", claimed.id, type(unexpected).__name__)
        return NotDelivered("Something unexpected went wrong while sending.")
    return None


def _mark(claimed: Delivery, failure: NotDelivered | None, db: Database, clock: SystemClock, post: Post) -> None:
    """Record how the try ended, unless our lease ran out meanwhile and another process has it."""
    with db.transaction() as session:
        held = storage.still_claimed(session, claimed)
        if held is None:
            return
        if failure is None:
            held.succeed(clock.now())
        else:
            held.fail(failure.problem, failure.for_good, clock.now(), post.time_scale)


def _mail(claimed: Delivery, sealed: Sealed, practice: str, post: Post) -> Mail:
    """The mail as constant text: a practice's name and a link are all it can hold."""
    text = _opened(post.vault, sealed)
    if claimed.letter:
        content = json.loads(text)
        to, link = content["to"], content["link"]
    else:
        assert claimed.path  # what is no letter was made by an alert
        to, link = text, post.public_url + claimed.path
    return Mail(claimed.id, to, *post.texts[claimed.kind].filled(practice, link))


def _address(session, claimed: Delivery) -> Sealed:
    """Of whom an alert goes to."""
    assert claimed.member_id
    member = storage.read_member(session, claimed.practice_id, claimed.member_id)
    if member is None:
        raise NotDelivered("No address is known for this person yet.")
    if not member.active:
        raise NotDelivered("This person no longer belongs to the practice.", for_good=True)
    return Sealed(member.address, member.place)


def _opened(vault: Vault, sealed: Sealed) -> str:
    try:
        return vault.open(sealed.envelope, *sealed.place).decode()
    except Fault:
        raise NotDelivered("The stored address can't be opened with the keys that are held here.") from None
