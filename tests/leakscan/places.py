"""Everywhere a canary could lie: databases and their bytes, logs, the bus, mails, answers, commands, processors, processes."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from tests.leakscan.canaries import Canary
from tests.leakscan.people import Reader
from tests.leakscan.stage import SERVICES, Stage

_CALLER = re.compile(r'"caller": ?"([^"]*)"')


@dataclass(frozen=True)
class Place:
    """Where some bytes lie: its name is what the table of `allowed` speaks of. `reader` where somebody was told them."""

    name: str
    data: bytes
    reader: Reader | None = None

    def name_for(self, canary: Canary) -> str:
        """An answer to somebody of another practice, or to another client, is no place where a canary may be."""
        if self.reader is None or not canary.practice:
            return self.name
        if self.reader.role == "nobody":
            return self.name
        stranger = canary.practice != self.reader.practice
        other_client = self.reader.role == "client" and canary.client not in ("", self.reader.client)
        return self.name.replace(f" {self.reader.role} ", " stranger ", 1) if stranger or other_client else self.name


def everywhere(stage: Stage) -> list[Place]:
    """All of them; what lies in places of the same name, for the same reader, is put together, the same bytes once."""
    found: dict[tuple, dict[bytes, None]] = {}
    for look in (columns, files, logs, messages, mails, answers, commands, processors, processes):
        for place in look(stage):
            found.setdefault((place.name, place.reader), {})[place.data] = None
    return [Place(name, b"\n".join(parts), reader) for (name, reader), parts in found.items()]


def columns(stage: Stage) -> Iterator[Place]:
    """Every table and column of the five services and of the sandbox's own books, row by row."""
    for service in SERVICES:
        with closing(stage.connection(service)) as connection:
            for table, names in _tables(connection).items():
                cursor = connection.cursor()
                cursor.execute(f'SELECT * FROM "{table}"')
                rows = cursor.fetchall()
                for at, name in enumerate(names):
                    values = {_bytes(row[at]) for row in rows if row[at] is not None}
                    yield Place(f"database {service}.{table}.{name}", b"\n".join(sorted(values)))


def _tables(connection: Any) -> dict[str, list[str]]:
    if isinstance(connection, sqlite3.Connection):
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')] for name in names}
    cursor = connection.cursor()
    cursor.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY ordinal_position"
    )
    found: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        found.setdefault(table, []).append(column)
    return found


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return json.dumps(value, ensure_ascii=False).encode() if isinstance(value, dict | list) else str(value).encode()


def files(stage: Stage) -> Iterator[Place]:
    """The bytes of the SQLite files, with their logs and what was freed; and whatever else lies in the data folder."""
    known = {"bus.jsonl", "raise", "held"}
    for path in sorted(stage.system.folder.rglob("*")):
        if not path.is_file() or path.name in known or path.suffix in (".log", ".eml"):
            continue
        if path.name.removesuffix("-wal").removesuffix("-shm").endswith(".db"):
            yield Place(f"file {path.name.split('.')[0]}", path.read_bytes())
        else:
            yield Place(f"file {path.relative_to(stage.system.folder)}", path.read_bytes())


def logs(stage: Stage) -> Iterator[Place]:
    """What every process wrote to its standard output and error at DEBUG; the same line twice is one."""
    for path in sorted(stage.system.folder.glob("*.log")):
        yield Place(f"log {path.stem.rstrip('-0123456789')}", b"\n".join(dict.fromkeys(path.read_bytes().split(b"\n"))))


def messages(stage: Stage) -> Iterator[Place]:
    """What crossed the bus: `bus <service>.<call>`, `bus reply to …`, `bus news of …`; headers and properties apart."""
    asked: dict[str, str] = {}
    bodies: dict[str, list[str]] = {}
    for said in stage.bus.messages():
        name, body = _message(said, asked), said["body"]
        for caller in _CALLER.findall(body):  # apart from what is asked, because it is the same with every call
            bodies.setdefault("bus caller", []).append(caller)
        bodies.setdefault(name, []).append(_CALLER.sub("", body))
        bodies.setdefault(f"{name}, envelope", []).append(json.dumps([said["headers"], said["properties"]], default=repr))
    for name, texts in bodies.items():
        yield Place(name, "\n".join(texts).encode(errors="replace"))


def _message(said: dict, asked: dict[str, str]) -> str:
    """What a message is; `asked` remembers which call a reply belongs to."""
    correlation = said["properties"].get("correlation_id") or ""
    if said["exchange"].endswith(".calls"):
        asked[correlation] = said["key"]
        return f"bus {said['key']}"
    if said["exchange"].endswith(".replies"):
        return f"bus reply to {asked.get(correlation, 'a call')}"
    if said["exchange"].endswith(".events"):
        return f"bus news of {said['exchange'].removesuffix('.events')}.{said['key']}"
    return f"bus {said['exchange'] or 'default'}"


def mails(stage: Stage) -> Iterator[Place]:
    """Mails as they were sent: the address they go to, the other headers, and the text, each as written and as read."""
    for to, raw in stage.mails():
        mail = message_from_bytes(raw, policy=policy.default)
        yield Place("mail to", "\n".join([*to, str(mail["To"])]).encode())
        head = "\n".join(f"{name}: {value}" for name, value in mail.items() if name != "To")
        yield Place("mail headers", head.encode())
        yield Place("mail text", raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2])
        for part in mail.walk():
            if not part.is_multipart():
                yield Place("mail text", part.get_payload(decode=True))


def answers(stage: Stage) -> Iterator[Place]:
    """HTTP answers: `answer <role> <METHOD> <rule>` for bodies, `headers …` and `cookie …` beside it."""
    for one in stage.answers.kept:
        name = f"{one.reader.role} {one.method} {one.rule}"
        cookies = [line for line in one.headers if line.startswith("Set-Cookie:")]
        yield Place(f"answer {name}", one.body, one.reader)
        yield Place(f"cookie {name}", "\n".join(cookies).encode(), one.reader)
        yield Place(f"headers {name}", "\n".join(line for line in one.headers if line not in cookies).encode(), one.reader)


def commands(stage: Stage) -> Iterator[Place]:
    for command, text in stage.printed:
        yield Place(f"command {command.split(' evt_')[0]}", text.encode())


def processors(stage: Stage) -> Iterator[Place]:
    """What the processors' simulators were sent."""
    for name, asked in stage.peers.asked:
        head = "\n".join(f"{header}: {value}" for header, value in asked.headers.items())
        yield Place(f"processor {name}", f"{asked.method} {asked.path}\n{head}\n\n".encode() + asked.body)


def processes(stage: Stage) -> Iterator[Place]:
    """The arguments of the processes, which anybody on the machine can read. (The environment holds the settings.)"""
    for name, process in stage.system.processes.items():
        for path in (Path(f"/proc/{process.pid}/cmdline"), Path(f"/proc/{process.pid}/comm")):
            if path.exists():
                yield Place(f"process {name}", path.read_bytes().replace(b"\0", b" "))
