"""The strict fields and contracts: what may cross the bus, what is refused, and that every refusal names its field."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.contract import Call, json_schema, read
from shared.faults import KINDS, Conflict, Fault, Invalid
from shared.fields import Amount, Choice, Day, Flag, Id, Many, Moment, Number, Part, Text, Words


class Line(Words):
    amount = Amount(required=True)
    rate = Number(load_default=None)


class Order(Words):
    name = Text(required=True, most=10)
    lines = Many(Line, required=True, least=1, most=2)
    on = Day()
    sure = Flag()
    kind = Choice("a", "b")
    line = Part(Line)


GOOD = {"name": "Ada", "lines": [{"amount": 1}]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 11}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\ud800"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"lines": []}, "lines"),
        ({"lines": [{"amount": 1}] * 3}, "lines"),
        ({"lines": [{"amount": True}]}, "lines.0.amount"),
        ({"lines": [{"amount": 1.0}]}, "lines.0.amount"),
        ({"lines": [{"amount": "1"}]}, "lines.0.amount"),
        ({"lines": [{"amount": -1}]}, "lines.0.amount"),
        ({"lines": [{"amount": 10**13}]}, "lines.0.amount"),
        ({"lines": [{"amount": 1, "rate": 0.5}]}, "lines.0.rate"),
        ({"lines": [{"amount": 1, "rate": "1e5"}]}, "lines.0.rate"),
        ({"lines": [{"amount": 1, "rate": "NaN"}]}, "lines.0.rate"),
        ({"lines": [{"amount": 1, "rate": "٣"}]}, "lines.0.rate"),
        ({"lines": [{"amount": 1, "odd": 1}]}, "lines.0.odd"),
        ({"lines": {"amount": 1}}, "lines"),
        ({"on": "2026-02-30"}, "on"),
        ({"on": "20260201"}, "on"),
        ({"sure": 1}, "sure"),
        ({"sure": "true"}, "sure"),
        ({"kind": "c"}, "kind"),
        ({"line": []}, "line"),
        ({"odd": 1}, "odd"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(change, field):
    """One wrong field is one error that names it."""
    with pytest.raises(Invalid) as no:
        read(Order, {**GOOD, **change})
    assert [field] == [error["field"] for error in no.value.errors]


def test_what_is_right_is_read_into_its_kind():
    """Decimals and days come as such, text is trimmed, a record reads by attribute."""
    order = read(Order, {"name": " Ada ", "lines": [{"amount": 5, "rate": "0.0725"}], "on": "2026-02-28"})
    assert ("Ada", 5, Decimal("0.0725"), 28) == (order.name, order.lines[0].amount, order.lines[0].rate, order.on.day)


def test_a_reader_ignores_what_it_does_not_know_at_every_depth():
    """A newer service may say more than its reader knows; the reader goes on."""
    call = Call(gives=Order)
    answer = call.load_answer({"name": "Ada", "new": 1, "lines": [{"amount": 1, "new": {}}], "line": {"amount": 2, "new": 3}})
    assert {"name", "lines", "line"} == set(answer)
    assert 2 == answer.line.amount


def test_the_schema_says_what_the_fields_say():
    """The JSON Schema made for OpenAPI has the same names, limits and refusals."""
    schema = json_schema(Order)
    assert ["name", "lines"] == schema["required"]
    assert schema["additionalProperties"] is False
    assert {"type": "integer", "minimum": 0, "maximum": 10**12} == schema["properties"]["lines"]["items"]["properties"]["amount"]


def test_moments_are_utc_or_refused():
    """A time without its zone is refused; another zone is turned into UTC."""

    class When(Words):
        at = Moment()
        who = Id()

    assert datetime(2026, 1, 1, 11, tzinfo=UTC) == read(When, {"at": "2026-01-01T12:00:00+01:00"}).at
    with pytest.raises(Invalid):
        read(When, {"at": "2026-01-01T12:00:00"})
    with pytest.raises(Invalid):
        read(When, {"who": "inv_'; drop table"})


@pytest.mark.parametrize("kind", KINDS.values())
def test_faults_cross_the_bus_whole(kind):
    """Kind, code, words, errors, allowed actions and extras arrive as they left."""
    told = kind("a_code", "Some words.", errors=[{"field": "x", "message": "y"}], allowed_actions=["pay"], balance=5)
    heard = Fault.from_wire(told.to_wire())
    assert type(heard) is kind
    assert told.to_wire() == heard.to_wire()


def test_an_unknown_fault_is_not_mistaken_for_another():
    """A kind that this version does not know is unavailable, never a success or a refusal of the card."""
    assert "unavailable" == Fault.from_wire({"kind": "of tomorrow", "code": "x"}).kind
    assert Conflict("x").to_wire() == {"kind": "conflict", "code": "x", "detail": ""}
