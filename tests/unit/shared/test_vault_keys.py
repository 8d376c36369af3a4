"""A process takes up a changed key file by itself, and the file changes whole or not at all."""

import json
import os

import pytest

from shared import key_file, vault_keys
from shared.faults import Unavailable
from shared.keys import KeyRing, write_keys
from shared.settings import Settings, WrongSetting
from shared.vault import Vault

PLACE = ("credentials", "sealed", "prac_1", "proc_1", "1")


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(vault_keys, "LOOKS_EVERY", 0.0)
    write_keys(tmp_path / "keys")
    return tmp_path / "keys" / "processors.json"


def served(path) -> Vault:
    return Vault(KeyRing.read(path))


def test_two_steps_let_everybody_open_before_anybody_seals(path):
    """After the first step a process opens with both keys and seals with the old, after the second with the new, at last with it alone."""
    process = served(path)
    first = process.seal(b"one", *PLACE)
    assert ("idle", "processors-vault-2", "added") == (key_file.standing(path), key_file.add_key(path), key_file.standing(path))
    assert process.seal(b"x", *PLACE).startswith("v1.processors-vault-1.")
    ahead = json.loads(path.read_text())
    ahead["vault"]["current"] = "processors-vault-2"
    assert b"two" == process.open(Vault(KeyRing(ahead)).seal(b"two", *PLACE), *PLACE)
    assert ("processors-vault-2", "turned") == (key_file.turn(path), key_file.standing(path))
    second = process.seal(b"two", *PLACE)
    assert second.startswith("v1.processors-vault-2.")
    assert b"one" == process.open(first, *PLACE)
    assert (["processors-vault-1"], "idle") == (key_file.drop_old_keys(path), key_file.standing(path))
    assert b"two" == process.open(second, *PLACE)
    with pytest.raises(Unavailable) as refused:
        process.open(first, *PLACE)
    assert "unknown_vault_key" == refused.value.code
    assert "processors-vault-1" in refused.value.detail and "restore the key file of processors" in refused.value.detail


def test_an_unknown_key_is_looked_for_at_once(path, monkeypatch):
    """A process that has just looked reads the file again for a key that it doesn't know; else once a second only."""
    monkeypatch.setattr(vault_keys, "LOOKS_EVERY", 3600.0)
    process = served(path)
    assert process.seal(b"x", *PLACE).startswith("v1.processors-vault-1.")
    key_file.add_key(path)
    key_file.turn(path)
    newer = served(path).seal(b"new", *PLACE)
    assert newer.startswith("v1.processors-vault-2.")
    assert b"new" == process.open(newer, *PLACE)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"service": "tax", "vault": {"current": "a", "keys": {"a": "AAAA"}}}'])
def test_a_file_that_makes_no_sense_changes_nothing(path, content, caplog):
    """Half a file, or another service's: the keys as they were go on, and the log says so."""
    process = served(path)
    envelope = process.seal(b"one", *PLACE)
    path.write_text(content)
    assert b"one" == process.open(process.seal(b"one", *PLACE), *PLACE) == process.open(envelope, *PLACE)
    assert "can't be read" in caplog.text
    path.unlink()
    assert b"one" == process.open(envelope, *PLACE)


def test_the_file_changes_whole_for_its_owner_only(path):
    """Mode 600, nothing left beside it, every other key as it was; a new file stands where one half written lay."""
    before = json.loads(path.read_text())
    path.with_name(".processors.json.new").write_text("half of a key fi")
    os.chmod(path.with_name(".processors.json.new"), 0o644)
    key_file.add_key(path)
    after = json.loads(path.read_text())
    assert {name: part for name, part in before.items() if name != "vault"} == {
        name: part for name, part in after.items() if name != "vault"
    }
    assert 0o600 == path.stat().st_mode & 0o777
    assert not list(path.parent.glob(".*"))


def test_one_rotation_at_a_time(path):
    """Whoever comes second is told."""
    with key_file.held(path), pytest.raises(BlockingIOError), key_file.held(path):
        pass


def test_keys_from_the_environment_are_not_rotated_there(path):
    """The content of a key file in CLIENTBILLING_KEY opens and seals; the way to rotate it is said."""
    settings = Settings({"CLIENTBILLING_KEY": path.read_text()})
    vault = settings.vault("processors")
    assert b"one" == vault.open(vault.seal(b"one", *PLACE), *PLACE)
    with pytest.raises(WrongSetting, match="write its content into a file"):
        settings.key_file("processors")
