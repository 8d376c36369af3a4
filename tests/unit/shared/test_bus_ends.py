"""The ends of the bus: a call that says nowhere to answer to, and what a relay of the embedded broker takes up after a pause."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from amqp.exceptions import AccessRefused
from sqlalchemy import MetaData, insert, select

from shared.answering import AnsweringConsumer
from shared.clock import SetClock
from shared.contracts.tax import Tax
from shared.database import Database
from shared.faults import Unavailable
from shared.outbox import Relay, outbox_table
from shared.sending import FORBIDDEN, Sender

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
REPLIES = "rpc.reply-gateway-" + "0" * 32


def test_a_call_that_nobody_waits_for_is_acknowledged_and_kills_nothing():
    """Without an address for the reply, or with one that is no text, it would come again and again."""
    sent, done = [], []
    consumer = AnsweringConsumer()
    consumer.replies = SimpleNamespace(send=lambda *given, **more: sent.append(more["routing_key"]))
    consumer.queue_consumer = SimpleNamespace(ack_message=done.append)
    for properties in ({}, {"reply_to": 7}, {"reply_to": REPLIES}):
        message = SimpleNamespace(properties=properties, delivery_info={"routing_key": "tax.quote"})
        consumer.reply(message, {"fault": None, "replayed": False}, seconds_left=5.0)
    assert ([REPLIES], 3) == (sent, len(done))


@pytest.mark.parametrize(
    ("trouble", "reached", "code"),
    [
        (AccessRefused("no"), True, FORBIDDEN),
        (AccessRefused("no"), False, "broker_unreachable"),
        (ConnectionResetError(), True, "broker_unreachable"),
    ],
)
def test_what_the_broker_forbids_is_told_from_a_broker_that_is_away(monkeypatch, trouble, reached, code):
    """A message that we may not send must not keep those behind it; refused at the door nothing can be sent at all."""
    sender = Sender("inproc://", confirms=True)

    def fails(*_given, **_more):
        raise trouble

    def connect():
        if not reached:
            raise trouble
        sender._producer = SimpleNamespace(publish=fails)
        return sender._producer

    monkeypatch.setattr(sender, "_connect", connect)
    with pytest.raises(Unavailable) as away:
        sender.send("text", routing_key="said", exchange="tax.events")
    assert code == away.value.code


def test_one_forbidden_event_keeps_no_other_waiting(tmp_path):
    """A release tells of something new before the broker's rights were loaded: it is tried again later, the others go out."""
    with _outbox(tmp_path) as (database, outbox):
        with database.transaction() as session:
            for its_id, event in (("evt_1", "new"), ("evt_2", "said")):
                row = {"practice_id": "prc_1", "body": "{}", "created_at": NOW, "tries": 0}
                session.execute(insert(outbox).values(**row, id=its_id, event=event))
        relay = Relay(Tax)
        relay.database, relay.clock, relay.exchange = database, SetClock(NOW), SimpleNamespace(name="tax.events")
        relay.keys, relay.settings = SimpleNamespace(sign=lambda claims: "token"), SimpleNamespace(time_scale=1.0)
        relay.sender = SimpleNamespace(send=_all_but_new)
        assert relay.relay_once()
        with database.reading() as session:
            left = session.execute(select(outbox.c.id, outbox.c.error).where(outbox.c.published_at.is_(None))).all()
            assert [("evt_1", FORBIDDEN)] == [tuple(row) for row in left]


def _all_but_new(_text, *, routing_key, **_more):
    if routing_key == "new":
        raise Unavailable(FORBIDDEN)
    return True


@contextmanager
def _outbox(folder):
    database, metadata = Database(f"sqlite:///{folder / 'outbox.db'}"), MetaData()
    outbox = outbox_table(metadata)
    metadata.create_all(database.engine)
    yield database, outbox
    database.dispose()


def test_what_went_out_last_goes_out_again_however_long_the_process_was_away(tmp_path):
    """The embedded broker held it and is gone: an hour before the last that went out counts, not an hour before now."""
    ended = NOW - timedelta(days=3)
    row = {"event": "said", "practice_id": "prc_1", "body": "{}", "created_at": ended, "tries": 0}
    with _outbox(tmp_path) as (database, outbox):
        with database.transaction() as session:
            for its_id, before in (("evt_1", 61), ("evt_2", 59), ("evt_3", 0)):
                session.execute(insert(outbox).values(**row, id=its_id, published_at=ended - timedelta(minutes=before)))
            session.execute(insert(outbox).values(**row, id="evt_4", claimed_until=NOW + timedelta(hours=1)))
        relay = Relay(Tax)
        relay.database, relay.clock = database, SetClock(NOW)
        relay._recall()
        free = select(outbox.c.id).where(outbox.c.published_at.is_(None), outbox.c.claimed_until.is_(None)).order_by(outbox.c.id)
        with database.reading() as session:
            assert ["evt_2", "evt_3", "evt_4"] == list(session.scalars(free))
