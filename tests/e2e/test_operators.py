"""What an operator does: stop and start again, prove the books, look for what is wrong. On the embedded system, by the real command."""

import sqlite3

import requests

from tests.api import Practice
from tests.system import Embedded


def test_a_second_start_keeps_the_data_and_the_books_prove_themselves(own_system):
    """SIGTERM ends cleanly; what was billed is there after the next start; an altered entry and an altered balance are named."""
    own_system.start()
    practice = Practice(own_system)
    invoice = practice.invoice()
    practice.pay(invoice)
    process = own_system.processes["up"]
    process.terminate()
    assert 0 == process.wait(10)
    own_system.processes.clear()
    own_system.start()
    assert "paid" == practice.read(invoice)["status"]
    own_system.stop()

    assert 0 == own_system.ledger().returncode
    _alter(own_system, "update invoices set balance_due = 500")
    proof = own_system.ledger()
    assert 1 == proof.returncode
    assert f"invoice {invoice['id']}: balance_due is stored as 500, its entries say 0" in proof.stdout
    _alter(own_system, "update invoices set balance_due = 0")
    _alter(own_system, "update ledger_entries set amount = 12925 where seq = 1")
    proof = own_system.ledger()
    assert 1 == proof.returncode
    with sqlite3.connect(own_system.folder / "invoicing.db") as books:
        first = books.execute("select id from ledger_entries where seq = 1").fetchone()[0]
    assert f"entry {first}" in proof.stdout


def test_a_payment_that_one_side_does_not_know_is_named(own_system):
    """A charge that the processors service forgot is found by the proof, though the ledger alone balances."""
    own_system.start()
    practice = Practice(own_system)
    payment = practice.pay(practice.invoice()).json()["id"]
    own_system.stop()
    with sqlite3.connect(own_system.folder / "processors.db") as attempts:
        attempts.execute("update attempts set amount = 1 where id = ?", (payment,))
    proof = own_system.ledger()
    assert 1 == proof.returncode
    assert payment in proof.stdout


def test_the_doctor_names_what_is_missing_and_how_to_mend_it(tmp_path):
    """On an empty folder it names keys and databases with the command that makes them; after those commands they are well."""
    system = Embedded(tmp_path)
    sick = system.command("doctor")
    assert 1 == sick.returncode
    assert "clientbilling keys init" in sick.stdout
    assert "clientbilling migrate invoicing" in sick.stdout
    assert 0 == system.command("keys", "init").returncode
    assert "nothing was changed" in system.command("keys", "init").stdout
    for _ in range(2):
        assert 0 == system.command("migrate", "all").returncode
    well = system.command("doctor")
    assert 0 == well.returncode, well.stdout
    assert "WRONG" not in well.stdout


def test_a_taken_port_or_folder_is_said_in_words(own_system, tmp_path_factory):
    """A second start on the same port, or on the same data, says so and names the way out; no traceback."""
    own_system.start()
    other = str(tmp_path_factory.mktemp("other"))
    for way_out, second in (
        ("--port", own_system.command("up", "--no-demo", "--port", str(own_system.port), "--data", other)),
        ("--data", own_system.command("up", "--no-demo", "--port", "0")),
    ):
        assert 1 == second.returncode
        assert way_out in second.stderr
        assert "Traceback" not in second.stderr


def test_development_says_so_and_production_hides_the_demo_mail(tmp_path):
    """With development on every page says it; without, there is no mail page and a processor can't be pointed at this machine."""
    with Embedded(tmp_path) as system:
        assert "Development" in requests.get(system.url + "/sign-in", timeout=10).text
        assert 200 == requests.get(system.url + "/demo/mail", timeout=10).status_code
    system.more = {"development": "0"}
    with system:
        assert "Development" not in requests.get(system.url + "/sign-in", timeout=10).text
        assert 404 == requests.get(system.url + "/demo/mail", timeout=10).status_code


def _alter(system: Embedded, statement: str) -> None:
    with sqlite3.connect(system.folder / "invoicing.db") as books:
        books.execute(statement)
