"""The lock-out: ten failed sign-ins of one account from one address close that door for half an hour, known or not.

An address is an IPv4 address or a /64 of IPv6.
"""

from datetime import datetime, timedelta
from typing import Any

from services.gateway.people import storage
from services.gateway.people.model import SignInFailures
from services.gateway.people.secrets import derived
from shared.faults import LimitReached

LOCKED_AFTER, LOCKED_FOR = 10, timedelta(minutes=30)
ADDRESS_LOCKED_AFTER = 100  # of all accounts together, so that one address can't go through a list of them
_SLOW_AFTER, _FIRST_DELAY, _LONGEST_DELAY = 3, 0.05, 1.0  # seconds that a wrong answer waits, doubling


def must_be_open(s: Any, account: str, address: str, now: datetime) -> None:
    """Raises LimitReached while this account is closed to this address."""
    for row in (s.get(SignInFailures, (account, address)), s.get(SignInFailures, ("", address))):
        if row is not None and row.locked_until is not None and row.locked_until > now:
            wait = int((row.locked_until - now).total_seconds()) + 1
            raise LimitReached("locked_out", "Too many tries. Wait half an hour, or reset your password.", retry_after=wait)


def count_failure(s: Any, account: str, address: str, now: datetime) -> float:
    """One more failure; how many seconds its answer should wait."""
    failures = _count(s, account, address, LOCKED_AFTER, now)
    _count(s, "", address, ADDRESS_LOCKED_AFTER, now)
    if failures < _SLOW_AFTER:
        return 0.0
    return min(_FIRST_DELAY * 2 ** (failures - _SLOW_AFTER), _LONGEST_DELAY)


def _count(s: Any, account: str, address: str, most: int, now: datetime) -> int:
    row = storage.sign_in_failures(s, account, address, now)
    if now - row.last_at > LOCKED_FOR or (row.locked_until and row.locked_until <= now):
        row.failures, row.locked_until = 0, None
    row.failures, row.last_at = row.failures + 1, now
    if row.failures >= most:
        row.locked_until = now + LOCKED_FOR
    s.flush()
    return row.failures


def forget(s: Any, account: str, address: str) -> None:
    """A right password starts the count anew."""
    if row := s.get(SignInFailures, (account, address)):
        s.delete(row)


def account_of(gateway: Any, email: str) -> str:
    """How an account is named among the failures: not by its address."""
    return derived(gateway.keys.hmac_key, "account", email)
