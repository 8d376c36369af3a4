"""One seed's run from beginning to end, and many of them: the stories, the end of the faults, the horizon, the judge."""

import atexit
import gc
import logging
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import update

from services.processors.model import LOOK_UPS, Account
from services.processors.usecases.comparing import LAG
from tests.simulation.chances import Chances
from tests.simulation.judge import judge
from tests.simulation.lagging import KIND, Lagging, send_deliveries
from tests.simulation.people import House, People, settle_down
from tests.simulation.stories import STORIES, Told
from tests.simulation.world import SELDOM, Run, World

STORIES_A_SEED = 22
BEGIN_WITHIN = 60.0  # seconds in which the stories begin
TROUBLE = 420.0  # seconds after which the faults stop, whatever is still going on
CALM = 60.0
ASK_AGAIN = 10  # keys
PROGRESS = 100  # seeds
REPORT = Path("test-results")
# What a range of seeds must have seen, each at least once.
KINDS = (
    "deliveries",
    "drops",
    "duplicates",
    "reorders",
    "delays",
    "crashes",
    "cuts",
    "stalls",
    "expired",
    "interleavings",
    "charges",
    "refunds",
    "webhooks",
)


@dataclass
class Verdict:
    """What became of a seed."""

    seed: int
    findings: list[str]
    trace: str
    figures: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


@cache
def ground(lags: bool = True) -> tuple[World, list[House]]:
    """The world and its two practices, made once in a process; the second one's processor `lags` behind, unless it is told not to."""
    memory = Path("/dev/shm")
    folder = Path(mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = World(folder)
    if lags:
        world.processors.room.adapters[KIND] = Lagging(world.bank)  # type: ignore[arg-type]
    run = world.begin(0, Chances.none())
    with run.in_charge():
        houses = settle_down(run, ("sandbox", KIND if lags else "sandbox"))
    world.keep()
    return world, houses


def run_seed(seed: int, chances: Chances | None = None, in_words: bool = False) -> Verdict:
    """Play one seed and judge it."""
    world, houses = ground()
    run = world.begin(seed, chances or Chances())
    run.scheduler.story = [] if in_words else None
    with _without_looking_for_rings(), run.in_charge():
        people = People(run, houses)
        _play(run, people, houses)
        run.calm()
        run.pass_by(CALM)
        _ask_again(run, people)
        _reach_the_horizon(run)
    findings = list(judge(run, people, houses))
    figures = run.scheduler.figures
    figures["stories"], figures["requests"] = STORIES_A_SEED, len(people.asked)
    figures["charges"] = len(run.rows("sandbox_books", "select 1 from entries where kind='charge' and status='done'"))
    figures["refunds"] = len(run.rows("sandbox_books", "select 1 from entries where kind='refund' and status='done'"))
    return Verdict(seed, findings, run.scheduler.trace, figures, run.scheduler.story or [])


@contextmanager
def _without_looking_for_rings() -> Iterator[None]:
    """Greenlets leave rings of references behind; to look for them all the time costs a fifth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _play(run: Run, people: People, houses: list[House]) -> None:
    scheduler = run.scheduler
    chosen = list(STORIES) + [scheduler.random.choice(STORIES) for _ in range(STORIES_A_SEED - len(STORIES))]
    scheduler.random.shuffle(chosen)
    for story in chosen:
        house, other = scheduler.random.sample(houses, 2)
        told = Told(people, house, other)
        begins = scheduler.random.uniform(0, BEGIN_WITHIN)
        name, work = story.__name__, lambda story=story, told=told: story(told)
        scheduler.after(begins, lambda name=name, work=work: scheduler.spawn(run.processes["people"], name, work) and None)
    send_deliveries(run, houses, scheduler.now + timedelta(seconds=TROUBLE))
    run.start_timers()
    run.pass_by(BEGIN_WITHIN)
    run.pass_by(TROUBLE - BEGIN_WITHIN, lambda: not run.processes["people"].tasks)


def _ask_again(run: Run, people: People) -> None:
    """Some keys are asked once more, now that nothing goes wrong: answered once, answered alike."""
    asked = [one for one in people.asked if one.method == "POST" and one.final]
    asked = run.scheduler.random.sample(asked, min(len(asked), ASK_AGAIN))
    work = lambda: [people.again(one) for one in asked]  # noqa: E731
    run.scheduler.spawn(run.processes["people"], "asks again", work)
    run.pass_by(600, lambda: not run.processes["people"].tasks)


def _reach_the_horizon(run: Run) -> None:
    """Time goes on in growing strides until nothing is open, at most as long as look-ups are made."""
    run.pass_by(60)
    run.stop_timers()
    _compare_lists(run)
    for pause in (timedelta(seconds=20), *LOOK_UPS):
        run.pass_by(pause.total_seconds() + 60)
        for _ in range(4):
            run.give_turns()
            run.pass_by(6)
        if _quiet(run):
            break
    for service, names in SELDOM.items():
        office = run.world.offices[service]
        for name in names:
            office.method(name)(office.room)


def _compare_lists(run: Run) -> None:
    """The comparison with the bank's list, at a moment when its span ends amid the stories: nothing may differ."""
    begun = run.world.started_at + timedelta(seconds=run.scheduler.random.uniform(0, 2 * BEGIN_WITHIN))
    run.scheduler.run(max(run.scheduler.now, begun + LAG))
    for turns in range(3):
        if turns == 0:
            with run.world.databases["processors"].transaction() as session:
                session.execute(update(Account).values(compare_at=None))
        run.give_turns()
        run.pass_by(6)


def _quiet(run: Run) -> bool:
    """Whether nothing waits for anybody."""
    open_ones = (
        (
            "processors",
            "select 1 from attempts where lease_until is not null or next_look_up_at is not null or woken_at is not null limit 1",
        ),
        ("processors", "select 1 from outbox where published_at is null limit 1"),
        ("invoicing", "select 1 from outbox where published_at is null limit 1"),
        ("invoicing", "select 1 from payments where check_at is not null limit 1"),
        ("invoicing", "select 1 from refunds where check_at is not null limit 1"),
        ("gateway", "select 1 from due_calls limit 1"),
    )
    return not any(run.rows(*one) for one in open_ones)


class Tally:
    """Many seeds together: their figures, which failed, and which kind of trouble none of them had."""

    def __init__(self) -> None:
        self.figures: Counter[str] = Counter()
        self.failed: list[int] = []
        self.seeds: list[int] = []
        self.began, self.worked = time.monotonic(), time.process_time()

    @property
    def count(self) -> int:
        return len(self.seeds)

    @property
    def never(self) -> list[str]:
        return [kind for kind in KINDS if not self.figures[kind]]

    def take(self, verdict: Verdict) -> None:
        self.seeds.append(verdict.seed)
        self.figures += verdict.figures
        if verdict.findings:
            self.failed.append(verdict.seed)
            print(f"seed {verdict.seed} failed, see {keep_failure(verdict)}", *verdict.findings[:5], sep="\n    ", flush=True)

    def said(self) -> str:
        """The whole in two lines."""
        took, worked = time.monotonic() - self.began, time.process_time() - self.worked
        figures = ", ".join(f"{count} {kind}" for kind, count in sorted(self.figures.items()))
        never = f"; NEVER: {', '.join(self.never)}" if self.never else ""
        pace = f"{took:.0f} s, {worked:.0f} s of them at work ({self.count / worked:.2f} a second)"
        head = f"seeds {self.seeds[0]} to {self.seeds[-1]}: {self.count} in {pace}"
        return f"{head}, {len(self.failed)} failed {self.failed or ''}\n    {figures}{never}"


def keep_failure(verdict: Verdict) -> Path:
    """A failing seed's findings and its whole trace, for whoever looks into it."""
    REPORT.mkdir(exist_ok=True)
    told = run_seed(verdict.seed, in_words=True)
    path = REPORT / f"simulation-seed-{verdict.seed}.txt"
    path.write_text("\n".join([*verdict.findings, "", *told.story]) + "\n")
    return path


@contextmanager
def quietly() -> Iterator[None]:
    """The faults are wanted: nothing of them is logged."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def must_hold(first: int, how_many: int) -> None:
    """Run these seeds, print what they saw; fails where one does, or where a kind of trouble never came."""
    tally = Tally()
    with quietly():
        for seed in range(first, first + how_many):
            tally.take(run_seed(seed))
    print(tally.said())
    assert [] == tally.failed
    assert [] == tally.never


def main(argument: str) -> int:
    """`1..500`: run these seeds, print what happened and the failing ones; 1 where one failed or a kind of trouble never came."""
    first, _, last = argument.partition("..")
    seeds, tally = range(int(first), int(last or first) + 1), Tally()
    with quietly():
        for seed in seeds:
            tally.take(run_seed(seed))
            if tally.count % PROGRESS == 0 and seed != seeds[-1]:
                print(tally.said(), flush=True)
    print(tally.said())
    return 1 if tally.failed or tally.never else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
