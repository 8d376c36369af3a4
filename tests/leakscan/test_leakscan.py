"""The scan of the system in one process, on SQLite."""

import pytest

from tests.leakscan.scanning import (  # noqa: F401
    stage,
    test_a_planted_leak_is_found_in_every_place_and_encoding,
    test_cards_and_strangers_are_found_too,
    test_every_place_was_looked_into,
    test_every_route_was_played,
    test_no_canary_is_where_it_may_not_be,
)

pytestmark = pytest.mark.timeout(1800)
SYSTEM = "embedded"
