"""How a service hears another's news: checked, told to a method, tried again with growing pauses, parked after eight tries."""

import functools
import hashlib
import json
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import eventlet
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import register_entrypoint
from nameko.messaging import Consumer

from shared.consuming import BusConsumer
from shared.contract import Event
from shared.faults import Fault, Forbidden, Unavailable
from shared.fields import Record, rfc3339
from shared.mishap import log_mishap
from shared.queues import again_exchange, events_exchange, news_queue, parking_queue, pause_queue
from shared.sending import Sender
from shared.tenancy import acting_in

TRIES = 8
PAUSES = (1, 5, 30, 120, 600)  # seconds before the second try and so on; the last one repeats
HELD = (1, 2, 4, 8, 15)  # seconds between the tries to put a message aside while the broker takes nothing

_log = logging.getLogger(__name__)


def hears(event: Event) -> Callable:
    """Tell `event` to a method `(self, news)`; `news` is what the event carries and `event_id`, `practice_id`, `at`.

    The method may run again for the same event: it asks `heard_before` in its own transaction. What raises is tried
    eight times in all and then parked in `<queue>.dead`. The method itself stays at `__wrapped__`.
    """

    def register(method: Callable) -> Callable:
        @functools.wraps(method)
        def door(service: Any, heard: "Heard") -> str:
            return heard.told_to(functools.partial(method, service))

        register_entrypoint(door, Hears(event))
        return door

    return register


class Heard:
    """One piece of news as it came in."""

    DONE, AGAIN, HOPELESS = "done", "again", "hopeless"

    def __init__(self, event: Event, envelope: Any, keys: Any, queue: str):
        self.event, self.envelope, self.keys, self.queue = event, envelope, keys, queue
        self.why = ""  # the kind of its last failure: never what an exception says, which may be private

    def told_to(self, method: Callable) -> str:
        """DONE, or AGAIN where a later try may do, or HOPELESS where it is not what its service published."""
        try:
            news = self._read()
        except (Fault, KeyError, TypeError, ValueError) as trouble:
            log_mishap(_log, f"reading {self.queue}", trouble)
            self.why = _kind(trouble)
            return self.HOPELESS
        try:
            with acting_in(news.practice_id):
                method(news)
        except (Exception, eventlet.Timeout) as trouble:
            log_mishap(_log, self.queue, trouble, news.event_id)
            self.why = _kind(trouble)
            return self.AGAIN
        return self.DONE

    def _read(self) -> Record:
        claims = self.keys.verify(self.envelope["token"])
        text = self.envelope["body"]
        if (claims["iss"], claims["event"]) != (self.event.service, self.event.name):
            raise Forbidden("forged_event")
        if claims["sha256"] != hashlib.sha256(text.encode()).hexdigest():
            raise Forbidden("forged_event")
        news = self.event.load(json.loads(text))
        news.update(event_id=claims["id"], practice_id=claims["practice_id"], at=datetime.fromisoformat(claims["at"]))
        return news


def _kind(trouble: BaseException) -> str:
    return f"{type(trouble).__name__} {trouble.code}" if isinstance(trouble, Fault) else type(trouble).__name__


class Hears(Consumer):
    """The entrypoint behind `hears`: one durable queue for each handler."""

    queue_consumer = BusConsumer()

    def __init__(self, event: Event, **options: Any):
        self.event = event
        super().__init__(queue=None, sensitive_arguments=("heard",), **options)

    def setup(self) -> None:
        service = self.container.service_name
        settings = self.container.config["SETTINGS"]
        self.queue = news_queue(self.event, service, self.method_name)
        self.parking = parking_queue(service, self.queue.name)
        self.exchanges, self.more_queues = [events_exchange(self.event.service), again_exchange(service)], [self.parking]
        self.keys, self.scale = settings.keys(service), settings.time_scale
        self.sender = Sender(settings.amqp_uri, confirms=True, exchanges=(again_exchange(service),))
        super().setup()

    def stop(self) -> None:
        super().stop()
        self.container._worker_pool.waitall()
        self.sender.close()

    def handle_message(self, body: Any, message: Any) -> None:
        heard = Heard(self.event, body, self.keys, self.queue.name)
        handle_result = functools.partial(self.handle_result, message)
        try:
            self.container.spawn_worker(self, (heard,), {}, handle_result=handle_result)
        except ContainerBeingKilled:
            self.queue_consumer.requeue_message(message)

    def handle_result(self, message: Any, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> tuple:
        if result == Heard.DONE or self._put_aside(message, result == Heard.HOPELESS, worker_ctx.args[0].why):
            self.queue_consumer.ack_message(message)
        else:
            self.queue_consumer.requeue_message(message)
        return None, None

    def _put_aside(self, message: Any, hopeless: bool, why: str) -> bool:
        """Whether it has arrived elsewhere. While the broker takes nothing it is held: giving it back counts as a delivery."""
        for pause in HELD:
            try:
                if self._move(message, hopeless, why):
                    return True
            except Unavailable as trouble:
                _log.warning("%s: can't be put aside yet (%s)", self.queue.name, trouble.code)
            if not message.channel.connection:  # the broker has taken it back by itself
                return True
            eventlet.sleep(pause)
        return False

    def _move(self, message: Any, hopeless: bool, why: str) -> bool:
        """To the queue of the next pause, or after the last try to the parking queue; confirmed before it is acked."""
        tries = int(message.headers.get("tries", 0)) + 1
        headers: dict[str, Any] = {"tries": tries}
        if parked := hopeless or tries >= TRIES:
            headers |= {"parked_at": rfc3339(datetime.now(UTC)), "why": why or "stopped in the middle"}
            _log.error("%s: parked after %s tries (%s)", self.queue.name, tries, headers["why"])
        pause = PAUSES[min(tries, len(PAUSES)) - 1] / self.scale
        service, name = self.container.service_name, self.queue.name
        target = self.parking if parked else pause_queue(service, name, max(20, int(pause * 1000)))
        body = message.body
        return self.sender.send(
            body if isinstance(body, str) else bytes(body).decode(),
            exchange=again_exchange(service).name,
            routing_key=target.name,
            declare=(target,),
            mandatory=True,
            headers=headers,
            expiration=None if parked else max(0.02, pause * random.uniform(0.75, 1)),  # noqa: S311  # spreads retries
        )
