"""The system as `docker compose up` makes it, under a name and on ports of its own. What is done to its containers is here too."""

import email
import email.policy
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path

import requests

from tests.system import ROOT, System, free_port

UP_WITHIN = 420  # seconds, images included


class Compose(System):
    """Real containers, real HTTP through the proxy; ended and removed with their volumes."""

    name = "containers"

    def __init__(self, folder: Path, **more: str):
        super().__init__(folder, **more)
        self.mail_port = free_port()
        self.project = f"clientbilling-test-{uuid.uuid4().hex[:8]}"

    @property
    def environment(self) -> dict[str, str]:
        settings = {name: value for name, value in super().environment.items() if name != "CLIENTBILLING_DATA"}
        return {
            **settings,
            "COMPOSE_PROJECT_NAME": self.project,
            "CLIENTBILLING_IMAGES": "clientbilling-test",
            "CLIENTBILLING_PORT": str(self.port),
            "CLIENTBILLING_MAIL_PORT": str(self.mail_port),
        }

    def compose(self, *words: str, within: float = 120) -> subprocess.CompletedProcess:
        """`docker compose …` to its end."""
        return subprocess.run(
            ["docker", "compose", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=within
        )

    def must(self, *words: str, within: float = 120) -> str:
        done = self.compose(*words, within=within)
        assert done.returncode == 0, (
            f"docker compose {' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n{self.logs()}"
        )
        return done.stdout

    def start(self, *words: str) -> None:
        """As somebody who has just cloned the repository would."""
        self.must("up", "--build", "--wait", *words, within=UP_WITHIN)

    def scale(self, **counts: int) -> None:
        """So many containers of each, all of them well."""
        wanted = [word for service, count in counts.items() for word in ("--scale", f"{service}={count}")]
        self.must("up", "--wait", "--no-recreate", *wanted, within=UP_WITHIN)

    def stop(self) -> None:
        self.compose("--profile", "operator", "down", "--volumes", "--remove-orphans", "--timeout", "5", within=180)

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """One `clientbilling` command, as an operator runs it."""
        assert not more, "an operator's container has its settings from the compose file"
        return self.compose("run", "--rm", "--no-deps", "-T", "operator", *arguments)

    def mails(self) -> list[email.message.EmailMessage]:
        """What the mail catcher caught, oldest first."""
        caught = requests.get(f"http://127.0.0.1:{self.mail_port}/mails", timeout=10).json()
        return [email.message_from_string(mail["raw"], policy=email.policy.default) for mail in caught]

    def containers(self, service: str) -> list[dict]:
        """What the engine says of each container of a service."""
        ids = self.must("ps", "--quiet", service).split()
        return (
            json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True).stdout)
            if ids
            else []
        )

    def crash(self, service: str) -> str:
        """kill -9 of one container's process; gives the container's id. Its restart policy brings it back.

        `docker kill` would count as somebody's wish, after which no policy starts it again: where we can't signal the
        process itself, that and a start stand for it.
        """
        one = self.containers(service)[0]
        try:
            os.kill(one["State"]["Pid"], signal.SIGKILL)
        except (PermissionError, ProcessLookupError):
            for words in (("kill", "--signal", "KILL"), ("start",)):
                subprocess.run(["docker", *words, one["Id"]], capture_output=True, check=True, timeout=60)
        return one["Id"]

    def well(self, service: str) -> bool:
        """Whether every container of a service runs and is healthy."""
        states = [one["State"] for one in self.containers(service)]
        return bool(states) and all(state["Running"] and state["Health"]["Status"] == "healthy" for state in states)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "60").stdout[-12000:]
