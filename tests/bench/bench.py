"""Measures the system as its users meet it, in one run, as ratios to its own floors: a page without work, and one call without work.

Closed loop from a process of its own, keep-alive, some seconds a figure; the absolute numbers belong to this machine and hour, the
ratios are what to compare. `make bench` runs it on RabbitMQ and PostgreSQL where they are, else embedded.
"""

import argparse
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import requests

from tests import engines
from tests.api import VISA, Practice, card
from tests.e2e.conftest import split_system
from tests.system import Embedded, System

WARM_UP = 1.0


class Story:
    """One kind of request: `ask(session, number)` sends it and gives its answer."""

    def __init__(self, name: str, ask: Callable[[requests.Session, int], requests.Response], statuses: tuple[int, ...]):
        self.name, self.ask, self.statuses = name, ask, statuses


def stories(system: System, practice: Practice, unpaid: list[str]) -> list[Story]:
    api = system.url + "/api/v1"
    provider = {"Authorization": f"Bearer {practice.provider.token}"}
    client = {"Authorization": f"Bearer {practice.client.token}"}
    lines = [{"description": "Session", "unit_amount": 12050}, {"description": "Workbook", "unit_amount": 1999}]
    body = {"client_id": practice.client_id, "lines": lines}
    admin = {"Authorization": f"Bearer {practice.admin.token}"}
    known = practice.invoice()["id"]

    def pay(session: requests.Session, _: int) -> requests.Response:
        return session.post(f"{api}/invoices/{unpaid.pop()}/payments", json={"card": card(VISA)}, headers=client)

    return [
        Story("a page without work (floor)", lambda s, _: s.get(system.url + "/healthz"), (200,)),
        Story("one call without work (floor)", lambda s, _: s.get(f"{api}/services/client-billing", headers=admin), (200,)),
        Story("read one invoice", lambda s, _: s.get(f"{api}/invoices/{known}", headers=provider), (200,)),
        Story("list 20 invoices", lambda s, _: s.get(f"{api}/invoices?limit=20", headers=provider), (200,)),
        Story("create, 2 lines, tax", lambda s, _: s.post(f"{api}/invoices", json=body, headers=provider), (201,)),
        Story("pay by a sandbox card", pay, (201,)),
    ]


def measure(story: Story, connections: int, seconds: float) -> tuple[float, float, float, int]:
    """(requests a second, p50 ms, p99 ms, errors) with so many connections."""
    times: list[float] = []
    errors = 0
    begin = time.monotonic() + WARM_UP
    end = begin + seconds

    def loop(number: int) -> None:
        nonlocal errors
        with requests.Session() as session:
            while (at := time.monotonic()) < end:
                try:
                    good = story.ask(session, number).status_code in story.statuses
                except IndexError:  # nothing left to pay
                    return
                if at >= begin:
                    times.append(time.monotonic() - at)
                    errors += not good

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(times) or [0.0]
    took = max(time.monotonic() - begin, 0.001) if story.name.startswith("pay") else seconds
    return len(times) / took, statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.99)] * 1000, errors


def run(seconds: float, connections: tuple[int, ...]) -> None:
    with ExitStack() as made:
        folder = Path(made.enter_context(tempfile.TemporaryDirectory()))
        if engines.rabbitmq_uri() and engines.postgres_url():
            system = made.enter_context(split_system(folder))
        else:
            system = made.enter_context(Embedded(folder))
        practice = Practice(system)
        count = int(80 * seconds) * len(connections)
        print(f"making {count} invoices to pay ...", flush=True)
        unpaid = [practice.invoice()["id"] for _ in range(count)]
        kind = {"embedded": "one process, embedded broker, SQLite"}.get(system.name, system.name)
        print(f"\n{time.strftime('%Y-%m-%d')}, {platform.machine()}, Python {platform.python_version()}, {kind}\n")
        print(f"{'':32}{'conn.':>6}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'errors':>8}{'x page':>8}{'x call':>8}")
        floors: dict[tuple[int, int], float] = {}
        for place, story in enumerate(stories(system, practice, unpaid)):
            for number in connections:
                rate, p50, p99, errors = measure(story, number, seconds)
                floors[place, number] = rate
                ratios = [rate / (floors[floor, number] or 1) for floor in (0, 1) if floor <= place]
                shown = "".join(f"{ratio:>8.2f}" for ratio in ratios)
                print(f"{story.name:32}{number:>6}{rate:>8.0f}{p50:>8.1f}{p99:>8.1f}{errors:>8}{shown}", flush=True)


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=float, default=8, help="how long each figure is measured")
    reader.add_argument("--connections", default="1,8", help="numbers of connections, such as 1,8,32")
    asked = reader.parse_args()
    run(asked.seconds, tuple(map(int, asked.connections.split(","))))
