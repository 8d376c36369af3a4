"""One connection that publishes: made when first needed, made again after a break, used by one green thread at a time."""

import contextlib
import logging
import threading
from typing import Any

from amqp.exceptions import ChannelError, MessageNacked
from kombu import Connection, Exchange, Producer, Queue

from shared import embedded, wire
from shared.faults import Unavailable
from shared.queues import find_or_make

CONNECT_SECONDS, SEND_SECONDS = 2, 5
# The fault's code where the broker is well, but a queue would not take this message, or we may not send it there.
FULL, FORBIDDEN = "queue_full", "forbidden_by_broker"

_log = logging.getLogger(__name__)


class Sender:
    """Publishes to one broker; with `confirms`, `send` returns only when the broker has accepted the message."""

    def __init__(self, amqp_uri: str, *, confirms: bool, exchanges: tuple[Exchange, ...] = ()):
        """`exchanges` are made where they are not there, whenever it connects."""
        embedded.register()
        self._uri, self._confirms, self._exchanges = amqp_uri, confirms, exchanges
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._returned = False

    def send(
        self,
        text: str,
        *,
        routing_key: str,
        exchange: str = "",
        declare: tuple[Queue, ...] = (),
        mandatory: bool = False,
        persistent: bool = True,
        expiration: float | None = None,
        headers: dict | None = None,
        **properties: Any,
    ) -> bool:
        """Publish `text`; False where it was `mandatory` and no queue would take it (known with confirms only).

        Raises Unavailable when the broker can't be reached, after one try on a fresh connection (whether the message
        had arrived all the same is then not known), Unavailable("queue_full") when a queue refused it, and
        Unavailable("forbidden_by_broker") when the broker did, whom we had reached: others may still be sent.
        """
        details = {
            "routing_key": routing_key,
            "exchange": exchange,
            "mandatory": mandatory,
            "delivery_mode": 2 if persistent else 1,
            "expiration": expiration,
            "headers": headers or {},
            "content_type": wire.CONTENT_TYPE,
            "content_encoding": "utf-8",
            "timeout": SEND_SECONDS,
            "confirm_timeout": SEND_SECONDS,
            **properties,
        }
        with self._turn:
            try:
                return self._send(text, declare, details)
            except MessageNacked:
                raise Unavailable(FULL) from None
            except Exception:
                self._drop()  # what was left of an old connection; a fresh one may do
            try:
                return self._send(text, declare, details)
            except MessageNacked:
                raise Unavailable(FULL) from None
            except Exception as trouble:
                reached = self._producer is not None
                self._drop()
                _log.warning("%s can't be published to (%s)", exchange or "a queue", type(trouble).__name__)
                forbidden = reached and isinstance(trouble, ChannelError)
                raise Unavailable(FORBIDDEN if forbidden else "broker_unreachable") from trouble

    def _send(self, text: str, declare: tuple, details: dict) -> bool:
        try:
            producer = self._producer or self._connect()
            for entity in declare:
                entity(producer.channel).declare()
            self._returned = False
            producer.publish(text, **details)
            return not self._returned
        except Exception:
            raise
        except BaseException:  # killed in the middle: the connection may hold half a message
            self._drop()
            raise

    def _connect(self) -> Producer:
        self._connection = Connection(
            self._uri, connect_timeout=CONNECT_SECONDS, transport_options={"confirm_publish": self._confirms}
        )
        self._connection.connect()
        find_or_make(self._connection.connection, self._exchanges)
        self._producer = Producer(self._connection.channel(), auto_declare=False, on_return=self._on_return)
        return self._producer

    def _on_return(self, *_: Any) -> None:
        self._returned = True

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                connection.collect()

    def close(self) -> None:
        with self._turn:
            self._drop()
