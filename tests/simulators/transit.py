"""HashiCorp Vault's transit engine: named keys with versions, encrypt, decrypt and rewrap, a token, and a seal over it all.

From its documentation and source (https://developer.hashicorp.com/vault/api-docs/secret/transit, builtin/logical/transit). `rewrap`
knows no `associated_data`, as there: what was encrypted with some can't be rewrapped.
"""

import base64
import binascii
import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.simulators.stand import Asked, Reply, Simulator, main

TOKEN = "hvs.canary-of-the-simulated-token"
TOO_OLD = "ciphertext or signature version is disallowed by policy (too old)"


@dataclass
class Key:
    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    min_decryption: int = 1
    min_encryption: int = 0


class Wrong(Exception):
    """An answer of Vault's that is no 2xx."""

    def __init__(self, status: int, *errors: str):
        self.status, self.errors = status, errors


class Transit(Simulator):
    """One transit engine. `sealed` and `token` are what they are called."""

    name = "transit"

    def reset(self) -> None:
        super().reset()
        self.keys: dict[str, Key] = {}
        self.sealed, self.token = False, TOKEN

    def make(self, name: str) -> Key:
        return self.keys.setdefault(name, Key())

    def verb_of(self, asked: Asked) -> str:
        parts = asked.path.removeprefix("/v1/transit/").split("/")
        return {"rotate": "rotate", "config": "config"}.get(parts[-1], "read" if parts[0] == "keys" else parts[0])

    def work(self, asked: Asked) -> Reply:
        try:
            return self._answer(asked)
        except Wrong as wrong:
            return Reply(wrong.status, json.dumps({"errors": list(wrong.errors)}).encode())

    def _answer(self, asked: Asked) -> Reply:
        if self.sealed:
            raise Wrong(503, "Vault is sealed")
        if asked.headers.get("x-vault-token") != self.token:
            raise Wrong(403, "permission denied")
        what, _, rest = asked.path.removeprefix("/v1/transit/").partition("/")
        name, _, action = rest.partition("/")
        given = json.loads(asked.body or b"{}") if asked.method == "POST" else {}
        if what == "keys":
            return self._of_key(name, action, asked.method, given)
        if what not in ("encrypt", "decrypt", "rewrap"):
            raise Wrong(404)
        if name not in self.keys:
            raise Wrong(400, "encryption key not found")
        return _data(getattr(self, "_" + what)(self.keys[name], given))

    def _of_key(self, name: str, action: str, method: str, given: dict) -> Reply:
        if method == "POST" and not action:
            self.make(name)
        elif name not in self.keys:
            raise Wrong(
                404 if method == "GET" else 400, *([] if method == "GET" else [f"no existing key named {name} could be found"])
            )
        key = self.keys[name]
        if action == "rotate":
            key.versions.append(os.urandom(32))
        elif action == "config":
            wanted = int(given.get("min_decryption_version", key.min_decryption))
            if wanted > len(key.versions):
                raise Wrong(400, f"cannot set min decryption version of {wanted}, latest key version is {len(key.versions)}")
            key.min_decryption = max(1, wanted)
        shown = {"latest_version": len(key.versions), "min_decryption_version": key.min_decryption}
        return _data({"name": name, "type": "aes256-gcm96", "derived": False, **shown})

    def _encrypt(self, key: Key, given: dict) -> dict:
        return {
            "ciphertext": _seal(key, _raw(given, "plaintext"), _raw(given, "associated_data")),
            "key_version": len(key.versions),
        }

    def _decrypt(self, key: Key, given: dict) -> dict:
        return {"plaintext": base64.b64encode(_open(key, given, _raw(given, "associated_data"))).decode()}

    def _rewrap(self, key: Key, given: dict) -> dict:
        return {"ciphertext": _seal(key, _open(key, given, b""), b""), "key_version": len(key.versions)}


def _raw(given: dict, name: str) -> bytes:
    try:
        return base64.b64decode(given.get(name, ""), validate=True)
    except (binascii.Error, ValueError):
        raise Wrong(400, f"failed to base64-decode {name}") from None


def _seal(key: Key, plain: bytes, more: bytes) -> str:
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(key.versions[-1]).encrypt(nonce, plain, more)
    return f"vault:v{len(key.versions)}:{base64.b64encode(sealed).decode()}"


def _open(key: Key, given: dict, more: bytes) -> bytes:
    kind, _, rest = str(given.get("ciphertext", "")).partition(":v")
    number, _, text = rest.partition(":")
    if kind != "vault" or not number.isdecimal():
        raise Wrong(400, "invalid ciphertext: no prefix")
    version = int(number)
    if version > len(key.versions):
        raise Wrong(400, "invalid ciphertext: version is too new")
    if version < key.min_decryption:
        raise Wrong(400, TOO_OLD)
    try:
        sealed = base64.b64decode(text, validate=True)
        return AESGCM(key.versions[version - 1]).decrypt(sealed[:12], sealed[12:], more)
    except (binascii.Error, ValueError, InvalidTag):
        raise Wrong(400, "cipher: message authentication failed") from None


def _data(data: dict) -> Reply:
    return Reply(200, json.dumps({"request_id": "r", "data": data}).encode())


if __name__ == "__main__":
    main(Transit)
