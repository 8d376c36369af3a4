"""The keys of one service: its own signing, vault and sealing keys, and everybody's public ones. Made once by `keys init`."""

import base64
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from shared.faults import Forbidden, Unavailable
from shared.files import replace
from shared.vault_keys import Held, VaultKeys

SERVICES = ("gateway", "invoicing", "processors", "tax", "notifications")
OPENS_SEALED = ("processors", "notifications")  # who may be sent card data, or addresses
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)  # RFC 9180, base mode


def to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_vault_key() -> str:
    return to_text(os.urandom(32))


def new_sealing_key() -> tuple[bytes, str]:
    """(the private half, the public one as text)."""
    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), to_text(key.public_key().public_bytes_raw())


def seal_to(public: str, key_id: str, secret: bytes, info: str) -> str:
    """`secret` so that only the holder of this key can open it, and only with the same `info`: `key-id.ciphertext`."""
    sealed = _SUITE.encrypt(secret, X25519PublicKey.from_public_bytes(from_text(public)), info.encode())
    return f"{key_id}.{to_text(sealed)}"


def open_with(private: bytes, sealed: str, info: str) -> bytes:
    """What was sealed to this key; raises Forbidden if it was altered or sealed for something else."""
    try:
        key = X25519PrivateKey.from_private_bytes(private)
        return _SUITE.decrypt(from_text(sealed.partition(".")[2]), key, info.encode())
    except Exception:  # the library names its own; whatever it was, nothing was opened
        raise Forbidden("seal_broken", "What was sealed can't be opened here.") from None


def make_keys() -> dict[str, dict]:
    """New keys for every service: `{service: what its key file holds}`; no file holds another's private keys."""
    signing = {service: Ed25519PrivateKey.generate() for service in SERVICES}
    sealing = {service: X25519PrivateKey.generate() for service in OPENS_SEALED}
    public = {service: {f"{service}-1": to_text(key.public_key().public_bytes_raw())} for service, key in signing.items()}
    sealing_public = {
        service: {"id": f"{service}-seal-1", "key": to_text(key.public_key().public_bytes_raw())}
        for service, key in sealing.items()
    }
    made: dict[str, dict] = {}
    for service in SERVICES:
        made[service] = {
            "service": service,
            "signing": {"id": f"{service}-1", "key": to_text(signing[service].private_bytes_raw())},
            "vault": {"current": f"{service}-vault-1", "keys": {f"{service}-vault-1": new_vault_key()}},
            "hmac": to_text(os.urandom(32)),
            "public": public,
            "sealing_public": sealing_public,
        }
        if service in sealing:
            made[service]["sealing"] = {sealing_public[service]["id"]: to_text(sealing[service].private_bytes_raw())}
    return made


def write_keys(folder: Path) -> list[Path]:
    """Key files for every service under `folder`, readable by the owner only; existing ones are left as they are."""
    paths = [folder / f"{service}.json" for service in SERVICES]
    present = [path for path in paths if path.exists()]
    if len(present) == len(paths):
        return []
    if present:
        raise FileExistsError(f"{folder} holds some key files but not all: restore the missing ones from your backup.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path, content in zip(paths, make_keys().values(), strict=True):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
    return paths


def hand_out(folder: Path, to: Path, services: Iterable[str] = SERVICES) -> None:
    """Give each service its own key file, as `key.json` in a folder of its own below `to`."""
    for service in services:
        (to / service).mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(to / service / "key.json", (folder / f"{service}.json").read_bytes())


class KeyRing:
    """What one service signs, seals and opens with."""

    def __init__(self, content: dict, path: Path | None = None):
        """`path` is the file that `content` was read from: its vault keys are taken from it anew when it changes."""
        self.service: str = content["service"]
        self.key_id: str = content["signing"]["id"]
        self._signing = Ed25519PrivateKey.from_private_bytes(from_text(content["signing"]["key"]))
        self._public = {
            (service, key_id): Ed25519PublicKey.from_public_bytes(from_text(key))
            for service, keys in content["public"].items()
            for key_id, key in keys.items()
        }
        self._sealing_public = content.get("sealing_public", {})
        self._sealing = {key_id: from_text(key) for key_id, key in content.get("sealing", {}).items()}
        self.vault_keys = VaultKeys(self._vault_of(content), path, self._vault_of)
        self.hmac_key = from_text(content["hmac"])

    def _vault_of(self, content: dict) -> Held:
        """The vault's part of a key file of this service; raises ValueError or KeyError for another's, or for one without sense."""
        vault, current = content["vault"], content["vault"]["current"]
        keys = {key_id: from_text(key) for key_id, key in vault["keys"].items()}
        if content["service"] != self.service or (current is not None and current not in keys):
            raise ValueError("not the keys of this service")
        return Held(current, keys)

    @classmethod
    def read(cls, path: Path) -> "KeyRing":
        return cls(json.loads(path.read_text()), path)

    def sign(self, claims: dict[str, Any]) -> str:
        """`claims` with our name and key id, signed Ed25519, as `payload.signature`."""
        payload = to_text(json.dumps({**claims, "iss": self.service, "kid": self.key_id}, separators=(",", ":")).encode())
        return payload + "." + to_text(self._signing.sign(payload.encode()))

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that a service of ours signed; raises Forbidden for anything else."""
        try:
            payload, _, signature = token.partition(".")
            claims = json.loads(from_text(payload))
            self._public[claims["iss"], claims["kid"]].verify(from_text(signature), payload.encode())
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
            raise Forbidden("forged_caller", "The call is not signed by a service that is known here.") from None
        return claims

    def seal(self, secret: bytes, service: str, info: str) -> str:
        """`secret` so that only `service` can open it, and only with the same `info`: `key-id.ciphertext`."""
        public = self._sealing_public[service]
        return seal_to(public["key"], public["id"], secret, info)

    def opens(self, key_id: str) -> bool:
        """Whether what was sealed to this key can be opened with the key file."""
        return key_id in self._sealing

    def open(self, sealed: str, info: str) -> bytes:
        """What was sealed to us; raises Forbidden if it was altered or sealed for something else, Unavailable for an unknown key."""
        key_id = sealed.partition(".")[0]
        if key_id not in self._sealing:
            raise Unavailable("unknown_sealing_key", "This was sealed with a key that is not held here.")
        return open_with(self._sealing[key_id], sealed, info)


_SEALING = "sealing_key"  # the claim that tells a signed sealing key from a signed call or event


class SealingKey(NamedTuple):
    """A public key to seal to, as its owner signed it; `until` (UTC) nobody opens any more what is sealed with it."""

    id: str
    public: str
    until: datetime


def signed_sealing_key(keys: KeyRing, key_id: str, public: str, until: datetime) -> str:
    """A sealing key of ours as others can trust it."""
    return keys.sign({_SEALING: key_id, "public": public, "until": int(until.timestamp())})


def read_sealing_key(keys: KeyRing, service: str, signed: str) -> SealingKey:
    """The sealing key that `service` signed; raises Forbidden for anything else."""
    claims = keys.verify(signed)
    if claims["iss"] != service or _SEALING not in claims:
        raise Forbidden("forged_sealing_key", "The sealing key is not signed by the service that it is for.")
    return SealingKey(claims[_SEALING], claims["public"], datetime.fromtimestamp(claims["until"], UTC))
