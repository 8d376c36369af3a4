"""The definitions that RabbitMQ loads: a virtual host, a user for each service and for the operator, and what news stands on."""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kombu import Exchange, Queue

from deploy.rabbitmq.rights import ASKS, CONTRACTS, OPERATOR, handlers, rights_of, rights_of_operator
from shared import queues
from shared.keys import SERVICES
from shared.settings import PREFIX

USERS = (*SERVICES, OPERATOR)


def variable(user: str) -> str:
    """The variable that holds a user's password."""
    return f"{PREFIX}{user.upper()}_BROKER_PASSWORD"


def read_passwords(environ: Mapping[str, str], file: Path | None) -> dict[str, str]:
    """A password for each user: from the environment, else from `file`, which is written with those that it lacked.

    Raises KeyError with the variable's name where there is none and no file to keep a new one in.
    """
    kept = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line) if file and file.exists() else {}
    known = {user: environ.get(variable(user)) or kept.get(variable(user)) for user in USERS}
    missing = [user for user, password in known.items() if not password]
    if missing and file is None:
        raise KeyError(variable(missing[0]))
    made = {user: secrets.token_urlsafe(24) for user in missing}
    if made and file is not None:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
            out.writelines(f"{variable(user)}={password}\n" for user, password in made.items())
    return {user: made.get(user) or str(known[user]) for user in USERS}


def make_definitions(vhost: str, passwords: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    """What `rabbitmqctl import_definitions` and `load_definitions` take; users are called `prefix` + service."""
    rights = {user: rights_of(user) if user in SERVICES else rights_of_operator() for user in USERS}
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(prefix + user, passwords[user]) for user in USERS],
        "permissions": [
            {"user": prefix + user, "vhost": vhost, "configure": may.configure, "write": may.write, "read": may.read}
            for user, may in rights.items()
        ],
        "topic_permissions": [
            {"user": prefix + user, "vhost": vhost, "exchange": exchange, "write": write, "read": read}
            for user, may in rights.items()
            for exchange, (write, read) in sorted(may.topics.items())
        ],
        **_topology(vhost),
    }


def _user(name: str, password: str) -> dict[str, Any]:
    """RabbitMQ's rabbit_password_hashing_sha256: base64 of a salt of four bytes and SHA-256 of the salt and the password."""
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _topology(vhost: str) -> dict[str, list]:
    """What services may use but not make (exchanges), and the queues of news, so that none is told before it has a place."""
    heard = handlers()
    exchanges = [*map(queues.calls_exchange, SERVICES), *map(queues.replies_exchange, ASKS)]
    exchanges += [*(queues.events_exchange(name) for name, told in CONTRACTS.items() if told.events())]
    exchanges += [queues.again_exchange(service) for service in sorted({handler.service for handler in heard})]
    kept: list[Any] = [queues.news_queue(handler.event, handler.service, handler.method) for handler in heard]
    kept += [queues.parking_queue(handler.service, handler.queue) for handler in heard]
    return {
        "exchanges": [_exchange(exchange, vhost) for exchange in exchanges],
        "queues": [
            {"name": queue.name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": queue.queue_arguments}
            for queue in kept
        ],
        "bindings": [binding for queue in kept for binding in _bindings(queue, vhost)],
    }


def _exchange(exchange: Exchange, vhost: str) -> dict[str, Any]:
    kind = {"durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    return {"name": exchange.name, "vhost": vhost, "type": exchange.type, **kind}


def _bindings(queue: Queue, vhost: str) -> list[dict[str, Any]]:
    return [
        {
            "source": bound.exchange.name,
            "vhost": vhost,
            "destination": queue.name,
            "destination_type": "queue",
            "routing_key": bound.routing_key,
            "arguments": {},
        }
        for bound in queue.bindings
    ]
