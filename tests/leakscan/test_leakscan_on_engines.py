"""The scan of the split system on RabbitMQ and PostgreSQL. It takes minutes, so it is part of `make test-all` only."""

import pytest

from tests import engines
from tests.required import EVERYTHING

if EVERYTHING and engines.rabbitmq_uri() and engines.postgres_url() and engines.rabbitmq_takes_definitions():
    from tests.leakscan.scanning import (  # noqa: F401
        stage,
        test_a_planted_leak_is_found_in_every_place_and_encoding,
        test_cards_and_strangers_are_found_too,
        test_every_place_was_looked_into,
        test_every_route_was_played,
        test_no_canary_is_where_it_may_not_be,
    )

pytestmark = pytest.mark.timeout(1800)
SYSTEM = "split"
