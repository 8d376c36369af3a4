"""What handlers have given up, on RabbitMQ: looked at, put back into its handler's queue, or dropped. Nothing here is lost on the way."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from amqp.exceptions import NotFound
from kombu import Connection

from deploy.rabbitmq.rights import Handler, handlers
from shared import queues
from shared.fields import rfc3339
from shared.keys import from_text
from shared.sending import CONNECT_SECONDS, Sender
from shared.settings import PREFIX, Settings, WrongSetting

KILLS = "its handling ended the process again and again"


@dataclass
class Parked:
    """One message that lies parked. `id` is the event's, or a fingerprint where it is not an event of ours."""

    handler: Handler
    tag: int
    id: str
    event: str
    practice_id: str
    told_at: str
    tries: int
    parked_at: str
    why: str
    text: str

    @property
    def body(self) -> dict:
        """What the event carries: private, so shown only when asked for."""
        try:
            body = json.loads(json.loads(self.text)["body"])
        except (ValueError, KeyError, TypeError):
            return {}
        return body if isinstance(body, dict) else {}


class ParkingLot:
    """The parking queues of all handlers, through one connection."""

    def __init__(self, settings: Settings):
        """Raises WrongSetting on the embedded broker: there parking lives in the serving process only, and ends with it."""
        if settings.embedded:
            raise WrongSetting(
                "The embedded broker keeps what is parked in the serving process only, until it ends. "
                f"Set {PREFIX}AMQP_URI to RabbitMQ, with the operator's user."
            )
        self._uri = settings.amqp_uri
        self._connection = Connection(self._uri, connect_timeout=CONNECT_SECONDS)
        self._sender = Sender(self._uri, confirms=True)

    def close(self) -> None:
        self._sender.close()
        self._connection.release()

    def count(self, handler: Handler) -> int:
        """How many are parked; 0 where the queue is not there yet."""
        try:
            with self._connection.channel() as channel:
                return channel.queue_declare(handler.parking, passive=True).message_count
        except NotFound:
            return 0

    def look(self, handler: Handler) -> list[Parked]:
        """All that are parked, oldest first; they stay."""
        with self._opened(handler) as messages:
            return sorted((one for one, _ in messages), key=lambda one: one.parked_at)

    def replay(self, handler: Handler, wanted: Callable[[Parked], bool]) -> list[Parked]:
        """Put back into the handler's own queue; each is acknowledged only when the broker has it there.

        Raises Unavailable where it can't be put back: it stays parked. A death in between leaves it in both places,
        which the handler's inbox bears.
        """
        return self._settle(handler, wanted, self._put_back)

    def drop(self, handler: Handler, wanted: Callable[[Parked], bool]) -> list[Parked]:
        """Gone for good."""
        return self._settle(handler, wanted, lambda one: None)

    def _settle(self, handler: Handler, wanted: Callable[[Parked], bool], work: Callable[[Parked], None]) -> list[Parked]:
        done = []
        with self._opened(handler) as messages:
            for one, acknowledge in messages:
                if wanted(one):
                    work(one)
                    acknowledge()
                    done.append(one)
        return done

    def _put_back(self, one: Parked) -> None:
        service, queue = one.handler.service, one.handler.queue
        if not self._sender.send(one.text, exchange=queues.again_exchange(service).name, routing_key=queue, mandatory=True):
            raise WrongSetting(f"{queue} is not there: start the {service} service once, or load the definitions. It stays parked.")

    @contextmanager
    def _opened(self, handler: Handler) -> Iterator[Iterator[tuple[Parked, Callable[[], None]]]]:
        """What lies there now, each once, with the way to acknowledge it; what was not acknowledged goes back at the end.

        All are fetched first: one that is parked anew while it is replayed is not met a second time.
        """
        with self._connection.channel() as channel:
            found = [_read(handler, message) for message in self._fetched(channel, handler)]
            yield ((one, partial(channel.basic_ack, one.tag)) for one in found)

    def _fetched(self, channel: Any, handler: Handler) -> Iterator[Any]:
        if self.count(handler):
            while (message := channel.basic_get(handler.parking)) is not None:
                yield message


def _read(handler: Handler, message: Any) -> Parked:
    text = message.body if isinstance(message.body, str) else bytes(message.body).decode(errors="replace")
    claims, headers = _claims(text), message.headers or {}
    death = (headers.get("x-death") or [{}])[0]
    by_broker = death.get("reason") == "delivery_limit"
    return Parked(
        handler=handler,
        tag=message.delivery_info["delivery_tag"],
        id=str(claims.get("id") or "msg_" + hashlib.sha256(text.encode()).hexdigest()[:16]),
        event=str(claims.get("event", "not an event of ours")),
        practice_id=str(claims.get("practice_id", "")),
        told_at=str(claims.get("at", "")),
        tries=int(headers.get("tries", 0)) + (int(death.get("count", 1)) if by_broker else 0),
        parked_at=_time(death.get("time")) if by_broker else str(headers.get("parked_at", "")),
        why=KILLS if by_broker else str(headers.get("why", "")),
        text=text,
    )


def _claims(text: str) -> dict:
    """What the envelope says of itself, unproved: its handler checks the signature again when it is replayed."""
    try:
        claims = json.loads(from_text(json.loads(text)["token"].partition(".")[0]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _time(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def chosen(name: str) -> list[Handler]:
    """The handlers of that name (`service.method`), or all. Raises WrongSetting where there is none."""
    found = [handler for handler in handlers() if name in ("", f"{handler.service}.{handler.method}")]
    if not found:
        known = ", ".join(sorted(f"{handler.service}.{handler.method}" for handler in handlers()))
        raise WrongSetting(f"There is no handler {name!r}. There are: {known}.")
    return found


def list_lines(lot: ParkingLot, name: str, each: bool, now: datetime) -> Iterator[str]:
    """A line for each handler that has something parked: how many and how old; with `each` a line for every one."""
    total = 0
    for handler in chosen(name):
        parked = lot.look(handler)
        if not parked:
            continue
        total += len(parked)
        ages = f"oldest {_age(parked[0], now)}, newest {_age(parked[-1], now)}"
        yield f"{handler.service}.{handler.method:<24} {len(parked):>6}  {ages}"
        if each:
            yield from (f"  {one.id}  {one.event}  {one.tries} tries  {one.parked_at}  {one.why}" for one in parked)
    yield f"{total} parked"


def _age(one: Parked, now: datetime) -> str:
    try:
        seconds = int((now - datetime.fromisoformat(one.parked_at)).total_seconds())
    except ValueError:
        return "unknown"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def show_lines(lot: ParkingLot, name: str, event_id: str, body: bool) -> Iterator[str]:
    """Everything that is known of one parked event; of what it carries the names of the fields only, unless `body`."""
    for handler in chosen(name):
        for one in lot.look(handler):
            if one.id != event_id:
                continue
            yield f"event         {one.id}"
            yield f"name          {one.event}"
            yield f"practice      {one.practice_id}"
            yield f"told at       {one.told_at}"
            yield f"handler       {handler.service}.{handler.method}"
            yield f"tries         {one.tries}"
            yield f"parked at     {one.parked_at}"
            yield f"why           {one.why}"
            yield f"carries       {json.dumps(one.body) if body else ', '.join(sorted(one.body))}"
