"""How a service's consumers live with their broker: a break is survived, work in hand is finished before leaving."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import eventlet
from kombu import Connection
from nameko.messaging import QueueConsumer

from shared.mishap import log_mishap
from shared.queues import find_or_make

HEARTBEAT_SECONDS = 10
LINGER_SECONDS = 8
STALE_SECONDS = 5
LONGEST_WAIT = 3  # seconds between two tries to connect

_log = logging.getLogger(__name__)


class BusConsumer(QueueConsumer):
    """nameko's consumer of all queues of a service, on one connection, with what it lacks."""

    _leaving_since: float | None = None
    _last_turn = float("-inf")

    @property
    def connection(self) -> Connection:
        return Connection(self.amqp_uri, heartbeat=HEARTBEAT_SECONDS, connect_timeout=5)

    def run(self, **options: Any) -> None:
        """Consume until told to stop; whatever breaks, connect again (nameko would end the process)."""
        while not self.should_stop:
            try:
                super().run(**options)
            except Exception as trouble:
                log_mishap(_log, "consuming", trouble)
                eventlet.sleep(1)

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        """As kombu does it, but never half a minute between two tries."""
        with self.create_connection() as connection:
            connection.ensure_connection(self.on_connection_error, interval_start=0.5, interval_step=0.5, interval_max=LONGEST_WAIT)
            yield connection

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """After each connecting: what the providers' queues stand on is there before they are read."""
        for provider in self._providers:
            find_or_make(channel.connection, provider.exchanges)
            for queue in provider.more_queues:
                queue(channel).declare()
        return super().get_consumers(consumer_cls, channel)

    def on_iteration(self) -> None:
        """Leave when every consumer is cancelled and the work in hand is done: unanswered work would run again elsewhere."""
        self._last_turn = eventlet.hubs.get_hub().clock()
        self._cancel_consumers_if_requested()
        if not self._consumers and (self._idle() or self._lingered()):
            self.should_stop = True

    @property
    def listening(self) -> bool:
        """Whether it has waited for messages within the last seconds, on a connection that was there."""
        return eventlet.hubs.get_hub().clock() - self._last_turn < STALE_SECONDS

    def _idle(self) -> bool:
        pool = self.container._worker_pool
        return not pool.running() and not pool.waiting()

    def _lingered(self) -> bool:
        now = eventlet.hubs.get_hub().clock()
        self._leaving_since = self._leaving_since or now
        return now - self._leaving_since > LINGER_SECONDS

    def ack_message(self, message: Any) -> None:
        self._settle(message, message.ack)

    def requeue_message(self, message: Any) -> None:
        self._settle(message, message.requeue)

    def _settle(self, message: Any, answer: Any) -> None:
        """Where the connection is gone the broker has taken the message back by itself."""
        if message.channel.connection:
            try:
                answer()
            except Exception as trouble:
                _log.warning("a message could not be settled (%s); the broker will deliver it again", type(trouble).__name__)

    def on_decode_error(self, message: Any, trouble: Exception) -> None:
        """Not our JSON: nobody of ours sent it. Its body stays out of the log."""
        _log.error("a message of type %r could not be read (%s)", message.content_type, type(trouble).__name__)
        message.ack()

    def on_connection_error(self, trouble: Exception, interval: float) -> None:
        _log.warning("the broker can't be reached (%s); trying again in %g s", type(trouble).__name__, interval)
