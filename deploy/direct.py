"""The four services without a broker: a call goes straight into the use case, news waits until it is delivered, time is set.

Every request and answer still passes through its contract as JSON. The demo's past is made with it, and the tests' house stands on it.
"""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from deploy.services import DOORS, door
from shared.answering import Given
from shared.asking import Answer
from shared.caller import Caller
from shared.clock import SetClock
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.database import Database
from shared.faults import Fault
from shared.fields import Record
from shared.settings import Settings
from shared.told import Told

TELLS_NEWS = {"invoicing": Invoicing, "processors": Processors}


class Direct:
    """The services by name: `ask` is a call, `deliver` hands out the news, `tick` runs a timer once. Databases are there already."""

    def __init__(self, settings: Settings, clock: SetClock):
        self.settings, self.clock = settings, clock
        self.services = {service: self._furnish(service) for service in DOORS}

    def _furnish(self, service: str) -> SimpleNamespace:
        room = SimpleNamespace(name=service)
        for name, value in vars(door(service)).items():
            if isinstance(value, Given):
                setattr(room, name, self._given(name, value))
        return room

    def _given(self, name: str, given: Given) -> Any:
        if name == "bus":
            return self
        if name == "clock":
            return self.clock
        made = given.build(self.settings)
        if hasattr(made, "clock"):
            object.__setattr__(made, "clock", self.clock)
        if hasattr(made, "books"):
            made.books.clock = self.clock
        return made

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        """One call, its request and answer taken through JSON and the contract; raises the fault as it would cross the bus."""
        method = vars(door(call.service))[call.name].__wrapped__
        request = call.load_request(json.loads(json.dumps(body, default=str)))
        try:
            result = method(self.services[call.service], caller, request)
        except Fault as fault:
            crossed = Fault.from_wire(json.loads(json.dumps(fault.to_wire(), default=str)))
            crossed.replayed = fault.replayed
            raise crossed from None
        told = result if isinstance(result, Told) else Told(json.dumps(call.dump_answer(result)))
        return Answer(call, told.text, told.replayed, told.status)

    def deliver(self) -> int:
        """Hand every event that waits in an outbox to whoever hears it; how many were handed out."""
        return sum(self._tell(service, row) for service in TELLS_NEWS for row in self._take_news(service))

    def forget_news(self) -> None:
        """What waits in the outboxes is nobody's news any more."""
        for service in TELLS_NEWS:
            self._take_news(service)

    def _take_news(self, service: str) -> list[Any]:
        database = Database(self.settings.database_url(service))
        try:
            with database.transaction() as session:
                rows = session.execute(text("select * from outbox where published_at is null order by id")).mappings().all()
                session.execute(text("update outbox set published_at = created_at where published_at is null"))
        finally:
            database.dispose()
        return list(rows)

    def _tell(self, source: str, row: Any) -> int:
        event = next(event for event in TELLS_NEWS[source].events() if event.name == row["event"])
        news = Record(event.load(json.loads(row["body"])))
        news.update(event_id=row["id"], practice_id=row["practice_id"], at=self.clock.now())
        hearing = [service for service in DOORS if hasattr(vars(door(service)).get(event.name), "__wrapped__")]
        for service in hearing:
            vars(door(service))[event.name].__wrapped__(self.services[service], news)
        return len(hearing)

    def tick(self, service: str, timer: str) -> None:
        """Run one timer once."""
        vars(door(service))[timer].__wrapped__(self.services[service])

    def after(self, seconds: float) -> None:
        """Time passes; then every timer about money, and all news, get their turn."""
        self.clock.at += timedelta(seconds=seconds)
        for _ in range(3):
            self.tick("processors", "settle_due")
            self.deliver()
            self.tick("invoicing", "sweep")
            self.deliver()

    def close(self) -> None:
        """Leave the databases to whoever serves next."""
        for room in self.services.values():
            for value in vars(room).values():
                if value is not self and callable(close := getattr(value, "close", None)):
                    close()
                elif isinstance(database := getattr(value, "database", value), Database):
                    database.dispose()
