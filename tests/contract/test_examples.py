"""The recorded examples are read by both sides of every contract: what the wire says can't change by accident."""

import json

import pytest

from shared.contract import Call, Event
from tests.contract.record import CONTRACTS, EXAMPLES

KEPT = {contract.service: json.loads((EXAMPLES / f"{contract.service}.json").read_text()) for contract in CONTRACTS}
CALLS = [call for contract in CONTRACTS for call in contract.calls()]
EVENTS = [event for contract in CONTRACTS for event in contract.events()]


def _name(said: Call | Event) -> str:
    return f"{said.service}.{said.name}"


@pytest.mark.parametrize("call", CALLS, ids=_name)
def test_both_sides_read_a_call_alike(call):
    """The service reads the recorded request; the reader reads the answer and would write the same again."""
    example = KEPT[call.service]["calls"][call.name]
    call.load_request(example["request"])
    assert example["answer"] == json.loads(json.dumps(call.dump_answer(call.load_answer(example["answer"]))))


@pytest.mark.parametrize("event", EVENTS, ids=_name)
def test_both_sides_read_news_alike(event):
    """Who hears reads what was told, whole."""
    told = KEPT[event.service]["events"].get(event.name)
    if told is None:  # refused credentials need a processor that refuses: its own test makes one
        assert "credentials_refused" == event.name
        return
    assert told == json.loads(json.dumps(event.dump(event.load(told))))


def test_an_answer_with_more_than_is_known_is_still_read():
    """A newer service says more; an older reader goes on."""
    for call in CALLS:
        example = KEPT[call.service]["calls"][call.name]["answer"]
        assert call.load_answer(example) == call.load_answer({**example, "said_by_a_newer_version": {"x": 1}})


def test_a_request_with_more_than_is_known_is_refused():
    """A caller that says what nobody understands is told so, not half obeyed."""
    from shared.faults import Invalid

    for call in CALLS:
        with pytest.raises(Invalid):
            call.load_request({**KEPT[call.service]["calls"][call.name]["request"], "odd": 1})
