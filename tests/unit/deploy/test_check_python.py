"""What `make` says of a machine that can't carry the product as it is."""

import os
import subprocess
import sys

import pytest

from tests.system import ROOT

INTEL_MAC = "def system():\n    return 'Darwin'\n\n\ndef machine():\n    return 'x86_64'\n"


def _check(folder, *, cargo: bool) -> subprocess.CompletedProcess:
    """On a Python that takes itself for an Intel Mac's, with or without what builds a package there."""
    tools = folder / "bin"
    tools.mkdir()
    if cargo:
        (tools / "cargo").write_text("#!/bin/sh\n")
        (tools / "cargo").chmod(0o755)
    (folder / "platform.py").write_text(INTEL_MAC)
    environment = {**os.environ, "PATH": str(tools), "PYTHONPATH": str(folder)}
    command = ["/bin/sh", str(ROOT / "deploy/check-python"), sys.executable]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("cargo", [False, True])
def test_an_intel_mac_is_told_its_ways_out(tmp_path, cargo):
    """It ends with words before an installation that can't succeed; where packages can be built it goes on."""
    done = _check(tmp_path, cargo=cargo)
    assert (not cargo) == ("docker compose up" in done.stdout)
    assert cargo == (done.returncode == 0), done.stdout + done.stderr
