"""What the services rely on in a broker, asked of `inproc://` and of RabbitMQ in the same words."""


def test_topics_reach_the_queues_whose_pattern_fits(stage):
    """`*` is one word, `#` any number; what fits nowhere comes back to its sender."""
    assert {
        "one": ["a.b"],
        "many": ["a", "a.b", "a.b.c"],
        "middle": ["a.b", "a.b.c", "x.b"],
        "exact": ["a.b"],
        "returned": ["y.z", "no-such-queue"],
    } == stage("queues.routing")


def test_the_old_and_the_refused_are_buried(stage):
    """By the queue's or the message's own time to live, or refused, a message goes to the dead-letter queue, ageless there."""
    facts = stage("queues.ageing")
    assert (True, [0, 1], True) == (facts["buried"], facts["left"], facts["refused is buried too"])
    assert [["by message", None], ["by queue", None], ["stays", None]] == sorted(facts["in the grave"])


def test_a_full_queue_refuses_and_what_comes_back_too_often_is_buried(stage):
    """Past its length the publisher is refused and nothing in it is lost; past its delivery limit a message is dead-lettered."""
    facts = stage("queues.bounding")
    assert facts["taken"] >= 5 and facts["refused"] > 0
    assert 12 == facts["taken"] + facts["refused"]
    assert (True, [True, True]) == (facts["kept"], facts["buried"])


def test_a_lost_connection_gives_back_what_it_held(stage):
    """At most `prefetch` are held; a break returns them to the head in order, marked as delivered before."""
    facts = stage("queues.returning")
    assert ([0, 1, 2], 3, True) == (facts["held"], facts["left"], facts["back"])
    assert [0, 1, 2, 3, 4, 5] == facts["order"][:6]
    assert ["requeued", True] == facts["head"]


def test_two_readers_share_one_queue(stage):
    """Both get some, none gets another's, properties arrive as sent, and a cancelled reader gets nothing more."""
    facts = stage("queues.sharing")
    assert (list(range(20)), True) == (facts["all"], facts["both"])
    assert ["r", "c", "application/json"] == facts["properties"]
    assert (True, 0) == (facts["headers"], facts["after the cancel"])


def test_an_exclusive_queue_ends_with_its_connection(stage):
    """Nobody can send to the reply queue of a process that has gone."""
    assert stage("queues.sharing")["exclusive gone"]
