"""A practice's accounts at processors: added, checked, changed, made the active one, removed. Credentials never come out."""

import json
import logging
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.config import Room
from services.processors.model import OVERLAP, READY, UNCHECKED, Account, CredentialVersion, credentials_place
from services.processors.orders import Check
from services.processors.usecases import sealing
from services.processors.usecases.attempting import kept_credentials, opened, practice_of, refuse_account
from services.processors.usecases.repeating import carefully, kept_answer, once
from shared.caller import ADMIN, SYSTEM, Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict, Invalid, invalid
from shared.fields import Record
from shared.told import Told

log = logging.getLogger(__name__)

ADDED_AGAIN = timedelta(days=7)  # after a restore, an account that is added may be one that was lost by it
KEYS_KEPT = timedelta(hours=48)  # at least the 24 hours that callers are promised


def list_types(room: Room) -> dict:
    """The pulldown: the processors that work today, and the fields that each needs."""
    return {"data": [adapter.described() for adapter in room.adapters.values()]}


def list_processors(caller: Caller, room: Room) -> dict:
    """The practice's accounts, oldest first."""
    practice_id = admin_of(caller)
    with room.database.reading() as session:
        rows = storage.accounts(session, practice_id)
        return {"data": [described(row, room) for row in rows], "next_cursor": None}


def read_processor(caller: Caller, request: Record, room: Room) -> dict:
    """One account; NotFound for another practice's."""
    practice_id = admin_of(caller)
    with room.database.reading() as session:
        return described(storage.account(session, practice_id, request.processor_id), room)


def read_card_entry(caller: Caller, room: Room) -> dict:
    """What the pay page draws: the active account's kind and way of card entry, or that cards can't be taken."""
    with room.database.reading() as session:
        row = storage.active_account(session, practice_of(caller))
        if row is None or not row.takes_cards:
            return {"available": False, "closed": bool(row and row.closed_at)}
        lying = kept_credentials(session, row.practice_id, row.id, row.credentials_version)
        row = storage.taken_out(session, row)
    adapter, held = room.adapters[row.type], opened(room, lying)
    return {
        "available": True,
        "processor_id": row.id,
        "type": row.type,
        "title": adapter.title,
        "card_entry": row.card_entry,
        "page": "hosted_page" in adapter.card_entry,
        "form": adapter.card_form(held, row.learned, row.card_entry),
        "sources": adapter.content_sources(held, row.card_entry),
        "test_cards": adapter.described()["test_cards"],
    }


def add_processor(caller: Caller, request: Record, room: Room) -> Told:
    """Add an account whose credentials are checked first; the practice's first ready one becomes active by itself.

    Raises Invalid naming `credentials.<field>` where they are refused; where the processor can't be reached the account
    is kept as `unchecked`.
    """
    practice_id = admin_of(caller)
    if kept := kept_answer(room, caller):
        return kept
    adapter = _adapter(request.type, room)
    card_entry = _card_entry(request.card_entry or adapter.card_entry[0], adapter)
    given = adapter.read_credentials(_opened(request, practice_id, room))
    adapter.must_offer(card_entry, given)
    check = _checked(adapter, given)
    now = room.clock.now()
    sealed = _sealed(practice_id, request.processor_id, 1, given, room)

    def act(session: Session) -> dict:
        if standing := storage.any_account(session, practice_id, request.processor_id):
            return described(standing, room)  # the same message, carried out before
        account = Account(
            practice_id=practice_id, id=request.processor_id, description=request.description, type=adapter.name,
            status=READY if check.status == "ok" else UNCHECKED, problem=check.problem, active=False,
            test_mode=adapter.is_test(given), card_entry=card_entry, credentials_hint=adapter.hint(given),
            credentials_version=1, checked_at=now if check.status == "ok" else None, created_at=now, learned=check.learned,
        )  # fmt: skip
        session.add(account)
        session.add(sealed)
        storage.read_first(session, practice_id, now - ADDED_AGAIN)
        session.flush()
        _first_becomes_active(session, account)
        return described(account, room)

    return once(room, caller, Processors.add_processor, act, status=201)


def change_processor(caller: Caller, request: Record, room: Room) -> dict:
    """Change the description, the way of card entry, or credentials: those that are sent replace the ones that are kept.

    An empty value takes an optional credential away. New credentials are checked as when they were added.
    """
    practice_id = admin_of(caller)
    with room.database.reading() as session:
        seen = storage.account(session, practice_id, request.processor_id)
        adapter, in_use, version = room.adapters[seen.type], seen.card_entry, seen.credentials_version
        lying = kept_credentials(session, practice_id, seen.id, version)
    held = opened(room, lying)
    card_entry = _card_entry(request["card_entry"], adapter) if "card_entry" in request else None
    given = check = sealed = None
    if "sealed_credentials" in request:
        given = adapter.read_credentials({**held, **_opened(request, practice_id, room)})
    adapter.must_offer(card_entry or in_use, given or held)
    if given is not None:
        check = _checked(adapter, given)
        sealed = _sealed(practice_id, request.processor_id, version + 1, given, room)
    now = room.clock.now()

    def act(session: Session) -> dict:
        account = storage.account(session, practice_id, request.processor_id, lock=True)
        account.description = request.get("description", account.description)
        account.card_entry = card_entry or account.card_entry
        if given is not None and check is not None and sealed is not None:
            if account.credentials_version != version:
                raise Conflict("changed_meanwhile", "Somebody else has just replaced these credentials. Load the page again.")
            account.credentials_version += 1
            account.credentials_hint, account.test_mode = adapter.hint(given), adapter.is_test(given)
            storage.replace_credentials(session, sealed)
            _record_check(session, account, check, adapter, now, fresh=True)
        _first_becomes_active(session, account)
        return described(account, room)

    return carefully(room, act)


def check_processor(caller: Caller, request: Record, room: Room) -> Told:
    """Try the kept credentials now; the account as it stands afterwards."""
    practice_id = admin_of(caller)
    if kept := kept_answer(room, caller):
        return kept
    with room.database.reading() as session:
        seen = storage.account(session, practice_id, request.processor_id)
        adapter, version = room.adapters[seen.type], seen.credentials_version
        lying = kept_credentials(session, practice_id, seen.id, version)
    check = _guarded_check(adapter, opened(room, lying))

    def act(session: Session) -> dict:
        account = storage.account(session, practice_id, request.processor_id, lock=True)
        if account.credentials_version == version:
            _record_check(session, account, check, adapter, room.clock.now())
            _first_becomes_active(session, account)
        return described(account, room)

    return once(room, caller, Processors.check_processor, act)


def activate_processor(caller: Caller, request: Record, room: Room) -> Told:
    """Make this the account that takes new payments, in place of the one before; only a ready one can be."""
    practice_id = admin_of(caller)

    def act(session: Session) -> dict:
        account = storage.account(session, practice_id, request.processor_id, lock=True)
        if account.status != READY:
            raise Conflict(
                "processor_not_ready",
                "Its credentials have not been accepted yet. Check them first.",
                allowed_actions=["check"],
            )
        storage.make_active(session, practice_id, account.id)
        session.refresh(account)
        return described(account, room)

    return once(room, caller, Processors.activate_processor, act)


def remove_processor(caller: Caller, request: Record, room: Room) -> dict:
    """Remove an account: from sight where something was sent through it, because that can still be refunded."""
    practice_id = admin_of(caller)
    with room.database.transaction() as session:
        account = storage.account(session, practice_id, request.processor_id, lock=True)
        storage.wait_for_charges(session, account)
        if storage.is_used(session, practice_id, account.id):
            account.active, account.hidden_at = False, room.clock.now()
        else:
            storage.delete_account(session, practice_id, account.id)
        session.flush()
        storage.open_read(session, practice_id)  # it may have been the last to wait for
    return {}


def admin_of(caller: Caller) -> str:
    """The practice whose admin asks; raises Forbidden for anybody else."""
    caller.must_be(ADMIN, SYSTEM)
    return practice_of(caller)


def _adapter(kind: str, room: Room) -> Adapter:
    if kind not in room.adapters:
        raise invalid("type", "This processor comes with a later release. Choose one of: " + ", ".join(room.adapters) + ".")
    return room.adapters[kind]


def _card_entry(wanted: str, adapter: Adapter) -> str:
    if wanted not in adapter.card_entry:
        raise invalid("card_entry", f"{adapter.title} takes cards here by: " + ", ".join(adapter.card_entry) + ".")
    return wanted


def _opened(request: Record, practice_id: str, room: Room) -> dict:
    """The credentials that were sealed to us for this very account."""
    text = sealing.open_sealed(room, request.sealed_credentials, f"credentials|{practice_id}|{request.processor_id}")
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise invalid("credentials", "Send an object.")
    return given


def _checked(adapter: Adapter, given: dict) -> Check:
    """The processor's word on new credentials; raises Invalid where it refuses them."""
    check = _guarded_check(adapter, given)
    if check.status == "refused":
        message = check.problem or f"{adapter.title} refuses these credentials."
        field = f"credentials.{check.field}" if check.field else "credentials"
        raise Invalid("processor_credentials_refused", message, errors=[{"field": field, "message": message}])
    return check


def _guarded_check(adapter: Adapter, given: dict) -> Check:
    """Whatever the adapter trips over, only its kind is logged: it might hold a credential."""
    try:
        return adapter.check(given)
    except Exception as failure:
        log.error("the check of %s failed: %s", adapter.name, type(failure).__name__)
        return Check("unreachable", f"{adapter.title} could not be reached, so the credentials are not checked yet.")


def _record_check(
    session: Session, account: Account, check: Check, adapter: Adapter, now: datetime, *, fresh: bool = False
) -> None:
    """Write down what the check said; a processor that can't be reached takes nothing back but from `fresh` credentials."""
    if check.status == "refused":
        refuse_account(session, account, adapter.title, now)
    elif check.status == "ok":
        account.status, account.checked_at = READY, now
        account.learned = check.learned or account.learned
    elif fresh:
        account.status, account.checked_at = UNCHECKED, None
    account.problem = check.problem


def _sealed(practice_id: str, account_id: str, version: int, given: dict, room: Room) -> CredentialVersion:
    """The credentials as they are kept; made before the transaction, since a KMS may have to be asked."""
    place = credentials_place(practice_id, account_id, version)
    envelope = room.vault.seal(json.dumps(given).encode(), *place)
    now = room.clock.now()
    return CredentialVersion(practice_id=practice_id, account_id=account_id, version=version, sealed=envelope, created_at=now)


def _first_becomes_active(session: Session, account: Account) -> None:
    session.flush()
    if account.status == READY and storage.active_account(session, account.practice_id) is None:
        storage.make_active(session, account.practice_id, account.id)
        session.refresh(account)


def described(account: Account, room: Room) -> dict:
    """The account as the contract tells it."""
    shown = ("id", "description", "type", "status", "problem", "active", "test_mode", "card_entry", "credentials_hint")
    adapter = room.adapters[account.type]
    return {
        **{name: getattr(account, name) for name in shown},
        "title": adapter.title,
        "checked_at": account.checked_at,
        "compared_at": account.compared_at,
        "differences": account.differences,
        "closed_at": account.closed_at,
        "restored_to": account.restored_to,
        "is_read": account.is_read(account.compared_at, room.all_listed_after),
        "can_open": account.can_open(room.clock.now(), room.all_listed_after),
        "webhook_path": f"/webhooks/{account.type}/{account.id}" if adapter.sends_webhooks else None,
        "created_at": account.created_at,
    }


def forget_old_keys(room: Room) -> None:
    """Delete idempotency rows of every practice that nobody can ask for any more, and credentials that nothing needs any more."""
    now = room.clock.now()
    with room.database.transaction() as session:
        storage.forget_keys(session, now - KEYS_KEPT)
        storage.drop_old_credentials(session, now - OVERLAP)


def check_again(account: Account, room: Room) -> bool:
    """Try the credentials of an account as the timer does: refused ones are told once, accepted ones make it ready again.

    Whether the processor answered; where it can't be reached, nothing is written.
    """
    adapter, version = room.adapters[account.type], account.credentials_version
    with room.database.reading() as session:
        lying = kept_credentials(session, account.practice_id, account.id, version)
    check = _guarded_check(adapter, opened(room, lying))
    if check.status == "unreachable":
        return False
    with room.database.transaction() as session:
        current = storage.account(session, account.practice_id, account.id, lock=True)
        if current.credentials_version == version:
            _record_check(session, current, check, adapter, room.clock.now())
            _first_becomes_active(session, current)
    return True
