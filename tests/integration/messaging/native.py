"""Plays about native threads, as the gateway has them under gunicorn: the client is not patched, the service is."""

import os
import subprocess
import sys
import threading
import time

from shared.faults import Unavailable
from tests.integration.messaging.ground import CALLER, Tax, asking, fault_of, play_settings


def serve() -> dict:
    """A service in a process of its own, until its input is closed."""
    from eventlet import tpool

    from tests.integration.messaging.calls import TaxService
    from tests.integration.messaging.ground import running

    with running(play_settings(), TaxService):
        tpool.execute(sys.stdin.read)
    return {}


def thirty_two() -> dict:
    """32 threads ask, each its own words; every answer must reach the one who asked."""
    settings = play_settings()
    environment = {**os.environ, "PLAY_NATIVE": "0"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.messaging.play", "native.serve"]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        with asking(settings) as bus:
            _wait_for(bus)
            wrong: list = []
            threads = [threading.Thread(target=_ask_often, args=(bus, number, wrong)) for number in range(32)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            late = fault_of(bus.ask, Tax.wait, {"word": "slow", "count": 1500}, CALLER, 0.2)
            nobody = fault_of(bus.ask, Tax.missing, {"word": "x"}, CALLER)
            return {"wrong": wrong, "late": late, "missing": nobody["code"], "patched": _patched()}
    finally:
        server.stdin.close()
        server.wait(20)


def _ask_often(bus, number, wrong):
    for turn in range(20):
        word = f"t{number}.{turn}"
        try:
            answer = bus.ask(Tax.echo, {"word": word}, CALLER, 20).data.word
        except Exception as trouble:
            answer = repr(trouble)
        if answer != f"{word}  pra_1":
            wrong.append([word, answer])


def _wait_for(bus):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            bus.ask(Tax.echo, {"word": "there?"}, CALLER, 1)
            return
        except Unavailable:
            time.sleep(0.1)
    raise TimeoutError("the service did not come up")


def _patched():
    from eventlet import patcher

    return patcher.is_monkey_patched("socket")
