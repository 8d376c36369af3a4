"""How many passwords are hashed at a time: the gateway's memory is counted with it."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from services.gateway.people.passwords import AT_A_TIME, Passwords
from tests.system import ROOT


class _Counting:
    """A hasher that only counts how many are at it."""

    def __init__(self):
        self.now = self.most = 0
        self._lock = threading.Lock()

    def hash(self, password):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self._lock:
            self.now -= 1
        return password

    def verify(self, password_hash, password):
        return bool(self.hash(password))


def test_few_passwords_are_hashed_at_a_time():
    """Of sixteen threads that sign in or set a password, four are at it; the others wait, and all come to their end."""
    passwords, counting = Passwords(1, 8), _Counting()
    passwords._hasher = counting
    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(passwords.hash, "x") for _ in range(8)] + [pool.submit(passwords.matches, "x", "x") for _ in range(8)]
        assert all(one.result() for one in done)
    assert AT_A_TIME == counting.most


WITH_EVENTLET = """
import eventlet
eventlet.monkey_patch()
import time, types
from services.gateway.people.passwords import Passwords
passwords, ticks = Passwords(1, 8), []
real = eventlet.patcher.original("time")
passwords._hasher = types.SimpleNamespace(hash=lambda password: (real.sleep(0.1), password)[1])
eventlet.spawn(lambda: [(ticks.append(1), eventlet.sleep(0.01)) for _ in range(1000)])
began = time.monotonic()
done = [eventlet.spawn(passwords.hash, "x") for _ in range(8)]
assert ["x"] * 8 == [one.wait() for one in done]
assert time.monotonic() - began >= 0.2, "more than four at a time"
assert len(ticks) >= 5, "everybody waited"
"""


def test_waiting_for_a_turn_holds_nobody_up_where_green_threads_serve():
    """On eventlet eight hashings take two rounds, and the others' work goes on meanwhile."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITH_EVENTLET], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
