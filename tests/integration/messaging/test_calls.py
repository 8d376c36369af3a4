"""Calls, over the embedded broker and RabbitMQ: the same promises on both."""

import pytest


def test_an_answer_is_the_exact_text_and_reads_as_a_record(stage):
    """The caller and the request arrive whole, and the answer comes back as JSON text and as a Record."""
    assert ['{"word":"güt 💳  pra_1"}', "güt 💳  pra_1", False, None] == stage("calls.answering")["echo"]


def test_a_told_text_goes_through_word_for_word(stage):
    """A kept answer is told again byte for byte, with its mark and its status."""
    assert ['{"word":  "as it was"}', True, 202] == stage("calls.answering")["told"]


def test_a_fault_crosses_whole(stage):
    """Kind, code, words, allowed actions, extra facts and the replayed mark arrive as they were raised."""
    fault = stage("calls.answering")["refused"]
    assert ("conflict", "not_now", "Not now.") == (fault["kind"], fault["code"], fault["detail"])
    assert (["wait"], {"balance": 12}, True) == (fault["allowed_actions"], fault["extra"], fault["replayed"])


def test_a_bad_request_names_the_field(stage):
    """Unknown and ill-formed fields are refused by name, also a lone surrogate and an object dressed up as a type."""
    facts = stage("calls.answering")
    assert ["more", "word", "word", "word"] == [
        facts[play]["errors"][0]["field"] for play in ("invalid", "fault inside", "surrogate", "typed")
    ]


def test_an_unexpected_exception_tells_nothing(stage):
    """The caller hears an id, the log holds the place, and neither holds what the exception said."""
    facts = stage("calls.answering")
    assert "internal_error" == facts["stumbled"]["code"]
    assert facts["stumbled"]["extra"]["correlation_id"]
    assert [] == facts["leaked"]
    assert "ok  pra_1" == facts["still there"]


def test_a_call_to_nobody_fails_at_once(stage):
    """Without a service there is no queue: the call comes back undelivered, long before its deadline."""
    fault = stage("calls.answering")["to nobody"]
    assert "unreachable" == fault["kind"]
    assert fault["seconds"] < 4


def test_an_unknown_call_was_certainly_not_done(stage):
    """A service that lacks the call says so at once."""
    fault = stage("calls.answering")["no such call"]
    assert ("unreachable", "no_such_call") == (fault["kind"], fault["code"])


def test_sixty_callers_get_their_own_answers(stage):
    """More callers than workers: each gets the answer to its own question."""
    assert [f"p{number}" for number in range(60)] == stage("calls.answering")["sixty"]


def test_a_timer_survives_its_failures_and_never_overlaps(stage):
    """A run that raises is logged, the next one comes, and no two are under way at once."""
    assert (True, 1) == (stage("calls.answering")["ticked"], stage("calls.answering")["most ticking"])


def test_what_a_service_was_given_is_closed_at_the_stop(stage):
    """A stopped service closes what was built for it, and calls to it then get no answer."""
    facts = stage("calls.answering")
    assert facts["closed"]
    assert "unanswered" == facts["after the stop"]["kind"]


@pytest.mark.parametrize("forger", ["stranger", "may not speak", "other method"])
def test_a_forged_caller_is_refused_and_nothing_runs(stage, forger):
    """Signed with unknown keys, by a service that speaks for nobody, or for another method: forbidden, and not run."""
    facts = stage("calls.forging")
    assert ("forbidden", "forged_caller") == (facts[forger]["kind"], facts[forger]["code"])
    assert ["honest"] == facts["runs"]


def test_a_late_call_is_not_run(stage):
    """Calls that waited beyond their deadline, in a busy service or in the queue of one that is down, never run."""
    facts = stage("calls.deadlines")
    assert ["unanswered"] * 4 == [fault["kind"] for fault in [*facts["late"], facts["while down"]]]
    assert ["slow", "slow done", "given up", "given up done", "afterwards"] == facts["runs"]


def test_a_caller_who_gives_up_does_not_stop_the_work(stage):
    """No answer in time is unknown, not undone: the work goes on."""
    facts = stage("calls.deadlines")
    assert "unanswered" == facts["given up"]["kind"]
    assert facts["finished anyway"]


def test_a_stop_finishes_what_is_in_hand(stage):
    """A service that is stopped in the middle of a call answers it, and the next one does not run it again."""
    assert {"answer": "in hand", "runs": ["in hand", "in hand done"]} == stage("calls.stopping")


@pytest.mark.rabbitmq_only
def test_thirty_two_native_threads_share_one_client(stage):
    """Unpatched, as under gunicorn: 640 calls of 32 threads each reach their asker, and deadlines hold."""
    facts = stage.act_native("native.thirty_two")
    assert ([], False) == (facts["wrong"], facts["patched"])
    assert ("unanswered", "no_such_call") == (facts["late"]["kind"], facts["missing"])


@pytest.mark.rabbitmq_only
def test_a_cut_connection_is_survived(stage):
    """Cut with calls in flight, the callers hear that it is unknown, and the service answers again by itself."""
    facts = stage("breaks.cutting")
    assert ["unanswered"] * 5 == facts["in flight"]
    assert (True, None, True) == (facts["answers again"], facts["still answers"], facts["alive"])


@pytest.mark.rabbitmq_only
def test_while_the_broker_is_away_a_call_is_certainly_not_done(stage):
    """It is refused as unreachable, it never runs, and once the broker is back calls are answered again."""
    facts = stage("breaks.cutting")
    assert ("unreachable", True, True) == (facts["while away"]["kind"], facts["back"], facts["never ran"])


@pytest.mark.rabbitmq_only
def test_news_told_while_the_broker_is_away_is_heard_later(stage):
    """The outbox keeps it until the broker is back."""
    assert [True, True] == stage("breaks.cutting")["news"]


@pytest.mark.rabbitmq_only
def test_a_service_waits_for_its_broker(stage):
    """Started before its broker, it begins to answer when the broker comes."""
    assert "late  pra_1" == stage("breaks.broker_comes_late")["answer"]
