"""A RabbitMQ of the test's own, to be killed, paused and alarmed; the machine's own is left alone."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests import engines
from tests.system import _end_with_the_run, wait_until

_BIN = Path("/usr/lib/rabbitmq/bin")


@cache
def installed() -> bool:
    """Whether a private RabbitMQ can be started; a line in NOT_RUN where not."""
    if shutil.which("rabbitmq-server") and (_BIN / "rabbitmq-server").exists():
        return True
    engines.NOT_RUN.append("a RabbitMQ that is killed, paused and alarmed: rabbitmq-server is not installed here")
    return False


def _port() -> int:
    """A free one below those that the system gives to outgoing connections, which would take it while the broker is away."""
    while True:
        port = random.randint(20000, 32000)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


class PrivateRabbit:
    """One node with everything of its own: name, ports, folders, cookie."""

    def __init__(self, folder: Path):
        self.folder, self.port = folder, _port()
        self.uri = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.node = f"cb{uuid.uuid4().hex[:8]}@localhost"
        (folder / "plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nheartbeat = 10\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")},
            "HOME": str(folder),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        }
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Return when it takes connections."""
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(
                [_BIN / "rabbitmq-server"],
                env=self.environment,
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_end_with_the_run,
            )
        wait_until(self._listens, 60, 0.1, "the private RabbitMQ")

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as door:
            door.settimeout(3)
            door.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(door.recv(7))
        return False

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """As when its machine loses power."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def pause(self, seconds: float) -> None:
        self._signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._signal(signal.SIGCONT)

    def control(self, *words: str) -> None:
        command = [str(_BIN / "rabbitmqctl"), "-q", "-n", self.node, *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self._signal(signal.SIGCONT)
                self.kill()


def serve(play: str, variables: dict[str, str]) -> subprocess.Popen:
    """A play in a process of its own that serves until its input is closed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.messaging.play", play]
    log = open(Path(variables["PLAY_FOLDER"]) / "serve.log", "ab")  # noqa: SIM115
    return subprocess.Popen(command, env={**os.environ, **variables}, stdin=subprocess.PIPE, stdout=log, stderr=log)
