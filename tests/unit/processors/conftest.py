"""A room of processors on SQLite files of the test's own, with a clock that the test moves, and the verbs of the trade."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from services.processors.adapters.sandbox import Sandbox
from services.processors.adapters.stripe import Stripe
from services.processors.config import Room
from services.processors.model import Attempt, outbox
from services.processors.sandbox_books import SandboxBooks
from services.processors.usecases import accounts, charging, looking_up, refunding
from shared.caller import ADMIN, Caller, IdempotencyKey
from shared.clock import SetClock
from shared.contracts.processors import Processors
from shared.database import Database
from shared.fields import Record
from shared.ids import new_id
from shared.keys import KeyRing, make_keys
from shared.migrating import upgrade
from shared.settings import Settings
from shared.vault import Vault

APPROVED, DECLINED, NO_FUNDS = "4242424242424242", "4000000000000002", "4000000000009995"
ASKS_PAYER, SLOW = "4000002500003155", "4000000000000077"
ANSWER_LOST, NOT_CHARGED, CHARGED_LATE = "4000000000000119", "4000000000000259", "4000000000000341"
KEYS = {service: KeyRing(content) for service, content in make_keys().items()}


@dataclass
class Desk:
    """One practice at its processors service: what tests say instead of building requests by hand."""

    room: Room
    practice_id: str = "prc_1"

    @property
    def admin(self) -> Caller:
        return Caller(self.practice_id, ADMIN, "per_1", "col_1", "Ada")

    def keyed(self, key: str, fingerprint: str = "f") -> Caller:
        return self.admin.with_key(IdempotencyKey(key, "POST /processors", fingerprint))

    def of(self, practice_id: str) -> "Desk":
        return Desk(self.room, practice_id)

    def sealed(self, credentials: dict, processor_id: str) -> str:
        info = f"credentials|{self.practice_id}|{processor_id}"
        return KEYS["gateway"].seal(json.dumps(credentials).encode(), "processors", info)

    def add(self, kind: str = "sandbox", credentials: dict | None = None, caller: Caller | None = None, **more) -> Record:
        processor_id = more.pop("processor_id", None) or new_id("pcr")
        body = {"processor_id": processor_id, "description": "Main", "type": kind, **more}
        body["sealed_credentials"] = self.sealed(credentials or {}, processor_id)
        request = Processors.add_processor.load_request(body)
        told = accounts.add_processor(caller or self.admin, request, self.room)
        return Processors.add_processor.load_answer(json.loads(told.text))

    def change(self, processor_id: str, credentials: dict | None = None, **more) -> Record:
        body = {"processor_id": processor_id, **more}
        if credentials is not None:
            body["sealed_credentials"] = self.sealed(credentials, processor_id)
        request = Processors.change_processor.load_request(body)
        return self.answer(Processors.change_processor, accounts.change_processor(self.admin, request, self.room))

    def answer(self, call, result) -> Record:
        return call.load_answer(json.loads(json.dumps(call.dump_answer(result))))

    def listed(self) -> list[Record]:
        return self.answer(Processors.list_processors, accounts.list_processors(self.admin, self.room)).data

    def request(self, number: str = APPROVED, payment_id: str | None = None, amount: int = 12924, **more) -> Record:
        payment_id, invoice_id = payment_id or new_id("pay"), more.pop("invoice_id", "inv_1")
        card = {"number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123", **more.pop("card", {})}
        expires_at = more.pop("expires_at", self.room.clock.now().timestamp() + 120)
        info = more.pop("info", f"card|{self.practice_id}|{invoice_id}|{payment_id}")
        sealed = KEYS["gateway"].seal(json.dumps({"card": card, "expires_at": expires_at}).encode(), "processors", info)
        body = {
            "payment_id": payment_id,
            "invoice_id": invoice_id,
            "amount": amount,
            "currency": "USD",
            "sealed_card": sealed,
        }
        return Processors.charge.load_request(body)

    def send(self, request: Record) -> Record:
        return self.answer(Processors.charge, charging.charge(self.admin, request, self.room))

    def charge(self, number: str = APPROVED, **more) -> Record:
        return self.send(self.request(number, **more))

    def look(self, payment_id: str) -> Record:
        return self._ask(Processors.read_charge, looking_up.read_charge, payment_id=payment_id)

    def check(self, payment_id: str) -> Record:
        return self._ask(Processors.check_charge, looking_up.check_charge, payment_id=payment_id)

    def cancel(self, payment_id: str) -> Record:
        return self._ask(Processors.cancel_charge, charging.cancel_charge, payment_id=payment_id)

    def payer_says(self, payment_id: str, approve: bool) -> Record:
        return self._ask(Processors.answer_sandbox, charging.answer_sandbox, payment_id=payment_id, approve=approve)

    def refund(self, payment_id: str, amount: int, refund_id: str | None = None, currency: str = "USD") -> Record:
        body = {
            "refund_id": refund_id or new_id("ref"),
            "payment_id": payment_id,
            "amount": amount,
            "currency": currency,
        }
        return self._ask(Processors.refund, refunding.refund, **body)

    def look_at_refund(self, refund_id: str) -> Record:
        return self._ask(Processors.read_refund, looking_up.read_refund, refund_id=refund_id)

    def check_refund(self, refund_id: str) -> Record:
        return self._ask(Processors.check_refund, looking_up.check_refund, refund_id=refund_id)

    def _ask(self, call, use_case, **body) -> Record:
        return self.answer(call, use_case(self.admin, call.load_request(body), self.room))

    def after(self, seconds: float) -> None:
        """Let the time pass and the timer turn once."""
        self.room.clock.at += timedelta(seconds=seconds)
        looking_up.settle_due(self.room)

    def row(self, subject_id: str) -> Attempt:
        with self.room.database.reading() as session:
            found = session.scalars(select(Attempt).where(Attempt.id == subject_id)).one()
            session.expunge_all()
            return found

    def stand(self, subject_id: str, **columns) -> None:
        """Put the attempt's row where a process that died would have left it."""
        with self.room.database.transaction() as session:
            row = session.scalars(select(Attempt).where(Attempt.id == subject_id)).one()
            for name, value in columns.items():
                setattr(row, name, value)

    def news(self) -> list[tuple[str, dict]]:
        with self.room.database.reading() as session:
            rows = session.execute(select(outbox.c.event, outbox.c.body).order_by(text("rowid"))).all()
        return [(event, json.loads(body)) for event, body in rows]

    def books(self) -> list:
        return [entry for entry in self.room.books.listed() if entry.status == "done" and entry.happened]


@pytest.fixture
def clock():
    return SetClock(datetime(2026, 11, 1, 12, 0, tzinfo=UTC))


def make_room(url: str, books_url: str, clock, sleep) -> Room:
    """A room on two databases, the first of them brought up to date."""
    books = SandboxBooks(Database(books_url, durable=False), clock)
    settings = Settings({"CLIENTBILLING_DEVELOPMENT": "1"})
    adapters = {"stripe": Stripe(settings, deadlines=(2.0, 5.0)), "sandbox": Sandbox(books, sleep)}
    keys = KEYS["processors"]
    return Room(Database(url, durable=False), adapters, keys, Vault(keys), clock, books)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """A database file that the migrations have just made; tests take copies of it."""
    path = tmp_path_factory.mktemp("processors") / "new.db"
    upgrade("processors", f"sqlite:///{path}")
    return path


@pytest.fixture
def room(tmp_path, clock, new_database):
    def sleep(seconds: float) -> None:
        clock.at += timedelta(seconds=seconds)

    shutil.copy(new_database, tmp_path / "processors.db")
    room = make_room(f"sqlite:///{tmp_path}/processors.db", f"sqlite:///{tmp_path}/sandbox_books.db", clock, sleep)
    yield room
    room.close()


@pytest.fixture
def desk(room):
    return Desk(room)


@pytest.fixture
def open_desk(desk):
    """A desk whose practice has an active sandbox account."""
    desk.account = desk.add()
    return desk
