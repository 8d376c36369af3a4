"""Passwords: argon2id, how long they must be, and which are too common. Nothing here knows a person's row."""

import re
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from shared.faults import invalid

STAFF_LEAST, CLIENT_LEAST = 12, 10
AT_A_TIME = 4  # hashings of one process, each 19 MiB: whoever signs in beside them waits
# Beginnings and middles of what people choose most; a password that is little more than one of them is refused.
COMMON = frozenset(
    """password passwort passw0rd p@ssword p@ssw0rd motdepasse contrasena senha welcome letmein iloveyou trustno1 qwerty
    qwertz azerty qwertyuiop asdfghjkl zxcvbnm 1q2w3e4r 1qaz2wsx abc123 admin administrator root toor secret changeme
    default guest login master monkey dragon sunshine princess football baseball basketball superman batman starwars
    pokemon shadow michael jennifer jordan ashley bailey charlie daniel thomas hunter soccer hockey killer freedom
    whatever nothing mustang ranger harley summer winter spring autumn january february october november december
    monday friday computer internet google facebook amazon samsung apple windows cheese chocolate cookie flower purple
    orange yellow butterfly angel lovely hello biteme access matrix corvette ferrari mercedes liverpool arsenal
    chelsea barcelona london newyork america billing clientbilling invoice practice therapist therapy dietitian
    nutrition counseling clinic""".split()  # noqa: SIM905 (a hundred quoted words would be no easier to read)
)

_COUNTING = re.compile(r"(?:012|123|234|345|456|567|678|789|890|987|876|765|654|543|432|321|210|abc|bcd|cde|def)[0-9]*")


class Passwords:
    """Hashes and checks passwords; the work runs off the event loop where there is one."""

    def __init__(self, time_cost: int = 2, memory_kib: int = 19 * 1024):
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._turns = threading.BoundedSemaphore(AT_A_TIME)  # where eventlet drives this process, only green threads wait for it

    @cached_property
    def _nobody(self) -> str:
        return self.hash("nobody has this password")

    def hash(self, password: str) -> str:
        with self._turns:
            return _aside(self._hasher.hash, password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; an unknown account (None) takes the same time and is never right."""
        known = password_hash or self._nobody
        with self._turns:
            return _aside(self._verify, known, password) and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _aside(work: Callable, *given: Any) -> Any:
    """The result of `work`, in a native thread where eventlet drives this process, so that nobody waits for it."""
    from eventlet import patcher, tpool

    if patcher.is_monkey_patched("thread"):
        return tpool.execute(work, *given)
    return work(*given)


def must_be_good(password: str, *, staff: bool, own_words: tuple[str, ...] = ()) -> None:
    """Raises Invalid naming `password` where it is too short, too common, or made of the person's own words."""
    least = STAFF_LEAST if staff else CLIENT_LEAST
    if "\x00" in password or len(password) < least:
        raise invalid("password", f"Choose a password of at least {least} characters.")
    if is_common(password, own_words):
        raise invalid("password", "This password is too easy to guess. Choose something longer or less common.")


def is_common(password: str, own_words: tuple[str, ...] = ()) -> bool:
    """Whether it is one common or own word with little more, or hardly more than one letter or a count."""
    rest, used = password.lower(), set()
    for word in sorted(COMMON | _parts(own_words), key=len, reverse=True):
        if word in rest:
            used.add(word)
            rest = rest.replace(word, "")
    rest = _COUNTING.sub("", re.sub(r"(.)\1{2,}", r"\1", rest))
    return (len(rest) <= 4 and len(used) <= 1) or len(set(password)) < 4


def _parts(own_words: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for text in own_words:
        parts = re.split(r"[^a-z0-9]+", text.lower())
        found.update(part for part in [*parts, "".join(parts)] if len(part) >= 4)
    return found
