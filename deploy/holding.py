"""Whose a data folder is: the embedded broker can't be shared by two processes."""

import fcntl
from pathlib import Path
from typing import IO

from shared.settings import WrongSetting


def hold(folder: Path) -> IO[str]:
    """Make the folder ours until the file is closed. Raises WrongSetting where another process serves it."""
    held = open(folder / "held", "w")  # noqa: SIM115  # stays open as long as we serve
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise WrongSetting(
            f"{folder} is served by another process already. Stop that one, or name another folder: --data"
        ) from None
    return held


def is_held(folder: Path) -> bool:
    """Whether somebody serves it at this moment."""
    if not (folder / "held").exists():
        return False
    with open(folder / "held") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
