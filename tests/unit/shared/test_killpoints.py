"""Kill points: nothing happens at them, unless somebody watches or one is armed."""

import pytest

from shared import killpoints


@pytest.fixture
def seen():
    places: list[str] = []
    killpoints.watch(places.append)
    yield places
    killpoints.watch(None)


def test_a_watcher_is_told_each_place(seen):
    """Every place that is reached is told, in order; after the watching has ended none is."""
    killpoints.reach("pay.after_send")
    killpoints.reach("pay.before_commit")
    killpoints.watch(None)
    killpoints.reach("pay.after_commit")
    assert ["pay.after_send", "pay.before_commit"] == seen


def test_what_a_watcher_raises_ends_the_work_there(seen):
    """A watcher that raises stops whoever reached the place."""

    def ends(place: str) -> None:
        raise InterruptedError(place)

    killpoints.watch(ends)
    with pytest.raises(InterruptedError, match=r"pay\.after_send"):
        killpoints.reach("pay.after_send")
