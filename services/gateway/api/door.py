"""The door of the JSON API: routes declared once, refusals in the contract's order, bodies read, answers written."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response, g, request
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge

from services.gateway.asker import Answer
from services.gateway.caller import gateway, must_be_signed_in, route_of_key
from services.gateway.faults import Unreadable
from services.gateway.people.secrets import derived
from shared.caller import Caller, IdempotencyKey
from shared.contract import read
from shared.faults import Invalid, invalid
from shared.fields import Nothing
from shared.ids import new_id

BASE = "/api/v1"
PUBLIC = None
SIGNED_IN: tuple[str, ...] = ()
ADMIN, STAFF, CLIENT = ("admin",), ("admin", "provider"), ("client",)
EVERYBODY = ("admin", "provider", "client")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Route:
    """One method of one path: who may, what it takes and gives, and the view that does it.

    `roles` is PUBLIC, SIGNED_IN (any role), or the roles that may. `exists` looks up the path's object, so that a body
    that is wrong is told only to somebody who may know that the object is there.
    """

    method: str
    path: str
    roles: tuple[str, ...] | None
    view: Callable
    takes: type[Schema] | None = None
    query: type[Schema] | None = None
    gives: type[Schema] | None = None
    status: int = 200
    exists: Callable | None = None
    later: bool = False
    subject: str = ""
    faults: tuple[int, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def summary(self) -> str:
        """What it does, in one sentence: the view's own."""
        return (self.view.__doc__ or self.name.replace("_", " ").capitalize()).strip().splitlines()[0]

    @property
    def flask_path(self) -> str:
        return BASE + self.path.replace("{", "<").replace("}", ">")


class Door:
    """The routes of one subject."""

    def __init__(self, subject: str):
        self.subject = subject
        self.routes: list[Route] = []

    def route(self, method: str, path: str, roles: tuple[str, ...] | None, **more: Any) -> Callable[[Callable], Callable]:
        def declare(view: Callable) -> Callable:
            self.routes.append(Route(method, path, roles, view, subject=self.subject, **more))
            return view

        return declare

    def get(self, path: str, roles: tuple[str, ...] | None, **more: Any) -> Callable:
        return self.route("GET", path, roles, **more)

    def post(self, path: str, roles: tuple[str, ...] | None, **more: Any) -> Callable:
        return self.route("POST", path, roles, **more)


def view_of(route: Route) -> Callable[..., Response]:
    """The Flask view of a route: who · role · object · body · state, in this order."""

    def answer(**ids: str) -> Response:
        who = _who(route)
        try:
            given = _given(route)
            who = _keyed(who, route, given)
            result = route.view(who, *ids.values(), *given)
        except (Invalid, Unreadable, RequestEntityTooLarge) as wrong:
            if route.exists is not None and not _is_own_repeat(wrong):
                route.exists(who, *ids.values())
            raise
        return result if isinstance(result, Response) else respond(result, route.status)

    answer.__name__ = route.name
    return answer


def _is_own_repeat(wrong: Exception) -> bool:
    """Whether it is about a key that the asker used here before: that the object was there is no news, though it may be gone."""
    return isinstance(wrong, Invalid) and wrong.code == "idempotency_key_reused"


def _who(route: Route) -> Any:
    """The Asker who may use the route, or the Visitor of a public one."""
    if route.roles is PUBLIC:
        return Visitor(gateway(), None if g.csrf_failed else g.asker, request.remote_addr or "")
    asker = must_be_signed_in()
    if route.roles:
        asker.caller.must_be(*route.roles)
    return asker


@dataclass(frozen=True)
class Visitor:
    """Whoever asks on a public route: perhaps signed in, always from some address."""

    gateway: Any
    asker: Any
    remote: str
    key: IdempotencyKey | None = None

    @property
    def caller(self) -> Caller:
        """Nobody, with a key of their own address's: strangers' keys don't meet."""
        address = derived(self.gateway.keys.hmac_key, "address", self.remote)[:32]
        return Caller("", "anyone", f"any_{address}", key=self.key)

    def with_key(self, key: IdempotencyKey | None) -> "Visitor":
        return replace(self, key=key)


def respond(answer: Answer | None, status: int = 200) -> Response:
    """The answer's own text, byte for byte; 204 for none."""
    if answer is None:
        return Response(status=204)
    response = Response(answer.text, answer.status or status, mimetype="application/json")
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _given(route: Route) -> list[Any]:
    """What the view is given after the ids: the query, or the body, or nothing."""
    if route.method == "GET":
        return [{name: value for name, value in request.args.items()}] if route.query else []
    body = _body()
    if route.takes is not None:
        return [body]
    read(Nothing, body)
    return []


def _body() -> dict:
    raw = request.get_data(cache=True)
    if request.content_length is None and len(raw) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge()  # it came in chunks, and what is read of those ends at the limit
    if not raw.strip():
        return {}
    if not request.is_json:
        raise Unreadable(415, "unsupported_media_type", "Send JSON, with Content-Type: application/json.")
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unreadable(400, "malformed_json", "The body is not JSON that can be read.") from None
    if not isinstance(body, dict):
        raise invalid("body", "Send an object.")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _keyed(who: Any, route: Route, given: list[Any]) -> Any:
    """Who asks, carrying the request's idempotency key: the client's, or for a POST that goes on to a service one made here."""
    value = request.headers.get("Idempotency-Key")
    if route.method == "GET" or (value is None and (route.method != "POST" or route.roles is PUBLIC)):
        return who
    if value is not None and not _KEY.fullmatch(value):
        raise invalid("Idempotency-Key", "An Idempotency-Key has 1 to 255 visible ASCII characters.")
    text = json.dumps(given, sort_keys=True, separators=(",", ":"))
    fingerprint = derived(gateway().keys.hmac_key, "body", text)
    return who.with_key(IdempotencyKey(value or new_id("key"), route_of_key(), fingerprint))
