"""An answer that is already text: kept under an idempotency key and told again word for word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """`text` is the exact JSON of the answer; `status` its HTTP status where the call leaves a choice."""

    text: str
    replayed: bool = False
    status: int | None = None
