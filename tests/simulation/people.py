"""People at the gateway's HTTP API, each with a browser that may lose its line; and the two practices that every seed begins with."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from services.gateway.api.door import Route
from services.gateway.api.routes import routes
from services.gateway.asker import Asker
from services.gateway.faults import problem, status_of
from services.gateway.people.secrets import derived
from services.gateway.people.storage import DATABASE_DOWN
from services.gateway.people.usecases.recognising import recognise
from shared.caller import IdempotencyKey
from shared.faults import Fault
from tests.simulation.scheduler import Waiter
from tests.simulation.world import Run

PASSWORD = "a long walk by the river"
WHOLE_WAY = 0.15  # of requests by people who signed in go through HTTP and session, the rest straight to the route
PATIENCE = 30.0  # seconds until a browser gives up
OPEN = (12_050, 999, 100, 25_000, 7_333)  # minor units of the invoices that each client has in the beginning
LOST = 0  # the status of an answer that never came
UNSURE = (LOST, 503)  # after these a person asks again with the same key
MAY_CHANGE = (429, *UNSURE)  # these are not kept under a key


@dataclass
class Reply:
    """What came back: status 0 where nothing did."""

    status: int
    text: str = ""
    replayed: bool = False

    @property
    def data(self) -> Any:
        return json.loads(self.text) if self.text else {}


@dataclass
class Asked:
    """One request under a key and what was first answered for good."""

    who: "Someone"
    method: str
    path: str
    body: Any
    key: str
    final: Reply | None = None


@dataclass
class Someone:
    """A person's token in one practice, and where they are."""

    token: str = ""
    practice: str = ""
    member_id: str = ""
    role: str = ""
    asker: Asker | None = None


@lru_cache(maxsize=4096)
def route_of(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of the API that answers there, and the ids in the path."""
    for route in routes():
        pattern = re.sub(r"\{\w+\}", "([^/]+)", route.path)
        if route.method == method and (found := re.fullmatch(pattern, path)):
            return route, found.groups()
    raise LookupError(f"{method} {path}")


@dataclass
class House:
    """One practice of the beginning."""

    mark: str
    kind: str = "sandbox"  # of its accounts
    id: str = ""
    admin: Someone = field(default_factory=Someone)
    provider: Someone = field(default_factory=Someone)
    clients: list[Someone] = field(default_factory=list)
    processors: list[str] = field(default_factory=list)
    open_invoices: dict[str, list[str]] = field(default_factory=dict)  # by client: sent before the seed's stories begin


class People:
    """Everybody's requests in one run, and all that were asked under a key."""

    def __init__(self, run: Run, houses: Sequence[House] = ()):
        self.run, self.scheduler, self.whole_way = run, run.scheduler, WHOLE_WAY
        self.open_invoices = {one.mark: {client: list(ids) for client, ids in one.open_invoices.items()} for one in houses}
        self.asked: list[Asked] = []
        self.crossings: list[str] = []
        self.wrong: list[str] = []

    def send(self, who: Someone, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """One request and its answer, if it comes back."""
        scheduler, gateway = self.scheduler, self.run.processes["gateway"]
        if scheduler.happens("lose_http"):
            scheduler.count("drops")
            scheduler.sleep(1)
            return Reply(LOST)
        waiter = Waiter(scheduler)
        loses = scheduler.happens("lose_http")
        if not gateway.up:
            scheduler.sleep(0.5)
            return Reply(LOST)
        scheduler.spawn(gateway, f"{method} {path.split('/')[1]}", lambda: self._serve(who, method, path, body, key, waiter, loses))
        gateway_died: Callable[[], None] = lambda: waiter.settle(Reply(LOST))  # noqa: E731
        gateway.on_restart.append(gateway_died)
        answered = waiter.wait(PATIENCE)
        if gateway_died in gateway.on_restart:
            gateway.on_restart.remove(gateway_died)
        reply = waiter.outcome if answered else Reply(LOST)
        scheduler.note(method, path.split("/")[1], reply.status)
        if reply.status >= 500 and reply.status not in (502, 503):
            self.wrong.append(f"{method} {path}: {reply.status} {reply.text}")
        return reply

    def _serve(self, who: Someone, method: str, path: str, body: Any, key: str | None, waiter: Waiter, loses: bool) -> None:
        whole_way = who.asker is None or self.scheduler.random.random() < self.whole_way
        reply = (self._by_http if whole_way else self._by_route)(who, method, path, body, key)
        if loses:
            self.scheduler.count("drops")
        else:
            waiter.settle(reply)

    def _by_http(self, who: Someone, method: str, path: str, body: Any, key: str | None) -> Reply:
        headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
        if key:
            headers["Idempotency-Key"] = key
        browser = self.run.world.app.test_client(use_cookies=False)
        answer = browser.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        return Reply(answer.status_code, answer.get_data(as_text=True), answer.headers.get("Idempotent-Replayed") == "true")

    def _by_route(self, who: Someone, method: str, path: str, body: Any, key: str | None) -> Reply:
        """What the door does once it knows who asks: the same routes and subjects, spared the reading of HTTP and session."""
        where, _, query = path.partition("?")
        route, ids = route_of(method, where)
        given = [dict(parse_qsl(query))] if method == "GET" and route.query else [body or {}] if route.takes is not None else []
        asker = who.asker
        assert asker is not None
        if key and method != "GET":
            text = json.dumps(given, sort_keys=True, separators=(",", ":"))
            fingerprint = derived(asker.gateway.keys.hmac_key, "body", text)
            asker = asker.with_key(IdempotencyKey(key, f"{method} /api/v1{where}"[:200], fingerprint))
        try:
            if route.roles:
                asker.caller.must_be(*route.roles)
            answer = route.view(asker, *ids, *given)
        except Fault as fault:
            return Reply(status_of(fault), json.dumps(problem(fault), sort_keys=True), fault.replayed)
        except DATABASE_DOWN:
            return Reply(503)
        except Exception as trouble:
            return Reply(500, type(trouble).__name__)
        return Reply(answer.status or route.status, answer.text, answer.replayed) if answer is not None else Reply(204)

    def ask(self, who: Someone, method: str, path: str, body: Any = None, key: str | None = None, tries: int = 4) -> Reply:
        """The same request under one key until it is answered for good, or given up."""
        key = key or f"key-{self.scheduler.random.getrandbits(60):x}"
        asked = Asked(who, method, path, body, key)
        self.asked.append(asked)
        return self.again(asked, tries)

    def again(self, asked: Asked, tries: int = 1) -> Reply:
        reply = Reply(LOST)
        for turn in range(tries):
            if turn:
                self.scheduler.sleep(self.scheduler.random.uniform(1, 8))
            reply = self.send(asked.who, asked.method, asked.path, asked.body, asked.key)
            in_progress = reply.status == 409 and reply.data.get("code") == "idempotency_in_progress"
            if reply.status not in MAY_CHANGE and not in_progress:
                self._compare(asked, reply)
                break
        return reply

    def _compare(self, asked: Asked, reply: Reply) -> None:
        """One key has one answer, byte for byte, once it has one of those that are kept."""
        if asked.method != "POST":
            return
        if asked.final is None:
            asked.final = reply
        elif asked.final.status in (200, 201, 202, 402, 502) and (asked.final.status, asked.final.text) != (
            reply.status,
            reply.text,
        ):
            self.wrong.append(
                f"{asked.method} {asked.path} was answered {asked.final.status} {asked.final.text} and then {reply.status} {reply.text}"
            )

    def read(self, who: Someone, path: str) -> Any:
        """What stands there; {} where it can't be had now."""
        reply = self.send(who, "GET", path)
        return reply.data if reply.status == 200 else {}

    def must(self, who: Someone, method: str, path: str, body: Any = None) -> Any:
        reply = self.send(who, method, path, body)
        assert reply.status in (200, 201, 202, 204), (method, path, reply)
        return reply.data


def settle_down(run: Run, kinds: tuple[str, str] = ("sandbox", "sandbox")) -> list[House]:
    """Two practices as people make them: admin, provider, two clients, two accounts of a kind, tax, the service on."""
    houses = [House("east", kinds[0]), House("west", kinds[1])]
    people = People(run)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for house in houses:
                _found(people, house)
        except Exception as trouble:
            failed.append(trouble)
            raise

    run.start_timers()
    run.scheduler.spawn(run.processes["people"], "settling down", work)
    run.pass_by(900, lambda: not run.processes["people"].tasks)
    assert not failed and houses[1].clients, failed
    run.pass_by(120)
    return houses


def _found(people: People, house: House) -> None:
    admin, mark = house.admin, house.mark
    email = f"ada@{mark}.example"
    signed_up = {"practice_name": f"Practice {mark}", "name": "Ada", "email": email, "password": PASSWORD}
    house.id = people.must(admin, "POST", "/practices", signed_up)["practice"]["id"]
    _sign_in(people, admin, email)
    people.must(admin, "PATCH", "/practice", {"partial_payments": True})
    people.must(admin, "PUT", "/alert-preferences", {"email": False})
    for name in ("Main", "Second"):
        made = people.must(admin, "POST", "/processors", {"description": name, "type": house.kind, "credentials": {}})
        house.processors.append(made["id"])
    people.must(admin, "PUT", "/tax/settings", {"requirement": "flat", "name": "Sales tax", "rate": "0.0725"})
    email = f"pat@{mark}.example"
    made = people.must(admin, "POST", "/colleagues", {"name": "Pat", "email": email, "roles": ["provider"]})
    house.provider = _accept(people, email)
    people.must(admin, "PATCH", "/services/client-billing", {"enabled": True, "provider_ids": [made["id"]]})
    for name in ("Cleo", "Carl"):
        email = f"{name.lower()}@{mark}.example"
        people.must(house.provider, "POST", "/clients", {"name": name, "email": email})
        client = _accept(people, email)
        house.clients.append(client)
        body = {"client_id": client.member_id, "description": "Session", "send": True}
        made = [people.must(house.provider, "POST", "/invoices", {**body, "amount": amount}) for amount in OPEN]
        house.open_invoices[client.member_id] = [one["id"] for one in made]


def _accept(people: People, email: str) -> Someone:
    someone = Someone()
    link = link_to(people.run, email)
    while link is None:
        people.scheduler.sleep(2)
        link = link_to(people.run, email)
    people.must(someone, "POST", f"/invitations/{link}", {"password": PASSWORD})
    _sign_in(people, someone, email)
    if len(email.partition("@")[0]) == 4:  # the clients want no mail: of everybody the provider's is enough
        people.must(someone, "PUT", "/alert-preferences", {"email": False})
    return someone


def link_to(run: Run, email: str) -> str | None:
    """The newest invitation's token that was mailed to an address."""
    for mail in reversed(run.world.letterbox.mails):
        if mail.to == email and (found := re.search(r"/invitations/(\S+)", mail.text)):
            return found[1]
    return None


def _sign_in(people: People, someone: Someone, email: str) -> None:
    said = people.must(someone, "POST", "/session", {"email": email, "password": PASSWORD})
    someone.token = said["token"]
    someone.practice, someone.member_id = said["acting_as"]["practice_id"], said["acting_as"]["member_id"]
    someone.role = said["acting_as"]["role"]
    gateway = people.run.world.gateway
    someone.asker = recognise(gateway, someone.token, "token")
