"""A sign of life: a serving process writes the time down while its consumers have their broker; `python -m deploy.heartbeat` reads it.

It knows nothing but a file, so that asking costs next to nothing and tells of this very process, not of another of its kind.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

EVERY, TOO_OLD = 2.0, 10.0  # seconds


def place() -> Path | None:
    """The file that CLIENTBILLING_HEARTBEAT names; None where nobody wants to know."""
    named = os.environ.get("CLIENTBILLING_HEARTBEAT")
    return Path(named) if named else None


def beat(listening: Callable[[], bool], sleep: Callable[[float], object]) -> None:
    """For ever, where a file is named: note the time while `listening()`. A process whose green threads are stuck doesn't come to it."""
    while file := place():
        if listening():
            file.touch()
        sleep(EVERY)


def main() -> None:
    """Exit code 0 where the process has listened within ten seconds."""
    file = place()
    if file is None:
        sys.exit("CLIENTBILLING_HEARTBEAT names no file")
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        sys.exit("it has not listened yet")
    if age > TOO_OLD:
        sys.exit(f"it has not listened for {age:.0f} s")


if __name__ == "__main__":
    main()
