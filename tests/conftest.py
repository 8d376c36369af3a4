"""What the whole test run shares: its engines, a closing word on what could not be run here, and red where everything was required."""

from tests import containers, engines
from tests.e2e.browser import find_browser
from tests.required import EVERYTHING


def pytest_configure(config):
    if not hasattr(config, "workerinput") and not config.option.collectonly and containers.wanted(config.args):
        config.add_cleanup(containers.start_engines().close)


def not_run(config) -> list[str]:
    """A line for everything that this machine could not show, of what the tests asked for use."""
    if containers.wanted(config.args):
        engines.rabbitmq_uri()
        engines.roomy_postgres()
    engines.docker()
    find_browser()
    return list(dict.fromkeys(engines.NOT_RUN))


def pytest_terminal_summary(terminalreporter, config):
    if not hasattr(config, "workerinput"):
        for line in engines.used() if containers.wanted(config.args) else []:
            terminalreporter.write_line(line)
        left_out = [f"{path} (make test-all runs it)" for path in config.option.ignore or [] if not EVERYTHING]
        for line in [*not_run(config), *left_out]:
            terminalreporter.write_line(f"not run: {line}", yellow=True)


def pytest_sessionfinish(session, exitstatus):
    if EVERYTHING and not hasattr(session.config, "workerinput") and not_run(session.config) and exitstatus == 0:
        session.exitstatus = 1
