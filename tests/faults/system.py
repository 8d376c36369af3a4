"""Systems that are forked rather than started: the embedded one, killed whole and back within a second."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import requests

from tests.system import ROOT, Embedded, wait_until

TIME_SCALE = 10_000


class Zygote:
    """The process that forks; shared by all systems of one run."""

    def __init__(self, log: Path):
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(log, "ab"),  # noqa: SIM115
            text=True,
        )

    def _ask(self, wanted: dict) -> dict:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def fork(self, serve: str, port: int, env: dict, log: Path) -> int:
        return int(self._ask({"serve": serve, "port": port, "env": env, "log": str(log)})["pid"])

    def ended(self, pid: int) -> int:
        """The exit code, negative for a signal; waits until it has ended."""
        return int(self._ask({"wait": pid})["ended"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class Forked(Embedded):
    """The embedded system in a forked process: `arm` a kill point, see whether it `died`, `start` it again."""

    def __init__(self, folder: Path, zygote: Zygote, deadline: float = 1.5, control: str = ""):
        more = {"time_scale": str(TIME_SCALE), "faults_deadline": str(deadline), "faults_arm": str(folder / "arm")}
        super().__init__(folder, **more, **({"faults_control": control} if control else {}))
        self.zygote, self.pid = zygote, 0

    def start(self, **more: str) -> None:
        env = {name: value for name, value in self.environment.items() if name.startswith(("CLIENTBILLING_", "PATH"))}
        self.arm("")
        self.pid = self.zygote.fork("all", self.port, env, self.folder / "up.log")
        self.wait_alive()

    def start_again(self) -> None:
        """After `died`."""
        self.start()

    def wait_alive(self, within: float = 30.0) -> None:
        def answers() -> bool:
            with suppress(requests.RequestException):
                return requests.get(self.url + "/healthz", timeout=5).status_code == 200
            return False

        wait_until(answers, within, 0.05, f"the system's start\n{self.logs()}")

    def arm(self, point: str, within: float = 5.0) -> None:
        """Die at this place from now on; returns once the process has understood it."""
        (self.folder / "arm").write_text(point)
        armed = self.folder / "arm.armed"
        if point:
            wait_until(lambda: armed.exists() and armed.read_text() == point, within, 0.02, f"arming {point}")
        else:
            armed.unlink(missing_ok=True)

    def died(self, within: float) -> bool:
        """Whether it was killed at the armed place within so many seconds; if not, it is killed now."""
        until = time.monotonic() + within
        reached = False
        while not reached and time.monotonic() < until:
            reached = not _runs(self.pid)
            time.sleep(0.02)
        if not reached:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        code = self.zygote.ended(self.pid)
        self.pid = 0
        return reached and code == -signal.SIGKILL

    def kill(self, *names: str) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.zygote.ended(self.pid)
            self.pid = 0

    stop = kill


def _runs(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if not Path("/proc/self").exists():  # not Linux
            with suppress(ProcessLookupError):
                os.kill(pid, 0)
                return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout[:1] != "Z"
        return False
