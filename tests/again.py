"""`python -m tests.again …`: pytest with these arguments; what failed of the tests that watch a clock is run once more, alone.

A browser, containers and a system under load share two cores with the other tests, so that a page or an answer may come later than
its test waits. Nothing is hidden by it: the last lines name every test that failed first, and the run stays red for any other test,
for more than a few, and for one that fails twice. It is also the plugin that lists what failed, in the file that `_LISTED` names.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WATCH_A_CLOCK = ("tests/e2e/", "tests/leakscan/", "tests/compose/")
JUDGE = ("tests/e2e/test_never_twice.py", "tests/e2e/test_rotating_keys.py")  # money and keys: once wrong is wrong
A_FEW = 12
_LISTED, _WORKER = "CLIENTBILLING_TEST_FAILED", "PYTEST_XDIST_WORKER"


def run(arguments: list[str]) -> tuple[int, list[str]]:
    """(pytest's exit code, what failed)."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "failed"
        environment = {name: value for name, value in os.environ.items() if name != _WORKER}
        command = [sys.executable, "-m", "pytest", "-p", "tests.again", *arguments]
        code = subprocess.run(command, env={**environment, _LISTED: str(listed)}).returncode
        return code, list(dict.fromkeys(listed.read_text().splitlines())) if listed.exists() else []


def pytest_runtest_logreport(report: Any) -> None:
    if report.failed and _WORKER not in os.environ:  # the run's leader hears its workers' reports
        with open(os.environ[_LISTED], "a") as listed:
            listed.write(f"{report.nodeid}\n")


def main(arguments: list[str]) -> int:
    code, failed = run(arguments)
    others = [test for test in failed if not test.startswith(WATCH_A_CLOCK) or test.startswith(JUDGE)]
    if code != 1 or not failed or others or len(failed) > A_FEW:
        return code
    print(f"\n{len(failed)} of the tests that watch a clock failed beside others; once more, alone:", flush=True)
    code, still = run(failed)
    for test in failed:
        print(f"failed first, then {'failed again' if test in still else 'passed alone'}: {test}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
