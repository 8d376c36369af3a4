"""The vault's keys rotate under traffic, and whoever rotates them is killed twice: nothing is lost, and the old keys open nothing."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from sqlalchemy import MetaData, insert, select

from deploy.vaults import MODELS, envelopes_of
from services.notifications.model import Member, address_place
from services.processors.model import CredentialVersion, credentials_place
from shared.clock import SystemClock
from shared.database import Database
from shared.faults import Unavailable
from shared.keys import SERVICES, KeyRing, to_text
from shared.settings import Settings
from shared.tenancy import acting_for_all
from shared.vault import Vault
from tests.api import Practice, card
from tests.e2e.conftest import kinds, split_system
from tests.simulators import transit
from tests.system import ROOT, Embedded

PAYERS, EACH = 20, 10  # each pays once a second, where the machine lets them; and so many invoices each
LEAST = 1  # payments a second, below which there was no traffic to speak of; what came through is printed
CREDENTIALS, ADDRESSES = 400, 300
PAUSE = "2"


def pytest_generate_tests(metafunc):
    if "served" in metafunc.fixturenames:
        metafunc.parametrize("served", kinds(), indirect=True)


@pytest.fixture
def served(request, tmp_path):
    with Embedded(tmp_path) if request.param == "embedded" else split_system(tmp_path) as system:
        yield system


class Traffic:
    """Payments, new credentials and new API tokens, as many as are asked for in a second; every answer is kept."""

    def __init__(self, practice: Practice):
        self.practice, self.answers, self.stopping = practice, [], threading.Event()
        practice.admin.must(200, "PATCH", "/api/v1/practice", {"partial_payments": True})
        with ThreadPoolExecutor(8) as pool:
            invoices = [made["id"] for made in pool.map(practice.invoice, [1_000_000] * PAYERS * EACH)]
        payers = [(self.pay(invoices[number::PAYERS]), number / PAYERS) for number in range(PAYERS)]
        self.lanes = [*payers, (self.add_processor, 0.5), (self.make_token, 0.25)]

    def pay(self, invoices: list[str]):
        """Of one invoice after the other, in parts: a few of each, as an invoice has."""
        body = {"card": card(), "amount": 100}
        return lambda session, number: self.post(
            session, self.practice.client, f"/invoices/{invoices[number % len(invoices)]}/payments", body
        )

    def add_processor(self, session, _):
        body = {"description": "Another", "type": "sandbox", "credentials": {"api_key": "sk_test_another1234"}}
        return self.post(session, self.practice.admin, "/processors", body)

    def make_token(self, session, number):
        return self.post(session, self.practice.admin, "/api-tokens", {"name": f"Program {number}"}, key=f"token-{number}")

    def post(self, session, who, path, body, key=None):
        headers = {"Authorization": f"Bearer {who.token}"} | ({"Idempotency-Key": key} if key else {})
        return session.post(f"{self.practice.system.url}/api/v1{path}", json=body, headers=headers, timeout=60)

    def run(self, ask, offset: float) -> None:
        begin, number = time.monotonic() + offset, 0
        with requests.Session() as session:
            while not self.stopping.wait(max(0.0, begin + number - time.monotonic())):
                try:
                    answer = ask(session, number)
                    self.answers.append((answer.request.path_url, answer.status_code, answer.text[:300]))
                except requests.RequestException as trouble:
                    self.answers.append((ask.__name__, 0, type(trouble).__name__))
                number += 1

    @contextmanager
    def going_on(self):
        threads = [threading.Thread(target=self.run, args=lane) for lane in self.lanes]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()
            self.seconds = time.monotonic() - began

    def payments(self) -> int:
        return sum(path.endswith("/payments") for path, _, _ in self.answers)


class Secrets:
    """Every envelope in every database, as the operator could read them."""

    def __init__(self, system):
        self.settings = Settings(system.environment | {"CLIENTBILLING_DATA": str(system.folder)})
        self.databases = {name: Database(self.settings.database_url(name), pool_size=1) for name in MODELS}

    def close(self):
        for database in self.databases.values():
            database.dispose()

    def rings(self) -> dict[str, Vault]:
        """Vaults of the keys as they are in the files now; what happens to the files afterwards is nothing to them."""
        paths = {name: self.settings.key_file(name) for name in MODELS}
        return {name: Vault(KeyRing(json.loads(path.read_text()))) for name, path in paths.items()}

    def key_texts(self) -> dict[str, str]:
        return {name: to_text(KeyRing.read(self.settings.key_file(name)).vault_keys.current[1]) for name in MODELS}

    def fill(self) -> None:
        """Credentials and addresses of other practices, so that there is something to seal anew for a while."""
        now, vaults = SystemClock().now(), self.rings()
        with acting_for_all():
            for number in range(CREDENTIALS):
                place = credentials_place("prac_full", f"proc_{number}", 1)
                row = {"practice_id": "prac_full", "account_id": f"proc_{number}", "version": 1, "created_at": now}
                with self.databases["processors"].transaction() as session:
                    session.execute(insert(CredentialVersion).values(sealed=vaults["processors"].seal(b"{}", *place), **row))
            for number in range(ADDRESSES):
                place = address_place("prac_full", f"mem_{number}")
                row = {"practice_id": "prac_full", "member_id": f"mem_{number}", "version": 1, "active": False}
                with self.databases["notifications"].transaction() as session:
                    session.execute(insert(Member).values(address=vaults["notifications"].seal(b"x@y.example", *place), **row))

    def each(self, begins: str = "v1."):
        """(service, envelope, its place)."""
        for service, database in self.databases.items():
            for one in envelopes_of(service):
                with acting_for_all(), database.reading() as session:
                    rows = session.execute(select(one.table).where(one.table.c[one.column].startswith(begins))).mappings().all()
                for row in rows:
                    named = type("Row", (), dict(row))
                    yield service, row[one.column], one.place(named)

    def opened_by(self, vaults) -> tuple[int, int]:
        """(how many open, how many don't)."""
        opened = closed = 0
        for service, envelope, place in self.each():
            try:
                vaults[service].open(envelope, *place)
                opened += 1
            except Unavailable:
                closed += 1
        return opened, closed

    def columns(self) -> set[tuple[str, str]]:
        """Every text column of every service's database in which an envelope lies, declared or not."""
        found = set()
        for service in SERVICES:
            database = Database(self.settings.database_url(service), pool_size=1)
            tables = MetaData()
            with acting_for_all(), database.reading() as session:
                tables.reflect(session.connection())
                for table in tables.sorted_tables:
                    for column in table.columns:
                        if column.type.python_type is str and session.scalar(
                            select(column).where(column.regexp_match(r"^v[12][.][A-Za-z0-9_:-]+[.]")).limit(1)
                        ):
                            found.add((table.name, column.name))
            database.dispose()
        return found

    def all_under(self, begins: str) -> bool:
        found = [envelope for _, envelope, _ in self.each("v2.")]
        return bool(found) and [] == list(self.each()) and all(envelope.startswith(begins) for envelope in found)

    def under(self, service: str, key_id: str) -> int:
        return sum(envelope.startswith(f"v1.{key_id}.") for name, envelope, _ in self.each() if name == service)


def begin_rotation(system, **more: str) -> subprocess.Popen:
    environment = system.environment | {"CLIENTBILLING_" + name.upper(): value for name, value in more.items()}
    words = [sys.executable, "-W", "ignore", "-m", "deploy", "rotate-keys", "all", "--pause", PAUSE]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed_while_sealing(rotation: subprocess.Popen) -> str:
    """kill -9 when the operator reads that some credentials are done."""
    said = ""
    for line in rotation.stdout:
        said += line
        if line.startswith("processors: credentials 1"):
            rotation.kill()
            break
    assert -9 == rotation.wait(20), said
    return said


def test_keys_rotate_under_traffic_whatever_is_killed(served, capsys):
    """20 payments a second while the rotation is killed twice: all succeed, every secret opens, the old keys open none."""
    traffic, secrets = Traffic(Practice(served, rate=None)), Secrets(served)
    secrets.fill()
    old, old_texts = secrets.rings(), secrets.key_texts()
    filled, closed = secrets.opened_by(old)
    assert filled >= CREDENTIALS + ADDRESSES and 0 == closed, "the old keys open everything before"

    with traffic.going_on():
        time.sleep(2)
        killed_while_sealing(begin_rotation(served))
        done, left = (secrets.under("processors", f"processors-vault-{number}") for number in (2, 1))
        assert done and left, f"the first kill came in the middle: {done} done, {left} left"
        second = begin_rotation(served, kill_at="rotate.before_batch")
        assert -9 == second.wait(60), second.stdout.read()
        assert secrets.under("processors", "processors-vault-1"), "the second kill came in the middle"
        last = begin_rotation(served)
        said, _ = last.communicate(timeout=120)
        assert 0 == last.returncode, said
        time.sleep(2)

    failed = [answer for answer in traffic.answers if answer[1] not in (200, 201)]
    assert [] == failed, failed[:5]
    assert traffic.payments() >= LEAST * traffic.seconds, f"{traffic.payments()} payments in {traffic.seconds:.0f} s"
    declared = {(one.table.name, one.column) for service in MODELS for one in envelopes_of(service)}
    assert declared - {("deliveries", "letter"), ("saved_cards", "sealed")} == secrets.columns(), "nothing is sealed elsewhere"
    opened, closed = secrets.opened_by(secrets.rings())
    assert opened > filled and 0 == closed
    assert (0, opened) == secrets.opened_by(old)
    for path in sorted((served.folder / "keys").iterdir()):
        assert not [name for name, text in old_texts.items() if text in path.read_text()], path
    assert 0 == served.ledger().returncode
    with capsys.disabled():
        print(f"\n{served.name}: {traffic.payments()} payments in {traffic.seconds:.0f} s, {opened} secrets under new keys")
    secrets.close()


def test_a_lost_key_is_named_by_the_doctor(own_system):
    """A key that secrets need is taken out of the file: the doctor names it and the way out, and a rotation drops nothing."""
    own_system.start()
    Practice(own_system)
    own_system.stop()
    assert "every stored secret of processors has its key" in own_system.command("doctor").stdout
    path = own_system.folder / "keys" / "processors.json"
    path.write_text(path.read_text().replace("processors-vault-1", "processors-vault-7"))
    sick = own_system.command("doctor")
    assert 1 == sick.returncode
    assert "stored secrets of processors need the vault key processors-vault-1: restore the key file" in sick.stdout
    stopped = own_system.command("rotate-keys", "processors", "--pause", "0")
    assert 1 == stopped.returncode
    assert "could not be sealed anew, so no key was dropped" in stopped.stderr
    assert "processors-vault-1, which is not held here: restore the key file of processors" in stopped.stderr
    assert "processors-vault-7" in path.read_text()


def test_a_system_with_a_kms_pays_on_while_it_is_sealed(own_system):
    """Secrets move to the KMS under a running system; sealed for a while, it stops no payment; a cold start says what is wrong."""
    with transit.Transit().serving() as kms:
        for service in MODELS:
            kms.make(f"clientbilling-{service}")
        own_system.more |= {"kms_url": kms.url, "kms_token": transit.TOKEN}
        own_system.start()
        practice, secrets = Practice(own_system), Secrets(own_system)
        assert secrets.all_under("v2."), "nothing was sealed with the key file"
        rotated = own_system.command("rotate-keys", "all", "--pause", PAUSE)
        assert 0 == rotated.returncode, rotated.stderr
        assert "processors: the KMS opens nothing older than clientbilling-processors:2" in rotated.stdout
        assert secrets.all_under("v2.clientbilling-")
        assert 201 == practice.pay(practice.invoice()).status_code
        invoice = practice.invoice()
        kms.sealed = True
        assert 201 == practice.pay(invoice).status_code
        body = {"description": "Second", "type": "sandbox", "credentials": {"api_key": "sk_test_1234567"}}
        refused = practice.admin.ask("POST", "/api/v1/processors", body)
        assert (503, "kms_sealed") == (refused.status_code, refused.json()["code"])
        sick = own_system.command("doctor")
        assert "the KMS of processors: The key service is sealed" in sick.stdout
        assert "is sealed or in maintenance" in own_system.command("rotate-keys", "all", "--pause", "0").stderr
        kms.sealed = False
        assert 201 == practice.admin.ask("POST", "/api/v1/processors", body).status_code
        assert "the KMS answers for processors, with version 2" in own_system.command("doctor").stdout
        secrets.close()
    assert transit.TOKEN not in own_system.logs()
