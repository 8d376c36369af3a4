"""What handlers gave up, on a real RabbitMQ with the operator's own broker user, by the real commands."""

import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Connection

from deploy.parking import ParkingLot
from deploy.rabbitmq.rights import handlers
from shared import queues
from shared.keys import KeyRing, make_keys
from shared.settings import Settings
from tests import engines
from tests.system import wait_until

ROOT = Path(__file__).parents[3]
HANDLER = next(handler for handler in handlers() if (handler.service, handler.method) == ("notifications", "invoice_sent"))
PRIVATE = "Jordan Lee owes 129.24"
pytestmark = pytest.mark.rabbitmq_only


@pytest.fixture(scope="module")
def bus():
    with engines.fresh_bus("parked") as uris:
        yield uris


@pytest.fixture
def admin(bus):
    """A channel of the broker's own administrator; both queues of the handler are empty at first."""
    with Connection(bus["admin"]) as connection:
        channel = connection.channel()
        for queue in (HANDLER.queue, HANDLER.parking):
            channel.queue_purge(queue)
        yield channel


def park(channel, *event_ids, **headers):
    """As a handler parks it."""
    keys = KeyRing(make_keys()["invoicing"])
    for number, event_id in enumerate(event_ids):
        body = json.dumps({"client_name": PRIVATE, "total": 12924})
        sha = hashlib.sha256(body.encode()).hexdigest()
        claims = {"id": event_id, "event": "invoice_sent", "practice_id": "pra_1", "at": "2026-01-01T00:00:00Z", "sha256": sha}
        told = {"tries": 8, "parked_at": f"2026-01-0{number + 1}T00:00:00.000Z", "why": "OperationalError", **headers}
        message = channel.prepare_message(
            json.dumps({"token": keys.sign(claims), "body": body}),
            content_type="application/json",
            content_encoding="utf-8",
            headers=told,
            properties={"delivery_mode": 2},
        )
        channel.basic_publish_confirm(message, exchange="notifications.again", routing_key=HANDLER.parking)


def parked(bus, *words, user="operator", expected=0, **options):
    environment = {**os.environ, "CLIENTBILLING_AMQP_URI": bus[user]}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "deploy", "parked", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def lying(channel, queue):
    return channel.queue_declare(queue, passive=True).message_count


def test_the_list_counts_and_tells_ages(bus, admin):
    """A line for the handler with its count; with --each one for every event with its tries and the kind of failure."""
    park(admin, "evt_1", "evt_2")
    told = parked(bus, "list", "--each")
    assert "notifications.invoice_sent" in told and "2 parked" in told and "oldest" in told
    assert "evt_1  invoice_sent  8 tries  2026-01-01T00:00:00.000Z  OperationalError" in told
    assert "2 parked" in parked(bus, "list", "--handler", "notifications.invoice_sent")
    assert "0 parked" in parked(bus, "list", "--handler", "invoicing.charge_settled")


def test_showing_one_tells_everything_but_what_is_private(bus, admin):
    """Event, practice, tries, when and why; of the body the names of its fields; the body itself only when asked for."""
    park(admin, "evt_1", "evt_2")
    told = parked(bus, "show", "evt_2")
    for word in ("evt_2", "invoice_sent", "pra_1", "8", "2026-01-02T00:00:00.000Z", "OperationalError", "client_name, total"):
        assert word in told
    assert PRIVATE not in told and "evt_1" not in told
    assert PRIVATE in parked(bus, "show", "evt_2", "--body")
    assert "is not parked" in parked(bus, "show", "evt_3", expected=1)


def test_looking_a_hundred_times_loses_nothing(bus, admin):
    """Far more often than any delivery limit of RabbitMQ's own: all are still parked, whole."""
    park(admin, "evt_1", "evt_2", "evt_3")
    lot = ParkingLot(Settings.read({}, amqp_uri=bus["operator"]))
    for _ in range(100):
        wait_until(lambda: lying(admin, HANDLER.parking) == 3, 10, 0.01, "their coming back")
        assert ["evt_1", "evt_2", "evt_3"] == [one.id for one in lot.look(HANDLER)]
    lot.close()
    wait_until(lambda: lying(admin, HANDLER.parking) == 3, 10, 0.01, "their coming back")


def test_with_a_usual_limit_looking_loses(bus, admin):
    """The negative control: where a quorum queue has the limit of RabbitMQ 4, the same looking empties it."""
    limited = queues.parking_queue("notifications", "control")
    limited.queue_arguments["x-delivery-limit"] = 20
    limited(admin).declare()
    message = admin.prepare_message("{}", content_type="application/json", content_encoding="utf-8", properties={})
    admin.basic_publish_confirm(message, exchange="notifications.again", routing_key=limited.name)
    for _ in range(30):
        channel = admin.connection.channel()
        channel.basic_get(limited.name)
        channel.close()
        time.sleep(0.05)
    assert 0 == lying(admin, limited.name)
    admin.queue_delete(limited.name)


def test_replaying_one_puts_it_into_its_handlers_queue(bus, admin):
    """It lies there whole, its tries counted from the beginning, and the other one stays parked."""
    park(admin, "evt_1", "evt_2")
    assert "1 put back" in parked(bus, "replay", "evt_1")
    assert (1, 1) == (lying(admin, HANDLER.parking), lying(admin, HANDLER.queue))
    message = admin.basic_get(HANDLER.queue, no_ack=True)
    assert PRIVATE in message.body
    assert "tries" not in (message.headers or {})
    assert "is not parked" in parked(bus, "replay", "evt_1", expected=1)


def test_replaying_all_empties_the_lot(bus, admin):
    """Every one is in the handler's queue afterwards; one event and --all at once is refused as unclear."""
    park(admin, *(f"evt_{number}" for number in range(9)))
    parked(bus, "replay", expected=2)
    assert "9 put back" in parked(bus, "replay", "--all")
    assert (0, 9) == (lying(admin, HANDLER.parking), lying(admin, HANDLER.queue))


def test_a_death_in_the_middle_of_a_replay_loses_nothing(bus, admin):
    """Killed between the confirm and the acknowledgement, it is in both places: a double, which the inbox bears, and no loss."""
    park(admin, "evt_1", "evt_2")
    lot = ParkingLot(Settings.read({}, amqp_uri=bus["operator"]))
    put_back = lot._put_back

    def die_after(one):
        put_back(one)
        raise KeyboardInterrupt

    lot._put_back = die_after
    with suppress(KeyboardInterrupt):
        lot.replay(HANDLER, lambda one: True)
    lot.close()
    wait_until(lambda: lying(admin, HANDLER.parking) == 2, 10, 0.01, "its coming back")
    assert 1 == lying(admin, HANDLER.queue)


def test_dropping_asks_first(bus, admin):
    """Without --yes a No keeps it; with --yes it is gone, and only it."""
    park(admin, "evt_1", "evt_2")
    parked(bus, "drop", "evt_1", expected=1, input="n\n")
    assert 2 == lying(admin, HANDLER.parking)
    assert "1 dropped" in parked(bus, "drop", "evt_1", "--yes")
    assert (1, 0) == (lying(admin, HANDLER.parking), lying(admin, HANDLER.queue))


def test_only_the_operator_may_look(bus, admin):
    """The broker refuses a service's own user what is parked for another, and the command says whose user it wants."""
    park(admin, "evt_1")
    assert "use the operator's" in parked(bus, "list", user="tax", expected=1)


def test_on_the_embedded_broker_it_says_where_parking_lives(bus):
    """No other process can look into it."""
    assert "in the serving process only" in parked({"operator": "inproc://"}, "list", expected=1)


def test_what_killed_its_service_is_shown_as_such(bus, admin):
    """Parked by the broker itself for too many deliveries, it tells when and why like any other."""
    limit = queues.DELIVERIES
    with Connection(bus["admin"]) as connection:
        park_into_the_handlers_queue(admin)
        for _ in range(limit + 1):
            channel = connection.channel()
            assert channel.basic_get(HANDLER.queue) is not None
            channel.close()
    told = parked(bus, "show", "evt_1")
    assert "ended the process again and again" in told
    assert "parked at     20" in told


def park_into_the_handlers_queue(channel):
    park(channel, "evt_1")
    message = channel.basic_get(HANDLER.parking, no_ack=True)
    message = channel.prepare_message(
        message.body, content_type="application/json", content_encoding="utf-8", headers={}, properties={"delivery_mode": 2}
    )
    channel.basic_publish_confirm(message, exchange="notifications.again", routing_key=HANDLER.queue)
