"""The sign of life of a serving process, as a container's health check reads it."""

import os
import subprocess
import sys
import time

import pytest

from deploy import heartbeat
from shared.keys import write_keys
from tests.system import ROOT, free_port, wait_until


class Enough(Exception):
    """Ends the beating."""


def _end(seconds):
    raise Enough


def _exit_code(file):
    command = [sys.executable, "-m", "deploy.heartbeat"]
    environment = {**os.environ, "CLIENTBILLING_HEARTBEAT": str(file)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False).returncode


def test_only_a_process_that_listens_gives_a_sign(tmp_path, monkeypatch):
    """No file, or an old one, is unwell; one touched while the process listened is well; one that doesn't listen touches nothing."""
    file = tmp_path / "heartbeat"
    monkeypatch.setenv("CLIENTBILLING_HEARTBEAT", str(file))
    with pytest.raises(Enough):
        heartbeat.beat(lambda: False, _end)
    assert not file.exists()
    assert _exit_code(file) != 0
    with pytest.raises(Enough):
        heartbeat.beat(lambda: True, _end)
    assert _exit_code(file) == 0
    long_ago = time.time() - 2 * heartbeat.TOO_OLD
    os.utime(file, (long_ago, long_ago))
    assert _exit_code(file) != 0


def test_the_gateways_workers_give_a_sign_too(tmp_path):
    """The image's own health check passes for a gateway that serves, also where no compose file says how to ask it."""
    file = tmp_path / "heartbeat"
    write_keys(tmp_path / "keys")
    own = {"DATA": str(tmp_path), "AMQP_URI": "amqp://nobody@127.0.0.1:1/none", "HEARTBEAT": str(file)}
    environment = {**os.environ, **{f"CLIENTBILLING_{name}": value for name, value in own.items()}}
    command = [sys.executable, "-W", "ignore", "-m", "deploy", "serve", "gateway", "--port", str(free_port()), "--workers", "1"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(file.exists, 30, about="the gateway's sign of life")
            assert _exit_code(file) == 0
        finally:
            process.terminate()
