"""The stage of the scan: a whole system at DEBUG with everything that listens to it, and its people."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import requests

from tests import engines
from tests.leakscan.canaries import Canaries
from tests.leakscan.ears import MailServer, Overheard, Peers, tapping
from tests.leakscan.people import Answers, Reader, Watched
from tests.leakscan.relay import Relay
from tests.system import Embedded, ServiceDatabase, Split, System, wait_until

SERVICES = ("gateway", "invoicing", "processors", "tax", "notifications", "sandbox_books")
SCALE = "100"
BROKER_USERS = ("gateway", "invoicing", "processors", "tax", "notifications", "operator")


class ScannedEmbedded(Embedded):
    """`clientbilling up`, run by the launcher of the scan."""

    module = "tests.leakscan.product"


class ScannedSplit(Split):
    """Each service once, without its supervisor; the broker and the databases are reached through lines that can be cut."""

    module = "tests.leakscan.product"
    counts = {"tax": 1, "notifications": 1, "processors": 1, "invoicing": 1}

    def begin(self, name: str, *arguments: str, **more: str) -> None:
        by_itself = ("--once",) if arguments[0] == "serve" and arguments[1] != "gateway" else ()
        super().begin(name, *arguments, *by_itself, **more)


@dataclass
class Stage:
    """Everything that flows need, and that the scan looks into afterwards."""

    system: System
    canaries: Canaries
    peers: Peers
    bus: Any
    answers: Answers
    mail: MailServer | None = None
    databases: dict[str, ServiceDatabase] = field(default_factory=dict)
    lines: dict[str, Relay] = field(default_factory=dict)
    printed: list[tuple[str, str]] = field(default_factory=list)  # (command, what it printed)
    cast: dict[str, Any] = field(default_factory=dict)  # what one flow leaves for the others

    def someone(self, role: str = "nobody", practice: str = "", client: str = "") -> Watched:
        return Watched(self.system, self.answers, Reader(role, practice, client))

    def api_base(self, kind: str) -> str:
        return self.peers.simulators[kind].url

    def run(self, *command: str) -> None:
        """An operator's command; what it prints is looked into, whatever its exit code."""
        done = self.system.command(*command)
        self.printed.append((" ".join(command), done.stdout + done.stderr))

    @contextmanager
    def raising(self, place: str) -> Iterator[None]:
        """While this lasts, a place of `product.PLACES` raises with everything in its text."""
        flag = self.system.folder / "raise"
        flag.write_text(place)
        try:
            yield
        finally:
            flag.unlink()

    def sql(self, service: str, statement: str) -> list[tuple]:
        """One statement on a service's database, as its owner; for states that time alone brings about."""
        with closing(self.connection(service)) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
            return rows

    def connection(self, service: str) -> Any:
        if self.databases:
            return psycopg2.connect(self.databases[service].owner, connect_timeout=5)
        return sqlite3.connect(self.system.folder / f"{service}.db", timeout=20)

    # mail

    def mails(self) -> list[tuple[list[str], bytes]]:
        """(envelope's addresses, the mail) of everything that went out."""
        if self.mail:
            return list(self.mail.received)
        return [([str(mail["To"])], mail.as_bytes()) for mail in self.system.mails()]

    def link_to(self, address: str, kind: str, within: float = 30.0) -> str:
        """The token of the next link of that kind to an address; it is a canary from then on."""
        known = {one.value for one in self.canaries.all if one.kind == "link"}
        link = re.compile(rf"/{kind}/([\w.~-]{{20,}})")

        def find() -> str:
            ours = [raw for to, raw in self.mails() if address.lower() in (one.lower() for one in to)]
            tokens = [found for raw in ours for found in link.findall(_plain(raw))]
            return next((token for token in reversed(tokens) if token not in known), "")

        return self.canaries.learn("link", wait_until(find, within, 0.05, about=f"a mail about {kind}"))


def _plain(raw: bytes) -> str:
    return message_from_bytes(raw, policy=policy.default).get_body(("plain",)).get_content()  # type: ignore[attr-defined]


@contextmanager
def embedded(folder: Path) -> Iterator[Stage]:
    """Everything in one process, on SQLite, mail as files."""
    canaries = Canaries()
    with Peers(canaries).serving() as peers:
        system = ScannedEmbedded(folder, leakscan=str(folder), time_scale=SCALE, faults_deadline="1")
        with system:
            yield Stage(system, canaries, peers, Overheard(folder), Answers(url_map(folder), canaries))


@contextmanager
def split(folder: Path) -> Iterator[Stage]:
    """Every service a process of its own on RabbitMQ and PostgreSQL, mail by SMTP; every password is a canary."""
    canaries = Canaries()
    smtp = MailServer(canaries.make("smtp_password"))
    with ExitStack() as made:
        peers = made.enter_context(Peers(canaries).serving())
        made.enter_context(smtp.serving())
        password = canaries.make("database_password")
        databases = {name: made.enter_context(engines.fresh_service_database(name, password)) for name in SERVICES}
        brokers = made.enter_context(engines.fresh_bus("leakscan"))
        assert brokers is not None, "ask engines.rabbitmq_takes_definitions() first"
        for user in BROKER_USERS:
            canaries.learn("broker_password", urlsplit(brokers[user]).password or "")
        bus = made.enter_context(tapping(brokers["admin"]))
        lines = {"broker": _line(brokers["admin"], 5672), "database": _line(databases["gateway"].runtime, 5432)}
        for line in lines.values():
            made.callback(line.close)
        told = {user: _through(uri, lines["broker"]) for user, uri in brokers.items()}
        by_line = {
            name: ServiceDatabase(one.owner, _through(one.runtime, lines["database"]), one.role) for name, one in databases.items()
        }
        system = ScannedSplit(
            folder, told, by_line, leakscan=str(folder), time_scale=SCALE, faults_deadline="1", max_workers="4",
            smtp_url=f"smtp://billing:{smtp.password}@127.0.0.1:{smtp.port}",
        )  # fmt: skip
        made.enter_context(system)
        yield Stage(system, canaries, peers, bus, Answers(url_map(folder), canaries), smtp, databases, lines)


def _line(url: str, port: int) -> Relay:
    where = urlsplit(url)
    return Relay(where.hostname or "127.0.0.1", where.port or port)


def _through(url: str, line: Relay) -> str:
    where = urlsplit(url)
    who = where.netloc.rpartition("@")[0]
    return where._replace(netloc=f"{who}@127.0.0.1:{line.port}").geturl()


def url_map(folder: Path) -> Any:
    """The gateway's own map of addresses; its keys are those of the running system."""
    from services.gateway.app import create_app
    from shared.settings import Settings

    app = create_app(Settings({"CLIENTBILLING_DATA": str(folder), "CLIENTBILLING_DEVELOPMENT": "1"}), rpc=object())
    return app.url_map.bind("localhost")


def reachable(stage: Stage) -> set[str]:
    """`METHOD rule` of everything that the gateway can be asked."""
    return {
        f"{method} {rule.rule}"
        for rule in stage.answers.rules.map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def told(answer: requests.Response, *statuses: int) -> dict:
    """What an answer says, where its status is one of these."""
    assert answer.status_code in statuses, (
        f"{answer.request.method} {answer.request.path_url}: {answer.status_code} {answer.text[:900]}"
    )
    return json.loads(answer.content) if answer.content[:1] in (b"{", b"[") else {}


Flow = Callable[[Stage], None]
FLOWS: dict[str, Flow] = {}


def flow(play: Flow) -> Flow:
    """A flow of the scan: a function `(stage)`, played in the order in which they are declared."""
    FLOWS[play.__name__] = play
    return play
