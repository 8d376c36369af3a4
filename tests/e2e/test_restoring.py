"""The drill: databases are put back to a backup on both engine pairs, and nobody is charged twice while the system finds out."""

import io
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests import engines
from tests.api import Practice
from tests.e2e.conftest import kinds, split_system
from tests.system import Embedded, wait_until

MONEY = ("invoicing", "processors")
TIME_SCALE = "3000"  # a list counts as read after 46 minutes: 0.9 s


class Files:
    """Backups of the embedded system: SQLite's own, while it runs."""

    def __init__(self, system):
        self.system, self.folder = system, system.folder / "backup"
        self.folder.mkdir()

    def take(self) -> None:
        for name in MONEY:
            self._copy(self.system.folder / f"{name}.db", self.folder / f"{name}.db")

    def put_back(self, *names: str) -> None:
        for name in names:
            for rest in self.system.folder.glob(f"{name}.db*"):
                rest.unlink()
            self._copy(self.folder / f"{name}.db", self.system.folder / f"{name}.db")

    @staticmethod
    def _copy(source, target) -> None:
        with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
            here.backup(there)


class Rows:
    """Backups of the split system: every table by COPY, in one transaction for each database."""

    def __init__(self, system):
        self.system, self.kept = system, {}

    def take(self) -> None:
        for name in MONEY:
            with self._open(name) as cursor:
                self.kept[name] = {table: self._out(cursor, table) for table in self._tables(cursor)}

    def put_back(self, *names: str) -> None:
        for name in names:
            with self._open(name) as cursor:
                cursor.execute("SET session_replication_role = replica")
                tables = self._tables(cursor)
                cursor.execute("TRUNCATE " + ", ".join(f'"{table}"' for table in tables))
                for table in tables:
                    cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.StringIO(self.kept[name][table]))

    @contextmanager
    def _open(self, name: str):
        database = urlsplit(self.system.owners[f"{name}_database_url"]).path
        connection = psycopg2.connect(urlsplit(engines.postgres_url())._replace(path=database).geturl())
        connection.set_session(isolation_level="REPEATABLE READ")
        with closing(connection), connection, connection.cursor() as cursor:
            yield cursor

    @staticmethod
    def _tables(cursor) -> list[str]:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [row[0] for row in cursor.fetchall()]

    @staticmethod
    def _out(cursor, table: str) -> str:
        text = io.StringIO()
        cursor.copy_expert(f'COPY "{table}" TO STDOUT', text)
        return text.getvalue()


def pytest_generate_tests(metafunc):
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", kinds())


@pytest.fixture
def house(pair, tmp_path):
    """(the system, its backups)"""
    if pair == "embedded":
        with Embedded(tmp_path, time_scale=TIME_SCALE) as system:
            yield system, Files(system)
    else:
        with split_system(tmp_path, time_scale=TIME_SCALE) as system:
            yield system, Rows(system)


def test_after_a_restore_payments_are_closed_until_the_lists_agree(house):
    """First processors alone is put back: the books know the rest, and payments open by themselves. Then both: an admin opens."""
    system, backup = house
    practice = Practice(system)
    first, second, third, fourth = (practice.invoice() for _ in range(4))
    assert 201 == practice.pay(first).status_code
    backup.take()
    backup_at = datetime.now(UTC).isoformat()
    assert 201 == practice.pay(second).status_code
    practice.provider.must(201, "POST", f"/api/v1/invoices/{first['id']}/refunds", {"amount": 1000})
    booked = lines(system)
    serving = system.command("restored", "--to", backup_at, **getattr(system, "owners", {}))
    assert (1, True) == (serving.returncode, "stop every service first" in serving.stderr)

    restart(system, practice, lambda: backup.put_back("processors"), backup_at)
    wait_until(lambda: account(practice)["closed_at"] is None, 30, 0.2, "payments that open by themselves")
    assert (booked, 0) == (lines(system), system.ledger().returncode)
    assert 201 == practice.pay(third).status_code
    assert 201 == practice.provider.ask("POST", f"/api/v1/invoices/{second['id']}/refunds", {"amount": 500}).status_code
    booked = lines(system)

    restart(system, practice, lambda: backup.put_back("invoicing", "processors"), backup_at)
    wait_until(lambda: account(practice)["can_open"] and account(practice)["is_read"], 30, 0.2, "the list that is read")
    refused = practice.pay(second)
    assert (409, "payments_closed") == (refused.status_code, refused.json()["code"]), refused.text
    assert 409 == practice.pay(third).status_code
    lost = ["orphan", "orphan", "orphan_refund", "orphan_refund"]
    wait_until(lambda: lost == sorted(found(practice)), 30, 0.2, "what only the processor knows")
    assert booked == lines(system)
    for invoice in (second, third):
        body = {"amount": 12924, "method": "other", "received_on": datetime.now(UTC).date().isoformat()}
        practice.provider.must(201, "POST", f"/api/v1/invoices/{invoice['id']}/recorded-payments", body)
    opened = practice.admin.must(200, "POST", f"/api/v1/processors/{account(practice)['id']}/open")
    assert None is opened["closed_at"]
    assert 201 == practice.pay(fourth).status_code
    assert 4 == len([line for line in lines(system) if line[1] == "charge"])
    proof = system.ledger()
    assert 0 == proof.returncode, proof.stdout


def restart(system, practice, put_back, backup_at: str) -> None:
    """Stop, put databases back, say so, start; everybody signs in again."""
    system.stop()
    put_back()
    said = system.command("restored", "--to", backup_at, **getattr(system, "owners", {}))
    assert 0 == said.returncode, said.stdout + said.stderr
    system.start()
    practice.admin.sign_in(practice.admin_email, practice.PASSWORD)
    practice.provider.sign_in(practice.provider_email, practice.PASSWORD)
    practice.client.sign_in(practice.client_email, practice.PASSWORD)


def account(practice) -> dict:
    return practice.admin.must(200, "GET", "/api/v1/processors")["data"][0]


def found(practice) -> list[str]:
    return [item["status"] for item in practice.admin.must(200, "GET", "/api/v1/worklist")["data"]]


def lines(system) -> list[tuple]:
    return sorted((row["reference"], row["kind"], row["amount"]) for row in system.books())


def test_the_command_wants_a_moment_with_its_offset(tmp_path):
    """A time that may be any of twenty-four, or that is still to come, is refused in words."""
    system = Embedded(tmp_path)
    for moment, words in (
        ("yesterday", "2026-11-25T02:00:00Z"),
        ("2026-11-25T02:00:00", "offset"),
        ("2999-01-01T00:00:00Z", "to come"),
    ):
        said = system.command("restored", "--to", moment)
        assert 2 == said.returncode
        assert words in said.stderr
        assert "Traceback" not in said.stderr
