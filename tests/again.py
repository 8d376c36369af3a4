"""`python -m tests.again …`: pytest with these arguments; what failed of the tests that watch a clock is run once more, alone.

A browser, containers and a system under load share two cores with the other tests, so that a page or an answer may come later than
its test waits. Nothing is hidden by it: the last lines name every test that failed first, and the run stays red for any other test,
for more than a few, and for one that fails twice. `CLIENTBILLING_TEST_FAILED` names the file in which a run lists what failed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

WATCH_A_CLOCK = ("tests/e2e/", "tests/leakscan/", "tests/compose/")
A_FEW = 12


def run(arguments: list[str]) -> tuple[int, list[str]]:
    """(pytest's exit code, what failed)."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "failed"
        command = [sys.executable, "-m", "pytest", *arguments]
        code = subprocess.run(command, env={**os.environ, "CLIENTBILLING_TEST_FAILED": str(listed)}).returncode
        return code, listed.read_text().splitlines() if listed.exists() else []


def main(arguments: list[str]) -> int:
    code, failed = run(arguments)
    others = [test for test in failed if not test.startswith(WATCH_A_CLOCK)]
    if code != 1 or not failed or others or len(failed) > A_FEW:
        return code
    print(f"\n{len(failed)} of the tests that watch a clock failed beside others; once more, alone:", flush=True)
    code, still = run(failed)
    for test in failed:
        print(f"failed first, then {'failed again' if test in still else 'passed alone'}: {test}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
