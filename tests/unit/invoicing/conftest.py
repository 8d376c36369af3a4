"""A house whose time stands still, and a practice in it."""

from datetime import UTC, datetime

import pytest

from tests.house import House, Practice


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path, datetime(2026, 6, 15, 12, 0, tzinfo=UTC))
    yield made
    made.close()


@pytest.fixture
def practice(house):
    return Practice(house)
