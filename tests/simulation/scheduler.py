"""The seeded scheduler: who goes on, when, and who dies. It knows greenlets and simulated time; no service, no message, no bank."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from tests.simulation.chances import Chances

STEP = timedelta(microseconds=700)  # what a piece of work takes between two places where others may have their turn


class Killed(BaseException):
    """Raised in everything a process was at when it dies: nothing of the product catches it."""


class Task:
    """One piece of work of a process, in a greenlet of its own; it runs until it waits."""

    def __init__(self, process: "Process", name: str, work: Callable[[], Any], hub: greenlet):
        self.process, self.name = process, name
        self.greenlet = greenlet(work, hub)
        self.wakes = 0  # how often it was woken: a timer set for an earlier wait is stale
        self.dying = False


class Process:
    """What dies at once: a service's process, or the people (who live)."""

    def __init__(self, name: str):
        self.name, self.up = name, True
        self.tasks: list[Task] = []
        self.on_restart: list[Callable[[], None]] = []


class Waiter:
    """One task waiting for one thing, for a while."""

    def __init__(self, scheduler: "Scheduler"):
        self._scheduler, self._task = scheduler, scheduler.current
        self.settled, self.outcome = False, None

    def settle(self, outcome: Any) -> None:
        if not self.settled:
            self.settled, self.outcome = True, outcome
            self._scheduler.wake(self._task)

    def wait(self, seconds: float) -> bool:
        """Whether it was settled in time."""
        if not self.settled:
            self._scheduler.sleep(seconds)
        settled, self.settled = self.settled, True
        return settled


class Scheduler:
    """Everything that happens in one seed's run, in one thread. `trace` is the hash of all that was decided."""

    def __init__(self, seed: int, start: datetime, chances: Chances):
        self.seed, self.random, self.now, self.chances = seed, Random(seed), start, chances
        self.figures: Counter[str] = Counter()
        self.hub = getcurrent()
        self.inside: Callable[[], bool] = lambda: False  # whether a transaction is open right now
        self.current: Task | None = None
        self._ready: list[Task] = []
        self._later: list[tuple[datetime, int, Any, int]] = []
        self._order = 0
        self._trace = hashlib.sha256()
        self.story: list[str] | None = None  # where the trace is kept in words, too

    # what is decided

    def note(self, *words: object) -> None:
        line = f"{(self.now.timestamp()):.4f} " + " ".join(map(str, words))
        self._trace.update(line.encode())
        if self.story is not None:
            self.story.append(line)

    def count(self, what: str) -> None:
        self.figures[what] += 1
        self.note("count", what)

    def happens(self, what: str) -> bool:
        """Whether a misfortune of this kind happens now; never once the faults have stopped."""
        chance = getattr(self.chances, what)
        return bool(chance) and self.random.random() < chance

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    # tasks

    def spawn(self, process: Process, name: str, work: Callable[[], Any]) -> Task:
        task = Task(process, name, lambda: self._run_task(task, work), self.hub)
        process.tasks.append(task)
        self._ready.append(task)
        return task

    def _run_task(self, task: Task, work: Callable[[], Any]) -> None:
        try:
            work()
        except Killed:
            pass
        finally:
            task.process.tasks.remove(task)

    def at(self, moment: datetime, call: Callable[[], None]) -> None:
        """Have `call()` run by the scheduler itself; it must not wait."""
        self._order += 1
        heapq.heappush(self._later, (moment, self._order, call, -1))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self.at(self.now + timedelta(seconds=seconds), call)

    def wake(self, task: Task | None) -> None:
        if task is not None and not task.greenlet.dead and task not in self._ready and task is not self.current:
            task.wakes += 1
            self._ready.append(task)

    def sleep(self, seconds: float) -> None:
        """The current task waits; others go on."""
        task = self.current
        assert task is not None and not self.inside(), "a wait inside a transaction"
        self._order += 1
        heapq.heappush(self._later, (self.now + timedelta(seconds=seconds), self._order, task, task.wakes))
        self._leave(task)

    def pause(self, where: str) -> None:
        """A place where others may have their turn, where a task may stall, or where its process may die."""
        task = self.current
        if task is None:
            return
        if task.dying:
            raise Killed
        if task.process.name != "people" and self.happens("crash"):
            self.count("crashes")
            self.note("dies at", where)
            self.die(task.process)
        if self.inside():
            return
        if self.happens("stall"):
            self.count("stalls")
            self.sleep(self.random.choice((1.0, 6.0, 20.0, 45.0)))
        elif self._ready:
            self._ready.append(task)
            self._leave(task)
        self.now += STEP

    def _leave(self, task: Task) -> None:
        self.note("waits", task.name)
        self.hub.switch()
        if task.dying:
            raise Killed

    def die(self, process: Process) -> None:
        """This moment ends everything that the process is at; it starts anew in a while."""
        task = self.current
        process.up = False
        self.at(self.now, lambda: self._bury(process))
        if task is not None and task.process is process:
            task.dying = True
            raise Killed

    def _bury(self, process: Process) -> None:
        self.end(process)
        self.after(self.random.choice((0.2, 1.0, 4.0, 15.0)), lambda: self._restart(process))

    def end(self, process: Process) -> None:
        """Throw away all that a process is at."""
        for task in list(process.tasks):
            task.dying = True
            if task in self._ready:
                self._ready.remove(task)
            if task.greenlet:
                self.current = task
                task.greenlet.throw(Killed)
            else:  # it had not begun
                process.tasks.remove(task)
        self.current = None

    def _restart(self, process: Process) -> None:
        process.up = True
        waiting, process.on_restart = process.on_restart, []
        for call in waiting:
            call()

    # the run

    def run(self, until: datetime, enough: Callable[[], bool] = lambda: False) -> None:
        """Go on until that moment, or until `enough()` while nobody is ready."""
        last: Task | None = None
        while True:
            self._move_due()
            if self._ready:
                task = self._ready.pop(self.random.randrange(len(self._ready)))
                if task.greenlet.dead:
                    continue
                self.figures["interleavings"] += task is not last and last in self._ready
                last = task
                self.note("goes", task.name)
                self.current = task
                self.now += STEP
                task.greenlet.switch()
                self.current = None
                continue
            if enough() or not self._later or self._later[0][0] > until:
                self.now = max(self.now, until) if not enough() else self.now
                return
            self.now = max(self.now, self._later[0][0])

    def _move_due(self) -> None:
        while self._later and self._later[0][0] <= self.now:
            _, _, thing, wakes = heapq.heappop(self._later)
            if not isinstance(thing, Task):
                thing()
            elif thing.wakes == wakes and not thing.greenlet.dead:
                self.wake(thing)
