"""The words contracts are written in: Contract, Call and Event, and how what crosses the bus is checked. It knows no service."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, ValidationError, fields

from shared.faults import Invalid
from shared.fields import Nothing, Record, as_records


class Call:
    """One call of a service: what it takes, what it gives, whether it moves money, and how long to wait (seconds)."""

    def __init__(
        self, takes: type[Schema] = Nothing, gives: type[Schema] = Nothing, *, moves_money: bool = False, within: float = 5.0
    ):
        self.takes, self.gives, self.moves_money, self.within = takes, gives, moves_money, within
        self.name = self.service = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.service = name, owner.service  # type: ignore[attr-defined]

    def load_request(self, body: Any) -> Record:
        """The request, checked; raises Invalid naming each field."""
        return read(self.takes, body)

    def dump_answer(self, answer: Any) -> dict:
        return _schema(self.gives).dump(answer)

    def load_answer(self, body: Any) -> Record:
        """The answer as its reader sees it: fields that the reader does not know are ignored."""
        return as_records(_schema(self.gives).load(_known_only(self.gives, body)))


class Event:
    """One piece of news of a service."""

    def __init__(self, carries: type[Schema]):
        self.carries = carries
        self.name = self.service = ""

    __set_name__: Callable = Call.__set_name__

    def dump(self, news: Any) -> dict:
        return _schema(self.carries).dump(news)

    def load(self, body: Any) -> Record:
        return as_records(_schema(self.carries).load(_known_only(self.carries, body)))


class Contract:
    """What one service offers."""

    service: str = ""

    @classmethod
    def calls(cls) -> list[Call]:
        return [value for value in vars(cls).values() if isinstance(value, Call)]

    @classmethod
    def events(cls) -> list[Event]:
        return [value for value in vars(cls).values() if isinstance(value, Event)]


_schemas: dict[type[Schema], Schema] = {}


def _schema(family: type[Schema]) -> Schema:
    if family not in _schemas:
        _schemas[family] = family()
    return _schemas[family]


def _known_only(schema: type[Schema], body: Any) -> Any:
    """`body` without the fields that this reader does not know, at every depth: newer services may say more."""
    if not isinstance(body, dict):
        return body
    known = {field.data_key or name: field for name, field in _schema(schema).fields.items()}
    return {name: _known_part(known[name], value) for name, value in body.items() if name in known}


def _known_part(field: fields.Field, value: Any) -> Any:
    if isinstance(field, fields.List) and isinstance(value, list):
        return [_known_part(field.inner, item) for item in value]
    if isinstance(field, fields.Nested):
        return _known_only(type(field.schema), value)
    return value


def read(schema: type[Schema], body: Any, *, partial: bool = False) -> Record:
    """`body` checked against `schema`; raises Invalid with a dotted path for each field that is wrong."""
    try:
        return _schema(schema).load(body, partial=partial)
    except ValidationError as wrong:
        raise Invalid(errors=list(_flat(wrong.messages))) from None


def _flat(messages: Any, path: str = "") -> Any:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _flat(inner, path if key == "_schema" else f"{path}.{key}" if path else str(key))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield {"field": path or "body", "message": str(message)}


def json_schema(schema: type[Schema], reading: bool = False) -> dict:
    """The JSON Schema (2020-12) of a schema of ours, for the OpenAPI document."""
    properties, required = {}, []
    for name, field in _schema(schema).fields.items():
        said = field.data_key or name
        properties[said] = _field_schema(field, reading)
        if field.required and not reading:
            required.append(said)
    result: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        result["required"] = required
    if not reading:
        result["additionalProperties"] = False
    return result


def _field_schema(field: fields.Field, reading: bool) -> dict:
    if isinstance(field, fields.Nested):
        inner = json_schema(type(field.schema), reading)
    elif isinstance(field, fields.List):
        inner = {"type": "array", "items": _field_schema(field.inner, reading)}
    else:
        inner = field.json_schema() if hasattr(field, "json_schema") else {}
    if field.allow_none and "type" in inner:
        inner = {**inner, "type": [inner["type"], "null"]}
        if "enum" in inner:
            inner["enum"] = [*inner["enum"], None]
    if description := field.metadata.get("description"):
        inner = {**inner, "description": description}
    return inner
