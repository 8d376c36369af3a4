"""News leaves a service as rows written in the transaction of what happened, and is heard once: outbox, relay and inbox.

`hears`, the other end, is in `hearing.py` and named here too.
"""

import hashlib
import logging
import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from nameko.extensions import DependencyProvider
from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    Update,
    and_,
    column,
    delete,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import Session

from shared import wire
from shared.clock import SystemClock
from shared.contract import Contract, Event
from shared.database import Database, Moment, after_commit, insert_new
from shared.faults import Unavailable
from shared.fields import rfc3339
from shared.hearing import hears
from shared.ids import earliest_id, new_id
from shared.killpoints import reach
from shared.mishap import log_mishap
from shared.queues import events_exchange
from shared.sending import FORBIDDEN, FULL, Sender
from shared.tenancy import acting_for_all

__all__ = ["Relay", "emit", "forget_old_news", "heard_before", "hears", "inbox_table", "outbox_table"]

BATCH = 50
LEASE = timedelta(seconds=30)
LONGEST_BACKOFF = 600.0  # seconds
REPUBLISHED = timedelta(hours=1)
PUBLISHED_KEPT, HEARD_KEPT, AT_ONCE = timedelta(days=30), timedelta(days=90), 10_000

_log = logging.getLogger(__name__)
_bells: dict[Any, set[threading.Event]] = defaultdict(set)  # database -> the relays of this process that watch it


def outbox_table(metadata: MetaData) -> Table:
    """The news still to be published, and what was."""
    waiting = text("published_at IS NULL")
    return Table(
        "outbox",
        metadata,
        Column("id", String(40), primary_key=True),
        Column("event", String(60), nullable=False),
        Column("practice_id", String(40), nullable=False),
        Column("body", Text, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("claimed_until", Moment),
        Column("published_at", Moment),
        Column("tries", Integer, nullable=False, server_default="0"),
        Column("error", String(60)),
        Index("ix_outbox_waiting", "id", postgresql_where=waiting, sqlite_where=waiting),
    )


def inbox_table(metadata: MetaData) -> Table:
    """Which handler has heard which event."""
    return Table(
        "inbox",
        metadata,
        Column("event_id", String(40), primary_key=True),
        Column("handler", String(120), primary_key=True),
        Column("heard_at", Moment, nullable=False),
    )


_outbox = outbox_table(MetaData())
_inbox = table("inbox", column("event_id"), column("handler"), column("heard_at", Moment))


def emit(session: Session, event: Event, body: Any, now: datetime, practice_id: str) -> str:
    """Tell `event` once the session's transaction is committed; gives its id. `body` is what the event carries."""
    event_id = new_id("evt")
    row = {
        "id": event_id,
        "event": event.name,
        "practice_id": practice_id,
        "body": wire.to_text(event.dump(body)),
        "created_at": now,
        "tries": 0,
    }
    session.execute(_outbox.insert(), row)
    after_commit(session, partial(_ring, session.get_bind().engine.url))
    return event_id


def heard_before(session: Session, news: Mapping, handler_name: str, now: datetime) -> bool:
    """Whether this handler has had this event's effect already; if not, notes it in the session's own transaction."""
    reach("outbox.before_inbox")
    return not insert_new(session, _inbox, {"event_id": news["event_id"], "handler": handler_name, "heard_at": now})


def forget_old_news(database: Database, now: datetime, relays: bool = True) -> None:
    """Delete news that went out a month ago (where the service `relays`), and notes of what was heard of news a quarter of a year old.

    What was noted under another name (a webhook's, a difference's) says nothing of its age: there the note's own counts.

    Ten thousand rows of each at most, for an hourly timer. What never went out stays.
    """
    with database.transaction() as session:
        if relays:
            old = select(_outbox.c.id).where(
                _outbox.c.id < earliest_id("evt", now - PUBLISHED_KEPT), _outbox.c.published_at.is_not(None)
            )
            session.execute(delete(_outbox).where(_outbox.c.id.in_(old.order_by(_outbox.c.id).limit(AT_ONCE))))
        named, longest = _inbox.c.event_id, now - HEARD_KEPT
        ours = and_(named >= "evt_", named < earliest_id("evt", longest))  # a range of the primary key, as are the others
        others = and_(or_(named < "evt", named >= "evu"), _inbox.c.heard_at < longest)
        for past in (ours, others):
            heard = select(named).where(past).order_by(named).limit(AT_ONCE)
            session.execute(delete(_inbox).where(named.in_(heard)))


class Relay(DependencyProvider):
    """Publishes what the service's outbox holds: at least once, in the order written where nothing goes wrong.

    Rows are claimed by lease, so that several processes share the work and a dead one's rows are taken over.
    """

    def __init__(self, contract: type[Contract], durable: bool = True):
        self.contract, self.durable = contract, durable

    def setup(self) -> None:
        self.settings = self.container.config["SETTINGS"]
        service = self.contract.service
        self.keys = self.settings.keys(service)
        self.database = Database(self.settings.database_url(service), pool_size=2, durable=self.durable)
        self.exchange = events_exchange(service)
        self.sender = Sender(self.settings.amqp_uri, confirms=True, exchanges=(self.exchange,))
        self.clock, self.bell, self.stopping = SystemClock(), threading.Event(), False
        self.poll = max(0.1, 1 / self.settings.time_scale)
        _bells[self.database.engine.url].add(self.bell)

    def start(self) -> None:
        self._thread = self.container.spawn_managed_thread(self._run, identifier="relay")

    def stop(self) -> None:
        self.stopping = True
        self.bell.set()
        self._thread.wait()
        _bells[self.database.engine.url].discard(self.bell)
        self.sender.close()
        self.database.dispose()

    def get_dependency(self, worker_ctx: Any) -> "Relay":
        return self

    @acting_for_all()
    def _run(self) -> None:
        recalled = not self.settings.embedded
        while not self.stopping:
            try:
                if not recalled:
                    self._recall()
                    recalled = True
                busy = self.relay_once()
            except Exception as trouble:
                log_mishap(_log, f"relay of {self.contract.service}", trouble)
                busy = False
            if not busy:
                self.bell.wait(self.poll)
                self.bell.clear()

    def _recall(self) -> None:
        """The embedded broker forgets with its process: claim again what may not have been heard. Inboxes bear it.

        That is what went out in the last hour of the process before, however long ago it ended.
        """
        with self.database.transaction() as session:
            session.execute(update(_outbox).where(_outbox.c.published_at.is_(None)).values(claimed_until=None))
            newest = session.scalar(select(_outbox.c.published_at).order_by(_outbox.c.published_at.desc().nulls_last()).limit(1))
            if newest is not None:
                recent = update(_outbox).where(_outbox.c.published_at > newest - REPUBLISHED)
                session.execute(recent.values(published_at=None, claimed_until=None))

    def relay_once(self) -> bool:
        """Publish one batch; whether anything went out. Where the broker is away the rest waits a second, no try counted."""
        rows = self._claim()
        published: list[Row] = []
        refused: list[tuple[Row, str]] = []
        for row in rows:
            try:
                if self._publish(row):
                    published.append(row)
                else:
                    refused.append((row, "nobody_listens"))
            except Unavailable as trouble:
                if trouble.code not in (FULL, FORBIDDEN):
                    _log.warning("the outbox of %s waits for the broker", self.contract.service)
                    break
                refused.append((row, trouble.code))
        if rows:
            reach("outbox.before_mark")
            self._mark(published, refused, rows[len(published) + len(refused) :])
        return bool(published)

    def _claim(self) -> list[Row]:
        now = self.clock.now()
        free = _outbox.c.claimed_until.is_(None) | (_outbox.c.claimed_until < now)
        waiting = select(_outbox.c.id).where(_outbox.c.published_at.is_(None), free).order_by(_outbox.c.id).limit(BATCH)
        with self.database.reading() as session:  # so that an idle relay never takes the write lock
            if session.execute(waiting.limit(1)).first() is None:
                return []
        with self.database.transaction() as session:
            ids = session.scalars(waiting.with_for_update(skip_locked=True)).all()
            claim = update(_outbox).where(_outbox.c.id.in_(ids)).values(claimed_until=now + LEASE)
            rows = session.execute(claim.returning(*_outbox.c)).all()
        return sorted(rows, key=lambda row: row.id)

    def _publish(self, row: Row) -> bool:
        claims = {
            "id": row.id,
            "event": row.event,
            "practice_id": row.practice_id,
            "at": rfc3339(row.created_at),
            "sha256": hashlib.sha256(row.body.encode()).hexdigest(),
        }
        envelope = wire.to_wire({"token": self.keys.sign(claims), "body": row.body})
        reach("outbox.before_publish")
        routed = self.sender.send(envelope, exchange=self.exchange.name, routing_key=row.event, mandatory=True)
        reach("outbox.after_publish")
        return routed

    def _mark(self, published: list[Row], refused: list[tuple[Row, str]], unsent: list[Row]) -> None:
        now = self.clock.now()
        with self.database.transaction() as session:
            done = {"published_at": now, "claimed_until": None, "error": None}
            session.execute(_these(published).values(done))
            if unsent:
                later = {"claimed_until": now + timedelta(seconds=1), "error": "broker_unreachable"}
                session.execute(_these(unsent).values(later))
            for row, why in refused:
                pause = min(2.0**row.tries, LONGEST_BACKOFF) / self.settings.time_scale
                again = {"tries": row.tries + 1, "error": why, "claimed_until": now + timedelta(seconds=pause)}
                session.execute(_these([row]).values(again))
        for row, why in refused:
            _log.warning("event %s (%s) stays in the outbox (%s), try %s", row.id, row.event, why, row.tries + 1)


def _these(rows: list[Row]) -> Update:
    return update(_outbox).where(_outbox.c.id.in_([row.id for row in rows]))


def _ring(database: Any) -> None:
    for bell in _bells.get(database, ()):
        bell.set()
