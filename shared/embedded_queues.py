"""The queues, exchanges and routing of the embedded broker; how kombu speaks to them is in `embedded.py`.

No method gives way to another green thread, so each is one step.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from amqp.exceptions import MessageNacked, NotFound
from eventlet import hubs


@dataclass(slots=True, eq=False)
class Letter:
    """One message in one queue."""

    body: Any
    headers: dict
    properties: dict
    exchange: str
    routing_key: str
    expires_at: float | None = None
    redelivered: bool = False
    returns: int = 0

    def copy(self, **changed: Any) -> "Letter":
        """The same words for another queue: nobody shares headers with anybody."""
        parts = {
            "exchange": self.exchange,
            "routing_key": self.routing_key,
            "properties": dict(self.properties),
            **changed,
        }
        return Letter(body=self.body, headers=dict(self.headers), **parts)


@dataclass(slots=True, eq=False)
class Reader:
    """One consumer of one queue: it holds at most `prefetch` unacknowledged letters (0: no limit)."""

    queue: "Box"
    take: Callable[["Reader", Letter], None]
    tag: str
    callback: Callable
    no_ack: bool
    prefetch: int
    held: int = 0

    @property
    def has_room(self) -> bool:
        return self.no_ack or not self.prefetch or self.held < self.prefetch


@dataclass(eq=False)
class Box:
    """A queue."""

    broker: "Broker"
    name: str
    arguments: dict
    owner: Any = None
    auto_delete: bool = False
    ready: deque = field(default_factory=deque)
    readers: deque = field(default_factory=deque)
    alarm: Any = None
    alarm_at: float = 0.0

    @property
    def full(self) -> bool:
        """Whether it refuses what is published (overflow `reject-publish`; other overflows are not known here)."""
        longest = self.arguments.get("x-max-length")
        return longest is not None and len(self.ready) >= longest

    def put(self, letter: Letter) -> None:
        lives = [
            int(ms) / 1000 for ms in (self.arguments.get("x-message-ttl"), letter.properties.get("expiration")) if ms is not None
        ]
        if lives:
            letter.expires_at = time.monotonic() + min(lives)
        self.ready.append(letter)
        self.hand_out()
        self._watch(letter)

    def put_back(self, letter: Letter) -> None:
        letter.redelivered = True
        letter.returns += 1
        if letter.returns > self.arguments.get("x-delivery-limit", letter.returns):
            self.drop(letter)
            return
        self.ready.appendleft(letter)
        self.hand_out()
        self._watch(letter)

    def hand_out(self) -> None:
        """Give what is ready to readers with room, in turn; what is too old goes its own way."""
        while self.ready and (reader := self._next_reader()):
            letter = self.ready.popleft()
            if letter.expires_at is not None and letter.expires_at <= time.monotonic():
                self.drop(letter)
            else:
                reader.take(reader, letter)

    def _next_reader(self) -> Reader | None:
        for _ in range(len(self.readers)):
            self.readers.rotate(-1)
            if self.readers[-1].has_room:
                return self.readers[-1]
        return None

    def _watch(self, letter: Letter) -> None:
        """Where the letter has to wait and can grow too old, have an alarm at that moment or before."""
        if not self.ready or letter.expires_at is None or (self.alarm and self.alarm_at <= letter.expires_at):
            return
        if self.alarm:
            self.alarm.cancel()
        self.alarm_at = letter.expires_at
        self.alarm = hubs.get_hub().schedule_call_global(max(0.0, letter.expires_at - time.monotonic()), self._expire)

    def _expire(self) -> None:
        self.alarm = None
        now, waiting = time.monotonic(), self.ready
        self.ready = deque(letter for letter in waiting if letter.expires_at is None or letter.expires_at > now)
        for letter in waiting:
            if letter.expires_at is not None and letter.expires_at <= now:
                self.drop(letter)
        mortal = [letter for letter in self.ready if letter.expires_at is not None]
        if mortal:
            self._watch(min(mortal, key=lambda letter: letter.expires_at))

    def drop(self, letter: Letter) -> None:
        """Refused or too old: on to the dead-letter exchange where there is one."""
        exchange = self.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return
        properties = {name: value for name, value in letter.properties.items() if name != "expiration"}
        routing_key = self.arguments.get("x-dead-letter-routing-key", letter.routing_key)
        self.broker.publish(letter.copy(exchange=exchange, routing_key=routing_key, properties=properties))

    def leave(self, reader: Reader) -> None:
        self.readers.remove(reader)
        if self.auto_delete and not self.readers:
            self.broker.delete_queue(self.name)


@dataclass
class Exchange:
    """Where letters are sorted: by the exact key, and for topics by patterns too."""

    kind: str
    exact: dict = field(default_factory=lambda: defaultdict(list))
    patterns: list = field(default_factory=list)

    def bind(self, queue: str, key: str) -> None:
        if self.kind == "topic" and ("*" in key or "#" in key):
            if (key, queue) not in self.patterns:
                self.patterns.append((key, queue))
        elif queue not in self.exact[key]:
            self.exact[key].append(queue)

    def unbind(self, queue: str, key: str | None = None) -> None:
        self.patterns = [(k, q) for k, q in self.patterns if q != queue or key not in (None, k)]
        for bound in [key] if key is not None else list(self.exact):
            if queue in self.exact.get(bound, ()):
                self.exact[bound].remove(queue)
                if not self.exact[bound]:
                    del self.exact[bound]

    def queues(self, key: str) -> list[str]:
        found = list(self.exact.get(key, ()))
        found += [queue for pattern, queue in self.patterns if queue not in found and matches(pattern, key)]
        return list(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def matches(pattern: str, key: str) -> bool:
    """Whether a topic pattern fits: `*` is one word, `#` any number of words."""

    def fits(wanted: list[str], words: list[str]) -> bool:
        if not wanted:
            return not words
        if wanted[0] == "#":
            return any(fits(wanted[1:], words[skip:]) for skip in range(len(words) + 1))
        return bool(words) and wanted[0] in ("*", words[0]) and fits(wanted[1:], words[1:])

    return fits(pattern.split("."), key.split("."))


class Broker:
    """The exchanges and queues of one virtual host of this process."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Box] = {}

    def publish(self, letter: Letter) -> bool:
        """Put a copy into every queue that the key leads to; whether there was one."""
        boxes = self._boxes(letter)
        for box in boxes:
            box.put(letter.copy())
        return bool(boxes)

    def offer(self, letter: Letter) -> bool:
        """As `publish`, but a full queue refuses, which its publisher hears; the others have it then."""
        boxes = self._boxes(letter)
        refusing = [box for box in boxes if box.full]
        for box in boxes:
            if box not in refusing:
                box.put(letter.copy())
        if refusing:
            raise MessageNacked()
        return bool(boxes)

    def _boxes(self, letter: Letter) -> list[Box]:
        if letter.exchange and letter.exchange not in self.exchanges:
            raise NotFound(f"no exchange {letter.exchange!r}")
        names = self.exchanges[letter.exchange].queues(letter.routing_key) if letter.exchange else [letter.routing_key]
        return [self.queues[name] for name in names if name in self.queues]

    def delete_queue(self, name: str) -> int:
        box = self.queues.pop(name, None)
        for exchange in self.exchanges.values():
            exchange.unbind(name)
        return len(box.ready) if box else 0


_brokers: dict[str, Broker] = defaultdict(Broker)


def broker_of(virtual_host: str) -> Broker:
    """The one broker of that name in this process."""
    return _brokers[virtual_host]
