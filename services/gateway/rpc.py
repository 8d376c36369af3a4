"""The gateway's way to the services: one bus client per process, made with the first question (after a server's fork)."""

import threading
import time
from typing import Any

from services.gateway.metrics import Metrics
from shared.asking import Answer, Bus
from shared.caller import Caller
from shared.contract import Call
from shared.faults import Fault
from shared.settings import Settings


class Rpc:
    """Asks services by their contracts, and measures how long they took."""

    def __init__(self, settings: Settings, metrics: Metrics | None = None):
        self._settings, self._metrics = settings, metrics
        self._bus: Bus | None = None
        self._making = threading.Lock()

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        """The checked answer; raises the service's fault, Unanswered (deadline passed) or Unreachable (nobody there)."""
        began, outcome = time.monotonic(), "ok"
        try:
            return self._ready().ask(call, body, caller, within=within)
        except Fault as fault:
            outcome = fault.kind
            raise
        finally:
            if self._metrics:
                self._metrics.asked(call.service, call.name, outcome, time.monotonic() - began)

    def _ready(self) -> Any:
        if self._bus is None:
            with self._making:
                if self._bus is None:
                    self._bus = Bus(self._settings, "gateway")
        return self._bus

    def close(self) -> None:
        """Leave the bus; calls that still wait end as Unanswered."""
        if self._bus is not None:
            self._bus.close()
