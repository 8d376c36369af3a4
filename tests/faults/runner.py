"""`make faults`: seeded histories over three processors, each killed somewhere while its processor misbehaves; then the judge.

By default each cell of kill point × behaviour × verb is played once, with a processor by turns; `--cases N` plays N cases, more than
that play the cells with the other processors too. `--control` takes a protection away and must go red.
"""

import argparse
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from shared.settings import Settings
from tests.api import Practice
from tests.faults.histories import POINTS, VERBS, Case, Stage, every_case
from tests.faults.judge import Verdict, judge, still_open
from tests.faults.processors import BEHAVIOURS, KINDS, Peer
from tests.faults.system import Forked, Zygote
from tests.system import wait_until

AT_A_TIME = 20  # cases whose payments may be open together
SETTLED_WITHIN = 60.0  # seconds after their last kill, at the runner's time scale
PROCESSORS = tuple(KINDS)


def chosen(seed: int, count: int | None, processors: tuple[str, ...]) -> list[Case]:
    """`count` cases, or with None one for each cell of kill point × behaviour × verb; no cell twice before each had its turn."""
    dice = random.Random(seed)
    cells: dict[tuple[str, str, str], list[Case]] = {}
    for case in every_case(processors):
        cells.setdefault((case.point, case.behaviour, case.verb), []).append(case)
    rounds: list[Case] = []
    for options in cells.values():
        dice.shuffle(options)
    for turn in range(len(processors)):
        round_ = [options[turn] for options in cells.values() if turn < len(options)]
        dice.shuffle(round_)
        rounds += round_
    return rounds[: len(cells) if count is None else count]


def play(
    cases: list[Case], processor: str, folder: Path, control: str = "", say=lambda _: None, at_the_end=lambda _: None
) -> tuple[Stage, Verdict]:
    """All cases of one processor on one system, one after another, then what is to be seen `at_the_end`, then the judge."""
    with ExitStack() as ending:
        folder.mkdir(parents=True)
        zygote = Zygote(folder / "zygote.log")
        ending.callback(zygote.close)
        peer = Peer(KINDS[processor])
        ending.callback(peer.close)
        system = Forked(folder, zygote, control=control)
        system.start()
        ending.callback(system.kill)
        stage = Stage(system, peer, Practice(system, {**peer.account, "card_entry": _card_entry(cases)}))
        settings = Settings(system.environment)
        for number, case in enumerate(cases, 1):
            stage.play(case)
            say(f"{processor} {number}/{len(cases)}: {case.armed}, {case.behaviour}, {case.verb}")
            if number % AT_A_TIME == 0 or number == len(cases):
                with suppress(AssertionError):  # what has not ended the judge names
                    wait_until(lambda: not still_open(settings), SETTLED_WITHIN, 0.5, "the end of every payment")
        at_the_end(stage)
        verdict = judge(settings, peer.books())
        return stage, verdict


def _card_entry(cases: list[Case]) -> str:
    return "hosted_page" if cases and all(case.verb == "page" for case in cases) else "direct"


def table(stages: list[Stage]) -> list[str]:
    """How often each kill point was reached, by behaviour and verb."""
    reached: dict[tuple[str, str, str], int] = {}
    for stage in stages:
        for cell, times in stage.reached.items():
            reached[cell] = reached.get(cell, 0) + times
    head = f"{'kill point':<16}" + "".join(f"{behaviour:^18}" for behaviour in BEHAVIOURS)
    verbs = f"{'':<16}" + "".join("".join(f"{verb:>6}" for verb in VERBS) for _ in BEHAVIOURS)
    rows = [
        f"{point:<16}" + "".join(f"{reached.get((point, behaviour, verb), 0):>6}" for behaviour in BEHAVIOURS for verb in VERBS)
        for point in POINTS
    ]
    return [head, verbs, *rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--cases", type=int, default=None)
    parser.add_argument("--processors", default=",".join(PROCESSORS))
    parser.add_argument("--control", default="")
    parser.add_argument("--quiet", action="store_true")
    given = parser.parse_args()
    processors = tuple(given.processors.split(","))
    cases = chosen(given.seed, given.cases, processors)
    began, say = time.monotonic(), (lambda _: None) if given.quiet else lambda line: print(line, file=sys.stderr, flush=True)
    print(f"seed {given.seed}: {len(cases)} cases, {len(processors)} processors", flush=True)
    with tempfile.TemporaryDirectory(prefix="clientbilling-faults-") as folder, ThreadPoolExecutor(len(processors)) as pool:
        played = [
            pool.submit(play, [case for case in cases if case.processor == name], name, Path(folder) / name, given.control, say)
            for name in processors
        ]
        ended = [one.result() for one in played]
    return report(given.seed, processors, ended, given.cases is None, time.monotonic() - began)


def report(seed: int, processors: tuple[str, ...], ended: list[tuple[Stage, Verdict]], whole: bool, seconds: float) -> int:
    """Print what came of it; 0 where everything holds and (of a whole run) no cell was left out."""
    stages = [stage for stage, _ in ended]
    lines = table(stages)
    print("\n".join(lines))
    histories, faulted = sum(s.histories for s in stages), sum(s.faulted for s in stages)
    print(f"\n{histories} histories, {faulted} of them faulted, {seconds:.0f} s\nseed {seed}")
    for name, (stage, verdict) in zip(processors, ended, strict=True):
        print(
            f"{name:<14} {stage.histories} histories: {len(verdict.double)} double charges, {len(verdict.lost)} lost charges, "
            f"{len(verdict.unbalanced)} unbalanced ledgers, {len(verdict.unknown)} payments still unknown"
        )
        for what, found in vars(verdict).items():
            for sentence in found[:5]:
                print(f"   {what}: {sentence}")
        for case in stage.not_reached:
            print(f"   not reached: {case.armed}, {case.behaviour}, {case.verb}")
    missed = any(stage.not_reached for stage in stages)
    empty = whole and any("0" in line[16:].split() for line in lines[2:])
    return 0 if all(verdict.is_clean for _, verdict in ended) and not missed and not empty else 1


if __name__ == "__main__":
    sys.exit(main())
