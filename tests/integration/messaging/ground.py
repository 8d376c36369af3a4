"""What the messaging plays stand on: keys and settings in a folder, a small contract, and a service that keeps count."""

import logging
import os
import time
from contextlib import contextmanager
from pathlib import Path

from eventlet import sleep
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.orm import Session

from shared.answering import run_containers
from shared.asking import Bus
from shared.caller import Caller
from shared.clock import SystemClock
from shared.contract import Call, Contract, Event
from shared.database import Database
from shared.faults import Fault
from shared.fields import Text, Whole, Words
from shared.keys import write_keys
from shared.outbox import inbox_table, outbox_table
from shared.settings import Settings

CALLER = Caller(practice_id="pra_1", role="admin", person_id="per_1", name="Ada")


class Word(Words):
    word = Text(required=True)


class Count(Words):
    word = Text(required=True)
    count = Whole(required=True)


class Tax(Contract):
    """Not the tax service: a stand-in that bears its name, because keys are made for known names."""

    service = "tax"

    echo = Call(takes=Word, gives=Word)
    wait = Call(takes=Count, gives=Word, within=5.0)  # count: milliseconds
    refuse = Call(takes=Word, gives=Word)
    told = Call(takes=Word, gives=Word)
    stumble = Call(takes=Word, gives=Word)
    announce = Call(takes=Count, gives=Word)
    missing = Call(takes=Word, gives=Word)

    said = Event(carries=Count)
    unheard = Event(carries=Count)


METADATA = MetaData()
OUTBOX, INBOX = outbox_table(METADATA), inbox_table(METADATA)
EFFECTS = Table("effects", METADATA, Column("id", Integer, primary_key=True), Column("what", String(200)))


def settings_in(folder: Path, amqp_uri: str, database_url: str, **more: str) -> Settings:
    write_keys(folder / "keys")
    variables = {"amqp_uri": amqp_uri, "data": str(folder), "development": "1", "max_workers": "10", **more}
    for service in ("tax", "notifications"):
        variables[f"{service}_database_url"] = database_url
    return Settings.read({}, **variables)


def play_settings(**more: str) -> Settings:
    """The settings of a play: engine and folder come from its process's arguments in the environment."""
    return settings_in(Path(os.environ["PLAY_FOLDER"]), os.environ["PLAY_AMQP"], os.environ["PLAY_DATABASE"], **more)


def make_tables(settings: Settings) -> Database:
    database = Database(settings.database_url("tax"))
    METADATA.create_all(database.engine)
    return database


def note(session: Session, what: str) -> None:
    session.execute(insert(EFFECTS).values(what=what))


def effects(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(EFFECTS.c.what).order_by(EFFECTS.c.id)))


@contextmanager
def running(settings: Settings, *service_classes: type):
    running = run_containers(service_classes, settings)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def asking(settings: Settings):
    bus = Bus(settings, "gateway")
    try:
        yield bus
    finally:
        bus.close()


def fault_of(work, *args, **options) -> dict:
    """The fault that `work` raised, with the seconds it took."""
    begun = time.monotonic()
    try:
        work(*args, **options)
    except Fault as fault:
        return {**fault.to_wire(), "replayed": fault.replayed, "seconds": time.monotonic() - begun}
    return {"kind": None}


def until(fact, seconds: float = 20.0) -> bool:
    """Whether `fact()` became true within a generous time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fact():
            return True
        sleep(0.02)
    return False


class Log(logging.Handler):
    """Every line that was logged, as text."""

    def __init__(self):
        super().__init__()
        self.lines = []
        logging.getLogger().addHandler(self)

    def emit(self, record):
        self.lines.append(self.format(record))


NOW = SystemClock().now
