"""Whose rows the work in hand may touch: said for one green thread or thread, and forgotten at its end."""

import threading
from contextlib import suppress

import eventlet
import pytest

from shared.tenancy import EVERY_PRACTICE, acting, acting_for_all, acting_in


def test_nothing_is_said_before_and_after():
    """Nobody acts by default; an inner word counts inside only, also where it ends badly."""
    assert "" == acting()
    with acting_in("prac_one"):
        with suppress(KeyError), acting_for_all():
            assert EVERY_PRACTICE == acting()
            raise KeyError
        assert "prac_one" == acting()
    assert "" == acting()


def test_no_practice_is_every_practice():
    """An id that would open every row is refused."""
    with pytest.raises(ValueError), acting_in(EVERY_PRACTICE):
        pass


def test_green_threads_that_take_turns_keep_their_own():
    """Two green threads that give way to each other each act in their own practice; a new one begins with nothing."""
    seen = []

    def work(practice_id):
        seen.append(acting())
        with acting_in(practice_id):
            for _ in range(3):
                eventlet.sleep(0)
                seen.append(acting() == practice_id)

    with acting_in("prac_outside"):
        for one in [eventlet.spawn(work, f"prac_{number}") for number in range(2)]:
            one.wait()
        assert "prac_outside" == acting()
    assert sorted(map(str, ["", "", *[True] * 6])) == sorted(map(str, seen))


def test_a_native_thread_begins_with_nothing():
    """What one thread said is not another's."""
    seen = []
    with acting_in("prac_one"):
        thread = threading.Thread(target=lambda: seen.append(acting()))
        thread.start()
        thread.join()
    assert [""] == seen
