"""News, over both brokers and both databases: told after the commit, heard, with its effect once."""

from contextlib import ExitStack

import pytest

from tests.integration.messaging.news import KILLED


def test_all_that_was_committed_is_told_and_nothing_else(stage):
    """Thirty at once are all heard with what they carry; one that was rolled back is not."""
    facts = stage("news.telling")
    assert sorted(f"w{number} {number} pra_1 UTC" for number in range(30)) == facts["effects"]
    assert (True, True, 0) == (facts["all heard"], facts["all marked"], facts["undone"])


def test_heard_twice_has_its_effect_once(stage):
    """Published a second time, the handler runs again and the inbox keeps the effect single."""
    facts = stage("news.telling")
    assert (30, True, True) == (facts["runs at first"], facts["heard twice"], facts["marked again"])
    assert 30 == len(facts["effects"])


def test_a_failing_handler_is_tried_again_with_growing_pauses(stage):
    """What fails twice succeeds at the third try, others meanwhile pass, and later pauses are longer."""
    facts = stage("news.failing")
    assert (True, True) == (facts["twice had its effect"], facts["good"])
    assert (3, 1) == (facts["runs"]["twice"], facts["runs"]["good"])
    assert facts["last pause is longer than the first"]


def test_after_eight_tries_it_is_parked_where_it_can_be_read(stage):
    """Poison is tried eight times, has no effect, and lies whole in the dead queue; nothing spins."""
    facts = stage("news.failing")
    assert (True, 8, []) == (facts["parked"], facts["runs"]["poison"], facts["effects"])
    assert {"tries": 8, "holds the word": True} == facts["dead letter"]
    assert 0 == facts["left in the queue"]


def test_forged_news_is_parked_unheard(stage):
    """An event that its source did not sign never reaches the handler."""
    assert (True, 0) == (stage("news.failing")["forged parked"], stage("news.failing")["runs"]["forged"])


def test_no_body_is_logged(stage):
    """Eight failures and a parking later no log line holds what the event carried."""
    assert [] == stage("news.failing")["leaked"]


def test_news_that_nobody_hears_stays_until_somebody_does(stage):
    """Returned by the broker, it stays in the outbox with its tries counted, and is heard once a listener has come."""
    facts = stage("news.unheard")
    assert (True, [True, "nobody_listens"]) == (facts["tried"], facts["kept"])
    assert (True, True) == (facts["heard"], facts["marked"])


def test_news_in_the_hand_of_a_dead_service_goes_to_the_next(stage):
    """A handler whose process is killed gives its message back to the broker."""
    assert {"begun": True, "heard": True, "runs": 1} == stage("news.killed_in_hand")


def test_a_full_queue_makes_the_outbox_wait(stage):
    """What a handler's queue refuses stays in the outbox, nothing is lost, and all is heard once there is room."""
    facts = stage("news.overfull")
    assert (True, True) == (facts["some wait"], facts["all heard"])
    assert facts["waiting"] > 0 and facts["in the queue"] >= 3


@pytest.mark.rabbitmq_only
def test_news_that_kills_its_service_again_and_again_is_parked(stage):
    """kill -9 at each delivery: past the limit the broker parks it whole, and the service lives again."""
    with ExitStack() as stack:
        place = {**stage.place(stack), "PLAY_DELIVERIES": "2"}
        assert stage.act("news.telling_the_deadly", **place)["told"]
        for _ in range(3):
            stage.act("news.dying_of_it", expected_exit=KILLED, **place)
        facts = stage.act("news.after_the_deadly", **place)
    assert {"parked": True, "left": 0, "why": "delivery_limit", "whole": True} == facts


@pytest.mark.rabbitmq_only
def test_without_the_limit_it_would_never_end(stage):
    """The negative control: with a limit that is out of reach the same news is still in the queue, ready to kill again."""
    with ExitStack() as stack:
        place = {**stage.place(stack), "PLAY_DELIVERIES": "1000"}
        assert stage.act("news.telling_the_deadly", **place)["told"]
        for _ in range(3):
            stage.act("news.dying_of_it", expected_exit=KILLED, **place)
        facts = stage.act("news.after_the_deadly", **place)
    assert (False, 1) == (facts["parked"], facts["left"])


@pytest.mark.parametrize("kill_at", ["before_publish", "after_publish", "before_mark", "before_inbox"])
def test_killed_around_the_outbox_news_has_its_effect_once(stage, kill_at):
    """kill -9 at each point between commit and effect: after a new start the effect is there, once."""
    with ExitStack() as stack:
        place = stage.place(stack)
        stage.act("news.dying", expected_exit=KILLED, PLAY_KILL_AT=f"outbox.{kill_at}", **place)
        facts = stage.act("news.coming_back", **place)
    assert (True, True) == (facts["heard"], facts["marked"])
    assert ["announced", "survivor 1 pra_1 UTC"] == facts["effects"]
    assert 1 == facts["noted"]
