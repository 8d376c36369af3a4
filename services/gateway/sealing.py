"""Sealing for processors: with the key that it gives out signed, asked for every few minutes; with the key file's where it can't be."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from services.gateway.asker import Asker
from shared.caller import Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict, Fault
from shared.keys import KeyRing, SealingKey, read_sealing_key, seal_to

FRESH, AGAIN = timedelta(minutes=5), timedelta(seconds=30)  # a key is used unasked; between tries while none can be had

_log = logging.getLogger(__name__)


class Sealing:
    """What one process of the gateway seals with; shared by its threads."""

    def __init__(self, keys: KeyRing, rpc: Any, clock: Any):
        self._keys, self._rpc, self._clock = keys, rpc, clock
        self._key: SealingKey | None = None
        self._ask_at = datetime.min.replace(tzinfo=UTC)

    def seal(self, secret: bytes, info: str, caller: Caller) -> str:
        """`secret` so that only processors can open it, and only with the same `info`."""
        key = self._now(caller)
        return seal_to(key.public, key.id, secret, info) if key else self._keys.seal(secret, "processors", info)

    def forget(self) -> None:
        """Ask anew before the next seal: processors no longer knows the key."""
        self._key, self._ask_at = None, datetime.min.replace(tzinfo=UTC)

    def _now(self, caller: Caller) -> SealingKey | None:
        now = self._clock.now()
        if now >= self._ask_at:
            self._ask_at = now + AGAIN  # others go on with the key that is known meanwhile
            self._ask(caller, now)
        key = self._key
        return key if key is not None and now < key.until else None

    def _ask(self, caller: Caller, now: datetime) -> None:
        try:
            told = self._rpc.ask(Processors.read_sealing_key, {}, caller.with_key(None)).data
            self._key = read_sealing_key(self._keys, "processors", told.signed)
            self._ask_at = now + FRESH
        except Fault as fault:
            _log.warning("the sealing key can't be had (%s); the one before is used", fault.code)


def sent_sealed(asker: Asker, send: Any) -> Any:
    """`send()`, which seals and asks; once more with a newer key where processors no longer knows the one that was used."""
    try:
        return send()
    except Conflict as conflict:
        if conflict.code != "unknown_sealing_key":
            raise
        asker.gateway.sealing.forget()
        return send()
