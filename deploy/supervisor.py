"""A small supervisor: starts a service again when it ends by itself, with growing pauses, and passes signals on."""

import logging
import signal
import subprocess
import time
from types import FrameType

log = logging.getLogger(__name__)
PAUSES = (0.5, 1, 2, 5, 10)  # seconds before each new start; a child that lived a minute begins anew
LONG_ENOUGH = 60.0


def keep_running(command: list[str]) -> int:
    """Run `command` until it ends because somebody asked it to; its exit code then."""
    asked: list[int] = []
    child: subprocess.Popen | None = None

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    tries = 0
    while True:
        began = time.monotonic()
        child = subprocess.Popen(command)
        if asked:
            child.send_signal(signal.SIGTERM)
        code = child.wait()
        if asked:
            return 0
        tries = 0 if time.monotonic() - began > LONG_ENOUGH else tries + 1
        pause = PAUSES[min(tries, len(PAUSES) - 1)]
        log.warning("the service ended with %s; it is started again in %s s", code, pause)
        time.sleep(pause)
        if asked:
            return 0
