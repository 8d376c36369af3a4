"""What the gateway's subjects are given: the gateway itself, who asks, and the answers they return. It knows no HTTP."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from marshmallow import Schema

from shared.caller import Caller, IdempotencyKey
from shared.contract import Call
from shared.fields import Record


@dataclass
class Gateway:
    """What is shared by all requests: settings, the bus (`rpc.ask`), the people's database, keys, clock and passwords."""

    settings: Any
    rpc: Any
    database: Any
    keys: Any
    clock: Any
    passwords: Any
    vault: Any = None
    sealing: Any = None

    def ask(self, call: Call, body: dict, caller: Caller) -> Any:
        """A service's answer; raises its fault, or Unavailable."""
        return self.rpc.ask(call, body, caller)

    def link(self, *path: str) -> str:
        """A public address of ours, for mail."""
        return "/".join([self.settings.public_url, *path])


@dataclass
class Answer:
    """An answer of ours with the shape of those that come from the bus: `text` is its exact JSON, `data` the same to read."""

    text: str
    status: int | None = None
    replayed: bool = False
    gives: type[Schema] | None = field(default=None, repr=False)

    @cached_property
    def data(self) -> Record:
        body = json.loads(self.text) if self.text else {}
        return Call(gives=self.gives).load_answer(body) if self.gives else Record(body)


def told(data: Any, gives: type[Schema] | None = None, status: int | None = None) -> Answer:
    """An answer made here: `data` written as `gives` says."""
    return Answer(as_text(gives().dump(data) if gives else data), status=status, gives=gives)


def as_text(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


@dataclass
class Asker:
    """Who asks, in one membership of one practice.

    `person` {id, name, email, email_confirmed}; `memberships` a list of {practice_id, practice_name, role, member_id};
    `practice` {id, name, currency, time_zone, ...}; `via` is "cookie" or "token"; `caller` carries the request's key.
    """

    gateway: Gateway
    caller: Caller
    person: Record
    memberships: list[Record]
    practice: Record
    csrf_token: str
    via: str
    session_id: str = ""

    @property
    def role(self) -> str:
        return self.caller.role

    @property
    def member_id(self) -> str:
        return self.caller.member_id

    @property
    def practice_id(self) -> str:
        return self.caller.practice_id

    @property
    def acting_as(self) -> Record:
        """The membership this person acts in."""
        mine = (self.practice_id, self.role)
        return next(one for one in self.memberships if (one.practice_id, one.role) == mine)

    def ask(self, call: Call, body: dict | None = None) -> Any:
        """A service's answer to this person, `body` as JSON; raises the service's fault, or Unavailable."""
        return self.gateway.ask(call, body or {}, self.caller)

    def with_key(self, key: IdempotencyKey | None) -> "Asker":
        """The same asker, whose calls carry this idempotency key."""
        return replace(self, caller=self.caller.with_key(key))
