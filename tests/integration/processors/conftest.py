"""The processors' room with a Stripe account that points at a local Stripe server, over a line that can fail."""

import pytest

from tests.peers import BadLine, start_localstripe, stop_process
from tests.unit.processors.conftest import clock, desk, new_database, room  # noqa: F401

KEY = "sk_test_localstripe4242"


@pytest.fixture(scope="session")
def stripe_url():
    url, process = start_localstripe()
    yield url
    stop_process(process)


@pytest.fixture
def line(stripe_url):
    line = BadLine(stripe_url)
    yield line
    line.close()


@pytest.fixture
def stripe_desk(desk, line):  # noqa: F811
    """A desk whose practice has an active Stripe account over the line; a second of silence is a time-out."""
    desk.room.adapters["stripe"].deadlines = (2.0, 1.0)
    keys = {"secret_key": KEY, "publishable_key": "pk_test_12345", "api_base": line.url}
    desk.account = desk.add("stripe", keys, card_entry="direct")
    return desk
