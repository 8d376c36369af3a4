"""A KMS that keeps the key which wraps the vault's data keys: the transit engine of HashiCorp Vault, over HTTP.

The protocol: https://developer.hashicorp.com/vault/api-docs/secret/transit. No `associated_data` is sent: `rewrap` does not take it
(https://github.com/hashicorp/vault/issues/29532), and it isn't needed, since what is sealed with a data key is bound to its place.
"""

import base64
import binascii
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import requests

from shared.faults import Unavailable

DATA_KEY_BYTES = 32
DEADLINES = (2.0, 5.0)  # seconds to connect, and to answer
REMEMBERED, AT_MOST = 300.0, 1000  # seconds that an unwrapped data key stays in memory, and how many of them

_log = logging.getLogger(__name__)


class Transit:
    """One named key of a transit engine. Raises Unavailable, whose words hold no secret, whenever it doesn't do what was asked."""

    def __init__(self, url: str, name: str, token: Callable[[], str], deadlines: tuple[float, float] = DEADLINES):
        self._url, self.name, self._token, self._deadlines = url.rstrip("/"), name, token, deadlines

    def wrap(self, data_key: bytes) -> tuple[int, str]:
        """(version, ciphertext) of a data key, under the newest version."""
        return _parts(self._post("encrypt", {"plaintext": base64.b64encode(data_key).decode()}).get("ciphertext"))

    def unwrap(self, version: int, text: str) -> bytes:
        """The data key in clear."""
        told = self._post("decrypt", {"ciphertext": f"vault:v{version}:{text}"})
        try:
            data_key = base64.b64decode(told.get("plaintext", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise _nonsense() from None
        if len(data_key) != DATA_KEY_BYTES:
            raise _nonsense()
        return data_key

    def rewrap(self, version: int, text: str) -> tuple[int, str]:
        """The same data key under the newest version; its plain form doesn't leave the KMS."""
        return _parts(self._post("rewrap", {"ciphertext": f"vault:v{version}:{text}"}).get("ciphertext"))

    def versions(self) -> tuple[int, int]:
        """(the newest version, the oldest that still opens)."""
        told = self._ask("GET", f"keys/{self.name}", None)
        try:
            return int(told["latest_version"]), int(told["min_decryption_version"])
        except (KeyError, TypeError, ValueError):
            raise _nonsense() from None

    def rotate(self) -> None:
        """A new version, which wraps from now on. Twice makes two."""
        self._ask("POST", f"keys/{self.name}/rotate", {})

    def open_from(self, version: int) -> None:
        """Let older versions than this open nothing any more."""
        self._ask("POST", f"keys/{self.name}/config", {"min_decryption_version": version})

    def _post(self, verb: str, body: dict) -> dict:
        return self._ask("POST", f"{verb}/{self.name}", body)

    def _ask(self, method: str, path: str, body: dict | None) -> dict:
        try:
            answer = requests.request(
                method,
                f"{self._url}/v1/transit/{path}",
                json=body,
                headers={"X-Vault-Token": self._token()},
                timeout=self._deadlines,
                allow_redirects=False,  # the token goes to nobody else
            )
        except (requests.RequestException, OSError, ValueError) as trouble:
            _log.error("the KMS can't be asked (%s)", type(trouble).__name__)
            raise Unavailable(
                "kms_unreachable", "The key service does not answer, so stored secrets can't be opened now."
            ) from None
        if answer.status_code in (200, 204):
            return _data(answer)
        _log.error("the KMS answered %s to %s", answer.status_code, path.partition("/")[0])
        code, words = _REFUSALS.get(answer.status_code, ("kms_refused", "The key service refuses: look at its log."))
        raise Unavailable(code, words)


_REFUSALS = {
    400: ("kms_cant_open", "The key service can't open this: its key, or that version of it, is not there or no longer allowed."),
    403: ("kms_refused", "The key service refuses our token: renew CLIENTBILLING_KMS_TOKEN, and look at its policy."),
    404: ("kms_key_missing", "The key service has no such key: make it, and look at CLIENTBILLING_KMS_KEY."),
    503: ("kms_sealed", "The key service is sealed or in maintenance: unseal it."),
}


def _data(answer: requests.Response) -> dict:
    if answer.status_code == 204 or not answer.content:
        return {}
    try:
        told = answer.json()["data"]
    except (ValueError, KeyError, TypeError):
        raise _nonsense() from None
    return told if isinstance(told, dict) else {}


def _parts(ciphertext: Any) -> tuple[int, str]:
    """`vault:v3:text` as (3, text)."""
    kind, _, rest = str(ciphertext).partition(":v")
    version, _, text = rest.partition(":")
    if kind != "vault" or not version.isdecimal() or not text or "." in text:
        raise _nonsense()
    return int(version), text


def _nonsense() -> Unavailable:
    return Unavailable("kms_nonsense", "The key service answers in a way that is not known here: look at CLIENTBILLING_KMS_URL.")


class DataKeys:
    """The KMS as the vault uses it. Unwrapped data keys stay in memory for minutes, so that not every payment asks the KMS."""

    def __init__(self, kms: Transit):
        self._kms, self.name = kms, kms.name
        self._known: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def wrap(self, data_key: bytes) -> tuple[str, str]:
        """(key id, wrapped data key)."""
        return self._named(*self._kms.wrap(data_key))

    def unwrap(self, key_id: str, wrapped: str) -> bytes:
        until, data_key = self._known.get((key_id, wrapped), (0.0, b""))
        if time.monotonic() >= until:
            data_key = self._kms.unwrap(_version(key_id), wrapped)
            self._remember((key_id, wrapped), data_key)
        return data_key

    def rewrap(self, key_id: str, wrapped: str) -> tuple[str, str]:
        return self._named(*self._kms.rewrap(_version(key_id), wrapped))

    def _named(self, version: int, text: str) -> tuple[str, str]:
        return f"{self.name}:{version}", text

    def _remember(self, which: tuple[str, str], data_key: bytes) -> None:
        now = time.monotonic()
        self._known[which] = (now + REMEMBERED, data_key)
        self._known.move_to_end(which)
        while len(self._known) > AT_MOST or next(iter(self._known.values()))[0] <= now:  # the oldest lie first
            self._known.popitem(last=False)


def _version(key_id: str) -> int:
    number = key_id.rpartition(":")[2]
    if not number.isdecimal():
        raise Unavailable("vault_broken", "A stored secret has no form that is known here.")
    return int(number)
