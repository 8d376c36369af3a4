"""Named places where a test may kill the process, so that crashes are shown and not imagined."""

import os
import signal
from collections.abc import Callable

_armed: str | None = None
_watcher: Callable[[str], None] | None = None


def arm(name: str | None, development: bool) -> None:
    """Die at `name` from now on; ignored outside development."""
    global _armed
    _armed = name if development else None


def watch(watcher: Callable[[str], None] | None) -> None:
    """Tell `watcher` each place that is reached, until told None: how a simulation gives others their turn, or ends somebody there."""
    global _watcher
    _watcher = watcher


def reach(name: str) -> None:
    """Nothing, unless this very place was armed: then the process is killed as by `kill -9`."""
    if _watcher is not None:
        _watcher(name)
    if _armed is not None and _armed == name:
        os.kill(os.getpid(), signal.SIGKILL)
