"""Identifiers: prefixed, sortable by the time they were made, and not to be guessed."""

import os
import time
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, without i l o u


def base32(number: int, length: int) -> str:
    """`number` in base 32, exactly `length` letters."""
    letters = []
    for _ in range(length):
        number, rest = divmod(number, 32)
        letters.append(ALPHABET[rest])
    return "".join(reversed(letters))


def new_id(prefix: str) -> str:
    """A new id such as `inv_01k…`: 48 bits of milliseconds, then 80 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{base32((milliseconds << 80) | int.from_bytes(os.urandom(10)), 26)}"


def earliest_id(prefix: str, moment: datetime) -> str:
    """No id of that prefix that was made at `moment` or later is smaller; for ranges."""
    return f"{prefix}_{base32(int(moment.timestamp() * 1000) << 80, 26)}"


def looks_like_id(text: str, prefix: str | None = None) -> bool:
    """Whether `text` has the form of an id of ours (of that prefix)."""
    head, _, tail = text.partition("_")
    return (
        bool(head) and head.isalpha() and len(tail) == 26 and all(letter in ALPHABET for letter in tail) and prefix in (None, head)
    )
