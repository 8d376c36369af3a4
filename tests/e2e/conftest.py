"""The systems that the journey is told on: embedded always, the split one where RabbitMQ and PostgreSQL are."""

from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import sync_playwright

from tests import engines
from tests.api import Practice
from tests.e2e.browser import ARGUMENTS, WAYS, Visitor, find_browser
from tests.faults.processors import KINDS, Peer
from tests.peers import start_localstripe
from tests.system import Embedded, Split

SERVICES = ("gateway", "invoicing", "processors", "tax", "notifications", "sandbox_books")


@contextmanager
def split_system(folder, **more):
    """A running split system with databases and a virtual host of its own, and a broker user for each service where one can be made."""
    with ExitStack() as made:
        databases = {service: made.enter_context(engines.fresh_service_database(service)) for service in SERVICES}
        brokers = made.enter_context(engines.fresh_bus("system")) or made.enter_context(engines.fresh_rabbitmq("system"))
        yield made.enter_context(Split(folder, brokers, databases, **more))


def kinds() -> list[str]:
    return ["embedded", "split"] if engines.rabbitmq_uri() and engines.postgres_url() else ["embedded"]


def pytest_generate_tests(metafunc):
    if "system" in metafunc.fixturenames:  # not when this file is read: the run's containers may only be starting then
        metafunc.parametrize("system", kinds(), indirect=True, scope="session")


@pytest.fixture(scope="session")
def system(request, tmp_path_factory):
    """One running system for the whole run; every test makes a practice of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    with Embedded(folder) if request.param == "embedded" else split_system(folder) as made:
        yield made


@pytest.fixture
def own_system(tmp_path):
    """An embedded system that a test may kill."""
    made = Embedded(tmp_path)
    yield made
    made.kill()


@pytest.fixture(scope="session")
def stripe_url():
    url, process = start_localstripe()
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of one file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, house):
    """Open a window for somebody who signs in to the file's own `house`; nothing may have gone wrong in any of them."""
    windows, visitors = [], []

    def opened(name: str, way: str, email: str) -> Visitor:
        window = chromium.new_context(**WAYS[way])
        window.set_default_timeout(20_000)
        windows.append(window)
        visitor = Visitor(window.new_page(), house.url, f"{way}-{name}")
        visitors.append(visitor)
        visitor.go("/sign-in").fill(email=email, password=Practice.PASSWORD).press("Sign in")
        return visitor

    yield opened
    for window in windows:
        window.close()
    assert [] == [trouble for visitor in visitors for trouble in visitor.troubles]


@pytest.fixture
def peer(request):
    """The simulator of the kind that the test names."""
    made = Peer(KINDS[request.param])
    yield made
    made.close()
