"""No client is charged twice: many payers at once, and kills on either side of the charge. The judge is the sandbox's books."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.api import Practice
from tests.system import wait_until


def charges(system, before: int = 0) -> list[dict]:
    return [row for row in system.books() if row["kind"] == "charge"][before:]


def test_twenty_payers_at_once_charge_once(system):
    """Twenty simultaneous payments of one invoice: one succeeds, the rest are refused, the books hold one charge more."""
    practice = Practice(system)
    invoice = practice.invoice()
    before = len(charges(system))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: practice.pay(invoice), range(20)))
    statuses = sorted(answer.status_code for answer in answers)
    assert [201] + [409] * 19 == statuses, [answer.text for answer in answers if answer.status_code not in (201, 409)]
    assert "paid" == practice.read(invoice)["status"]
    assert [12924] == [row["amount"] for row in charges(system, before)]


def test_killed_between_charge_and_commit_it_is_one_charge_and_paid(own_system):
    """kill -9 after the sandbox charged and before we wrote it down; a new start ends paid, with one charge, and nobody does anything."""
    paid = _killed_at(own_system, "pay.after_send", "paid")
    assert 1 == len(charges(own_system))
    assert ["succeeded"] == [payment["status"] for payment in paid["payments"]]
    assert 0 == own_system.ledger().returncode


def test_killed_before_the_charge_it_is_payable_again(own_system):
    """kill -9 before the sandbox was asked; after a new start the payment has failed, nothing is charged, and the invoice can be paid."""
    again = _killed_at(own_system, "pay.before_send", "open")
    assert [] == charges(own_system)
    assert ["failed"] == [payment["status"] for payment in again["payments"]]
    assert 201 == again["practice"].pay(again).status_code
    assert 1 == len(charges(own_system))


def _killed_at(system, point: str, end: str) -> dict:
    system.start(kill_at=point)
    practice = Practice(system)
    invoice = practice.invoice()
    with suppress(OSError):
        practice.pay(invoice)
    process = system.processes["up"]
    assert -9 == process.wait(20), "the kill point was not reached"
    system.kill()
    system.start()

    def ended() -> dict | None:
        read = practice.read(invoice)
        return read if read["status"] == end else None

    return wait_until(ended, 90, 0.5, f"the invoice's being {end}") | {"practice": practice}
