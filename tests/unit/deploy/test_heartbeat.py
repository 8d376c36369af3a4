"""The sign of life of a serving process, as a container's health check reads it."""

import os
import subprocess
import sys
import time

import pytest

from deploy import heartbeat
from tests.system import ROOT


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
