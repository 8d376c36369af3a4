"""A fresh gateway for each test, or one for a whole file where a test only looks."""

import pytest

from tests.unit.gateway.world import World


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """A gateway for tests that are refused and leave nothing behind."""
    made = World(tmp_path_factory.mktemp("steady"))
    made.steady_admin = made.admin()
    yield made
    made.close()
