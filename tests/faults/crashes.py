"""Crashes on both engine pairs with the sandbox: the embedded system, and every service forked on RabbitMQ and PostgreSQL."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from services.processors.sandbox_books import DONE, SandboxBooks
from shared.settings import Settings
from tests.faults.histories import POINTS, Case
from tests.faults.system import TIME_SCALE, Zygote, _runs
from tests.system import Split, wait_until

BEHAVIOURS = ("ok", "decline", "answer lost", "hang")
VERBS = ("pay", "refund", "void", "send", "close")
_CARDS = {"ok": "4242424242424242", "decline": "4000000000000002", "answer lost": "4000000000000119", "hang": "4000000000000259"}


def every_case() -> list[Case]:
    """Kill point × verb, and for payments × what the card does."""
    cases = [Case("sandbox", verb, "ok", point) for point in POINTS for verb in VERBS]
    cases += [Case("sandbox", "pay", behaviour, point) for point in POINTS for behaviour in BEHAVIOURS[1:]]
    return [case for case in cases if case.can_be]


@dataclass
class Sandbox:
    """The sandbox as a peer: its cards misbehave, its own books judge."""

    environment: dict
    kind = SimpleNamespace(type="sandbox", card=_CARDS["ok"], waits="4000002500003155", voids_by="cancel")
    account = {"type": "sandbox", "credentials": {}}

    def tell(self, command: str, **given: object) -> None:
        """It takes no commands: nothing to mend, nothing to settle."""

    def misbehave(self, verb: str, behaviour: str, times: int) -> None:
        """Its cards do."""

    def card_of(self, behaviour: str) -> str:
        return _CARDS[behaviour]

    def books(self) -> list[dict]:
        books = SandboxBooks.of(Settings(self.environment))
        try:
            return [{**vars(entry), "status": _status(entry)} for entry in books.listed()]
        finally:
            books.close()


def _status(entry) -> str:
    return "approved" if entry.status == DONE and entry.happened and entry.kind != "cancel" else entry.status


class ForkedSplit(Split):
    """The split system with its services forked: any of them is killed at a kill point and started anew; the gateway lives on."""

    counts = {"tax": 1, "notifications": 1, "processors": 2, "invoicing": 2}

    def __init__(self, folder: Path, amqp_uri, databases, zygote: Zygote, deadline: float = 1.5):
        super().__init__(folder, amqp_uri, databases, time_scale=str(TIME_SCALE), faults_deadline=str(deadline))
        self.zygote = zygote
        self.pids: dict[str, int] = {}

    def start_services(self, *names: str, **more: str) -> None:
        for service, count in self.counts.items():
            for number in range(count):
                self._fork(f"{service}-{number + 1}", service)

    def _fork(self, name: str, service: str) -> None:
        env = {key: value for key, value in self.environment.items() if key.startswith(("CLIENTBILLING_", "PATH"))}
        env |= {"CLIENTBILLING_AMQP_URI": self.brokers[service], "CLIENTBILLING_FAULTS_ARM": str(self.folder / f"arm-{name}")}
        (self.folder / f"arm-{name}").write_text("")
        self.pids[name] = self.zygote.fork(service, 0, env, self.folder / f"{name}.log")

    def arm(self, point: str) -> None:
        """Whichever service comes to this place first dies there."""
        for name in self.pids:
            (self.folder / f"arm-{name}").write_text(point)

        def armed() -> bool:
            files = [self.folder / f"arm-{name}.armed" for name in self.pids]
            return all(file.exists() and file.read_text() == point for file in files)

        wait_until(armed, 5.0, 0.02, f"arming {point}")

    def died(self, within: float) -> bool:
        """Whether a service was killed at the armed place within so many seconds; the others are disarmed then."""
        until = time.monotonic() + within
        while all(map(_runs, self.pids.values())) and time.monotonic() < until:
            time.sleep(0.02)
        for name in self.pids:
            (self.folder / f"arm-{name}").write_text("")
        time.sleep(0.1)
        return not all(map(_runs, self.pids.values()))

    def start_again(self) -> None:
        for name, pid in list(self.pids.items()):
            if not _runs(pid):
                self.zygote.ended(pid)
                self._fork(name, name.rpartition("-")[0])
        self.wait_ready()

    def stop(self) -> None:
        super().stop()
        for pid in self.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.zygote.ended(pid)
        self.pids.clear()

    @property
    def judged(self) -> Settings:
        """With the owners' rights, to look at every practice."""
        owners = {"CLIENTBILLING_" + name.upper(): value for name, value in self.owners.items()}
        return Settings({**self.environment, **owners})
