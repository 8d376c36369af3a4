"""The broker's definitions follow the contracts and what the services really ask; none of it needs a broker."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from deploy.rabbitmq.definitions import USERS, make_definitions, read_passwords, variable
from deploy.rabbitmq.rights import ASKS, CONTRACTS, rights_of

ROOT = Path(__file__).parents[3]
PASSWORDS = {user: f"secret of {user}" for user in USERS}


def test_invoicing_may_ask_exactly_what_its_stories_ask():
    """Each call that a use case names is allowed, and nothing that none names."""
    said = " ".join(path.read_text() for path in (ROOT / "services/invoicing/usecases").glob("*.py"))
    named = {
        f"{call.service}.{call.name}"
        for name in ("Tax", "Processors")
        for call in CONTRACTS[name.lower()].calls()
        if re.search(rf"\b{name}\.{call.name}\b", said)
    }
    assert named == {f"{call.service}.{call.name}" for call in ASKS["invoicing"]}


@pytest.mark.parametrize("service", ["processors", "tax", "notifications"])
def test_who_asks_nobody_writes_to_no_calls(service):
    """And its stories ask nobody, so that nothing is missing."""
    assert ".calls" not in rights_of(service).write.replace(r"\.", ".")
    assert not [path for path in (ROOT / "services" / service).rglob("*.py") if "shared.asking" in path.read_text()]


def test_a_password_is_only_there_as_its_hash():
    """RabbitMQ's own scheme: base64 of four bytes of salt and SHA-256 of salt and password; the password is nowhere."""
    made = make_definitions("v", PASSWORDS)
    assert "secret of" not in str(made)
    for user in made["users"]:
        raw = base64.b64decode(user["password_hash"])
        assert hashlib.sha256(raw[:4] + PASSWORDS[user["name"]].encode()).digest() == raw[4:]


def test_passwords_come_from_the_environment_or_are_made_once(tmp_path):
    """The environment wins; missing ones are written to the file, readable by its owner only, and read from there again."""
    file = tmp_path / "passwords"
    first = read_passwords({variable("tax"): "given"}, file)
    assert "given" == first["tax"]
    assert "given" not in file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777
    again = read_passwords({variable("tax"): "given"}, file)
    assert first == again
    assert len(set(first.values())) == len(USERS)


def test_without_a_password_or_a_file_the_variable_is_named():
    """Nothing is made up that nobody could read again."""
    with pytest.raises(KeyError, match="CLIENTBILLING_GATEWAY_BROKER_PASSWORD"):
        read_passwords({}, None)


def test_every_exchange_that_a_permission_names_is_made():
    """A service's own user makes none: what it writes to and binds from is in the definitions."""
    made = make_definitions("v", PASSWORDS)
    exchanges = {exchange["name"] for exchange in made["exchanges"]}
    assert {permission["exchange"] for permission in made["topic_permissions"]} <= exchanges
    assert {binding["source"] for binding in made["bindings"]} <= exchanges
    assert all(binding["destination"] in {queue["name"] for queue in made["queues"]} for binding in made["bindings"])
