"""Canaries: values that nobody else has, of every kind that must not come out. Each bears a mark and a number, or is told as it came.

What we choose ourselves bears MARK and five letters or digits of its own, so that one search finds them all. Card numbers, security
codes and what the product makes by chance (session tokens, links) can't bear it and are looked for as they are.
"""

import itertools
import re
from dataclasses import dataclass

MARK = "zq7vk"
SERIAL = 5  # characters after the mark
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
CODES = ("9137", "8641", "7958", "6283")  # security codes; four digits stand alone less often by chance than three


@dataclass(frozen=True)
class Canary:
    """One value: its kind, the flow that made it, and whose it is (a practice, or one client of it); empty is nobody's."""

    value: str
    kind: str
    flow: str = ""
    practice: str = ""
    client: str = ""

    def __repr__(self) -> str:  # a failing test prints this: never the value
        return f"<{self.kind} of {self.flow}>"

    @property
    def serial(self) -> str:
        """What follows the mark; empty where it bears none."""
        found = re.search(f"{MARK}([0-9a-z]{{{SERIAL}}})", self.value.lower())
        return found[1] if found else ""


class Canaries:
    """All that were let out so far. `flow`, `practice` and `client` say for whom the next ones are made."""

    def __init__(self) -> None:
        self.all: list[Canary] = []
        self.flow = self.practice = self.client = ""
        self._numbers = itertools.count(1)
        self._known: set[tuple[str, str]] = set()

    def make(self, kind: str, pattern: str = "{}", **whose: str) -> str:
        """A new value of a kind; `pattern` gives it the form that its field asks for."""
        value = pattern.format(MARK + _serial(next(self._numbers)))
        return self.learn(kind, value, **whose)

    def learn(self, kind: str, value: str, **whose: str) -> str:
        """Look for a value that was made elsewhere, such as a session's token; the same one again changes nothing."""
        if value and (kind, value) not in self._known:
            self._known.add((kind, value))
            self.all.append(Canary(value, kind, **{"flow": self.flow, "practice": self.practice, "client": self.client, **whose}))
        return value

    def card(self, kind: str = "card", **whose: str) -> str:
        """A card number that nobody else has, with a right check digit."""
        number = f"45326{next(self._numbers) * 79_190_003 % 10**10:010}"
        return self.learn(kind, number + _check_digit(number), **whose)

    def code(self) -> str:
        """A card's security code; only a few, because each is short enough to stand somewhere by chance."""
        return self.learn("code", CODES[next(self._numbers) % len(CODES)], practice="", client="")


def _serial(number: int) -> str:
    """Base 36, scattered, so that no two differ by one letter only."""
    left, text = number * 15_485_863 % 36**SERIAL, ""
    for _ in range(SERIAL):
        left, digit = divmod(left, 36)
        text += DIGITS[digit]
    return text


def _check_digit(number: str) -> str:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[::-2])
    return str(-(doubled + sum(int(digit) for digit in number[-2::-2])) % 10)
