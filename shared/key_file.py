"""Changing a key file while services read it: whole or not at all, and each step of a rotation can be seen from the file alone."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.files import replace
from shared.keys import new_vault_key

IDLE, ADDED, TURNED = "idle", "added", "turned"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else changes the files of this folder until the end. Raises BlockingIOError where somebody is at it."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(folder)


def standing(path: Path) -> str:
    """How far the rotation of this file's vault key is: IDLE, ADDED (all may open with the new key), TURNED (all seal with it)."""
    vault = json.loads(path.read_text())["vault"]
    if vault.get("next"):
        return ADDED
    return TURNED if len(vault["keys"]) > 1 else IDLE


def current(path: Path) -> str:
    """The id of the key that is sealed with."""
    return str(json.loads(path.read_text())["vault"]["current"])


def add_key(path: Path) -> str:
    """A new vault key that opens but doesn't seal yet; its id."""

    content = json.loads(path.read_text())
    numbers = [int(number) for name in content["vault"]["keys"] if (number := name.rpartition("-")[2]).isdecimal()]
    key_id = f"{content['service']}-vault-{max(numbers, default=0) + 1}"
    return _change(path, lambda vault: {**vault, "next": key_id, "keys": {**vault["keys"], key_id: new_vault_key()}})["next"]


def turn(path: Path) -> str:
    """Seal with the key that was added; its id."""
    return _change(path, lambda vault: {**_without(vault, "next"), "current": vault["next"]})["current"]


def drop_old_keys(path: Path) -> list[str]:
    """Keep the current key alone; the ids of those that are gone."""
    before = json.loads(path.read_text())["vault"]["keys"]
    kept = _change(path, lambda vault: {**vault, "keys": {vault["current"]: vault["keys"][vault["current"]]}})["keys"]
    return [key_id for key_id in before if key_id not in kept]


def drop_all_keys(path: Path) -> list[str]:
    """Keep no vault key: a KMS has taken their place. The ids of those that are gone."""
    before = json.loads(path.read_text())["vault"]["keys"]
    _change(path, lambda vault: {**_without(vault, "next"), "current": None, "keys": {}})
    return list(before)


def _change(path: Path, change: Callable[[dict], dict]) -> dict[str, Any]:
    content = json.loads(path.read_text())
    content["vault"] = change(content["vault"])
    replace(path, json.dumps(content, indent=1).encode())
    return content["vault"]


def _without(vault: dict, name: str) -> dict:
    return {key: value for key, value in vault.items() if key != name}
