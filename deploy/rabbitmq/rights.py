"""Who may do what on the broker, made from the contracts: what a service asks, answers, tells and hears, and nothing else.

RabbitMQ's words (https://www.rabbitmq.com/docs/access-control): `configure` makes and deletes, `write` publishes to an exchange
and lets a queue be bound, `read` consumes from a queue and binds to an exchange; a topic permission narrows the last two by key.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from deploy.services import DOORS, door
from shared import queues
from shared.contract import Call, Contract, Event
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.contracts.tax import Tax
from shared.hearing import Hears

CONTRACTS: dict[str, type[Contract]] = {contract.service: contract for contract in (Invoicing, Processors, Tax, Notifications)}
# Calls run down: the gateway asks all, invoicing asks for quotes and for money to move; nobody else asks anybody.
ASKS: dict[str, tuple[Call, ...]] = {
    "gateway": tuple(call for contract in CONTRACTS.values() for call in contract.calls()),
    "invoicing": (
        Tax.quote,
        Processors.charge,
        Processors.read_charge,
        Processors.check_charge,
        Processors.cancel_charge,
        Processors.settle_charge,
        Processors.refund,
        Processors.read_refund,
        Processors.check_refund,
        Processors.cancel_refund,
        Processors.settle_refund,
    ),
}
OPERATOR = "operator"
NOTHING = "^$"


@dataclass(frozen=True)
class Handler:
    """One method that hears one event."""

    event: Event
    service: str
    method: str

    @property
    def queue(self) -> str:
        return queues.news_name(self.event, self.service, self.method)

    @property
    def parking(self) -> str:
        return self.queue + queues.DEAD


@dataclass
class Rights:
    """What one broker user may do; `topics` is (write, read) for each topic exchange that it reaches."""

    configure: str = NOTHING
    write: str = NOTHING
    read: str = NOTHING
    topics: dict[str, tuple[str, str]] = field(default_factory=dict)


def handlers() -> list[Handler]:
    """Every handler of every service."""
    return [
        Handler(entrypoint.event, service, name)
        for service in DOORS
        for name, method in vars(door(service)).items()
        for entrypoint in getattr(method, "nameko_entrypoints", ())
        if isinstance(entrypoint, Hears)
    ]


def rights_of(service: str) -> Rights:
    """What a service's own user needs, and no more."""
    ours = [handler for handler in handlers() if handler.service == service]
    own = _queues(service, ours)
    told = sorted({handler.event.service for handler in ours})
    write, read, topics = _calls(service)
    if _tells(service):
        write.append(queues.events_exchange(service).name)
    if ours:
        write.append(queues.again_exchange(service).name)
        read += [*(queues.events_exchange(source).name for source in told), queues.again_exchange(service).name]
    for source in {*told, service} & {name for name in CONTRACTS if _tells(name)}:
        events = [handler.event.name for handler in ours if handler.event.service == source]
        topics[queues.events_exchange(source).name] = (_one_of(_tells(service) if source == service else ()), _one_of(events))
    return Rights(_one_of((), own), _one_of(write, own), _one_of(read, own), topics)


def rights_of_operator() -> Rights:
    """Looks at what is parked and puts it back into its handler's queue; nothing else."""
    services = sorted({handler.service for handler in handlers()})
    parked = [handler.parking for handler in handlers()]
    return Rights(write=_one_of(queues.again_exchange(service).name for service in services), read=_one_of(parked))


def _tells(service: str) -> list[str]:
    return [event.name for event in CONTRACTS[service].events()] if service in CONTRACTS else []


def _queues(service: str, ours: list[Handler]) -> list[str]:
    """Patterns of the queues that are a service's own."""
    own = [re.escape(queues.calls_queue(service).name)] if service in CONTRACTS else []
    if service in ASKS:
        own.append(_replies(service))
    return own + [re.escape(handler.queue) + r"(\.dead|\.again-[0-9]+)?" for handler in ours]


def _calls(service: str) -> tuple[list[str], list[str], dict[str, tuple[str, str]]]:
    """What it writes to (those it asks, and those who ask it), what it reads from, and which calls those are."""
    asks = ASKS.get(service, ())
    asked = sorted({call.service for call in asks})
    askers = [asker for asker, calls in ASKS.items() if any(call.service == service for call in calls)]
    write = [queues.calls_exchange(name).name for name in asked] + [queues.replies_exchange(asker).name for asker in askers]
    topics = {
        queues.calls_exchange(name).name: (_one_of(f"{name}.{call.name}" for call in asks if call.service == name), NOTHING)
        for name in asked
    }
    read = [queues.replies_exchange(service).name] if asks else []
    if service in CONTRACTS:
        read.append(queues.calls_exchange(service).name)
        topics[queues.calls_exchange(service).name] = (NOTHING, _one_of([f"{service}.*"]))
    return write, read, topics


def _replies(service: str) -> str:
    return re.escape(queues.reply_prefix(service)) + "[0-9a-f]{32}"


def _one_of(names: Iterable[str], patterns: Iterable[str] = ()) -> str:
    """The pattern of exactly these names, or of what fits one of these patterns."""
    parts = [*(re.escape(name) for name in names), *patterns]
    return f"^({'|'.join(parts)})$" if parts else NOTHING
