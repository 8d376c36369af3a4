"""The simulated bus and the people's line to the gateway: what is sent arrives, or late, or twice, or never. No bank, no story.

The services' own code answers, hears and relays (`Asked`, `Heard`, `Relay`); only the carrier between them is ours.
"""

import functools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.answering import Asked
from shared.asking import Bus
from shared.caller import Caller
from shared.contract import Call, Event
from shared.faults import Unanswered, Unavailable, Unreachable
from shared.hearing import PAUSES, TRIES, Heard
from tests.simulation.scheduler import Process, Scheduler, Waiter

SOON = (0.0005, 0.02)  # seconds that a message travels


class Network:
    """Who can't reach whom, what is on its way, what was not acknowledged; for calls and for news."""

    def __init__(self, scheduler: Scheduler, processes: dict[str, Process], offices: dict[str, Any]):
        self.scheduler, self.processes, self.offices = scheduler, processes, offices
        self.cut_until: dict[frozenset[str], Any] = {}
        self.parked: list[str] = []
        self.run_late: list[str] = []

    def travel(self) -> float:
        return self.scheduler.random.uniform(*SOON)

    def is_cut(self, one: str, other: str) -> bool:
        """Whether the two can't reach each other now; a cut may begin with this very message."""
        pair = frozenset((one, other))
        if self.scheduler.happens("cut"):
            self.scheduler.count("cuts")
            self.cut_until[pair] = self.scheduler.now + timedelta(seconds=self.scheduler.random.choice((1, 5, 20, 60)))
        return pair in self.cut_until and self.scheduler.now < self.cut_until[pair]

    # calls

    def send_call(self, call: Call, text: str, reply: Callable[[dict], None]) -> None:
        """Put a call on its way to its service, perhaps twice, late or nowhere."""
        scheduler = self.scheduler
        if scheduler.happens("drop_call"):
            scheduler.count("drops")
            return
        times = [self.travel()]
        if scheduler.happens("delay_call"):
            scheduler.count("delays")
            times = [scheduler.random.choice((0.5, 3.0, 15.0, 40.0, 200.0))]
        if scheduler.happens("duplicate_call"):
            scheduler.count("duplicates")
            times.append(scheduler.random.choice((0.001, 0.5, 10.0, 24.0, 120.0)))
        for seconds in times:
            scheduler.after(seconds, lambda: self._deliver_call(call, text, reply))

    def _deliver_call(self, call: Call, text: str, reply: Callable[[dict], None]) -> None:
        process = self.processes[call.service]
        again = functools.partial(self._deliver_call, call, text, reply)
        process.on_restart.append(again)  # until it is acknowledged the broker delivers it again
        if not process.up:
            return
        self.scheduler.count("deliveries")
        self.scheduler.spawn(process, f"{call.service}.{call.name}", lambda: self._answer(process, call, text, reply, again))

    def _answer(self, process: Process, call: Call, text: str, reply: Callable[[dict], None], again: Callable[[], None]) -> None:
        scheduler, office = self.scheduler, self.offices[call.service]
        envelope = json.loads(text)["args"][0]
        asked = Asked(call, envelope, office.keys)
        method = office.method(call.name)

        def run(*given: Any) -> Any:
            if scheduler.now.timestamp() > envelope["deadline_at"]:
                self.run_late.append(f"{call.service}.{call.name}")
            return method(office.room, *given)

        scheduler.pause("before_answering")
        result = asked.answered_by(run)
        if result is None:
            scheduler.count("expired")
        elif scheduler.happens("drop_answer"):
            scheduler.count("drops")
        else:
            body = json.loads(json.dumps(result))
            scheduler.after(self.travel(), lambda: reply(body))
        scheduler.pause("before_ack")
        process.on_restart.remove(again)

    # news

    def publish(self, source: str, event_name: str, text: str) -> None:
        """Put one piece of news into the queue of everyone who hears it; confirmed news is never lost."""
        for name, office in self.offices.items():
            event = office.hears.get((source, event_name))
            if event is None:
                continue
            times = [self.travel()]
            if self.scheduler.happens("delay_news"):
                self.scheduler.count("reorders")
                times = [self.scheduler.random.choice((0.1, 1.0, 8.0, 60.0))]
            if self.scheduler.happens("duplicate_news"):
                self.scheduler.count("duplicates")
                times.append(self.scheduler.random.choice((0.001, 2.0, 30.0)))
            for seconds in times:
                self.scheduler.after(seconds, functools.partial(self._deliver_news, name, event, text, 0))

    def _deliver_news(self, service: str, event: Event, text: str, tries: int) -> None:
        process = self.processes[service]
        again = functools.partial(self._deliver_news, service, event, text, tries)
        process.on_restart.append(again)
        if not process.up:
            return
        self.scheduler.count("news")
        self.scheduler.spawn(process, f"{service}<{event.name}", lambda: self._hear(process, event, text, tries, again))

    def _hear(self, process: Process, event: Event, text: str, tries: int, again: Callable[[], None]) -> None:
        office = self.offices[process.name]
        self.scheduler.pause("before_hearing")
        heard = Heard(event, json.loads(text), office.keys, f"{process.name}.{event.name}")
        end = heard.told_to(functools.partial(office.method(event.name), office.room))
        self.scheduler.pause("before_ack")
        process.on_restart.remove(again)
        if end == Heard.HOPELESS or (end == Heard.AGAIN and tries + 1 >= TRIES):
            self.parked.append(f"{process.name} {event.name}")
        elif end == Heard.AGAIN:
            pause = PAUSES[min(tries, len(PAUSES) - 1)]
            self.scheduler.after(pause, functools.partial(self._deliver_news, process.name, event, text, tries + 1))


class SimulatedBus(Bus):
    """The product's own bus client over the simulated network; also the gateway's `rpc`."""

    def __init__(self, settings: Any, service: str):
        super().__init__(settings, service)
        self.network: Network | None = None

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Any:
        assert self.network is not None
        self.network.scheduler.pause(f"asking {call.name}")
        return super().ask(call, body, caller, within)

    def _exchange(self, call: Call, text: str, within: float) -> dict:
        network = self.network
        assert network is not None
        cut = network.is_cut(self._service, call.service)
        if cut and network.scheduler.random.random() < 0.5:
            raise Unreachable("broker_unreachable")
        waiter = Waiter(network.scheduler)
        if not cut:
            network.send_call(call, text, waiter.settle)
        if not waiter.wait(within):
            raise Unanswered("unanswered", "No answer came in time. It may still have been done.")
        return waiter.outcome

    def close(self) -> None:
        """Nothing was opened."""


class SimulatedSender:
    """Where the relay publishes: accepted, or accepted and the confirm lost, or the broker is out of reach."""

    ready = True

    def __init__(self, service: str):
        self.service = service
        self.network: Network | None = None

    def send(self, text: str, *, routing_key: str, **_options: Any) -> bool:
        network = self.network
        assert network is not None
        network.scheduler.pause("publishing")
        if network.is_cut(self.service, "broker"):
            raise Unavailable("broker_unreachable")
        network.publish(self.service, routing_key, text)
        if network.scheduler.happens("lose_confirm"):
            network.scheduler.count("drops")
            raise Unavailable("broker_unreachable")
        return True

    def close(self) -> None:
        """Nothing was opened."""
