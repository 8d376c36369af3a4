"""Pay, refund, void and send killed at their kill points, on both engine pairs; the sandbox's own books and the ledger judge."""

import os
import random
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import pytest

from shared.settings import Settings
from tests import engines
from tests.api import Practice
from tests.e2e.conftest import SERVICES, kinds
from tests.faults.crashes import ForkedSplit, Sandbox, every_case
from tests.faults.histories import Stage
from tests.faults.judge import judge, still_open
from tests.faults.system import Forked, Zygote
from tests.required import EVERYTHING
from tests.system import wait_until

CASES = {"embedded": 16, "split": 10} if EVERYTHING else {"embedded": 3, "split": 2}
SEED = int(os.environ.get("CLIENTBILLING_TEST_SEED") or datetime.now(UTC).toordinal())


def pytest_generate_tests(metafunc):
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", [pair for pair in kinds() if pair == "embedded" or engines.roomy_postgres()])


@pytest.mark.timeout(900)
def test_killed_at_any_point_nothing_is_lost_or_doubled(pair, tmp_path):
    """One service, or the whole embedded system, dies in the middle; asked again with the same keys, all ends once and balanced."""
    cases = every_case()
    random.Random(SEED).shuffle(cases)
    with ExitStack() as ending:
        zygote = Zygote(tmp_path / "zygote.log")
        ending.callback(zygote.close)
        system = Forked(tmp_path, zygote) if pair == "embedded" else _split(tmp_path, zygote, ending)
        system.start()
        ending.callback(system.stop)
        settings = Settings(system.environment) if pair == "embedded" else system.judged
        stage = Stage(system, Sandbox(settings._variables), Practice(system))
        for case in cases[: CASES[pair]]:
            stage.play(case)
        with suppress(AssertionError):
            wait_until(lambda: not still_open(settings), 60, 0.5, "the end of every payment")
        verdict = judge(settings, stage.peer.books())
        assert verdict.is_clean, (SEED, verdict, system.logs())
        assert [] == stage.not_reached, (SEED, system.logs())


def _split(folder, zygote, ending: ExitStack) -> ForkedSplit:
    databases = {service: ending.enter_context(engines.fresh_service_database(service)) for service in SERVICES}
    brokers = ending.enter_context(engines.fresh_bus("crashes")) or ending.enter_context(engines.fresh_rabbitmq("crashes"))
    return ForkedSplit(folder, brokers, databases, zygote)
