"""One system of containers for the whole file of tests; where no Docker engine answers nothing here is collected, and the run says so."""

import time

import pytest

from tests import engines
from tests.compose.system import Compose

collect_ignore_glob = [] if engines.docker() else ["test_*.py"]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Look-ups and retries run ten times as fast as in production; leases don't."""
    made = Compose(tmp_path_factory.mktemp("compose"), time_scale="10")
    began = time.monotonic()
    try:
        made.start()
        print(f"\ncompose up --build --wait: {time.monotonic() - began:.1f} s")
        yield made
    finally:
        made.stop()
