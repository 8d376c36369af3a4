"""Plays about calls: each is run once per engine in its own process, and gives the facts that test_calls.py judges."""

import dataclasses
import os
from pathlib import Path

import eventlet

from shared.answering import Given, answers, every
from shared.caller import Caller
from shared.faults import Conflict, invalid
from shared.told import Told
from tests.integration.messaging.ground import CALLER, Log, Tax, asking, fault_of, play_settings, running, settings_in, until

CANARY = "-".join(("4242", "4242"))  # joined, so that no line of source holds what the exception says


class Tally:
    """What happened in the service, seen from outside: the plays run in the same process."""

    runs: list[str] = []
    ticks = 0
    ticking = most_ticking = 0
    closed = False

    def close(self):
        Tally.closed = True


class TaxService:
    name = "tax"
    tally = Given(lambda settings: Tally())

    @answers(Tax.echo)
    def echo(self, caller, request):
        self.tally.runs.append(request.word)
        return {"word": f"{request.word} {caller.name} {caller.practice_id}"}

    @answers(Tax.wait)
    def wait(self, caller, request):
        self.tally.runs.append(request.word)
        eventlet.sleep(request["count"] / 1000)
        self.tally.runs.append(request.word + " done")
        return {"word": request.word}

    @answers(Tax.refuse)
    def refuse(self, caller, request):
        fault = Conflict("not_now", "Not now.", allowed_actions=["wait"], balance=12)
        fault.replayed = True
        raise fault

    @answers(Tax.told)
    def told(self, caller, request):
        return Told('{"word":  "as it was"}', replayed=True, status=202)

    @answers(Tax.stumble)
    def stumble(self, caller, request):
        raise invalid("word", "No.") if request.word == "fault" else RuntimeError(CANARY)

    @answers(Tax.announce)
    def announce(self, caller, request):
        return {"unknown": object()}

    @every(0.05, scaled=False)
    def tick(self):
        Tally.ticking += 1
        Tally.most_ticking = max(Tally.most_ticking, Tally.ticking)
        eventlet.sleep(0.1)
        Tally.ticks += 1
        Tally.ticking -= 1
        raise RuntimeError("a tick that fails")


def answering() -> dict:
    log, settings = Log(), play_settings()
    facts: dict = {}
    with asking(settings) as bus:
        facts["to nobody"] = fault_of(bus.ask, Tax.echo, {"word": "early"}, CALLER)
        with running(settings, TaxService):
            answer = bus.ask(Tax.echo, {"word": "g\u00fct \U0001f4b3"}, CALLER)
            facts["echo"] = [answer.text, answer.data.word, answer.replayed, answer.status]
            facts["typed"] = fault_of(bus.ask, Tax.echo, {"word": {"__type__": "uuid", "__value__": "x"}}, CALLER)
            facts["surrogate"] = fault_of(bus.ask, Tax.echo, {"word": "\ud800"}, CALLER)
            told = bus.ask(Tax.told, {"word": "x"}, CALLER)
            facts["told"] = [told.text, told.replayed, told.status]
            facts["refused"] = fault_of(bus.ask, Tax.refuse, {"word": "x"}, CALLER)
            facts["invalid"] = fault_of(bus.ask, Tax.echo, {"word": "x", "more": 1}, CALLER)
            facts["fault inside"] = fault_of(bus.ask, Tax.stumble, {"word": "fault"}, CALLER)
            facts["stumbled"] = fault_of(bus.ask, Tax.stumble, {"word": "x"}, CALLER)
            facts["no such call"] = fault_of(bus.ask, Tax.missing, {"word": "x"}, CALLER)
            facts["still there"] = bus.ask(Tax.echo, {"word": "ok"}, CALLER).data.word
            pool = eventlet.GreenPool()
            asked = [pool.spawn(bus.ask, Tax.wait, {"word": f"p{i}", "count": 30}, CALLER) for i in range(60)]
            facts["sixty"] = [gt.wait().data.word for gt in asked]
            facts["ticked"] = until(lambda: Tally.ticks >= 3)
        facts["closed"] = Tally.closed
        facts["most ticking"] = Tally.most_ticking
        facts["after the stop"] = fault_of(bus.ask, Tax.echo, {"word": "late"}, CALLER, 0.3)
    facts["leaked"] = [line for line in log.lines if CANARY in line or "güt" in line]
    return facts


def forging() -> dict:
    """Callers signed by somebody else, for another method, or by a service that speaks for nobody."""
    settings = play_settings()
    strangers = settings_in(Path(os.environ["PLAY_FOLDER"]) / "stranger", settings.amqp_uri, settings.database_url("tax"))
    Tally.runs.clear()
    facts = {}
    with running(settings, TaxService), asking(settings) as bus, asking(strangers) as stranger:
        facts["stranger"] = fault_of(stranger.ask, Tax.echo, {"word": "stranger"}, CALLER)
        bus._service = "notifications"
        facts["may not speak"] = fault_of(bus.ask, Tax.echo, {"word": "notifications"}, CALLER)
        bus._service = "gateway"
        facts["other method"] = fault_of(bus.ask, Tax.echo, {"word": "other"}, _SignedFor("wait"))
        facts["honest"] = bus.ask(Tax.echo, {"word": "honest"}, CALLER).data.word
    facts["runs"] = Tally.runs
    return facts


class _SignedFor(Caller):
    """A caller whose token was made for another method."""

    def __init__(self, method):
        super().__init__(**{field.name: getattr(CALLER, field.name) for field in dataclasses.fields(CALLER)})
        object.__setattr__(self, "method", method)

    def token(self, keys, audience, method, expires_at):
        return super().token(keys, audience, self.method, expires_at)


def deadlines() -> dict:
    """One worker only: what waits behind a slow call grows too old, in the service's hand or in the queue."""
    settings = play_settings(max_workers="1")
    Tally.runs.clear()
    facts = {}
    with asking(settings) as bus:
        with running(settings, TaxService):
            slow = eventlet.spawn(bus.ask, Tax.wait, {"word": "slow", "count": 1200}, CALLER)
            eventlet.sleep(0.2)
            late = [eventlet.spawn(fault_of, bus.ask, Tax.echo, {"word": f"late {i}"}, CALLER, 0.4) for i in range(3)]
            facts["late"] = [gt.wait() for gt in late]
            facts["slow"] = slow.wait().data.word
            facts["given up"] = fault_of(bus.ask, Tax.wait, {"word": "given up", "count": 700}, CALLER, 0.2)
            facts["finished anyway"] = until(lambda: "given up done" in Tally.runs)
        facts["while down"] = fault_of(bus.ask, Tax.echo, {"word": "while down"}, CALLER, 0.4)
        with running(settings, TaxService):
            facts["afterwards"] = bus.ask(Tax.echo, {"word": "afterwards"}, CALLER).data.word
            eventlet.sleep(0.3)
    facts["runs"] = Tally.runs
    return facts


def stopping() -> dict:
    """A stop in the middle of a call: the call is finished and answered, and nobody runs it again."""
    settings = play_settings()
    Tally.runs.clear()
    with asking(settings) as bus:
        with running(settings, TaxService):
            asked = eventlet.spawn(bus.ask, Tax.wait, {"word": "in hand", "count": 2500}, CALLER)
            until(lambda: "in hand" in Tally.runs)
        with running(settings, TaxService):
            answer = asked.wait().data.word
            eventlet.sleep(0.3)
    return {"answer": answer, "runs": Tally.runs}
