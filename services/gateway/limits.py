"""How often one token (or one address without a token) may ask the plain API in a minute, counted in this process; which addresses
count as one.
"""

import ipaddress
import threading
import time
from collections.abc import Callable

from shared.faults import LimitReached

_MOST_KNOWN = 20_000  # who asks; beyond that, those who haven't used anything of their allowance are forgotten


def place_of(remote: str) -> str:
    """Whom an address counts for: itself, but of IPv6 its /64 network, whose addresses one customer has without end."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote[:64]
    if not isinstance(address, ipaddress.IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


class Limits:
    """A bucket per asker, filled with `a_minute` requests and refilled evenly; 0 means no limit."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic):
        self._a_minute, self._clock = a_minute, clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> None:
        """One request of `who`; raises LimitReached saying in how many seconds there is room again."""
        if not self._a_minute:
            return
        now, a_second = self._clock(), self._a_minute / 60
        with self._lock:
            left, at = self._buckets.get(who, (float(self._a_minute), now))
            left = min(float(self._a_minute), left + (now - at) * a_second)
            if left < 1:
                raise LimitReached(
                    "too_many_requests",
                    "Too many requests. Slow down a little.",
                    retry_after=int((1 - left) / a_second) + 1,
                )
            self._buckets[who] = (left - 1, now)
            if len(self._buckets) > _MOST_KNOWN:
                self._forget(now, a_second)

    def _forget(self, now: float, a_second: float) -> None:
        full = [who for who, (left, at) in self._buckets.items() if left + (now - at) * a_second >= self._a_minute]
        for who in full or list(self._buckets)[: _MOST_KNOWN // 2]:
            del self._buckets[who]
