"""The five services in one thread: their rooms and doors over the simulated bus, databases in memory, and time that is set.

Built once in a process; each seed begins with the same two practices. What people do there is in `people.py` and `stories.py`.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from deploy.databases import migrate_one
from deploy.direct import TELLS_NEWS, Direct
from deploy.services import DOORS, door
from services.gateway.app import create_app
from services.gateway.people import delivering
from services.gateway.people.passwords import Passwords
from services.processors import sandbox_books
from services.processors.adapters.sandbox import Sandbox
from shared import answering, asking, caller, ids, killpoints
from shared.clock import SetClock
from shared.database import Database
from shared.keys import write_keys
from shared.mishap import log_mishap
from shared.outbox import Relay
from shared.queues import events_exchange
from shared.settings import Settings
from tests.simulation.bank import Bank
from tests.simulation.bus import Network, SimulatedBus, SimulatedSender
from tests.simulation.chances import Chances
from tests.simulation.scheduler import Process, Scheduler

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATABASES = (*DOORS, "gateway", "sandbox_books")
TIMERS = {"processors": ("settle_due", "compare_due"), "invoicing": ("sweep",), "notifications": ("send_due",)}
SELDOM = {
    "processors": ("forget_old_keys", "forget_old_news", "check_due", "renew_sealing_key"),
    "invoicing": ("forget_old_keys", "forget_old_news"),
    "notifications": ("forget_old_keys", "forget_old_news"),
}
EVERY = (3.0, 18.0)  # seconds between a timer's turns: seldomer than in service, as any process may be slow


class Letterbox:
    """Where mail goes: it is kept."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    def send(self, mail: Any, _now: datetime) -> None:
        self.mails.append(mail)


class Offices(Direct):
    """The four services' rooms, each with a bus of its own in its own name."""

    def _furnish(self, service: str) -> SimpleNamespace:
        room = super()._furnish(service)
        if hasattr(room, "bus"):
            room.bus = SimulatedBus(self.settings, service)
        return room


class Office:
    """One service as the network sees it."""

    def __init__(self, name: str, room: Any, keys: Any):
        self.name, self.room, self.keys = name, room, keys
        doors = vars(door(name))
        self.hears = {
            (source, event.name): event
            for source, contract in TELLS_NEWS.items()
            for event in contract.events()
            if hasattr(doors.get(event.name), "__wrapped__")
        }

    def method(self, name: str) -> Callable:
        return vars(door(self.name))[name].__wrapped__


class World:
    """What is there for every seed; `begin` puts a seed's scheduler in charge."""

    def __init__(self, folder: Path):
        write_keys(folder / "keys")
        files = Settings({"CLIENTBILLING_DATA": str(folder), "CLIENTBILLING_DEVELOPMENT": "1"})
        in_memory = {f"{name}_database_url": "sqlite://" for name in DATABASES}
        self.settings = files.with_(api_limit="0", **in_memory)
        self.clock = SetClock(START)
        self.offices_of = Offices(self.settings, self.clock)
        rooms = self.offices_of.services
        self.invoicing, self.processors = rooms["invoicing"], rooms["processors"]
        self.bank = Bank(self.processors.room.books)
        self.processors.room.adapters["sandbox"].books = self.bank
        object.__setattr__(self.processors.room, "books", self.bank)
        self.letterbox = Letterbox()
        rooms["notifications"].room.post.channels["email"] = self.letterbox
        self.gateway_bus = SimulatedBus(self.settings, "gateway")
        self.app = create_app(self.settings, self.gateway_bus, clock=self.clock, passwords=Passwords(1, 8))
        self.gateway = self.app.extensions["gateway"]
        self.offices = {name: Office(name, room, self.settings.keys(name)) for name, room in rooms.items()}
        self.databases: dict[str, Database] = {
            "invoicing": self.invoicing.storage.database,
            "processors": self.processors.room.database,
            "tax": rooms["tax"].room.db,
            "notifications": rooms["notifications"].room.db,
            "gateway": self.gateway.database,
            "sandbox_books": self.bank.books.database,
        }
        self.relays = {name: self._relay(name) for name in TELLS_NEWS}
        self.buses = [self.gateway_bus, self.invoicing.bus]
        self.snapshot: dict[str, sqlite3.Connection] = {}
        self._migrate(files, folder)

    def _relay(self, service: str) -> Relay:
        relay = Relay(TELLS_NEWS[service])
        relay.settings, relay.keys = self.settings, self.settings.keys(service)
        relay.database, relay.clock = self.databases[service], self.clock
        relay.sender, relay.exchange = SimulatedSender(service), events_exchange(service)  # type: ignore[assignment]
        relay.bell, relay.stopping, relay.poll = threading.Event(), False, 1.0
        return relay

    def _migrate(self, files: Settings, folder: Path) -> None:
        for name in (*DOORS, "gateway"):
            migrate_one(files, name)
            with sqlite3.connect(folder / f"{name}.db") as migrated:
                self.snapshot[name] = _copy_of(migrated)
            migrated.close()
        empty = sqlite3.connect(":memory:")
        self.snapshot["sandbox_books"] = empty
        self._load()
        with self.databases["sandbox_books"].transaction() as session:
            sandbox_books.metadata.create_all(session.connection())
        self.bank.books._made = True
        self.keep()

    def keep(self) -> None:
        """What stands now is what every seed begins with."""
        self.snapshot = {name: _copy_of(_raw(database)) for name, database in self.databases.items()}
        self.started_at = self.clock.at

    def _load(self) -> None:
        for name, kept in self.snapshot.items():
            kept.backup(_raw(self.databases[name]))

    def begin(self, seed: int, chances: Chances) -> "Run":
        """A fresh copy of what was kept, and nothing on its way."""
        self._load()
        self.letterbox.mails.clear()
        self.gateway.sealing.forget()
        return Run(self, seed, chances)


def _raw(database: Database) -> sqlite3.Connection:
    return database.engine.raw_connection().driver_connection  # type: ignore[return-value]


def _copy_of(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:")
    connection.backup(copy)
    return copy


class Run:
    """One seed's run: scheduler, processes and network, with the product's time, chance and kill points in their hands."""

    def __init__(self, world: World, seed: int, chances: Chances):
        self.world = world
        self.scheduler = Scheduler(seed, getattr(world, "started_at", START), chances)
        self.processes = {name: Process(name) for name in (*DOORS, "gateway", "people")}
        self.network = Network(self.scheduler, self.processes, world.offices)
        self.mishaps: list[str] = []
        self._ticking = False
        for bus in world.buses:
            bus.network = self.network
        for relay in world.relays.values():
            relay.sender.network = self.network  # type: ignore[attr-defined]
        world.bank.scheduler = self.scheduler
        for adapter in self._sandboxes():
            adapter.sleep = self.scheduler.sleep
        inside = [database._inside for database in world.databases.values()]
        self.scheduler.inside = lambda: any(inside)

    def _sandboxes(self) -> list[Sandbox]:
        return [one for one in self.world.processors.room.adapters.values() if isinstance(one, Sandbox)]

    def start_timers(self) -> None:
        """The timers and relays of every process take their turns from now on, until `stop_timers`."""
        self._ticking = True
        for service, name, turn in self._turns():
            self._repeat(service, name, turn)

    def stop_timers(self) -> None:
        self._ticking = False

    def give_turns(self) -> None:
        """One turn of every timer and relay."""
        for service, name, turn in self._turns():
            self._turn(service, name, turn)

    def _turns(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        for service, names in TIMERS.items():
            for name in names:
                office = self.world.offices[service]
                yield service, name, partial(office.method(name), office.room)
        for service, relay in self.world.relays.items():
            yield service, "relay", relay.relay_once
        yield "gateway", "run_due", partial(delivering.run_due, self.world.gateway)

    def _repeat(self, service: str, name: str, turn: Callable[[], Any]) -> None:
        def tick() -> None:
            if self._ticking:
                self._turn(service, name, turn)
                self.scheduler.after(self.scheduler.random.uniform(*EVERY), tick)

        self.scheduler.after(self.scheduler.random.uniform(*EVERY), tick)

    def _turn(self, service: str, name: str, turn: Callable[[], Any]) -> None:
        """Never two turns of a timer at once in one process."""
        process = self.processes[service]

        def work() -> None:
            try:
                turn()
            except OperationalError:
                self.scheduler.note("no database for", name)
            except Exception as trouble:  # as `every` does
                self.mishaps.append(f"timer {service}.{name}: {type(trouble).__name__}")
                log_mishap(answering._log, f"timer {service}.{name}", trouble)

        if process.up and not any(task.name == f"{service} {name}" for task in process.tasks):
            self.scheduler.spawn(process, f"{service} {name}", work)

    @contextmanager
    def in_charge(self) -> Iterator["Run"]:
        """The product asks this run for the time, for ids and for its turn."""
        scheduler, clock = self.scheduler, self.world.clock
        time = SimpleNamespace(time=lambda: scheduler.now.timestamp(), time_ns=lambda: int(scheduler.now.timestamp() * 1e9))
        chance = SimpleNamespace(urandom=scheduler.random.randbytes)
        taken = [
            (answering, "time", time),
            (asking, "time", time),
            (caller, "time", time),
            (ids, "time", time),
            (ids, "os", chance),
        ]
        before = [(module, name, getattr(module, name)) for module, name, _ in taken]
        alone, now = Database._alone, SetClock.now

        @contextmanager
        def with_turns(database: Database) -> Iterator[None]:
            ours = database is not self.world.databases["sandbox_books"] and scheduler.current is not None
            scheduler.pause("begin")
            if ours and scheduler.happens("database_away"):
                scheduler.count("database faults")
                raise OperationalError("begin", None, ConnectionError())
            with alone(database):
                yield
            if ours and scheduler.happens("commit_unsure"):
                scheduler.count("database faults")
                raise OperationalError("commit", None, ConnectionError())
            scheduler.pause("end")

        Database._alone = with_turns  # type: ignore[method-assign]
        SetClock.now = lambda one: scheduler.now if one is clock else now(one)  # type: ignore[method-assign]
        killpoints.watch(scheduler.pause)
        for module, name, ours in taken:
            setattr(module, name, ours)
        try:
            yield self
        finally:
            for module, name, theirs in before:
                setattr(module, name, theirs)
            Database._alone, SetClock.now = alone, now  # type: ignore[method-assign]
            killpoints.watch(None)
            clock.at = scheduler.now
            for process in self.processes.values():
                scheduler.end(process)

    def calm(self) -> None:
        """From now on nothing goes wrong any more; what is on its way still arrives as it was sent."""
        self.scheduler.chances = Chances.none()
        self.network.cut_until.clear()

    def pass_by(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        self.scheduler.run(self.scheduler.now + timedelta(seconds=seconds), enough)

    def rows(self, name: str, query: str) -> list[Any]:
        """What a database holds, for the judge."""
        with self.world.databases[name].reading() as session:
            return list(session.execute(text(query)).mappings())
