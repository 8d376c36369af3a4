"""Plays on bare kombu, the same on both brokers: what the services rely on, and what `inproc://` must do like RabbitMQ."""

import os
import uuid

import eventlet
from amqp.exceptions import MessageNacked
from kombu import Connection, Consumer, Exchange, Producer, Queue

from shared import embedded
from tests.integration.messaging.ground import until


class Hand:
    """A connection with a channel, a producer and what came."""

    def __init__(self):
        embedded.register()
        self.connection = Connection(os.environ["PLAY_AMQP"], transport_options={"confirm_publish": True})
        self.channel = self.connection.channel()
        self.returned, self.came = [], []
        self.producer = Producer(self.channel, on_return=lambda *what: self.returned.append(what[2]))

    def queue(self, **options):
        queue = Queue(f"q-{uuid.uuid4().hex[:8]}", durable=False, auto_delete=False, **options)
        queue(self.channel).declare()
        return queue

    def send(self, word, queue="", exchange="", **options):
        name = queue.name if isinstance(queue, Queue) else queue
        self.producer.publish(word, routing_key=name, exchange=exchange, serializer="json", **options)

    def read(self, queue, prefetch=0, keep=False):
        """Consume in the background; `keep` leaves everything unacknowledged."""

        def take(body, message):
            self.came.append(body)
            self.last = message
            if not keep:
                message.ack()

        consumer = Consumer(self.channel, [queue], callbacks=[take], accept=["json"])
        consumer.qos(prefetch_count=prefetch)
        consumer.consume()
        self.reader = eventlet.spawn(self._drain)
        return consumer

    def _drain(self):
        while self.connection.connected:
            try:
                self.connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue
            except Exception:
                return

    def get(self, queue):
        return queue(self.channel).get(no_ack=True)

    def length(self, queue):
        return self.channel.queue_declare(queue.name, passive=True).message_count

    def quit(self):
        self.reader.kill()
        self.connection.collect()


def routing() -> dict:
    hand = Hand()
    topic = Exchange(f"t-{uuid.uuid4().hex[:8]}", "topic", durable=False)
    patterns = {"one": "a.*", "many": "a.#", "middle": "*.b.#", "exact": "a.b"}
    queues = {name: hand.queue(exchange=topic, routing_key=pattern) for name, pattern in patterns.items()}
    for key in ("a", "a.b", "a.b.c", "x.b"):
        hand.send(key, key, topic, mandatory=True)
    hand.send("nowhere", "y.z", topic, mandatory=True)
    hand.send("to no queue", "no-such-queue", mandatory=True)
    facts = {}
    for name, queue in queues.items():
        facts[name] = []
        while message := hand.get(queue):
            facts[name].append(message.payload)
    return {**facts, "returned": hand.returned}


def ageing() -> dict:
    hand = Hand()
    grave = hand.queue()
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": grave.name}
    by_queue, by_message = hand.queue(queue_arguments={**dead, "x-message-ttl": 100}), hand.queue(queue_arguments=dead)
    hand.send("by queue", by_queue)
    hand.send("by message", by_message, expiration=0.1)
    hand.send("stays", by_message)
    facts = {"buried": until(lambda: hand.length(grave) == 2, 10), "left": [hand.length(by_queue), hand.length(by_message)]}
    message = by_message(hand.channel).get()
    message.reject()
    facts["refused is buried too"] = until(lambda: hand.length(grave) == 3, 10)
    words = []
    while message := hand.get(grave):
        words.append([message.payload, message.properties.get("expiration")])
    facts["in the grave"] = sorted(words, key=str)
    return facts


def bounding() -> dict:
    """A full queue refuses and keeps what it has; a message given back too often is buried; both as the queues of news are made."""
    hand, name = Hand(), f"b-{uuid.uuid4().hex[:8]}"
    quorum = {"x-queue-type": "quorum"}
    grave = Queue(f"{name}.dead", durable=True, queue_arguments={**quorum, "x-delivery-limit": 1_000_000_000})
    once_more = {"x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": grave.name}
    limited = Queue(name, durable=True, queue_arguments={**quorum, **once_more, "x-dead-letter-strategy": "at-least-once"} | FULL)
    for queue in (grave, limited):
        queue(hand.channel).declare()
    facts: dict = {"taken": 0, "refused": 0}
    for number in range(12):
        try:
            hand.send(number, limited)
            facts["taken"] += 1
        except MessageNacked:
            facts["refused"] += 1
    facts["kept"] = until(lambda: hand.length(limited) == facts["taken"], 5)
    given = 0
    while given < 10 and not hand.length(grave):
        if message := limited(hand.channel).get():
            first = message.payload
            message.requeue()
            given += 1
            eventlet.sleep(0.2)
    facts["given"], facts["buried"] = given, [first == hand.get(grave).payload, hand.length(limited) == facts["taken"] - 1]
    for queue in (grave, limited):
        queue(hand.channel).delete()
    return facts


FULL = {"x-max-length": 5, "x-overflow": "reject-publish"}


def returning() -> dict:
    """Unacknowledged messages come back in order, at the head, when their connection is lost; prefetch holds others back."""
    first, second = Hand(), Hand()
    queue = first.queue()
    for number in range(6):
        second.send(number, queue)
    first.read(queue, prefetch=3, keep=True)
    until(lambda: len(first.came) == 3)
    eventlet.sleep(0.2)
    facts = {"held": list(first.came), "left": second.length(queue)}
    first.quit()
    facts["back"] = until(lambda: second.length(queue) == 6)
    second.read(queue, prefetch=1)
    until(lambda: len(second.came) == 6)
    facts["order"] = second.came
    facts["redelivered"] = first.last.delivery_info["redelivered"]
    third = Hand()
    third.send("again", queue)
    until(lambda: len(second.came) == 7)
    second.quit()
    third.send("requeued", queue)
    third.send("behind", queue)
    queue(third.channel).get().requeue()
    message = until(lambda: third.length(queue) == 2) and queue(third.channel).get()
    facts["head"] = [message.payload, message.delivery_info["redelivered"]]
    return facts


def sharing() -> dict:
    """Two readers of one queue share it; properties arrive as they were sent; a cancelled reader gets nothing more."""
    one, two, sender = Hand(), Hand(), Hand()
    queue = one.queue()
    consumer = one.read(queue, prefetch=1)
    two.read(queue, prefetch=1)
    for number in range(20):
        sender.send(number, queue, reply_to="r", correlation_id=f"c{number}", headers={"h": number})
    until(lambda: len(one.came + two.came) == 20)
    facts = {"all": sorted(one.came + two.came), "both": bool(one.came and two.came)}
    properties = one.last.properties
    facts["properties"] = [properties["reply_to"], properties["correlation_id"][0], properties["content_type"]]
    facts["headers"] = one.last.headers == {"h": one.came[-1]}
    one.reader.kill()
    consumer.cancel()
    before = len(one.came)
    for number in range(5):
        sender.send(number, queue)
    until(lambda: len(two.came) + before == 25)
    facts["after the cancel"] = len(one.came) - before
    exclusive = Queue(f"x-{uuid.uuid4().hex[:8]}", exclusive=True, auto_delete=True, durable=False)
    exclusive(sender.channel).declare()
    sender.reader = eventlet.spawn(lambda: None)
    sender.quit()
    facts["exclusive gone"] = until(lambda: _gone(exclusive.name), 10)
    return facts


def _gone(name):
    hand = Hand()
    try:
        hand.channel.queue_declare(name, passive=True)
    except hand.connection.channel_errors:
        return True
    except Exception:
        return False
    return False
