"""Payments at a steady rate, each of an invoice of its own amount, so that the sandbox's books name every one. It judges nothing."""

import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from tests.api import Practice, card

PATIENCE = 40.0  # seconds that a client waits for one answer
LONGEST_PAUSE = 8.0  # seconds between two askings
WELL_AGAIN = 90.0  # seconds that a system has between two faults
GIVES_UP = 150.0  # seconds until it stops asking again with its key


@dataclass
class Payment:
    """One client's payment: when it was begun, how each asking was answered, and when it succeeded."""

    invoice: dict
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    begun_at: float = 0.0
    answers: list[tuple[float, str]] = field(default_factory=list)
    done_at: float | None = None


def invoices(practice: Practice, count: int, first: int) -> list[dict]:
    """Sent invoices of `first`, `first` + 1, … minor units."""

    def make(amount: int) -> dict:
        until = time.monotonic() + WELL_AGAIN
        while True:
            try:
                return practice.invoice(amount)
            except AssertionError:  # 503 while what the test before broke gets well; one made twice is never paid
                if time.monotonic() > until:
                    raise
                time.sleep(3)

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(make, range(first, first + count)))


def carried(practice: Practice, waiting: list[dict]) -> float:
    """Payments a second when eight clients pay these invoices, each as soon as its last one is paid."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(practice.pay, waiting))
    assert {answer.status_code for answer in answers} <= {201, 202, 503}
    return len(waiting) / (time.monotonic() - began)


class Load:
    """So many payments a second until `stop`; whoever gets no clear answer asks again with the same key, as programs do."""

    def __init__(self, practice: Practice, waiting: list[dict], rate: float):
        self.practice, self.rate = practice, rate
        self.payments: list[Payment] = []
        self._waiting = list(waiting)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._begin_at_the_rate, daemon=True)

    def start(self) -> "Load":
        self._clock.start()
        return self

    def stop(self) -> None:
        """No new ones; those under way come to their end."""
        self._stopping.set()
        self._clock.join()
        for thread in self._threads:
            thread.join(GIVES_UP)

    def _begin_at_the_rate(self) -> None:
        began, number = time.monotonic(), 0
        while self._waiting and not self._stopping.wait(max(0.0, began + number / self.rate - time.monotonic())):
            payment = Payment(self._waiting.pop())
            self.payments.append(payment)
            thread = threading.Thread(target=self._pay, args=(payment,), daemon=True)
            thread.start()
            self._threads.append(thread)
            number += 1

    def _pay(self, payment: Payment) -> None:
        payment.begun_at = time.monotonic()
        path = f"/api/v1/invoices/{payment.invoice['id']}/payments"
        headers = {"Authorization": f"Bearer {self.practice.client.token}", "Idempotency-Key": payment.key}
        while time.monotonic() < payment.begun_at + GIVES_UP:
            try:
                answer = requests.post(self.practice.system.url + path, json={"card": card()}, headers=headers, timeout=PATIENCE)
                told, pause = str(answer.status_code), float(answer.headers.get("Retry-After", 0))
            except requests.RequestException as broken:
                told, pause = type(broken).__name__, 0.0
            now = time.monotonic()
            payment.answers.append((now, told))
            if told in ("201", "202"):
                payment.done_at = now
                return
            if told == "502":  # a no, which its key is told for ever: nothing was charged, and the payer may pay anew
                return
            tries = len(payment.answers)
            time.sleep(max(pause, min(0.5 * 2**tries, LONGEST_PAUSE)) * random.uniform(0.8, 1.2))

    def told(self) -> Counter:
        """How often each answer was given."""
        return Counter(told for payment in self.payments for _, told in payment.answers)

    def serving_again(self, ended_at: float) -> float:
        """Seconds from a fault's end until a payment succeeded that was begun after it."""
        after = [payment.done_at for payment in self.payments if payment.begun_at > ended_at and payment.done_at]
        return min(after) - ended_at if after else float("inf")
