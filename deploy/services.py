"""The four services behind the gateway, by name; imported only where one of them is to run."""

import importlib
import signal
from typing import Any

import eventlet

from deploy.heartbeat import beat
from shared.answering import run_containers
from shared.settings import Settings

DOORS = {
    "invoicing": ("services.invoicing.service", "InvoicingService"),
    "processors": ("services.processors.service", "ProcessorsService"),
    "tax": ("services.tax.service", "TaxService"),
    "notifications": ("services.notifications.service", "NotificationsService"),
}


def door(service: str) -> Any:
    """The service's class."""
    module, name = DOORS[service]
    return getattr(importlib.import_module(module), name)


def serve_service(settings: Settings, service: str) -> None:
    """Serve one service until SIGTERM or SIGINT, then finish what is begun (10 s at most)."""
    runner = run_containers([door(service)], settings)
    stopping = eventlet.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: eventlet.spawn_after(0, lambda: stopping.ready() or stopping.send()))
    starting = eventlet.spawn(runner.start)
    eventlet.spawn(watch, runner, stopping, starting)
    eventlet.spawn(beat, runner.listening, eventlet.sleep)
    died = stopping.wait()
    if starting.dead:
        runner.stop()
    else:  # it still waits for the broker: nothing is in hand
        starting.kill()
    if died:
        raise SystemExit("a part of the service has died; the supervisor starts it again")


def watch(runner: Any, stopping: eventlet.Event, starting: Any = None) -> None:
    """A container that can't start or ends by itself ends the process: half a service is worse than none."""
    try:
        if starting is not None:
            starting.wait()
        runner.wait()
    finally:
        if not stopping.ready():
            stopping.send(True)
