"""Copies of the gateway's facts: the practice's name, who can be told, and where. Older versions are ignored."""

from services.notifications import storage
from services.notifications.model import address_place
from shared.caller import SYSTEM, Caller
from shared.contract import read
from shared.database import Database
from shared.faults import Invalid, invalid
from shared.fields import Email, Record, Words
from shared.keys import KeyRing
from shared.vault import Vault


class _Address(Words):
    to = Email(required=True)


def put_practice(caller: Caller, request: Record, db: Database) -> dict:
    """Keep the practice's name; the answer is the version that is held. Raises Forbidden."""
    caller.must_be(SYSTEM)
    with db.transaction() as session:
        copy = storage.lock_practice(session, caller.practice_id)
        copy.follow(request)
        return {"version": copy.version}


def put_member(caller: Caller, request: Record, db: Database, keys: KeyRing, vault: Vault) -> dict:
    """Keep a member's roles and address, sealed anew by our own vault; the answer is the version that is held.

    Raises Forbidden where the address was sealed for something else or altered, Invalid where it is no address.
    """
    caller.must_be(SYSTEM)
    address = _opened(caller, request, keys)
    sealed = vault.seal(address.encode(), *address_place(caller.practice_id, request.member_id))
    with db.transaction() as session:
        copy = storage.lock_member(session, caller.practice_id, request.member_id)
        if request.version > copy.version:
            copy.follow(request, sealed)
        return {"version": copy.version}


def _opened(caller: Caller, request: Record, keys: KeyRing) -> str:
    sealed = keys.open(request.sealed_address, f"address|{caller.practice_id}|{request.member_id}")
    try:
        return read(_Address, {"to": sealed.decode()}).to
    except (UnicodeDecodeError, Invalid):
        raise invalid("sealed_address", "What was sealed is no address.") from None
