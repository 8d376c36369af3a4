"""The vault keys that one process holds: those of its key file as it is now, not as it was when the process started.

A file names a `current` key, that all seal with, and every key that opens. While keys rotate it also names the `next` one, which
only opens: nobody seals with a key before everybody can open with it. Who changes the file is `key_file.py`.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.faults import Unavailable

LOOKS_EVERY = 1.0  # seconds: so long after a file has changed, every process that reads it has taken it up
PAUSE = 5.0  # seconds between the steps of a rotation: several times as long

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """What a key file says of the vault; `current` is None where everything is sealed by a KMS."""

    current: str | None
    keys: dict[str, bytes]


class VaultKeys:
    """The keys of one service; a changed file is taken up at the next use, a second later at most."""

    def __init__(self, held: Held, path: Path | None = None, read: Callable[[dict], Held] | None = None):
        self._held, self._path, self._read = held, path, read
        self._seen: tuple | None = None
        self._looked_at = float("-inf")

    @property
    def current(self) -> tuple[str, bytes]:
        """Id and key to seal with; raises Unavailable where the file names none."""
        held = self._now()
        if held.current is None:
            raise Unavailable(
                "no_vault_key", "The key file holds no vault key: its secrets were given to a KMS. Set the KMS again."
            )
        return held.current, held.keys[held.current]

    @property
    def ids(self) -> list[str]:
        return list(self._now().keys)

    def find(self, key_id: str) -> bytes | None:
        """The key of this id, read anew from the file where it isn't known; None where the file has none either."""
        key = self._now().keys.get(key_id)
        return key if key is not None else self._now(at_once=True).keys.get(key_id)

    def _now(self, at_once: bool = False) -> Held:
        now = time.monotonic()
        if self._path is not None and (at_once or now - self._looked_at >= LOOKS_EVERY):
            self._looked_at = now
            self._look(self._path)
        return self._held

    def _look(self, path: Path) -> None:
        """Take up what has changed; a file that can't be read just now changes nothing."""
        try:
            there = path.stat()
            stamp = (there.st_mtime_ns, there.st_ino, there.st_size)
            if stamp != self._seen and self._read is not None:
                self._held, self._seen = self._read(json.loads(path.read_text())), stamp
        except (OSError, ValueError, KeyError, TypeError) as trouble:
            _log.warning("the key file can't be read (%s); its keys as they were before are used", type(trouble).__name__)
