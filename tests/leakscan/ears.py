"""What listens while the flows play: a tap on the broker, a mail server that wants a password, simulators that remember every request."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from kombu import Connection

from tests import engines
from tests.leakscan.canaries import Canaries
from tests.simulators.authorize_net import AuthorizeNetSimulator
from tests.simulators.elavon import Elavon
from tests.simulators.elavon_wire import REFUSALS
from tests.simulators.stand import Asked, Simulator
from tests.simulators.stripe import StripeSimulator
from tests.system import free_port

Said = dict[str, Any]  # one message: exchange, key, body, headers, properties


class Overheard:
    """The embedded broker's messages, which the product's launcher writes to a file."""

    def __init__(self, folder: Path):
        self._path = folder / "bus.jsonl"

    def messages(self) -> list[Said]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]


class Tap:
    """RabbitMQ's firehose, read by its administrator: every message that is published in this virtual host."""

    def __init__(self, uri: str):
        self._uri, self._heard, self._ended = uri, [], threading.Event()  # type: ignore[var-annotated]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the tap did not open"

    def _listen(self) -> None:
        with Connection(self._uri) as connection:
            channel = connection.channel()
            queue = channel.queue_declare(exclusive=True).queue
            channel.queue_bind(queue, "amq.rabbitmq.trace", "publish.#")
            channel.basic_consume(queue, no_ack=True, callback=self._hear)
            self._ready.set()
            while not self._ended.is_set():
                with suppress(TimeoutError, OSError):
                    connection.drain_events(timeout=0.5)

    def _hear(self, message: Any) -> None:
        told = message.headers
        self._heard.append({
            "exchange": told["exchange_name"], "key": told["routing_keys"][0] if told["routing_keys"] else "",
            "body": _text(message.body), "headers": told["properties"].get("headers") or {}, "properties": told["properties"],
        })  # fmt: skip

    def messages(self) -> list[Said]:
        return list(self._heard)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)


def _text(body: Any) -> str:
    return body.decode("latin-1") if isinstance(body, bytes | memoryview) else str(body)


@contextmanager
def tapping(uri: str) -> Iterator[Tap]:
    with engines.traced(uri):
        tap = Tap(uri)
        try:
            yield tap
        finally:
            tap.close()


class MailServer:
    """Keeps what comes in; refuses whoever has not the password, and for good an address that begins with `nobody`."""

    def __init__(self, password: str):
        self.received: list[tuple[list[str], bytes]] = []
        self.password, self.port = password, free_port()
        self._server = Controller(
            self, "127.0.0.1", self.port, auth_required=True, auth_require_tls=False, authenticator=self._knows, decode_data=False
        )  # type: ignore[arg-type]

    def _knows(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=isinstance(given, LoginPassword) and given.password == self.password.encode())

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list) -> str:
        if address.startswith("nobody"):
            return "550 there is nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append((list(envelope.rcpt_tos), envelope.content))
        return "250 OK"

    @contextmanager
    def serving(self) -> Iterator["MailServer"]:
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop()


class Peers:
    """The three processors' simulators in this process, with every request that came to them."""

    def __init__(self, canaries: Canaries):
        pin = canaries.make("credential elavon", "PIN{}")
        self.cards = {name: [canaries.card(f"card of {name}") for _ in range(30)] for name in ("stripe", "authorize_net", "elavon")}
        self.simulators: dict[str, Simulator] = {
            "stripe": StripeSimulator(),
            "authorize_net": AuthorizeNetSimulator(),
            "elavon": Elavon(),
        }
        elavon = self.simulators["elavon"]
        elavon.pin, elavon.cards = pin, frozenset({*self.cards["elavon"], *REFUSALS})  # type: ignore[attr-defined]
        self.asked: list[tuple[str, Asked]] = []
        for name, simulator in self.simulators.items():
            self._remember(name, simulator)

    def _remember(self, name: str, simulator: Simulator) -> None:
        answer = simulator.answer

        def remembered(asked: Asked) -> Any:
            self.asked.append((name, asked))
            return answer(asked)

        simulator.answer = remembered  # type: ignore[method-assign]

    @contextmanager
    def serving(self) -> Iterator["Peers"]:
        with ExitStack() as stack:
            for simulator in self.simulators.values():
                stack.enter_context(simulator.serving())
            yield self

    def card(self, name: str) -> str:
        """A card that this processor approves, and that nobody else was given."""
        return self.cards[name].pop()
