"""Secrets at rest: AES-256-GCM envelopes whose ciphertext opens only in the very place it was made for.

Each has a data key of its own. `v1.<key id>.…` has it wrapped by a key of the key file, `v2.<name>:<version>.…` by a KMS.
"""

import json
import logging
import os
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.faults import Unavailable
from shared.keys import KeyRing, from_text, to_text
from shared.kms import DataKeys, Transit

OURS, OF_KMS = "v1.", "v2."  # what an envelope begins with

_log = logging.getLogger(__name__)


def begins(key_id: str) -> str:
    """How every envelope begins whose data key this key wraps."""
    return f"{OF_KMS if ':' in key_id else OURS}{key_id}."


def key_id_of(envelope: str) -> str:
    """The id of the key that an envelope needs, as it says itself."""
    return envelope.split(".", 2)[1] if envelope.count(".") > 1 else ""


class Vault:
    """Seals with the KMS where there is one, else with the service's current vault key; opens with whatever it still holds."""

    def __init__(self, keys: KeyRing, kms: Transit | None = None):
        self._keys, self._kms = keys, DataKeys(kms) if kms else None

    def seal(self, secret: bytes, *place: str) -> str:
        """An envelope of `secret`, bound to `place` (table, column, practice, record): moved elsewhere it can't be opened.

        Asks the KMS where there is one, so never inside a transaction: `sealer` is for that.
        """
        return self.sealer().seal(secret, *place)

    def sealer(self) -> "Sealer":
        """One seal to be made soon, by then without asking anybody. Raises Unavailable where the KMS doesn't answer."""
        data_key = os.urandom(32)
        return Sealer(self._keys, data_key, self._kms.wrap(data_key) if self._kms else None)

    def open(self, envelope: str, *place: str) -> bytes:
        """The secret; raises Unavailable where the key is unknown, out of reach, or the envelope is not of this place."""
        try:
            version, key_id, first, *rest = envelope.split(".")
            parts = [from_text(part) for part in rest]
        except ValueError:
            raise Unavailable("vault_broken", "A stored secret has no form that is known here.") from None
        try:
            if version + "." == OURS and len(parts) == 3:
                return self._opened(key_id, from_text(first), *parts, place=place)
            if version + "." == OF_KMS and len(parts) == 2:
                nonce, text = parts
                return AESGCM(self._unwrapped(key_id, first)).decrypt(nonce, text, _bound("v2", key_id.partition(":")[0], place))
        except (InvalidTag, ValueError):
            raise Unavailable("vault_broken", "A stored secret can't be opened here.") from None
        raise Unavailable("vault_broken", "A stored secret has no form that is known here.")

    def holds(self, key_id: str) -> bool:
        """Whether envelopes of this key can be opened here, as far as can be told without asking a KMS."""
        if ":" in key_id:
            return self._kms is not None and self._kms.name == key_id.partition(":")[0]
        return self._keys.vault_keys.find(key_id) is not None

    def renew(self, envelope: str, *place: str) -> str:
        """The same secret under the newest key. One of the KMS's never leaves it in clear: its data key is wrapped anew there."""
        if self._kms is None or not envelope.startswith(OF_KMS):
            return self.seal(self.open(envelope, *place), *place)
        version, key_id, wrapped, rest = envelope.split(".", 3)
        self._must_be_ours(key_id)
        return ".".join([version, *self._kms.rewrap(key_id, wrapped), rest])

    def _opened(self, key_id: str, *parts: bytes, place: tuple[str, ...]) -> bytes:
        key = self._keys.vault_keys.find(key_id)
        if key is None:
            _refuse(self._keys.service, key_id)
        wrap_nonce, wrapped, nonce, text = parts
        bound = _bound("v1", key_id, place)
        return AESGCM(AESGCM(key).decrypt(wrap_nonce, wrapped, bound)).decrypt(nonce, text, bound)

    def _unwrapped(self, key_id: str, wrapped: str) -> bytes:
        self._must_be_ours(key_id)
        assert self._kms is not None
        return self._kms.unwrap(key_id, wrapped)

    def _must_be_ours(self, key_id: str) -> None:
        if not self.holds(key_id):
            _refuse(self._keys.service, key_id)


class Sealer:
    """A fresh data key, wrapped already where a KMS does that; it seals one secret."""

    def __init__(self, keys: KeyRing, data_key: bytes, wrapped: tuple[str, str] | None):
        self._keys, self._data_key, self._wrapped = keys, data_key, wrapped

    def seal(self, secret: bytes, *place: str) -> str:
        nonce = os.urandom(12)
        if self._wrapped is not None:
            key_id, wrapped = self._wrapped
            sealed = AESGCM(self._data_key).encrypt(nonce, secret, _bound("v2", key_id.partition(":")[0], place))
            return ".".join(["v2", key_id, wrapped, to_text(nonce), to_text(sealed)])
        (key_id, key), wrap_nonce = self._keys.vault_keys.current, os.urandom(12)
        bound = _bound("v1", key_id, place)
        wrapped_here = AESGCM(key).encrypt(wrap_nonce, self._data_key, bound)
        sealed = AESGCM(self._data_key).encrypt(nonce, secret, bound)
        return ".".join(["v1", key_id, *map(to_text, (wrap_nonce, wrapped_here, nonce, sealed))])


def _refuse(service: str, key_id: str) -> NoReturn:
    """What is missing is said to the operator by name; a key's id is no secret."""
    kms = ":" in key_id
    mend = "set the KMS that it belongs to" if kms else f"restore the key file of {service} that holds it"
    _log.error("a stored secret of %s needs the vault key %s, which is not held here: %s", service, key_id[:60], mend)
    raise Unavailable(
        "unknown_vault_key", f"A stored secret was sealed with the key {key_id[:60]}, which is not held here: {mend}."
    )


def _bound(version: str, key: str, place: tuple[str, ...]) -> bytes:
    return json.dumps([version, key, *place], separators=(",", ":")).encode()
