"""A handful of `make faults`' cases at each run, others every day, and the control that must go red."""

import os
from datetime import UTC, datetime

import pytest

from tests.faults.histories import AT_ONCE, PAGE, POINTS, VERBS, Case, Stage, every_case
from tests.faults.processors import BEHAVIOURS, KINDS
from tests.faults.runner import PROCESSORS, chosen, play
from tests.required import EVERYTHING

CASES = 12 if EVERYTHING else 3  # of each processor
SEED = int(os.environ.get("CLIENTBILLING_TEST_SEED") or datetime.now(UTC).toordinal())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_killed_anywhere_while_the_processor_misbehaves(processor, tmp_path):
    """Whatever is killed where, and whatever the processor does: no charge twice, none lost, the ledger balances, nothing unknown."""
    cases = [case for case in chosen(SEED, 1000, PROCESSORS) if case.processor == processor][:CASES]
    stage, verdict = play(cases, processor, tmp_path / "run")
    assert verdict.is_clean, (SEED, verdict, stage.system.logs())
    assert [] == stage.not_reached, (SEED, stage.system.logs())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_killed_around_the_opening_of_a_page(processor, tmp_path):
    """Killed before, while and after the processor's own page is opened: nothing is charged, and in the end every invoice can be paid."""
    stage, verdict = play(
        [Case(processor, "page", "ok", point) for point in PAGE], processor, tmp_path / "run", at_the_end=_payable
    )
    assert verdict.is_clean, (verdict, stage.system.logs())
    assert [] == stage.not_reached, stage.system.logs()


def _payable(stage: Stage) -> None:
    found = [stage.practice.read(invoice, stage.practice.client) for invoice in stage.invoices]
    assert len(PAGE) * AT_ONCE == len([one for one in found if "pay" in one["allowed_actions"] and not one["amount_paid"]])


def test_an_attempt_committed_after_the_call_is_found(tmp_path):
    """The control: with the attempt written down only after the processor answered, a kill in between loses a charge."""
    stage, verdict = play(
        [Case("authorize_net", "pay", "ok", "after_send")], "authorize_net", tmp_path / "run", "attempt_after_the_call"
    )
    assert [] == stage.not_reached
    assert verdict.lost


def test_every_cell_has_a_case():
    """Each kill point, behaviour and verb can be shown by at least one processor, and each processor shows most."""
    cells = {(case.point, case.behaviour, case.verb) for case in every_case(PROCESSORS)}
    assert len(POINTS) * len(BEHAVIOURS) * len(VERBS) == len(cells) == len(chosen(1, None, PROCESSORS))
    assert set(KINDS) == {case.processor for case in chosen(1, None, PROCESSORS)}
