"""A process that has everything imported and forks whole systems, so that hundreds of them can be killed and started in minutes.

It takes JSON lines on its standard input: `{"env": …, "port": …, "log": …, "serve": "all" or a service}` answers `{"pid": …}`;
`{"wait": pid}` answers `{"ended": code}` once it has ended. What it forks is the product itself; only read deadlines and leases are
made short (CLIENTBILLING_FAULTS_DEADLINE seconds), and a kill point can be armed while it serves, by the file CLIENTBILLING_FAULTS_ARM.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

import eventlet

eventlet.monkey_patch()

_read = eventlet.patcher.original("os").read
_waitpid = eventlet.patcher.original("os").waitpid


def main() -> None:
    _import_everything()
    for line in _lines():
        wanted = json.loads(line)
        if "wait" in wanted:
            _say({"ended": os.waitstatus_to_exitcode(_waitpid(wanted["wait"], 0)[1])})
            continue
        pid = os.fork()
        if pid == 0:
            _serve(wanted)
        _say({"pid": pid})


def _lines() -> Any:
    rest = b""
    while chunk := _read(0, 65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _say(answer: dict) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _import_everything() -> None:
    import requests  # noqa: F401
    import stripe  # noqa: F401

    from deploy import embedded  # noqa: F401
    from deploy.services import DOORS, door
    from services.gateway import app  # noqa: F401

    for service in DOORS:
        door(service)


def _serve(wanted: dict) -> None:
    """In the child: serve until killed; never returns."""
    code = 1
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing is left when the run is killed
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        for name in [name for name in os.environ if name.startswith("CLIENTBILLING_")]:
            del os.environ[name]
        os.environ.update(wanted["env"])
        _serve_it(wanted)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _serve_it(wanted: dict) -> None:
    from deploy import embedded
    from deploy.cli import log_to_stderr
    from deploy.services import serve_service
    from shared.settings import Settings

    settings = Settings.read()
    log_to_stderr()
    make_short(float(os.environ["CLIENTBILLING_FAULTS_DEADLINE"]))
    if break_ := os.environ.get("CLIENTBILLING_FAULTS_CONTROL"):
        from tests.faults import controls

        controls.take_away(break_)
    eventlet.spawn(_arm_when_told, os.environ["CLIENTBILLING_FAULTS_ARM"], settings.development)
    if wanted["serve"] == "all":
        embedded.serve(settings, "127.0.0.1", wanted["port"], demo=False)
    else:
        serve_service(settings, wanted["serve"])


def make_short(seconds: float) -> None:
    """Waiting for a processor ends after so many seconds, and so do leases shortly after."""
    from datetime import timedelta

    from services.processors.adapters import register
    from services.processors.model import attempts
    from services.processors.usecases import attempting, looking_up

    attempting.LEASE_BEYOND = looking_up.LEASE_BEYOND = timedelta(seconds=1)
    attempts.PAYER_HAS = timedelta(seconds=20) * float(os.environ["CLIENTBILLING_TIME_SCALE"])  # time to be asked to cancel
    build = register.build_adapters

    def short(settings: Any, books: Any) -> Any:
        adapters = build(settings, books)
        for adapter in adapters.values():
            adapter.read_deadline = seconds
            if hasattr(adapter, "deadlines"):
                adapter.deadlines = (1.0, seconds)
        return adapters

    register.build_adapters = short
    from services.processors import config

    config.build_adapters = short


def _arm_when_told(path: str, development: bool) -> None:
    """Look into the file every 20 ms; what it names is armed, and `armed` written beside it."""
    from shared import killpoints

    armed = ""
    while True:
        eventlet.sleep(0.02)
        try:
            with open(path) as file:
                name = file.read().strip()
        except FileNotFoundError:
            name = ""
        if name != armed:
            killpoints.arm(name or None, development)
            armed = name
            with open(path + ".armed", "w") as file:
                file.write(name)


if __name__ == "__main__":
    main()
