"""Giving other services their copies and letters: at once with the request, and again by a timer until it worked."""

import json
import logging
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from services.gateway.people import storage
from services.gateway.people.model import DueCall
from shared.caller import Caller
from shared.contract import Contract
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.tax import Tax
from shared.faults import Fault, Unavailable
from shared.tenancy import acting_for_all

log = logging.getLogger(__name__)
_CONTRACTS: dict[str, type[Contract]] = {family.service: family for family in (Invoicing, Notifications, Tax)}
_WAITS = (5, 10, 30, 60, 300, 600)  # seconds; a copy is never given up
_TIDY_EVERY = 3600.0  # seconds


def deliver(gateway: Any, practice_id: str, subject_ids: list[str]) -> None:
    """Give what is due of these subjects now; raises Unavailable where a copy wasn't taken (the timer goes on trying)."""
    with storage.reading(gateway.database) as s:
        due = storage.due_calls_of(s, practice_id, subject_ids)
    for one in due:
        if not _give(gateway, one) and one.version > 0:
            raise Unavailable("copy_due", "It is saved, but a part behind is not available right now. It follows by itself.")


@acting_for_all()
def run_due(gateway: Any) -> int:
    """Give what is due of everybody; how many were taken. Run by a timer.

    A service that does not answer is asked once in a run: what others wait for is not kept back by it.
    """
    with storage.reading(gateway.database) as s:
        due = storage.due_calls(s, gateway.clock.now())
    silent: set[str] = set()
    return sum(_claimed(gateway, one) and one.service not in silent and _give(gateway, one, silent) for one in due)


@acting_for_all()
def forget_old(gateway: Any) -> None:
    """Drop what is too old to matter; run by the timer once an hour."""
    with gateway.database.transaction() as s:
        storage.forget_old(s, gateway.clock.now())


def _claimed(gateway: Any, due: DueCall) -> bool:
    """Whether this timer may try it: of several processes' timers one does, and waits longer each time."""
    with gateway.database.transaction() as s:
        return storage.claim(s, due, _next(due, gateway.clock.now()))


def _give(gateway: Any, due: DueCall, silent: set[str] | None = None) -> bool:
    """Whether the service took it; one that did not answer is noted as `silent`. Given twice is harmless: copies have versions,
    letters ids."""
    call = getattr(_CONTRACTS[due.service], due.call)
    try:
        gateway.ask(call, json.loads(due.body), Caller.system(due.practice_id))
    except Fault as fault:
        log.warning("%s.%s is still due (%s), try %d", due.service, due.call, fault.code, due.tries + 1)
        if silent is not None and isinstance(fault, Unavailable):
            silent.add(due.service)
        return False
    with gateway.database.transaction() as s:
        storage.done(s, due)
    return True


def _next(due: DueCall, now: datetime) -> datetime:
    return now + timedelta(seconds=_WAITS[min(due.tries, len(_WAITS) - 1)])


class Delivering:
    """The timer: a thread (a green one where eventlet drives the process) that repeats what is due."""

    def __init__(self, gateway: Any, seconds: float):
        self._gateway, self._seconds, self._ended = gateway, seconds, threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-delivering", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        tidied = 0.0
        while not self._ended.wait(self._seconds):
            try:
                run_due(self._gateway)
                if time.monotonic() - tidied > _TIDY_EVERY:
                    forget_old(self._gateway)
                    tidied = time.monotonic()
            except Exception as wrong:  # its text may hold what somebody typed
                log.error("What is due could not be delivered (%s); it is tried again", type(wrong).__name__)

    def stop(self) -> None:
        """End after the call that is under way, waiting at most 6 seconds for it."""
        self._ended.set()
        self._thread.join(6)


def start_delivering(gateway: Any, seconds: float = 2.0) -> Delivering:
    """Begin to repeat what is due; the caller stops it."""
    return Delivering(gateway, seconds / gateway.settings.time_scale)
