"""Houses whose invoicing and processors stand on one database each, SQLite or PostgreSQL, asked by many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from deploy.databases import migrate_one
from deploy.direct import Direct
from deploy.services import DOORS
from shared.clock import SetClock
from shared.faults import Fault
from shared.keys import write_keys
from shared.settings import Settings
from tests import engines
from tests.house import House, Practice

AT_ONCE = 20


class SharedHouse(House):
    """A house on given databases; two of them stand for two processes of each service."""

    def __init__(self, settings: Settings):
        self.meddle = {}
        Direct.__init__(self, settings, SetClock(datetime(2026, 6, 15, 12, 0, tzinfo=UTC)))


@pytest.fixture(params=["sqlite", "postgresql"])
def houses(request, tmp_path):
    variables = {"CLIENTBILLING_DATA": str(tmp_path), "CLIENTBILLING_DEVELOPMENT": "1", "CLIENTBILLING_MAX_WORKERS": "12"}
    with ExitStack() as stack:
        if request.param == "postgresql":
            if engines.postgres_url() is None:
                pytest.fail("this test needs PostgreSQL; CLIENTBILLING_TEST_POSTGRES_URL names one")
            for service in ("invoicing", "processors", "sandbox_books"):
                url = stack.enter_context(engines.fresh_postgres_database(service))
                variables[f"CLIENTBILLING_{service.upper()}_DATABASE_URL"] = url
        settings = Settings(variables)
        write_keys(settings.keys_folder)
        for service in DOORS:
            migrate_one(settings, service)
        houses = [SharedHouse(settings) for _ in range(2)]
        yield houses
        for house in houses:
            house.close()


@pytest.fixture
def practice(houses):
    return Practice(houses[0])


@pytest.fixture
def doors(houses, practice):
    """The practice as each of the two processes serves it."""
    other = object.__new__(Practice)
    vars(other).update(vars(practice), house=houses[1])
    return [practice, other]


def all_at_once(stories):
    """Run them in threads of their own; what each gave back, or the fault that it raised."""

    def told(story):
        try:
            return story()
        except Fault as fault:
            return fault

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [ended.result() for ended in [pool.submit(told, story) for story in stories]]
