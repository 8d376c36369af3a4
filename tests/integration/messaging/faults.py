"""What serves while a RabbitMQ is killed and paused: a service that is asked and tells, one that passes on, one that hears."""

import os
import sys
from pathlib import Path

import eventlet
from eventlet import tpool
from nameko.rpc import rpc
from nameko.runners import ServiceRunner

from shared.answering import Given, answers
from shared.asking import Bus
from shared.caller import MAY_ASK
from shared.contract import Call, Contract
from shared.database import Database
from shared.outbox import Relay, emit
from tests.integration.messaging.ground import NOW, Count, Tax, Word, note, play_settings, running
from tests.integration.messaging.news import NotificationsService


class Invoicing(Contract):
    """A stand-in that bears the name of one who may ask."""

    service = "invoicing"
    pass_on = Call(takes=Count, gives=Word)


def _open(settings):
    return Database(settings.database_url("tax"))


class TaxService:
    name = "tax"
    database = Given(_open)
    relay = Relay(Tax)

    @answers(Tax.announce)
    def announce(self, caller, request):
        eventlet.sleep(request["count"] / 1000)
        with self.database.transaction() as session:
            note(session, f"announced {request.word}")
            emit(session, Tax.said, request, NOW(), caller.practice_id)
        return {"word": request.word}


class InvoicingService:
    name = "invoicing"
    bus = Given(lambda settings: Bus(settings, "invoicing"))

    @answers(Invoicing.pass_on)
    def pass_on(self, caller, request):
        return self.bus.ask(Tax.announce, {"word": request.word, "count": request["count"]}, caller, 2).data


class StockService:
    """As nameko's own documentation has it."""

    name = "stock"

    @rpc
    def slow(self):
        (Path(os.environ["PLAY_FOLDER"]) / "in hand").touch()
        eventlet.sleep(3)


def stock() -> dict:
    """A service of nameko's own parts, until its container has died."""
    runner = ServiceRunner({"AMQP_URI": os.environ["PLAY_AMQP"], "HEARTBEAT": 10})
    runner.add_service(StockService)
    runner.start()
    runner.wait()
    return {"not reached": True}


def serving() -> dict:
    """Until the input is closed."""
    MAY_ASK["invoicing"]["tax"] = ("announce",)  # what the stand-in passes on
    with running(play_settings(max_workers="20"), TaxService, InvoicingService, NotificationsService):
        tpool.execute(sys.stdin.read)
    return {}
