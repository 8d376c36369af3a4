"""The embedded broker: kombu's scheme `inproc://`, queues of one process that wake their readers. Nothing is kept on disk.

It does what the services rely on: topic and direct exchanges, prefetch per consumer, mandatory returns, time to live,
length and delivery limits, dead-letter exchanges, exclusive and auto-delete queues, and unacknowledged messages that go
back to the head of their queue when their channel closes. It belongs to green threads: a native thread can't wake them.
Unused queues don't expire (`x-expires`): the process ends first.
"""

import socket
import time
import uuid
from collections import defaultdict, deque
from typing import Any

from amqp.exceptions import ChannelError as BrokenChannel
from amqp.exceptions import ConnectionError as BrokenConnection
from amqp.exceptions import NotFound, PreconditionFailed, RecoverableConnectionError, error_for_code
from amqp.protocol import queue_declare_ok_t
from eventlet.semaphore import Semaphore
from kombu import transport as kombu_transport
from kombu.transport import base

from shared.embedded_queues import Box, Broker, Exchange, Letter, Reader, broker_of

NO_ROUTE = 312
_BASIC_RETURN = (60, 50)


def register() -> None:
    """Make `inproc://` known to kombu in this process; may be called again."""
    kombu_transport.TRANSPORT_ALIASES["inproc"] = "shared.embedded:Transport"


class Message(base.Message):
    """A letter as kombu and nameko read it."""

    def __init__(self, letter: Letter, channel: "Channel", tag: int, consumer_tag: str = ""):
        properties = letter.properties
        super().__init__(
            body=letter.body,
            channel=channel,
            delivery_tag=tag,
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            headers=letter.headers,
            properties=properties,
            delivery_info={
                "consumer_tag": consumer_tag,
                "delivery_tag": tag,
                "redelivered": letter.redelivered,
                "exchange": letter.exchange,
                "routing_key": letter.routing_key,
            },
        )


class Channel(base.StdChannel):
    """A channel of kombu's, on the embedded broker."""

    def __init__(self, wire: "Wire", channel_id: int):
        self.connection: Wire | None = wire
        self.broker = wire.broker
        self.channel_id = channel_id
        self.events: dict[str, set] = defaultdict(set)
        self.prefetch = 0
        self.readers: dict[str, Reader] = {}
        self.unacked: dict[int, tuple[Letter, Box, Reader | None]] = {}
        self._last_tag = 0

    @property
    def is_open(self) -> bool:
        return self.connection is not None

    def _box(self, queue: str) -> Box:
        if queue not in self.broker.queues:
            raise NotFound(f"no queue {queue!r}")
        return self.broker.queues[queue]

    # exchanges and queues

    def exchange_declare(self, exchange: str, type: str = "direct", passive: bool = False, **_: Any) -> None:
        if passive and exchange not in self.broker.exchanges:
            raise NotFound(f"no exchange {exchange!r}")
        self.broker.exchanges.setdefault(exchange, Exchange(type))

    def exchange_delete(self, exchange: str, **_: Any) -> None:
        self.broker.exchanges.pop(exchange, None)

    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: dict | None = None,
        **_: Any,
    ) -> queue_declare_ok_t:
        if passive:
            self._box(queue)
        queue = queue or f"made.{uuid.uuid4().hex}"
        if queue not in self.broker.queues:
            owner = self.connection if exclusive else None
            self.broker.queues[queue] = Box(self.broker, queue, arguments or {}, owner, auto_delete)
        box = self.broker.queues[queue]
        return queue_declare_ok_t(queue, len(box.ready), len(box.readers))

    def queue_bind(self, queue: str, exchange: str = "", routing_key: str = "", **_: Any) -> None:
        self._box(queue)
        if exchange not in self.broker.exchanges:
            raise NotFound(f"no exchange {exchange!r}")
        self.broker.exchanges[exchange].bind(queue, routing_key)

    def queue_unbind(self, queue: str, exchange: str = "", routing_key: str = "", **_: Any) -> None:
        if exchange in self.broker.exchanges:
            self.broker.exchanges[exchange].unbind(queue, routing_key)

    def queue_purge(self, queue: str, **_: Any) -> int:
        count = len(self._box(queue).ready)
        self._box(queue).ready.clear()
        return count

    def queue_delete(self, queue: str = "", **_: Any) -> int:
        return self.broker.delete_queue(queue)

    # sending

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict | None = None,
        properties: dict | None = None,
    ) -> Letter:
        properties = {
            **(properties or {}),
            "content_type": content_type,
            "content_encoding": content_encoding,
            "priority": priority or 0,
        }
        return Letter(body, dict(headers or {}), properties, "", "")

    def basic_publish(self, message: Letter, exchange: str = "", routing_key: str = "", mandatory: bool = False, **_: Any) -> None:
        """Accepted means in every queue (a full one raises MessageNacked); a mandatory letter for none is returned, or raises."""
        if self.connection is None:
            raise RecoverableConnectionError("the channel is closed")
        message.exchange, message.routing_key = exchange, routing_key
        if self.broker.offer(message) or not mandatory:
            return
        returned = error_for_code(NO_ROUTE, "NO_ROUTE", _BASIC_RETURN, BrokenChannel)
        if not self.events["basic_return"]:
            raise returned
        for callback in self.events["basic_return"]:
            callback(returned, exchange, routing_key, message)

    # receiving

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, a_global: bool = False, **_: Any) -> None:
        """The limit of consumers that are made from now on, each its own."""
        self.prefetch = prefetch_count

    def basic_consume(self, queue: str, no_ack: bool = False, consumer_tag: str = "", callback: Any = None, **_: Any) -> str:
        tag = consumer_tag or uuid.uuid4().hex
        reader = Reader(self._box(queue), self.take, tag, callback, no_ack, self.prefetch)
        self.readers[tag] = reader
        reader.queue.readers.append(reader)
        reader.queue.hand_out()
        return tag

    def basic_cancel(self, consumer_tag: str, **_: Any) -> None:
        """No more letters; those on their way go back, those already handed over stay ours until answered."""
        reader = self.readers.pop(consumer_tag, None)
        if reader is None or self.connection is None:
            return
        if reader in reader.queue.readers:
            reader.queue.leave(reader)
        on_the_way = [entry for entry in self.connection.inbox if entry[1] is reader]
        self.connection.inbox = deque(entry for entry in self.connection.inbox if entry[1] is not reader)
        for _channel, _reader, tag, letter in reversed(on_the_way):
            self.unacked.pop(tag, None)
            reader.queue.put_back(letter)

    def basic_get(self, queue: str, no_ack: bool = False, **_: Any) -> Message | None:
        box = self._box(queue)
        if not box.ready:
            return None
        letter = box.ready.popleft()
        self._last_tag += 1
        if not no_ack:
            self.unacked[self._last_tag] = (letter, box, None)
        return Message(letter, self, self._last_tag)

    def take(self, reader: Reader, letter: Letter) -> None:
        """A letter for one of our readers: remembered until it is answered, and the connection's drainer is woken."""
        self._last_tag += 1
        if not reader.no_ack:
            reader.held += 1
            self.unacked[self._last_tag] = (letter, reader.queue, reader)
        if self.connection is not None:
            self.connection.inbox.append((self, reader, self._last_tag, letter))
            self.connection.ring()

    def _settle(self, tag: int) -> tuple[Letter, Box]:
        if self.connection is None:
            raise RecoverableConnectionError("the channel is closed")
        if tag not in self.unacked:
            raise PreconditionFailed(f"unknown delivery tag {tag}")
        letter, box, reader = self.unacked.pop(tag)
        if reader is not None:
            reader.held -= 1
        return letter, box

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        tags = [tag for tag in self.unacked if tag <= delivery_tag] if multiple else [delivery_tag]
        for box in {id(box): box for _, box in map(self._settle, tags)}.values():
            box.hand_out()

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        letter, box = self._settle(delivery_tag)
        if requeue:
            box.put_back(letter)
        else:
            box.drop(letter)
            box.hand_out()

    def basic_recover(self, requeue: bool = True, **_: Any) -> None:
        self._give_back()

    def flow(self, active: bool = True) -> None:
        """Nothing to hold back inside one process."""

    def message_to_python(self, message: Message) -> Message:
        return message

    def _give_back(self) -> None:
        """Everything unanswered, to the heads of its queues, in its old order."""
        for tag in sorted(self.unacked, reverse=True):
            letter, box, reader = self.unacked.pop(tag)
            if reader is not None:
                reader.held -= 1
            box.put_back(letter)

    def close(self) -> None:
        if self.connection is None:
            return
        for tag in list(self.readers):
            self.basic_cancel(tag)
        self._give_back()
        self.connection.channels.pop(self.channel_id, None)
        self.connection = None

    collect = close


class Wire:
    """One connection to the embedded broker: an inbox, and a bell that wakes whoever drains it."""

    def __init__(self, client: Any, broker: Broker):
        self.client, self.broker = client, broker
        self.channels: dict[int, Channel] = {}
        self.inbox: deque = deque()
        self.connected = True
        self._bell = Semaphore(0)
        self._last_channel = 0

    def channel(self) -> Channel:
        if not self.connected:
            raise RecoverableConnectionError("the connection is closed")
        self._last_channel += 1
        self.channels[self._last_channel] = Channel(self, self._last_channel)
        return self.channels[self._last_channel]

    def ring(self) -> None:
        if not self._bell.counter:
            self._bell.release()

    def drain_events(self, timeout: float | None = None) -> None:
        """Hand one letter to its reader; `socket.timeout` after `timeout` seconds, as the network would."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.connected and not self.inbox:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("nothing came")
            self._bell.acquire(timeout=left)
        if not self.connected:
            raise RecoverableConnectionError("the connection is closed")
        channel, reader, tag, letter = self.inbox.popleft()
        reader.callback(Message(letter, channel, tag, reader.tag))

    def close(self) -> None:
        if not self.connected:
            return
        self.connected = False
        for channel in list(self.channels.values()):
            channel.close()
        for box in [box for box in self.broker.queues.values() if box.owner is self]:
            self.broker.delete_queue(box.name)
        self.ring()


class Transport(base.Transport):
    """`inproc://[/virtual-host]`: every connection of this process to the same virtual host meets the same queues."""

    driver_type = driver_name = "inproc"
    connection_errors: tuple = (BrokenConnection, socket.error)
    channel_errors = (BrokenChannel,)
    recoverable_connection_errors = (RecoverableConnectionError,)
    recoverable_channel_errors = ()
    implements = base.Transport.implements.extend(exchange_type=frozenset(["direct", "topic"]))

    def driver_version(self) -> str:
        return "1"

    def establish_connection(self) -> Wire:
        client: Any = self.client
        return Wire(client, broker_of(client.virtual_host or "/"))

    def close_connection(self, connection: Wire) -> None:
        connection.close()

    def create_channel(self, connection: Wire) -> Channel:
        return connection.channel()

    def close_channel(self, channel: Channel) -> None:
        channel.close()

    def drain_events(self, connection: Wire, **options: Any) -> None:
        connection.drain_events(**options)

    def verify_connection(self, connection: Wire) -> bool:
        return connection.connected

    def _collect(self, connection: Wire | None) -> None:
        if connection is not None:
            connection.close()
