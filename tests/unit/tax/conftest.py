"""A tax database of its own for each test, and the people of a practice."""

from datetime import UTC, datetime

import pytest

from services.tax import usecases
from services.tax.model import Base
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.clock import SetClock
from shared.contracts.tax import Tax
from shared.database import Database
from shared.fields import Record

PRACTICE = "prc_one"


class Room:
    """The use cases of tax as a practice's people call them, checked by the contract on the way in and out."""

    def __init__(self, db):
        self.db, self.clock = db, SetClock(datetime(2026, 11, 23, 12, tzinfo=UTC))
        self.admin = Caller(PRACTICE, ADMIN, "per_ada", "col_ada")
        self.provider = Caller(PRACTICE, PROVIDER, "per_bob", "col_bob")
        self.client = Caller(PRACTICE, CLIENT, "per_cy", "cli_cy")
        self.system = Caller.system(PRACTICE)
        self.elsewhere = Caller("prc_two", ADMIN, "per_eve", "col_eve")

    def choose(self, caller=None, **body) -> Record:
        request = Tax.change_settings.load_request(body)
        settings = usecases.change_settings(caller or self.admin, request, self.db, self.clock)
        return Tax.read_settings.load_answer(Tax.change_settings.dump_answer(settings))

    def settings(self, caller=None) -> Record:
        return Tax.read_settings.load_answer(Tax.read_settings.dump_answer(usecases.read_settings(caller or self.admin, self.db)))

    def quote(self, caller=None, **body) -> Record:
        request = Tax.quote.load_request(body)
        return Tax.quote.load_answer(Tax.quote.dump_answer(usecases.quote(caller or self.admin, request, self.db, self.clock)))

    def put_client(self, client_id="cli_cy", version=1, tax_exempt=True, caller=None) -> int:
        request = Tax.put_client.load_request({"client_id": client_id, "version": version, "tax_exempt": tax_exempt})
        return usecases.put_client(caller or self.system, request, self.db)["version"]


@pytest.fixture
def room(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'tax.db'}")
    Base.metadata.create_all(db.engine)
    yield Room(db)
    db.dispose()
