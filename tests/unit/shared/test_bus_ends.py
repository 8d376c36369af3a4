"""The ends of the bus: a call that says nowhere to answer to, and what a relay of the embedded broker takes up after a pause."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from sqlalchemy import MetaData, insert, select

from shared.answering import AnsweringConsumer
from shared.clock import SetClock
from shared.contracts.tax import Tax
from shared.database import Database
from shared.outbox import Relay, outbox_table

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


def test_what_went_out_last_goes_out_again_however_long_the_process_was_away(tmp_path):
    """The embedded broker held it and is gone: an hour before the last that went out counts, not an hour before now."""
    database, metadata = Database(f"sqlite:///{tmp_path / 'outbox.db'}"), MetaData()
    outbox = outbox_table(metadata)
    metadata.create_all(database.engine)
    ended = NOW - timedelta(days=3)
    row = {"event": "said", "practice_id": "prc_1", "body": "{}", "created_at": ended, "tries": 0}
    with database.transaction() as session:
        for its_id, before in (("evt_1", 61), ("evt_2", 59), ("evt_3", 0)):
            session.execute(insert(outbox).values(**row, id=its_id, published_at=ended - timedelta(minutes=before)))
        session.execute(insert(outbox).values(**row, id="evt_4", claimed_until=NOW + timedelta(hours=1)))
    relay = Relay(Tax)
    relay.database, relay.clock = database, SetClock(NOW)
    relay._recall()
    with database.reading() as session:
        free = select(outbox.c.id).where(outbox.c.published_at.is_(None), outbox.c.claimed_until.is_(None)).order_by(outbox.c.id)
        assert ["evt_2", "evt_3", "evt_4"] == list(session.scalars(free))
    database.dispose()
