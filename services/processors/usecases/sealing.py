"""The keys that cards and credentials are sealed to on their way here: a new one each month by itself, the one before for a day more.

All processes share them in the database, private halves sealed by the vault. The key of the key file opens too: it is the first one,
and what others fall back to when they can't ask for the newest.
"""

from datetime import datetime, timedelta

from services.processors import storage
from services.processors.config import Room
from services.processors.model import OVERLAP, SealingKey, sealing_key_place
from shared.faults import Conflict
from shared.keys import new_sealing_key, open_with, signed_sealing_key

MONTH = timedelta(days=30)


def read_sealing_key(room: Room) -> dict:
    """The newest key's public half and id, signed by us; made now where there is none yet, or none young enough."""
    key = _newest(room)
    if _is_old(key, room.clock.now()):
        key = _make(room, key)
    assert key is not None
    until = key.created_at + MONTH + OVERLAP
    return {"signed": signed_sealing_key(room.keys, key.id, key.public, until)}


def renew_key(room: Room) -> None:
    """Make the next key where the newest is a month old, and forget those whose day of grace is over."""
    now = room.clock.now()
    key = _newest(room)
    if _is_old(key, now):
        _make(room, key)
    with room.database.transaction() as session:
        storage.drop_sealing_keys(session, now - OVERLAP)


def open_sealed(room: Room, sealed: str, info: str) -> bytes:
    """What was sealed to us; raises Forbidden where it was altered or sealed for something else.

    Conflict `unknown_sealing_key` where its key is not held (any more): nothing was done, and a newer key is there to be asked for.
    """
    key_id = sealed.partition(".")[0]
    if room.keys.opens(key_id):
        return room.keys.open(sealed, info)
    name, _, number = key_id.rpartition("-")
    key = _read(room, int(number)) if name == "seal" and number.isdecimal() and len(number) < 9 else None
    if key is None or _is_over(key, room.clock.now()):
        raise Conflict("unknown_sealing_key", "This was sealed with a key that is no longer used. Send it again.")
    private = room.vault.open(key.sealed, *sealing_key_place(key.number))
    return open_with(private, sealed, info)


def _read(room: Room, number: int) -> SealingKey | None:
    with room.database.reading() as session:
        return storage.taken_out(session, storage.sealing_key(session, number))


def _newest(room: Room) -> SealingKey | None:
    with room.database.reading() as session:
        return storage.taken_out(session, storage.newest_sealing_key(session))


def _is_old(key: SealingKey | None, now: datetime) -> bool:
    return key is None or now >= key.created_at + MONTH


def _is_over(key: SealingKey, now: datetime) -> bool:
    return key.replaced_at is not None and now >= key.replaced_at + OVERLAP


def _make(room: Room, before: SealingKey | None) -> SealingKey | None:
    """The next key, or the one that another process made in the same moment."""
    number = before.number + 1 if before else 1
    private, public = new_sealing_key()
    sealed = room.vault.seal(private, *sealing_key_place(number))
    key = SealingKey(number=number, public=public, sealed=sealed, created_at=room.clock.now())
    with room.database.transaction() as session:
        ours = storage.add_sealing_key(session, key)
    return key if ours else _newest(room)
