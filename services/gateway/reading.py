"""How what was sent is read: bodies against the public schemas, queries from their strings, ids in paths."""

import re
from typing import Any

from marshmallow import Schema

from shared.contract import read
from shared.faults import NotFound
from shared.fields import Flag, Record, Whole

_ID = re.compile(r"[a-z]{2,5}_[0-9a-z]{1,34}")


def checked(schema: type[Schema], body: Any) -> dict:
    """`body` itself, after `schema` found nothing wrong with it; raises Invalid naming each field."""
    read(schema, body)
    return body


def query(schema: type[Schema], given: Any) -> tuple[dict, Record]:
    """A query (strings of a URL, or JSON values) as JSON values, and as the schema reads it; empty ones are left out."""
    fields = {field.data_key or name: field for name, field in schema().fields.items()}
    values = {name: _value(fields.get(name), value) for name, value in given.items() if value not in ("", None)}
    return values, read(schema, values)


def _value(field: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(field, Whole) and value.isascii() and value.lstrip("-").isdigit() and len(value) < 20:
        return int(value)
    if isinstance(field, Flag) and value in ("true", "false"):
        return value == "true"
    return value


def known_id(value: str, prefix: str | None = None) -> str:
    """An id from a path; raises NotFound where it can't be one of ours (of that prefix), so that nobody is asked for nonsense."""
    if not _ID.fullmatch(value) or prefix not in (None, value.partition("_")[0]):
        raise NotFound()
    return value
