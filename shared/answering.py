"""How a service answers calls, keeps time and is run: entrypoints on nameko. How one asks is in `asking.py`."""

import functools
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
from kombu import Connection
from nameko.exceptions import ConfigurationError, ContainerBeingKilled, MethodNotFound
from nameko.extensions import DependencyProvider, register_entrypoint
from nameko.rpc import Rpc, RpcConsumer
from nameko.runners import ServiceRunner
from nameko.timer import Timer

from shared import embedded, wire
from shared.caller import read_caller
from shared.consuming import HEARTBEAT_SECONDS, BusConsumer
from shared.contract import Call
from shared.faults import Fault, Unavailable, Unreachable
from shared.killpoints import reach
from shared.mishap import log_mishap
from shared.queues import calls_exchange, calls_queue, exchange_of_reply
from shared.sending import Sender
from shared.settings import Settings
from shared.tenancy import acting_for_all, acting_in
from shared.told import Told

STOP_SECONDS = 10
_SHORTEST_TICK = 0.02

_log = logging.getLogger(__name__)


def answers(call: Call) -> Callable:
    """Make a method `(self, caller, request)` the answer to `call`: what it gives back, or the Fault it raises, is told.

    It may give back anything that the call's `gives` can dump, or a `Told`. The method itself stays at `__wrapped__`.
    """

    def register(method: Callable) -> Callable:
        @functools.wraps(method)
        def door(service: Any, asked: "Asked") -> dict | None:
            return asked.answered_by(functools.partial(method, service))

        register_entrypoint(door, Answers(call))
        return door

    return register


class Asked:
    """One call as it came in: checked, answered, and turned into what goes back."""

    def __init__(self, call: Call, envelope: dict, keys: Any):
        self.call, self.envelope, self.keys = call, envelope, keys

    @property
    def seconds_left(self) -> float:
        return self.envelope["deadline_at"] - time.time()

    def answered_by(self, method: Callable) -> dict | None:
        """The reply; None when nobody waits for it any more, and then nothing was run."""
        if self.seconds_left <= 0:
            _log.warning("%s.%s came too late and was not run", self.call.service, self.call.name)
            return None
        correlation_id = ""
        try:
            caller = read_caller(self.keys, self.envelope["caller"], self.call.service, self.call.name)
            correlation_id = caller.correlation_id
            with acting_in(caller.practice_id):
                return self._tell(method(caller, self.call.load_request(self.envelope["body"])))
        except Fault as fault:
            _log.info("%s.%s: %s [%s]", self.call.service, self.call.name, fault.code, correlation_id)
            return {"fault": fault.to_wire(), "replayed": fault.replayed}
        except (Exception, eventlet.Timeout) as trouble:
            told = log_mishap(_log, f"{self.call.service}.{self.call.name}", trouble, correlation_id)
            return {"fault": internal_error(told).to_wire(), "replayed": False}

    def _tell(self, result: Any) -> dict:
        told = result if isinstance(result, Told) else Told(wire.to_text(self.call.dump_answer(result)))
        return {"text": told.text, "replayed": told.replayed, "status": told.status}


def internal_error(correlation_id: str) -> Unavailable:
    """What a caller hears of a mishap: nothing but an id to ask about."""
    return Unavailable("internal_error", "Something went wrong on our side.", correlation_id=correlation_id)


class AnsweringConsumer(RpcConsumer):
    """The calls of one service, and one connection for all replies: a lost reply is logged and never ends the service."""

    queue_consumer = BusConsumer()
    more_queues: tuple = ()

    def setup(self) -> None:
        super().setup()
        self.queue = calls_queue(self.container.service_name)
        self.exchanges = [calls_exchange(self.container.service_name)]
        self.replies = Sender(self.container.config["AMQP_URI"], confirms=False)

    def stop(self) -> None:
        super().stop()
        self.replies.close()

    def handle_message(self, body: Any, message: Any) -> None:
        try:
            self.get_provider_for_method(message.delivery_info["routing_key"]).handle_message(body, message)
        except MethodNotFound:
            fault = Unreachable("no_such_call", "This service does not know that call.")
            self.reply(message, {"fault": fault.to_wire(), "replayed": False}, seconds_left=5.0)
        except (KeyError, TypeError, IndexError) as trouble:
            log_mishap(_log, "reading a call", trouble)
            self.queue_consumer.ack_message(message)

    def reply(self, message: Any, result: dict, seconds_left: float) -> None:
        """Send the reply, then acknowledge the call; a reply that can't be sent is dropped: the caller's deadline covers it."""
        try:
            text = wire.to_wire({"result": result, "error": None})
        except (TypeError, ValueError) as trouble:
            fault = internal_error(log_mishap(_log, "writing a reply", trouble))
            text = wire.to_wire({"result": {"fault": fault.to_wire(), "replayed": False}, "error": None})
        reply_to = message.properties.get("reply_to")
        try:
            if not isinstance(reply_to, str):
                raise ValueError("nobody waits for it")
            self.replies.send(
                text,
                exchange=exchange_of_reply(reply_to),
                routing_key=reply_to,
                correlation_id=message.properties.get("correlation_id"),
                persistent=False,
                expiration=max(1.0, seconds_left),
            )
        except (Unavailable, ValueError):
            _log.warning("a reply could not be sent and was dropped")
        reach(f"{message.delivery_info['routing_key']}.before_ack")
        self.queue_consumer.ack_message(message)


class Answers(Rpc):
    """The entrypoint behind `answers`."""

    rpc_consumer = AnsweringConsumer()

    def __init__(self, call: Call, **options: Any):
        self.call = call
        super().__init__(expected_exceptions=Fault, sensitive_arguments=("asked",), **options)

    def setup(self) -> None:
        if (self.call.service, self.call.name) != (self.container.service_name, self.method_name):
            raise ConfigurationError(f"{self.method_name} can't answer {self.call.service}.{self.call.name}")
        self.keys = self.container.config["SETTINGS"].keys(self.call.service)
        super().setup()

    def handle_message(self, body: dict, message: Any) -> None:
        asked = Asked(self.call, body["args"][0], self.keys)
        handle_result = functools.partial(self.handle_result, message)
        try:
            self.container.spawn_worker(self, (asked,), {}, handle_result=handle_result)
        except ContainerBeingKilled:
            self.rpc_consumer.requeue_message(message)

    def handle_result(self, message: Any, worker_ctx: Any, result: Any, exc_info: Any) -> tuple:
        if result is None:
            self.rpc_consumer.queue_consumer.ack_message(message)
        else:
            self.rpc_consumer.reply(message, result, worker_ctx.args[0].seconds_left)
        return None, None


def every(seconds: float, scaled: bool = True) -> Callable:
    """Run a method `(self)` every so many seconds, counted from the end of the last run; a failure is logged.

    `scaled`: the interval is divided by the development time scale. Never two runs at once in one process.
    """

    def register(method: Callable) -> Callable:
        @functools.wraps(method)
        def tick(service: Any) -> None:
            try:
                with acting_for_all():
                    method(service)
            except (Exception, eventlet.Timeout) as trouble:
                log_mishap(_log, f"timer {service.name}.{method.__name__}", trouble)

        register_entrypoint(tick, Every(seconds, scaled))
        return tick

    return register


class Every(Timer):
    """The entrypoint behind `every`."""

    def __init__(self, seconds: float, scaled: bool, **options: Any):
        self.scaled = scaled
        super().__init__(seconds, **options)

    def _run(self) -> None:
        scale = self.container.config["SETTINGS"].time_scale if self.scaled else 1.0
        while True:
            pause = max(self.interval / scale * random.uniform(0.9, 1.1), _SHORTEST_TICK)  # noqa: S311  # spreads processes
            with eventlet.Timeout(pause, False):
                self.should_stop.wait()
                break
            self.handle_timer_tick()
            self.worker_complete.wait()
            self.worker_complete.reset()


class Given(DependencyProvider):
    """What every worker is given: made once by `build(settings)` when the service starts, closed when it stops."""

    def __init__(self, build: Callable[[Settings], Any]):
        self.build = build

    def setup(self) -> None:
        self.value = self.build(self.container.config["SETTINGS"])

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.value

    def stop(self) -> None:
        if callable(close := getattr(self.value, "close", None)):
            close()


def run_containers(service_classes: Iterable[type], settings: Settings) -> "Running":
    """The services as nameko containers in this (monkey-patched) process, not yet started."""
    return Running(list(service_classes), settings)


class Running:
    """Services under one roof: `start` returns when all listen, `wait` when one has died, `stop` within ten seconds."""

    def __init__(self, service_classes: list[type], settings: Settings):
        embedded.register()
        wire.register()
        self._uri = settings.amqp_uri
        config = {
            "AMQP_URI": settings.amqp_uri,
            "HEARTBEAT": HEARTBEAT_SECONDS,
            "max_workers": settings.max_workers,
            "SERIALIZER": wire.NAME,
            "ACCEPT": [wire.NAME],
            "SETTINGS": settings,
        }
        self._runner = ServiceRunner(config)
        for service_class in service_classes:
            self._runner.add_service(service_class)

    def start(self) -> None:
        wait_for_broker(self._uri)
        self._runner.start()

    def listening(self) -> bool:
        """Whether every service has its broker now, and comes to its messages."""
        consumers = [part for one in self._runner.containers for part in one.extensions if isinstance(part, BusConsumer)]
        return bool(consumers) and all(consumer.listening for consumer in consumers)

    def wait(self) -> None:
        """Until every service has stopped; raises what one of them died of."""
        self._runner.wait()

    def stop(self) -> None:
        """Finish what is in hand, for ten seconds at most."""
        with eventlet.Timeout(STOP_SECONDS, False):
            self._runner.stop()
            return
        _log.warning("not everything was finished within %s s", STOP_SECONDS)
        with eventlet.Timeout(2, False):
            self._runner.kill()


def wait_for_broker(amqp_uri: str) -> None:
    """Return once the broker answers; until then say so, at growing intervals."""
    pause = 0.5
    while True:
        try:
            with Connection(amqp_uri, connect_timeout=3) as connection:
                connection.connect()
            return
        except Exception as trouble:
            _log.warning("waiting for the broker (%s); next try in %g s", type(trouble).__name__, pause)
        eventlet.sleep(pause)
        pause = min(pause * 2, 5)
