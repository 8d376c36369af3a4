"""A broker that is killed, paused, short of memory, or not there yet, under calls and events: what is lost, and how soon it serves again.

The asker is this process, in native threads as the gateway has them; the services are green, in a process of their own.
"""

import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from kombu import Connection

from shared.asking import Bus
from shared.faults import Fault
from tests.integration.messaging.faults import Invoicing
from tests.integration.messaging.ground import CALLER, Tax, effects, make_tables, settings_in
from tests.integration.messaging.private import PrivateRabbit, serve
from tests.system import wait_until

AGAIN_WITHIN = 15.0  # seconds from the end of the fault until calls, passed-on calls and news are served
WITHIN, SLACK = 3.0, 1.5  # a call's deadline, and what a caller may wait beyond it
pytestmark = pytest.mark.rabbitmq_only


@pytest.fixture(scope="module")
def private_rabbit(tmp_path_factory):
    made = PrivateRabbit(tmp_path_factory.mktemp("rabbit"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def house(private_rabbit, tmp_path):
    """Services in their process, and an asker."""
    variables = {"PLAY_FOLDER": str(tmp_path), "PLAY_AMQP": private_rabbit.uri, "PLAY_DATABASE": f"sqlite:///{tmp_path / 'tax.db'}"}
    settings = settings_in(tmp_path, private_rabbit.uri, variables["PLAY_DATABASE"])
    database = make_tables(settings)
    bus = Bus(settings, "gateway")
    process = serve("faults.serving", variables)
    log = tmp_path / "serve.log"
    yield SimpleNamespace(bus=bus, database=database, process=process, log=log)
    process.stdin.close()
    process.wait(20)
    bus.close()
    database.dispose()


class Traffic:
    """Four askers, some twenty calls a second, each with a word of its own; half of them go through a service that asks on."""

    def __init__(self, bus):
        self.bus, self.done, self.stopping = bus, [], False
        self.threads = [threading.Thread(target=self._ask_on, args=(number,)) for number in range(4)]

    def _ask_on(self, number):
        turn = 0
        while not self.stopping:
            turn += 1
            self.ask(Tax.announce if turn % 2 else Invoicing.pass_on, f"t{number}-{turn}")
            time.sleep(0.05)

    def ask(self, call, word):
        begun = time.monotonic()
        try:
            self.bus.ask(call, {"word": word, "count": 100}, CALLER, WITHIN)
            outcome = "answered"
        except Fault as fault:
            outcome = type(fault).__name__
        self.done.append(SimpleNamespace(call=call, word=word, outcome=outcome, begun=begun, seconds=time.monotonic() - begun))

    def __enter__(self):
        for call in (Tax.announce, Invoicing.pass_on):
            wait_until(lambda call=call: self.answered(call, time.monotonic()), 40, 0.3, f"an answer to {call.name}")
        for thread in self.threads:
            thread.start()
        time.sleep(1)
        return self

    def answered(self, call, since):
        self.ask(call, f"first-{len(self.done)}")
        return self.done[-1].outcome == "answered"

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join(20)

    def served_again(self, call, since):
        """Seconds from `since` to the first answer to a call begun after it."""
        ends = [
            one.begun + one.seconds for one in self.done if one.call is call and one.begun >= since and one.outcome == "answered"
        ]
        return min(ends) - since if ends else None


def judge(house, traffic, ended):
    """Both kinds of calls and all news within the limit; nothing answered is lost, nothing heard twice, nobody waited too long."""
    for call in (Tax.announce, Invoicing.pass_on):
        wait_until(lambda call=call: traffic.served_again(call, ended) is not None, 60, 0.05, f"{call.name} after the fault")
    traffic.__exit__()
    answered = {f"{one.word} 100 pra_1 UTC" for one in traffic.done if one.outcome == "answered"}
    wait_until(lambda: answered <= set(effects(house.database)), 60, 0.1, "every answered call's news")
    news_again = time.monotonic() - ended
    calls_again = [traffic.served_again(call, ended) for call in (Tax.announce, Invoicing.pass_on)]
    told = [what for what in effects(house.database) if what.endswith("UTC")]
    announced = Counter(what.removeprefix("announced ") for what in effects(house.database) if what.startswith("announced "))
    twice = [what for what, times in Counter(told).items() if times > announced[what.split()[0]]]
    slowest = max(one.seconds for one in traffic.done)
    outcomes = dict(Counter(one.outcome for one in traffic.done))
    print(f"calls again after {calls_again[0]:.1f} s, passed on {calls_again[1]:.1f} s, all news {news_again:.1f} s; {outcomes}")
    assert [] == twice
    assert slowest < WITHIN + SLACK, f"a caller waited {slowest:.1f} s"
    assert max(calls_again) < AGAIN_WITHIN and news_again < AGAIN_WITHIN
    assert house.process.poll() is None, "the services' process has ended"


def test_killed_and_started_again(private_rabbit, house):
    """kill -9 of the broker with calls and news in flight: 2 s later it is started, and all is served within 15 s, nothing lost."""
    with Traffic(house.bus) as traffic:
        private_rabbit.kill()
        time.sleep(2)
        private_rabbit.start()
        judge(house, traffic, time.monotonic())
    assert any(one.outcome != "answered" for one in traffic.done), "no call met the fault"


def test_away_for_half_a_minute(private_rabbit, house):
    """Away so long that every part has tried in vain many times: the pauses between tries stay short enough."""
    with Traffic(house.bus) as traffic:
        private_rabbit.kill()
        time.sleep(30)
        private_rabbit.start()
        judge(house, traffic, time.monotonic())


def test_paused_for_twenty_seconds(private_rabbit, house):
    """A broker that is silent but not gone: callers hear it at their deadline, and 15 s after it goes on all is served."""
    with Traffic(house.bus) as traffic:
        private_rabbit.pause(20)
        judge(house, traffic, time.monotonic())
    assert any(one.outcome != "answered" for one in traffic.done), "no call met the fault"


def test_short_of_memory_it_blocks_and_nobody_waits_beyond_the_deadline(private_rabbit, house):
    """With the memory alarm the broker reads from no publisher: callers still hear at their deadline, and it goes on when it clears."""
    with Traffic(house.bus) as traffic:
        private_rabbit.control("set_vm_memory_high_watermark", "absolute", "1MB")
        time.sleep(12)
        private_rabbit.control("set_vm_memory_high_watermark", "0.4")
        judge(house, traffic, time.monotonic())
    assert any(one.outcome != "answered" for one in traffic.done), "no call met the fault"


def test_not_there_at_the_start(private_rabbit, house):
    """Services that begin without their broker wait for it, and serve within 15 s of its coming."""
    private_rabbit.kill()
    time.sleep(6)
    private_rabbit.start()
    come = time.monotonic()
    with Traffic(house.bus) as traffic:
        judge(house, traffic, come)


def test_a_stock_service_dies_of_it(private_rabbit, tmp_path):
    """The negative control: nameko's own entrypoint and consumer, a call in hand when the broker is killed, end their process."""
    process = serve("faults.stock", {"PLAY_FOLDER": str(tmp_path), "PLAY_AMQP": private_rabbit.uri, "PLAY_DATABASE": ""})
    with Connection(private_rabbit.uri) as connection:
        in_hand = tmp_path / "in hand"
        wait_until(lambda: send_to_stock(connection) and in_hand.exists(), 30, 0.3, "a call in the stock service's hand")
        private_rabbit.kill()
    time.sleep(8)  # the call ends, and its reply has nowhere to go
    private_rabbit.start()
    try:
        assert process.wait(30) != 0
    finally:
        process.kill()


def send_to_stock(connection):
    """One call of three seconds, once its queue is there."""
    channel = connection.channel()
    try:
        channel.queue_declare("rpc-stock", passive=True)
    except connection.channel_errors:
        return False
    properties = {"reply_to": "nobody", "correlation_id": "1"}
    message = channel.prepare_message(
        '{"args":[],"kwargs":{}}', content_type="application/json", content_encoding="utf-8", headers={}, properties=properties
    )
    channel.basic_publish(message, exchange="nameko-rpc", routing_key="stock.slow")
    return True
