"""Runs plays on every pair of broker and database that is there; a play runs once per pair, its facts serve many tests."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from kombu import Connection

from tests import engines
from tests.integration.messaging.private import installed

ROOT = Path(__file__).parents[3]
NEWS = "evt-tax-said--notifications.said"
QUEUES = ("rpc-tax", NEWS, f"{NEWS}.dead", "evt-tax-unheard--invoicing.unheard")


def _pairs() -> list[tuple[str, str]]:
    there = [("inproc", "sqlite")]
    broker, store = engines.rabbitmq_uri(), engines.postgres_url()
    if broker or store:
        there.append(("rabbitmq" if broker else "inproc", "postgresql" if store else "sqlite"))
    return there


def pytest_generate_tests(metafunc):
    if "stage" in metafunc.fixturenames:
        pairs = _pairs()
        if metafunc.definition.get_closest_marker("rabbitmq_only"):
            pairs = [pair for pair in pairs if pair[0] == "rabbitmq"]
        metafunc.parametrize("stage", pairs, ids=["+".join(pair) for pair in pairs], indirect=True, scope="module")
    if "database_url" in metafunc.fixturenames:
        stores = ["sqlite", *(["postgresql"] if engines.postgres_url() else [])]
        metafunc.parametrize("database_url", stores, indirect=True)


def pytest_configure(config):
    config.addinivalue_line("markers", "rabbitmq_only: the play cuts a network connection, which inproc:// has not")


def pytest_collection_modifyitems(config, items):
    """Where RabbitMQ is missing, or can't be ruled over as a test needs it, that test is left out and counted, not passed."""
    kept = [item for item in items if not item.get_closest_marker("rabbitmq_only") or _can_run(item.fixturenames)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _can_run(fixtures) -> bool:
    needs = [("bus", engines.rabbitmq_takes_definitions), ("private_rabbit", installed)]
    return bool(engines.rabbitmq_uri()) and all(there() for name, there in needs if name in fixtures)


class Stage:
    """Where plays are acted: `stage("calls.answering")` gives the facts, each play in fresh storage and queues."""

    def __init__(self, broker: str, store: str, folder: Path, virtual_host: str):
        self.broker, self.store, self.folder, self.virtual_host = broker, store, folder, virtual_host
        self._facts: dict[str, dict] = {}

    def __call__(self, play: str) -> dict:
        if play not in self._facts:
            with ExitStack() as stack:
                self._facts[play] = self.act(play, **self.place(stack))
        return self._facts[play]

    def act_native(self, play: str) -> dict:
        """The same without eventlet's patches, as under gunicorn."""
        with ExitStack() as stack:
            return self.act(play, PLAY_NATIVE="1", **self.place(stack))

    def place(self, stack: ExitStack) -> dict[str, str]:
        """A folder, a broker and a database for one play, or for several that follow each other."""
        folder = self.folder / f"place{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        amqp, database = "inproc://", f"sqlite:///{folder / 'tax.db'}"
        if self.broker == "rabbitmq":
            amqp = self.virtual_host
            _clear(amqp)
        if self.store == "postgresql":
            database = stack.enter_context(engines.fresh_postgres_database("messaging"))
        return {"PLAY_FOLDER": str(folder), "PLAY_AMQP": amqp, "PLAY_DATABASE": database}

    @staticmethod
    def act(play: str, expected_exit: int = 0, **variables: str) -> dict:
        command = [sys.executable, "-W", "ignore", "-m", "tests.integration.messaging.play", play]
        environment = {**os.environ, **variables}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == expected_exit, done.stderr[-4000:]
        return json.loads(done.stdout) if done.stdout else {}


def _clear(amqp: str) -> None:
    """Without the queues that earlier plays left: a service that is down must not seem to be there."""
    with Connection(amqp) as connection:
        for queue in QUEUES:
            connection.channel().queue_delete(queue)


@pytest.fixture(scope="session")
def virtual_host():
    """One for all plays: making one takes seconds."""
    if not engines.rabbitmq_uri():
        yield ""
        return
    with engines.fresh_rabbitmq("messaging") as uri:
        yield uri


@pytest.fixture(scope="module")
def stage(request, tmp_path_factory, virtual_host):
    return Stage(*request.param, tmp_path_factory.mktemp("stage"), virtual_host)


@pytest.fixture
def database_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.db'}"
        return
    with engines.fresh_postgres_database("database") as url:
        yield url
