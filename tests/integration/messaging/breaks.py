"""Plays about a RabbitMQ that goes away and comes back, seen through a small proxy that can be cut."""

import contextlib
from urllib.parse import urlsplit

import eventlet

from shared.outbox import emit
from tests.integration.messaging import calls, news
from tests.integration.messaging.ground import (
    CALLER,
    NOW,
    Tax,
    asking,
    effects,
    fault_of,
    make_tables,
    play_settings,
    running,
    until,
)


class Cutter:
    """A TCP proxy: `cut` ends every connection, `refuse` lets no new one in."""

    def __init__(self, host, port):
        self.target, self.refusing, self.pairs = (host, port), False, []
        self.listener = eventlet.listen(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        eventlet.spawn(self._accept)

    def _accept(self):
        while True:
            here, _ = self.listener.accept()
            if self.refusing:
                here.close()
                continue
            there = eventlet.connect(self.target)
            self.pairs.append((here, there))
            eventlet.spawn(self._pass, here, there)
            eventlet.spawn(self._pass, there, here)

    def _pass(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except (OSError, EOFError):
            pass
        for end in (source, target):
            end.close()

    def cut(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError, EOFError):
                    end.shutdown(2)


def cutting() -> dict:
    """Every connection is cut with calls in flight; then the broker is away for a while; then it is back."""
    direct = play_settings()
    parts = urlsplit(direct.amqp_uri)
    cutter = Cutter(parts.hostname, parts.port or 5672)
    through = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{cutter.port}").geturl()
    settings = direct.with_(amqp_uri=through)
    database = make_tables(settings)
    facts: dict = {}
    with running(settings, calls.TaxService) as containers, asking(settings) as bus:
        bus.ask(Tax.echo, {"word": "before"}, CALLER)
        flying = [eventlet.spawn(fault_of, bus.ask, Tax.wait, {"word": f"f{i}", "count": 1000}, CALLER, 8) for i in range(5)]
        until(lambda: "f4" in calls.Tally.runs)
        cutter.cut()
        facts["in flight"] = [gt.wait()["kind"] for gt in flying]
        facts["answers again"] = until(lambda: fault_of(bus.ask, Tax.echo, {"word": "after"}, CALLER, 2)["kind"] is None)
        eventlet.sleep(1.2)  # the cut calls end now and their replies have nowhere to go
        facts["still answers"] = fault_of(bus.ask, Tax.echo, {"word": "after"}, CALLER)["kind"]
        cutter.refusing = True
        cutter.cut()
        eventlet.sleep(0.1)
        facts["while away"] = fault_of(bus.ask, Tax.echo, {"word": "away"}, CALLER)
        cutter.refusing = False
        facts["back"] = until(lambda: fault_of(bus.ask, Tax.echo, {"word": "back"}, CALLER, 2)["kind"] is None)
        facts["never ran"] = "away" not in calls.Tally.runs
        facts["alive"] = not containers._runner.service_map["tax"]._died.ready()
    facts["news"] = _news_while_away(settings, database, cutter)
    return facts


def _news_while_away(settings, database, cutter):
    """Told while the broker is away, heard when it is back."""
    with running(settings, news.TaxService, news.NotificationsService):
        cutter.refusing = True
        cutter.cut()
        with database.transaction() as session:
            emit(session, Tax.said, {"word": "kept", "count": 1}, NOW(), "pra_1")
        eventlet.sleep(0.5)
        waited = "kept 1 pra_1 UTC" not in effects(database)
        cutter.refusing = False
        return [waited, until(lambda: "kept 1 pra_1 UTC" in effects(database), 40)]


def broker_comes_late() -> dict:
    """A service is started before its broker is there: it waits, says so, and then answers."""
    direct = play_settings()
    parts = urlsplit(direct.amqp_uri)
    cutter = Cutter(parts.hostname, parts.port or 5672)
    cutter.refusing = True
    settings = direct.with_(amqp_uri=parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{cutter.port}").geturl())
    eventlet.spawn_after(1.0, setattr, cutter, "refusing", False)
    with running(settings, calls.TaxService), asking(settings) as bus:
        return {"answer": bus.ask(Tax.echo, {"word": "late"}, CALLER).data.word}
