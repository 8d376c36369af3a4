"""Running again what watches a clock: never what judges money, never many, and never without saying so."""

import pytest

from tests import again

PAGE, SCAN, UNIT = "tests/e2e/test_x.py::test_page[a]", "tests/leakscan/test_x.py::test_scan", "tests/unit/test_x.py::test_rule"

MONEY = "tests/e2e/test_never_twice.py::test_once[embedded]"


@pytest.fixture
def runs(monkeypatch):
    """The answers of the runs to come; afterwards, what each was asked for."""
    answers, asked = [], []

    def run(arguments):
        asked.append(arguments)
        return answers.pop(0)

    monkeypatch.setattr(again, "run", run)
    return answers, asked


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ((0, []), 0),
        ((1, [UNIT]), 1),
        ((1, [PAGE, UNIT]), 1),
        ((1, [PAGE, MONEY]), 1),
        ((1, [f"{PAGE}{number}" for number in range(13)]), 1),
        ((1, []), 1),  # something required was not there
        ((2, [PAGE]), 2),
    ],
)
def test_what_stays_as_it_is(runs, first, code):
    answers, asked = runs
    answers.append(first)
    assert (code, [["tests"]]) == (again.main(["tests"]), asked)


@pytest.mark.parametrize(("second", "word"), [((0, []), "passed alone"), ((1, [PAGE]), "failed again")])
def test_what_watches_a_clock_runs_once_more_and_is_named(runs, capsys, second, word):
    answers, asked = runs
    answers.extend([(1, [PAGE, SCAN]), second])
    assert second[0] == again.main(["-n", "3", "tests"])
    assert [["-n", "3", "tests"], [PAGE, SCAN]] == asked
    assert f"failed first, then {word}: {PAGE}" in capsys.readouterr().out


def test_a_run_lists_what_failed(tmp_path):
    """pytest itself, in a process of its own, on a test that fails and one that can't be set up."""
    tests = ["import pytest", "@pytest.fixture\ndef no(): raise OSError", "def test_a(no): pass", "def test_b(): assert 0"]
    (tmp_path / "test_two.py").write_text("\n\n".join([*tests, "def test_c(): pass\n"]))
    code, failed = again.run(["--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path / "test_two.py")])
    assert (1, ["test_two.py::test_a", "test_two.py::test_b"]) == (code, failed)
