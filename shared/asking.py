"""How calls are asked: one connection and one reply queue per process, a deadline for each call, faults raised as they were.

It works in green threads (over the embedded broker or RabbitMQ) and in native threads (RabbitMQ only). Nothing is
connected before the first call, so it may be made before a fork and used after it.
"""

import contextlib
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kombu import Connection

from shared import embedded, wire
from shared.caller import Caller
from shared.contract import Call
from shared.faults import Fault, Unanswered, Unreachable
from shared.fields import Record
from shared.keys import SERVICES
from shared.mishap import log_mishap
from shared.queues import calls_exchange, find_or_make, replies_exchange, reply_prefix
from shared.settings import Settings

CONNECT_SECONDS, HEARTBEAT_SECONDS, READ_SECONDS = 2, 10, 1.0
REST_SECONDS = 0.5  # after the broker could not be reached, calls fail at once for so long
TOKEN_SLACK = 5  # seconds that the callee's clock may be ahead

_log = logging.getLogger(__name__)


@dataclass
class Answer:
    """What a service answered: `text` is its exact JSON, `status` the HTTP status where the call leaves a choice."""

    call: Call
    text: str
    replayed: bool = False
    status: int | None = None

    @cached_property
    def data(self) -> Record:
        """The answer as a Record; unknown fields are ignored."""
        return self.call.load_answer(json.loads(self.text))


class Bus:
    """Asks in the name of one service; shared by all threads of a process."""

    def __init__(self, settings: Settings, service: str):
        self._settings, self._service = settings, service
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._down_until = 0.0

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        """The answer to `call`, waiting `within` seconds at most (the call's own limit by default).

        Raises the Fault that the service answered, Unreachable when the call was certainly not delivered, and
        Unanswered when the deadline passed or the connection broke: then it may have been done.
        """
        within = call.within if within is None else within
        deadline_at = time.time() + within
        token = caller.token(
            self._settings.keys(self._service), audience=call.service, method=call.name, expires_at=deadline_at + TOKEN_SLACK
        )
        envelope = {"caller": token, "body": body, "deadline_at": deadline_at}
        text = wire.to_wire({"args": [envelope], "kwargs": {}})
        return _read(call, self._exchange(call, text, within))

    def _exchange(self, call: Call, text: str, within: float) -> dict:
        until = time.monotonic() + within
        try:
            waiting = self._open_line().send(call, text, within)
        except _NotSent:  # the line was broken and nothing went out: one fresh line may be tried
            try:
                waiting = self._open_line().send(call, text, within)
            except _NotSent:
                raise Unreachable("broker_unreachable") from None
        return waiting.result(until)

    def _open_line(self) -> "_Line":
        line = self._line
        if line is not None and line.open:
            return line
        with self._lock:
            if self._line is not None and self._line.open:
                return self._line
            if time.monotonic() < self._down_until:
                raise Unreachable("broker_unreachable")
            try:
                self._line = _Line(self._settings.amqp_uri, self._service)
            except Exception as trouble:
                self._down_until = time.monotonic() + REST_SECONDS
                _log.warning("the broker can't be reached (%s)", type(trouble).__name__)
                raise Unreachable("broker_unreachable") from None
            return self._line

    def close(self) -> None:
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()


def _read(call: Call, reply: dict) -> Answer:
    if "fault" in reply:
        fault = Fault.from_wire(reply["fault"])
        fault.replayed = bool(reply.get("replayed"))
        raise fault
    return Answer(call, reply["text"], bool(reply.get("replayed")), reply.get("status"))


class _NotSent(Exception):
    """The message did not leave."""


class _Waiting:
    """One caller waiting for one reply."""

    __slots__ = ("_gate", "_line", "id", "outcome")

    def __init__(self, line: "_Line"):
        self._line = line
        self.id = uuid.uuid4().hex
        self.outcome: dict | Exception | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def settle(self, outcome: dict | Exception) -> None:
        """The first to take us off the list says what happened; taking is one step, in native threads too."""
        if self._line.waiting.pop(self.id, None) is not None:
            self.outcome = outcome
            self._gate.release()

    def result(self, until: float) -> dict:
        left = until - time.monotonic()
        answered = self._gate.acquire(timeout=left) if left > 0 else False
        if not answered:
            if self._line.waiting.pop(self.id, None) is not None:
                raise Unanswered("unanswered", "No answer came in time. It may still have been done.")
            self._gate.acquire()  # somebody is settling us this very moment
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


class _Line:
    """One connection with its reply queue and the thread that reads it; once broken it is thrown away."""

    def __init__(self, amqp_uri: str, service: str):
        embedded.register()
        self.waiting: dict[str, _Waiting] = {}
        self.open = True
        self._broken = False
        self._connection = Connection(
            amqp_uri,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
        )
        self._connection.connect()
        self._let_only_the_reader_read()
        answers = replies_exchange(service)
        find_or_make(self._connection.connection, [answers, *map(calls_exchange, SERVICES)])
        self._replies = reply_prefix(service) + uuid.uuid4().hex
        self._channel = self._connection.channel()
        self._channel.events["basic_return"].add(self._on_return)
        self._channel.queue_declare(queue=self._replies, exclusive=True, auto_delete=True)
        self._channel.queue_bind(queue=self._replies, exchange=answers.name, routing_key=self._replies)
        self._channel.basic_consume(queue=self._replies, no_ack=True, callback=self._on_reply)
        self._reader = threading.Thread(target=self._read, name=f"replies-{service}", daemon=True)
        self._reader.start()

    def _let_only_the_reader_read(self) -> None:
        """py-amqp looks at the socket before each publish where it knows `connection.blocked`: two would read at once.

        And it sets the socket's time-out around each read unless that is set already: that would disturb who writes.
        """
        wire_connection = self._connection.connection
        if hasattr(wire_connection, "client_properties"):
            wire_connection.client_properties["capabilities"] = {}
            wire_connection.sock.settimeout(READ_SECONDS)

    def send(self, call: Call, text: str, within: float) -> _Waiting:
        """Publish one call. Raises _NotSent when it did not go out whole, which the broker then ignores."""
        waiting = _Waiting(self)
        self.waiting[waiting.id] = waiting
        try:
            properties = {
                "reply_to": self._replies,
                "correlation_id": waiting.id,
                "expiration": str(max(1, int(within * 1000))),
                "delivery_mode": 1,
            }
            message = self._channel.prepare_message(
                text, content_type=wire.CONTENT_TYPE, content_encoding="utf-8", headers={}, properties=properties
            )
            self._channel.basic_publish(
                message, exchange=calls_exchange(call.service).name, routing_key=f"{call.service}.{call.name}", mandatory=True
            )
        except Exception as trouble:
            self.waiting.pop(waiting.id, None)
            self.open, self._broken = False, True
            raise _NotSent from trouble
        if not self.open:  # it broke meanwhile, perhaps before the reader's farewell saw this call
            waiting.settle(Unanswered("connection_lost"))
        return waiting

    def _read(self) -> None:
        while self.open and not self._broken:
            try:
                self._connection.drain_events(timeout=READ_SECONDS)
            except TimeoutError:
                self._broken = not self._alive()
            except Exception as trouble:
                _log.warning("the connection to the broker broke (%s)", type(trouble).__name__)
                self._broken = True
        self.open = False
        for waiting in list(self.waiting.values()):
            waiting.settle(Unanswered("connection_lost", "The connection broke. It may still have been done."))
        with contextlib.suppress(Exception):
            self._connection.collect() if self._broken else self._connection.release()

    def _alive(self) -> bool:
        try:
            self._connection.heartbeat_check()
        except Exception:
            _log.warning("the broker is silent; connecting anew")
            return False
        return True

    def _on_reply(self, message: Any) -> None:
        waiting = self.waiting.get(message.properties.get("correlation_id"))
        if waiting is None:
            return  # nobody waits any more
        try:
            waiting.settle(json.loads(message.body)["result"])
        except Exception as trouble:
            log_mishap(_log, "reading a reply", trouble)

    def _on_return(self, _trouble: Any, _exchange: str, _routing_key: str, message: Any) -> None:
        if waiting := self.waiting.get(message.properties.get("correlation_id")):
            waiting.settle(Unreachable("nobody_answers", "The service that does this is not running."))

    def close(self) -> None:
        """Let the reader end and close the connection itself."""
        self.open = False
        self._reader.join(2 * READ_SECONDS)
