"""The simulation sees what it should: each protection that is patched away turns some seed of CI's range red, and a seed is a run."""

import pytest

from tests.simulation.chances import Chances
from tests.simulation.controls import CONTROLS
from tests.simulation.seeds import quietly, run_seed

AMONG = range(1, 121)  # of CI's 500; the most that any of them needs is noted in docs/proof.md


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_a_missing_protection_is_seen(control):
    """With this one protection away, the judge finds something wrong within the seeds that CI runs."""
    with quietly(), control():
        red = next((seed for seed in AMONG if run_seed(seed).findings), None)
    assert red is not None
    print(f"{control.__name__}: seed {red}")


def test_a_seed_is_always_the_same_run():
    """The same seed decides everything in the same way, whatever ran before it; another seed decides otherwise."""
    with quietly():
        first, other, again = run_seed(7), run_seed(8), run_seed(7)
    assert (first.trace, first.figures, first.findings) == (again.trace, again.figures, again.findings)
    assert first.trace != other.trace


def test_without_faults_everybody_is_answered():
    """Where nothing goes wrong nothing is lost, late or unknown: the stories themselves are sound."""
    with quietly():
        verdict = run_seed(3, Chances.none())
    assert [] == verdict.findings
    assert 0 == sum(verdict.figures[kind] for kind in ("drops", "crashes", "cuts", "duplicates", "stalls", "expired"))
