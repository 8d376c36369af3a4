"""The first half of CI's seeds; in two files, so that two processes share the work."""

import pytest

from tests.required import EVERYTHING
from tests.simulation.seeds import must_hold


@pytest.mark.timeout(1500)  # a minute of work, on a machine that does other things beside it
@pytest.mark.parametrize("first", range(1, 251 if EVERYTHING else 26, 25))
def test_whatever_goes_wrong_the_money_is_right(first):
    """Twenty-five seeds of stories among crashes, losses, doubles, delays and cuts: nothing is charged twice, lost or left open."""
    must_hold(first, 25)
