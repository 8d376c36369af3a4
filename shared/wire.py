"""JSON as it crosses the bus: plain, so that nothing in a body is ever read as a type. What a message says is in the contracts."""

import json
from typing import Any

from kombu import serialization

NAME = "clientbilling"
CONTENT_TYPE = "application/vnd.clientbilling+json"


def to_text(value: Any) -> str:
    """Compact JSON as people and programs read it; raises TypeError or ValueError for what JSON can't hold."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_wire(value: Any) -> str:
    """Compact JSON in ASCII: whatever letters it holds, it can be sent."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def register() -> None:
    """Make our content type known to kombu in this process; may be called again."""
    serialization.register(NAME, to_wire, json.loads, content_type=CONTENT_TYPE, content_encoding="utf-8")
