"""The exchanges and queues of the bus, each written once: names, arguments, bindings. Who reads and writes them is elsewhere.

Each service has exchanges of its own, not one for all as nameko has: who may write to an exchange is settled by RabbitMQ for
certain, whereas a topic permission is passed by a CC header or a dead-letter key (seen on 3.10).

Calls are transient and expire, so their queue is a plain one. News must survive: its queues are quorum queues (replicated, on
disk), bounded, and what they can't keep goes on to a queue that they are bound to by the service's own retry exchange.
"""

import re
from collections.abc import Iterable
from typing import Any

from amqp.exceptions import NotFound
from kombu import Exchange, Queue, binding

from shared.contract import Event

LONGEST = 100_000  # messages in one queue of news; a full one refuses, and the outbox keeps what was refused
DELIVERIES = 20  # how often the broker hands out one message before it parks it: its handling ends the process
UNLIMITED = 1_000_000_000  # looking at what is parked must never use up its deliveries (RabbitMQ 4 limits them to 20 by itself)
DEAD = ".dead"
_REPLIES = re.compile(r"rpc\.reply-([a-z]+)-[0-9a-f]{32}")


def calls_exchange(service: str) -> Exchange:
    """Where a service is asked; the routing key is `<service>.<call>`."""
    return _exchange(f"{service}.calls", "topic")


def replies_exchange(service: str) -> Exchange:
    """Where a service that asks is answered; the routing key is the name of its reply queue."""
    return _exchange(f"{service}.replies", "direct")


def exchange_of_reply(reply_to: str) -> str:
    """The exchange that leads to a reply queue. Raises ValueError where that is not the name of one."""
    if not (named := _REPLIES.fullmatch(reply_to)):
        raise ValueError("not a reply queue")
    return replies_exchange(named[1]).name


def events_exchange(service: str) -> Exchange:
    """Where a service's news is published; the routing key is the event's name."""
    return _exchange(f"{service}.events", "topic")


def again_exchange(service: str) -> Exchange:
    """The retry exchange of one service: its key is the name of the queue, so that it reaches that service's queues only."""
    return _exchange(f"{service}.again", "direct")


def _exchange(name: str, kind: str) -> Exchange:
    return Exchange(name, type=kind, durable=True, no_declare=True)  # `find_or_make` sees to it


def calls_queue(service: str) -> Queue:
    """What is asked of a service."""
    return Queue(f"rpc-{service}", calls_exchange(service), routing_key=f"{service}.*", durable=True)


def reply_prefix(service: str) -> str:
    """What the names of a service's reply queues begin with; 32 hexadecimal digits follow."""
    return f"rpc.reply-{service}-"


def news_name(event: Event, service: str, method: str) -> str:
    return f"evt-{event.service}-{event.name}--{service}.{method}"


def news_queue(event: Event, service: str, method: str) -> Queue:
    """What one handler has still to hear; what is handed out too often is parked by the broker itself."""
    name = news_name(event, service, method)
    found = [binding(events_exchange(event.service), routing_key=event.name), binding(again_exchange(service), routing_key=name)]
    return _kept(name, found, {"x-delivery-limit": DELIVERIES, **_then(service, name + DEAD)})


def pause_queue(service: str, name: str, milliseconds: int) -> Queue:
    """A queue that nobody reads: what it holds goes back to the handler's queue `name` after that time."""
    pause = f"{name}.again-{milliseconds}"
    back = {"x-message-ttl": milliseconds, **_then(service, name)}
    return _kept(pause, [binding(again_exchange(service), routing_key=pause)], back)


def parking_queue(service: str, name: str) -> Queue:
    """What the handler's queue `name` has given up, until an operator looks."""
    dead = name + DEAD
    return _kept(dead, [binding(again_exchange(service), routing_key=dead)], {"x-delivery-limit": UNLIMITED})


def _then(service: str, key: str) -> dict[str, Any]:
    """On to the queue `key`; the broker keeps the message until it has arrived there (RabbitMQ 3.10)."""
    return {
        "x-dead-letter-exchange": again_exchange(service).name,
        "x-dead-letter-routing-key": key,
        "x-dead-letter-strategy": "at-least-once",
    }


def _kept(name: str, bindings: list[binding], more: dict[str, Any]) -> Queue:
    bounds = {"x-queue-type": "quorum", "x-max-length": LONGEST, "x-overflow": "reject-publish"}
    return Queue(name, bindings=bindings, durable=True, queue_arguments={**bounds, **more})


def find_or_make(connection: Any, exchanges: Iterable[Exchange]) -> None:
    """Look for exchanges, and make those that are not there: a service's own broker user may look but not make.

    `connection` is the one below kombu's. Raises what the broker says where it may not make one either.
    """
    looking = connection.channel()
    for exchange in exchanges:
        try:
            looking.exchange_declare(exchange=exchange.name, type=exchange.type, passive=True)
        except NotFound:  # which closed the channel
            looking = connection.channel()
            looking.exchange_declare(exchange=exchange.name, type=exchange.type, durable=True, auto_delete=False)
    looking.close()
