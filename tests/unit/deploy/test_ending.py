"""Ended while it waits for its broker, a service ends: nothing is in hand."""

import os
import selectors
import signal
import subprocess
import sys
import time

from deploy.databases import migrate_one
from shared.keys import write_keys
from shared.settings import Settings
from tests.system import free_port


def test_a_service_that_waits_for_its_broker_ends_when_it_is_told_to(tmp_path):
    """SIGTERM before the broker was ever there: gone within seconds, with nothing to complain of."""
    chosen = {"CLIENTBILLING_DATA": str(tmp_path), "CLIENTBILLING_AMQP_URI": f"amqp://guest:guest@127.0.0.1:{free_port()}//"}
    write_keys(Settings(chosen).keys_folder)
    migrate_one(Settings(chosen), "tax")
    words = [sys.executable, "-W", "ignore", "-m", "deploy", "serve", "tax", "--once"]
    with subprocess.Popen(words, env={**os.environ, **chosen}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            _says(process.stderr, "waiting for the broker")
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert 0 == process.wait(10)
            assert 5 > time.monotonic() - began
        finally:
            process.kill()


def _says(stream, words: str, within: float = 30.0) -> None:
    until = time.monotonic() + within
    with selectors.DefaultSelector() as selector:  # `select` takes no file descriptor above 1023
        selector.register(stream, selectors.EVENT_READ)
        while time.monotonic() < until:
            if selector.select(1.0) and words in stream.readline():
                return
    raise AssertionError(f"it never said {words!r}")
