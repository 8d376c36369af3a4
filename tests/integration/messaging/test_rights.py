"""A broker user for each service, on a real RabbitMQ: what is another's is refused, pair by pair, and the owner can do it.

Each refusal is asked of the broker itself, past all code of ours, as somebody would who has taken over one service.
"""

import itertools
import uuid
from contextlib import contextmanager, suppress

import pytest
from amqp.exceptions import AccessRefused, ResourceLocked
from kombu import Connection

from deploy.rabbitmq.rights import ASKS, CONTRACTS, handlers
from shared import queues
from shared.keys import SERVICES
from tests import engines

PAIRS = list(itertools.permutations(SERVICES, 2))
pytestmark = pytest.mark.rabbitmq_only


@pytest.fixture(scope="module")
def bus():
    with engines.fresh_bus("rights") as uris:
        yield uris


@pytest.fixture(scope="module")
def house(bus):
    """Every queue that the services make for themselves, made by their own users: that they may is half of the proof."""
    with Connections(bus) as made:
        for service in SERVICES:
            for queue in own_queues(service):
                queue(made[service].channel()).declare()
            if service in ASKS:
                made.reply_queue(service)
        yield made


class Connections:
    """One open connection for each user, and its reply queue where it asks."""

    def __init__(self, uris):
        self.uris, self.replies, self._open = uris, {}, {}

    def __getitem__(self, user):
        if user not in self._open:
            self._open[user] = Connection(self.uris[user])
            self._open[user].connect()
        return self._open[user]

    def reply_queue(self, service):
        name = queues.reply_prefix(service) + uuid.uuid4().hex
        channel = self[service].channel()
        channel.queue_declare(queue=name, exclusive=True, auto_delete=True)
        channel.queue_bind(queue=name, exchange=queues.replies_exchange(service).name, routing_key=name)
        self.replies[service] = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self._open.values():
            connection.release()


def own_queues(service):
    if service in CONTRACTS:
        yield queues.calls_queue(service)
    for handler in handlers():
        if handler.service == service:
            yield queues.news_queue(handler.event, service, handler.method)
            yield queues.parking_queue(service, handler.queue)
            yield queues.pause_queue(service, handler.queue, 1000)


def hears(service, other):
    return [handler.event.name for handler in handlers() if handler.service == service and handler.event.service == other]


def may_ask(service, other):
    return {call.name for call in ASKS.get(service, ()) if call.service == other}


@contextmanager
def refused(connection, kind=AccessRefused):
    """A channel on which what is tried must be refused by the broker."""
    with pytest.raises(kind):
        yield connection.channel()


def publish(channel, exchange, key, **headers):
    message = channel.prepare_message(
        "{}", content_type="application/json", content_encoding="utf-8", headers=headers, properties={}
    )
    channel.basic_publish_confirm(message, exchange=exchange, routing_key=key)


def an_own_queue(house, service):
    """A queue that the service may bind."""
    return queues.calls_queue(service).name if service in CONTRACTS else house.replies[service]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_nobody_reads_anothers_queue(house, one, other):
    """Calls, news, pauses and parking of another can be neither consumed, fetched, emptied nor deleted."""
    for queue in own_queues(other):
        with refused(house[one]) as channel:
            channel.basic_consume(queue.name)
        with refused(house[one]) as channel:
            channel.basic_get(queue.name)
        with refused(house[one]) as channel:
            channel.queue_purge(queue.name)
        with refused(house[one]) as channel:
            channel.queue_delete(queue.name)
    if other in ASKS:
        with refused(house[one], (AccessRefused, ResourceLocked)) as channel:
            channel.basic_consume(house.replies[other])


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_nobody_taps_anothers_exchange(house, one, other):
    """Binding a queue of one's own with `#` to another's calls, replies, news or retries is refused; so is any single call."""
    names = [queues.calls_exchange(other).name]
    if other in ASKS:
        names.append(queues.replies_exchange(other).name)
    if other in {handler.service for handler in handlers()}:
        names.append(queues.again_exchange(other).name)
    keys = ["#", f"{other}.*", *(call.name for call in CONTRACTS[other].calls()[:1])] if other in CONTRACTS else ["#"]
    for name, key in itertools.product(names, keys):
        with refused(house[one]) as channel:
            channel.queue_bind(an_own_queue(house, one), name, key)
    if other in CONTRACTS and CONTRACTS[other].events():
        unheard = {event.name for event in CONTRACTS[other].events()} - set(hears(one, other))
        for key in ("#", "*", *unheard):
            with refused(house[one]) as channel:
                channel.queue_bind(an_own_queue(house, one), queues.events_exchange(other).name, key)


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[1] in CONTRACTS and CONTRACTS[pair[1]].events()])
def test_nobody_forges_anothers_news(house, one, other):
    """Publishing another's event is refused, straight and by a dead-letter key, and its exchange can't be deleted."""
    exchange = queues.events_exchange(other).name
    for event in CONTRACTS[other].events():
        with refused(house[one]) as channel:
            publish(channel, exchange, event.name)
        with refused(house[one]) as channel:
            dead_letter(house, one, channel, exchange, event.name)
    with refused(house[one]) as channel:
        channel.exchange_delete(exchange)


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[1] in CONTRACTS])
def test_nobody_asks_what_it_may_not(house, one, other):
    """Each call that is not its own to ask is refused; where it asks nothing of the other, also by CC and by a dead-letter key."""
    exchange = queues.calls_exchange(other).name
    for call in CONTRACTS[other].calls():
        if call.name not in may_ask(one, other):
            with refused(house[one]) as channel:
                publish(channel, exchange, f"{other}.{call.name}")
    if may_ask(one, other):
        return
    key, before = f"{other}.{CONTRACTS[other].calls()[0].name}", waiting(house, queues.calls_queue(other).name)
    for way_out in own_ways_out(one):
        with suppress(AccessRefused):  # RabbitMQ 4 refuses by CC as well; 3.10 drops the copy
            publish(house[one].channel(), *way_out, CC=[key])
    with refused(house[one]) as channel:
        dead_letter(house, one, channel, exchange, key)
    assert before == waiting(house, queues.calls_queue(other).name)


def own_ways_out(one):
    """(exchange, key) of what the service may publish to."""
    for call in ASKS.get(one, ())[:1]:
        yield queues.calls_exchange(call.service).name, f"{call.service}.{call.name}"
    if one in CONTRACTS:
        yield queues.replies_exchange("gateway").name, queues.reply_prefix("gateway") + "0" * 32


def dead_letter(house, one, channel, exchange, key):
    """A queue of one's own whose refused messages would go there."""
    name = an_own_queue(house, one)[:-32] + uuid.uuid4().hex if one not in CONTRACTS else queues.calls_queue(one).name
    if one in CONTRACTS:
        house[one].channel().queue_delete(name)
    try:
        channel.queue_declare(
            name, durable=True, auto_delete=False, arguments={"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": key}
        )
    finally:
        if one in CONTRACTS:
            queues.calls_queue(one)(house[one].channel()).declare()


def waiting(house, queue):
    return house["admin"].channel().queue_declare(queue, passive=True).message_count


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[1] in ASKS])
def test_replies_come_from_those_who_were_asked(house, one, other):
    """Who answers the other may reply to it; who does not is refused."""
    answered = bool(may_ask(other, one))
    if answered:
        publish(house[one].channel(), queues.replies_exchange(other).name, house.replies[other])
    else:
        with refused(house[one]) as channel:
            publish(channel, queues.replies_exchange(other).name, house.replies[other])


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if may_ask(*pair)])
def test_what_it_may_ask_arrives(house, one, other):
    """Every call that the house lets it ask is taken by the broker and lies in the other's queue."""
    before = waiting(house, queues.calls_queue(other).name)
    for name in may_ask(one, other):
        publish(house[one].channel(), queues.calls_exchange(other).name, f"{other}.{name}")
    assert before + len(may_ask(one, other)) == waiting(house, queues.calls_queue(other).name)
    house[other].channel().queue_purge(queues.calls_queue(other).name)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_uses_the_default_exchange(house, service):
    """Which would reach any queue by its name."""
    with refused(house[service]) as channel:
        publish(channel, "", queues.calls_queue("processors").name)


@pytest.mark.parametrize("service", SERVICES)
def test_the_operator_only_replays(house, service):
    """The operator's user reads what is parked, and no call, reply or news of any service; it makes and deletes nothing."""
    for queue in own_queues(service):
        if queue.name.endswith(queues.DEAD):
            house["operator"].channel().basic_get(queue.name)
        else:
            with refused(house["operator"]) as channel:
                channel.basic_get(queue.name)
        with refused(house["operator"]) as channel:
            channel.queue_delete(queue.name)


def test_with_wide_permissions_a_tap_reads_the_call(bus):
    """The negative control: the same tap by a user with RabbitMQ's usual permissions is not refused, and reads a call for processors."""
    with engines.fresh_bus("wide") as uris, Connections(uris) as made:
        engines.widen(uris["tax"])
        queues.calls_queue("tax")(made["tax"].channel()).declare()
        made["tax"].channel().queue_bind(queues.calls_queue("tax").name, queues.calls_exchange("processors").name, "#")
        publish(made["gateway"].channel(), queues.calls_exchange("processors").name, "processors.add_processor")
        assert made["tax"].channel().basic_get(queues.calls_queue("tax").name) is not None
