"""Whole systems for tests: everything in one process, or every service in its own on RabbitMQ and PostgreSQL. Real processes, real HTTP."""

import ctypes
import email
import email.policy
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import requests

from tests.engines import ServiceDatabase

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(what, within: float = 30.0, pause: float = 0.1, about: str = "it"):
    """The first true answer of `what()`; fails with words after `within` seconds."""
    until = time.monotonic() + within
    while True:
        if answer := what():
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"{about} did not come true within {within} s")
        time.sleep(pause)


def _end_with_the_run() -> None:
    """In the child, on Linux: be told to end when the test run itself is killed, so that nothing is left serving."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class System:
    """What both kinds share: a data folder, an environment, processes that are ended by their id, and mail."""

    name = ""
    module = "deploy"  # what is run with `python -m`: the product's own command

    def __init__(self, folder: Path, **more: str):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen] = {}
        self.more = more

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTBILLING_")}
        return {
            **own,
            "CLIENTBILLING_DATA": str(self.folder),
            "CLIENTBILLING_DEVELOPMENT": "1",
            "CLIENTBILLING_PUBLIC_URL": self.url,
            "CLIENTBILLING_API_LIMIT": "0",
            "PYTHONUNBUFFERED": "1",
            **{"CLIENTBILLING_" + name.upper(): value for name, value in self.more.items()},
        }

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Run one `clientbilling` command to its end."""
        environment = {**self.environment, **{"CLIENTBILLING_" + name.upper(): value for name, value in more.items()}}
        return subprocess.run(
            [sys.executable, "-m", self.module, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
        )

    def begin(self, name: str, *arguments: str, **more: str) -> None:
        environment = {**self.environment, **{"CLIENTBILLING_" + key.upper(): value for key, value in more.items()}}
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_the_run,
        )

    def wait_ready(self) -> None:
        def answers() -> bool:
            with suppress(requests.RequestException):
                return requests.get(self.url + "/readyz", timeout=10).status_code == 200
            return False

        try:
            wait_until(answers, READY_WITHIN, 0.3, "the system's readiness")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.logs()}") from None

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))

    def kill(self, *names: str) -> None:
        """kill -9, by process id, of the named processes or of all (with their children: they lead a group of their own)."""
        for name in names or tuple(self.processes):
            process = self.processes.pop(name)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        self.processes.clear()

    def mails(self) -> list[email.message.EmailMessage]:
        paths = sorted((self.folder / "mail").glob("[!.]*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]

    def token_for(self, address: str, kind: str = "invitations", within: float = 20.0) -> str:
        """The token in the newest mail to `address` whose link is of that kind."""

        def find() -> str | None:
            for mail in reversed(self.mails()):
                if address in str(mail["To"]):
                    body = mail.get_body(("plain",)).get_content()
                    if found := re.search(rf"/{kind}/([\w.~-]+)", body):
                        return found.group(1)
            return None

        return wait_until(find, within, about=f"a mail to {address}")

    def books(self) -> list[dict]:
        """The sandbox's own books."""
        done = self.command("sandbox-books", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ledger(self) -> subprocess.CompletedProcess:
        return self.command("verify-ledger")

    def __enter__(self) -> "System":
        self.start()  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Embedded(System):
    """`clientbilling up`: everything in one process, nothing else needed."""

    name = "embedded"

    def start(self, **more: str) -> None:
        demo = "--demo" if self.more.get("demo") else "--no-demo"
        self.begin("up", "up", "--port", str(self.port), demo, **more)
        self.wait_ready()


class Split(System):
    """Every service a process of its own (invoicing and processors two each) on RabbitMQ and PostgreSQL, each with its runtime role."""

    name = "rabbitmq and postgresql"
    counts = {"tax": 1, "notifications": 1, "processors": 2, "invoicing": 2}

    def __init__(self, folder: Path, amqp_uri: str | dict[str, str], databases: dict[str, ServiceDatabase], **more: str):
        """`amqp_uri` is one for all, or one for each service and the operator."""
        urls = {f"{service}_database_url": one.runtime for service, one in databases.items()}
        self.owners = {f"{service}_database_url": one.owner for service, one in databases.items()}
        self.owners |= {f"{service}_runtime_role": one.role for service, one in databases.items()}
        self.brokers = amqp_uri if isinstance(amqp_uri, dict) else defaultdict(lambda: amqp_uri)
        super().__init__(folder, amqp_uri=self.brokers["operator"], **urls, **more)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for step in (("keys", "init"), ("migrate", "all")):
            done = self.command(*step, **self.owners)
            assert done.returncode == 0, done.stdout + done.stderr
        self.start_services()
        self.start_gateway()
        self.wait_ready()

    def start_services(self, *names: str, **more: str) -> None:
        for service, count in self.counts.items():
            for number in range(count):
                if not names or service in names:
                    self.begin(f"{service}-{number + 1}", "serve", service, **{"amqp_uri": self.brokers[service], **more})

    def start_gateway(self) -> None:
        port = ("--port", str(self.port))
        self.begin("gateway", "serve", "gateway", *port, "--workers", "2", amqp_uri=self.brokers["gateway"])
