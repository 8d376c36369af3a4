"""Plays about news: outbox, relay, inbox, retries and parking. test_news.py judges their facts."""

import os
import signal
import time
from pathlib import Path

import eventlet
from kombu import Connection
from sqlalchemy import func, select, update

from shared import embedded, queues
from shared.answering import Given, answers
from shared.database import Database
from shared.outbox import Relay, emit, heard_before, hears
from shared.sending import Sender
from tests.integration.messaging.ground import (
    CALLER,
    INBOX,
    NOW,
    OUTBOX,
    Log,
    Tax,
    asking,
    effects,
    make_tables,
    note,
    play_settings,
    running,
    settings_in,
    until,
)

QUEUE = "evt-tax-said--notifications.said"


def _open(settings):
    return Database(settings.database_url("tax"))


class TaxService:
    name = "tax"
    database = Given(_open)
    relay = Relay(Tax)

    @answers(Tax.announce)
    def announce(self, caller, request):
        with self.database.transaction() as session:
            note(session, f"announced {request.word}")
            emit(session, Tax.said, request, NOW(), caller.practice_id)
        return {"word": request.word}


class NotificationsService:
    name = "notifications"
    database = Given(_open)
    runs: list = []
    failing: dict = {}

    @hears(Tax.said)
    def said(self, news):
        self.runs.append((news.word, time.monotonic()))
        if self.failing.get(news.word, 0) > 0:
            self.failing[news.word] -= 1
            raise RuntimeError(news.word)
        with self.database.transaction() as session:
            if not heard_before(session, news, "said", NOW()):
                note(session, f"{news.word} {news['count']} {news.practice_id} {news.at.tzinfo}")


class LateService:
    name = "invoicing"
    heard: list = []

    @hears(Tax.unheard)
    def unheard(self, news):
        self.heard.append(news.word)


def _runs(word):
    return [at for told, at in NotificationsService.runs if told == word]


def _waiting(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(OUTBOX).where(OUTBOX.c.published_at.is_(None)))


def telling() -> dict:
    """Thirty told at once, one rolled back, then all published a second time."""
    settings = play_settings()
    database = make_tables(settings)
    facts: dict = {}
    with running(settings, TaxService, NotificationsService), asking(settings) as bus:
        pool = eventlet.GreenPool()
        for asked in [pool.spawn(bus.ask, Tax.announce, {"word": f"w{i}", "count": i}, CALLER) for i in range(30)]:
            asked.wait()
        try:
            with database.transaction() as session:
                emit(session, Tax.said, {"word": "undone", "count": 1}, NOW(), "pra_1")
                raise KeyError("undone")
        except KeyError:
            pass
        facts["all heard"] = until(lambda: len([what for what in effects(database) if "pra_1" in what]) == 30)
        facts["all marked"] = until(lambda: _waiting(database) == 0)
        facts["runs at first"] = len(NotificationsService.runs)
        with database.transaction() as session:
            session.execute(update(OUTBOX).values(published_at=None))
        facts["heard twice"] = until(lambda: len(NotificationsService.runs) == 60)
        facts["marked again"] = until(lambda: _waiting(database) == 0)
    facts["effects"] = sorted(what for what in effects(database) if "pra_1" in what)
    facts["undone"] = len(_runs("undone"))
    return facts


def failing() -> dict:
    """One that fails twice, one that always fails, one that somebody forged, and good ones in between."""
    log, settings = Log(), play_settings(time_scale="2000")
    database = make_tables(settings)
    NotificationsService.failing.update(twice=2, poison=99)
    facts: dict = {}
    with running(settings, TaxService, NotificationsService), asking(settings) as bus:
        for word in ("poison", "twice", "good"):
            bus.ask(Tax.announce, {"word": word, "count": 1}, CALLER)
        facts["twice had its effect"] = until(lambda: "twice 1 pra_1 UTC" in effects(database))
        facts["parked"] = until(lambda: _length(settings, f"{QUEUE}.dead") == 1)
        facts["good"] = "good 1 pra_1 UTC" in effects(database)
        _forge(settings)
        facts["forged parked"] = until(lambda: _length(settings, f"{QUEUE}.dead") == 2)
        eventlet.sleep(0.5)
        facts["left in the queue"] = _length(settings, QUEUE)
    facts["runs"] = {word: len(_runs(word)) for word in ("poison", "twice", "good", "forged")}
    gaps = [later - sooner for sooner, later in zip(_runs("poison"), _runs("poison")[1:], strict=False)]
    facts["last pause is longer than the first"] = gaps[-1] > gaps[0]
    facts["effects"] = [what for what in effects(database) if "pra_1" in what and "poison" in what]
    facts["dead letter"] = _first(settings, f"{QUEUE}.dead")
    facts["leaked"] = [line for line in log.lines if "poison" in line]
    return facts


def _forge(settings):
    """An event signed by a service that is not its source, else as it should be."""
    folder = Path(os.environ["PLAY_FOLDER"]) / "stranger"
    stranger = settings_in(folder, settings.amqp_uri, settings.database_url("tax")).keys("tax")
    claims = {"id": "evt_1", "event": "said", "practice_id": "pra_1", "at": "2026-01-01T00:00:00Z", "sha256": ""}
    text = f'{{"token":"{stranger.sign(claims)}","body":"{{\\"word\\":\\"forged\\",\\"count\\":1}}"}}'
    Sender(settings.amqp_uri, confirms=True).send(text, exchange="tax.events", routing_key="said")


def _length(settings, queue):
    with Connection(settings.amqp_uri) as connection:
        try:
            return connection.channel().queue_declare(queue, passive=True).message_count
        except connection.channel_errors:
            return 0


def _first(settings, queue):
    with Connection(settings.amqp_uri) as connection:
        message = connection.channel().basic_get(queue, no_ack=True)
        return {"tries": message.headers["tries"], "holds the word": "poison" in str(message.body)}


def unheard() -> dict:
    """News that no queue takes stays in the outbox until a service that hears it has come."""
    settings = play_settings(time_scale="20")
    database = make_tables(settings)
    facts: dict = {}
    with running(settings, TaxService):
        with database.transaction() as session:
            emit(session, Tax.unheard, {"word": "patient", "count": 1}, NOW(), "pra_1")
        facts["tried"] = until(lambda: _row(database).tries >= 3)
        facts["kept"] = [_row(database).published_at is None, _row(database).error]
        with running(settings, LateService):
            facts["heard"] = until(lambda: "patient" in LateService.heard)
            facts["marked"] = until(lambda: _row(database).published_at is not None)
    return facts


def _row(database):
    with database.reading() as session:
        return session.execute(select(OUTBOX)).one()


def dying() -> dict:
    """Tells one piece of news with a kill point armed; this process does not come back."""
    settings = play_settings(kill_at=os.environ["PLAY_KILL_AT"])
    database = make_tables(settings)
    with database.transaction() as session:
        note(session, "announced")
        emit(session, Tax.said, {"word": "survivor", "count": 1}, NOW(), "pra_1")
    with running(settings, TaxService, NotificationsService):
        eventlet.sleep(15)
    return {"not reached": True}


def coming_back() -> dict:
    """The next process after `dying`: what was told has its effect once, without anybody doing anything."""
    settings = play_settings()
    database = make_tables(settings)
    facts: dict = {}
    with database.transaction() as session:  # as if the lease of the dead had run out
        session.execute(update(OUTBOX).values(claimed_until=None))
    with running(settings, TaxService, NotificationsService):
        facts["heard"] = until(lambda: "survivor 1 pra_1 UTC" in effects(database))
        facts["marked"] = until(lambda: _waiting(database) == 0)
        eventlet.sleep(0.5)
    facts["effects"] = effects(database)
    with database.reading() as session:
        facts["noted"] = session.scalar(select(func.count()).select_from(INBOX))
    return facts


def killed_in_hand() -> dict:
    """A service dies with news in its hand (its connection is lost unacknowledged): the next one gets it."""
    settings = play_settings()
    database = make_tables(settings)
    stuck = _Stuck()
    with running(settings, TaxService):
        first = running(settings, stuck.service)
        containers = first.__enter__()
        with database.transaction() as session:
            emit(session, Tax.said, {"word": "handed on", "count": 1}, NOW(), "pra_1")
        begun = until(lambda: stuck.begun == 1)
        containers._runner.kill()
        with running(settings, NotificationsService):
            heard = until(lambda: "handed on 1 pra_1 UTC" in effects(database))
    return {"begun": begun, "heard": heard, "runs": len(_runs("handed on"))}


class _Stuck:
    def __init__(self):
        outer, self.begun = self, 0

        class NotificationsService:
            name = "notifications"

            @hears(Tax.said)
            def said(self, news):
                outer.begun += 1
                eventlet.sleep(60)

        self.service = NotificationsService


def overfull() -> dict:
    """A handler's queue that holds three is told five: two wait in the outbox until there is room again."""
    queues.LONGEST = 3
    settings = play_settings(time_scale="20")
    database = make_tables(settings)
    facts: dict = {}
    _make_queue(settings)
    with running(settings, TaxService):
        with database.transaction() as session:
            for number in range(12):
                emit(session, Tax.said, {"word": f"w{number}", "count": number}, NOW(), "pra_1")
        facts["some wait"] = until(lambda: set(_errors(database)) >= {None, "queue_full"})
        eventlet.sleep(0.5)
        facts["waiting"], facts["in the queue"] = _waiting(database), _length(settings, QUEUE)
        with running(settings, NotificationsService):
            facts["all heard"] = until(lambda: len(effects(database)) == 12, 40)
    return facts


def _make_queue(settings):
    embedded.register()
    with Connection(settings.amqp_uri) as connection:
        connection.connect()
        queues.find_or_make(connection.connection, [queues.events_exchange("tax"), queues.again_exchange("notifications")])
        queues.news_queue(Tax.said, "notifications", "said")(connection.channel()).declare()


def _errors(database):
    with database.reading() as session:
        return list(session.scalars(select(OUTBOX.c.error)))


class DeadlyService:
    name = "notifications"

    @hears(Tax.said)
    def said(self, news):
        os.kill(os.getpid(), signal.SIGKILL)


def telling_the_deadly() -> dict:
    """One piece of news lies in its handler's queue, and nobody hears it yet."""
    queues.DELIVERIES = int(os.environ["PLAY_DELIVERIES"])
    settings = play_settings()
    database = make_tables(settings)
    _make_queue(settings)
    with running(settings, TaxService):
        with database.transaction() as session:
            emit(session, Tax.said, {"word": "deadly", "count": 1}, NOW(), "pra_1")
        return {"told": until(lambda: _waiting(database) == 0)}


def dying_of_it() -> dict:
    """A service that is killed by what it hears."""
    queues.DELIVERIES = int(os.environ["PLAY_DELIVERIES"])
    with running(play_settings(), DeadlyService):
        eventlet.sleep(10)
    return {"not reached": True}


def after_the_deadly() -> dict:
    """What the next start finds: the queue is empty, the message is parked with the broker's own words."""
    queues.DELIVERIES = int(os.environ["PLAY_DELIVERIES"])
    settings = play_settings()
    parked = until(lambda: _length(settings, f"{QUEUE}.dead") == 1, 10)
    with Connection(settings.amqp_uri) as connection:
        message = connection.channel().basic_get(f"{QUEUE}.dead", no_ack=True)
    why = message.headers["x-death"][0]["reason"] if message else None
    return {
        "parked": parked,
        "left": _length(settings, QUEUE),
        "why": why,
        "whole": bool(message and "deadly" in str(message.body)),
    }


KILLED = -signal.SIGKILL
