"""The contracts and the services agree: each call has its entrypoint, each entrypoint its call, and both sides read the same."""

import importlib
import json

import pytest

from shared.answering import Answers
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.contracts.tax import Tax
from shared.faults import Invalid
from shared.hearing import Hears
from tests.unit.gateway.scripted import sample

CONTRACTS = (Invoicing, Processors, Tax, Notifications)
CALLS = [call for contract in CONTRACTS for call in contract.calls()]
EVENTS = [event for contract in CONTRACTS for event in contract.events()]


def named(thing):
    return f"{thing.service}.{thing.name}"


def service_of(contract):
    """The class that serves a contract."""
    module = importlib.import_module(f"services.{contract.service}.service")
    return getattr(module, contract.__name__ + "Service")


def entrypoints(contract, kind):
    """`(method name, entrypoint)` of a service, of one kind."""
    for name, method in vars(service_of(contract)).items():
        for entrypoint in getattr(method, "nameko_entrypoints", ()):
            if isinstance(entrypoint, kind):
                yield name, entrypoint


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.service)
def test_every_call_has_its_entrypoint_and_every_entrypoint_its_call(contract):
    """A service answers exactly the calls of its contract, each by the method of that name."""
    answered = {name: entrypoint.call for name, entrypoint in entrypoints(contract, Answers)}
    assert {call.name: call for call in contract.calls()} == answered
    assert contract.service == service_of(contract).name


def test_every_event_is_heard_by_somebody():
    """News without a queue would be returned to its outbox for ever."""
    heard = {named(entrypoint.event) for contract in CONTRACTS for _, entrypoint in entrypoints(contract, Hears)}
    assert {named(event) for event in EVENTS} == heard


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_both_sides_read_the_same_request_and_answer(call):
    """A sample crosses as JSON: the callee reads the request, the caller the answer, with nothing lost on the way."""
    request = json.loads(json.dumps(sample(call.takes)))
    assert set(request) == {call.takes().fields[name].data_key or name for name in call.load_request(request)}
    answer = json.loads(json.dumps(sample(call.gives)))
    assert answer == call.dump_answer(call.load_answer(answer))


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_a_newer_answer_is_read_and_a_misspelt_request_is_not(call):
    """Callers ignore fields they don't know, so that services can be deployed first; services refuse them."""
    answer = call.load_answer({**sample(call.gives), "field_of_a_later_release": 1})
    assert "field_of_a_later_release" not in answer
    with pytest.raises(Invalid) as refused:
        call.load_request({**sample(call.takes), "misspelt": 1})
    assert ["misspelt"] == [error["field"] for error in refused.value.errors]


@pytest.mark.parametrize("event", EVENTS, ids=named)
def test_news_reads_as_it_was_told(event):
    """What an event carries survives the way through JSON."""
    news = json.loads(json.dumps(sample(event.carries)))
    assert news == event.dump(event.load(news))
