"""After a restore of one service's database or of both: nothing is charged or given back twice, and what can be known is known again."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy import restoring
from deploy.databases import migrate_one
from deploy.proof import prove
from deploy.restoring import restored
from services.processors import storage
from services.processors.orders import DECLINED as REFUSED
from services.processors.orders import NOT_SETTLED, Outcome
from services.processors.sandbox_books import list_books
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Fault
from shared.ids import new_id
from shared.tenancy import acting_for_all
from tests.house import House, Practice

START = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
ANSWER_LOST, ASKS_PAYER, LATER = "4000000000000119", "4000002500003155", 50 * 60


class Drill:
    """A practice with a backup in the middle of its day; `restore` puts databases back and starts the house anew, some hours later."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.house = House(folder, START)
        migrate_one(self.house.settings, "gateway")
        self.practice = Practice(self.house)
        self.paid, self.open, self.unknown, self.waiting = (self.practice.invoice() for _ in range(4))
        self.practice.pay(self.paid)
        self.practice.pay(self.unknown, ANSWER_LOST)
        self.house.deliver()

    def back_up(self) -> None:
        self.backup_at = self.house.clock.now()
        self._copy(self.folder, self.folder / "backup")

    def go_on(self) -> None:
        """What the backup does not know: a payment, an invoice that is sent and paid, a refund, and the end of what was unknown."""
        self.practice.pay(self.open)
        self.later = self.practice.invoice()
        self.practice.pay(self.later)
        self.practice.refund(self.paid, 1000)
        self.house.after(3600)
        self.booked = self.books()
        assert 4 == len(self.charges())

    @staticmethod
    def _copy(source: Path, target: Path, *but: str) -> None:
        """The databases as SQLite backs them up while they are in use."""
        target.mkdir(exist_ok=True)
        for path in source.glob("*.db"):
            if path.stem not in but:
                with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(target / path.name)) as there:
                    here.backup(there)

    def restore(self, *services: str, say: bool = True) -> list[str]:
        """The same keys and databases at another place, these services' from the backup."""
        clock, anew = self.house.clock, self.folder / "restored"
        self._copy(self.folder, anew, *services)
        self._copy(self.folder / "backup", anew, *({path.stem for path in anew.glob("*.db")} - set(services)))
        shutil.copytree(self.folder / "keys", anew / "keys")
        self.house.close()
        self.practice.house = self.house = House(anew, clock.now())
        return self.say() if say else []

    def say(self) -> list[str]:
        with acting_for_all():
            return list(restored(self.house.settings, self.backup_at, self.house.clock))

    def add_account(self, **credentials: str) -> dict:
        processor_id = new_id("pcr")
        info = f"credentials|{self.practice.id}|{processor_id}"
        sealed = self.house.settings.keys("gateway").seal(json.dumps(credentials).encode(), "processors", info)
        body = {"processor_id": processor_id, "description": "Second", "type": "sandbox", "sealed_credentials": sealed}
        return self.practice.do(Processors.add_processor, **body)

    def open_payments(self, account_id: str | None = None) -> dict:
        return self.practice.do(Processors.open_payments, processor_id=account_id or self.account()["id"])

    def write(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self.house.settings.data / "processors.db")) as attempts, attempts:
            attempts.execute(statement, values)

    def wake(self, its_id: str) -> None:
        """As a webhook does."""
        room = self.house.services["processors"].room
        with room.database.transaction() as session:
            storage.wake(session, storage.attempts(session, self.practice.id, [its_id]), room.clock.now())

    def adapter(self):
        return self.house.services["processors"].room.adapters["sandbox"]

    def after(self, seconds: float) -> None:
        """Time passes, the lists are read, and what waits is looked up."""
        self.house.clock.at += timedelta(seconds=seconds)
        self.house.tick("processors", "compare_due")
        self.house.after(60)

    def account(self) -> dict:
        return self.practice.do(Processors.list_processors)["data"][0]

    def books(self) -> list:
        return [(row["reference"], row["amount"]) for row in list_books(self.house.settings)]

    def charges(self) -> list:
        return self.practice.charges()

    def found(self) -> list[str]:
        return sorted(item["status"] for item in self.practice.do(Invoicing.list_work)["data"] if item["kind"] == "finding")

    def proof(self) -> list[str]:
        with acting_for_all():
            return [line for line in prove(self.house.settings) if line.startswith("WRONG")]

    def refused(self, act) -> str:
        with pytest.raises(Fault) as refused:
            act()
        return refused.value.code


@pytest.fixture
def morning(tmp_path):
    """The drill before its backup."""
    drill = Drill(tmp_path)
    yield drill
    drill.house.close()


@pytest.fixture
def drill(morning):
    morning.back_up()
    morning.go_on()
    return morning


def test_without_a_word_a_restored_system_charges_twice(drill):
    """The control: what the drill is about does happen where nobody says that it was restored."""
    drill.restore("processors", "invoicing", say=False)
    drill.practice.pay(drill.open)
    assert 5 == len(drill.charges())


def test_when_processors_is_restored_its_attempts_come_from_the_books(drill):
    """Nothing moves before the list has been read; then payments open by themselves, and what was entered again can be given back."""
    drill.restore("processors")
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.waiting))
    drill.after(60)
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.waiting))
    drill.after(20 * 60)  # lists have it all by now, but a page that was opened before may still be paid on
    assert drill.account()["closed_at"]
    failed = drill.refused(lambda: drill.practice.refund(drill.open, 500))
    assert ("processor_rejected", drill.booked) == (failed, drill.books())
    drill.after(LATER)
    assert (None, []) == (drill.account()["closed_at"], drill.found())
    assert [] == drill.proof()
    assert "succeeded" == drill.practice.refund(drill.open, 500)["status"]
    assert "succeeded" == drill.practice.pay(drill.waiting)["status"]
    assert 5 == len(drill.charges())
    assert [] == drill.proof()


def test_when_invoicing_is_restored_its_payments_come_from_processors(drill):
    """Payments and refunds are booked again; one whose invoice is lost as well is told to the admins."""
    said = drill.restore("invoicing")
    assert "invoicing: 2 payment(s) or refund(s) entered again that only processors knew, 1 settled" in said
    assert ["paid", "partially_refunded", "paid"] == [
        drill.practice.read(invoice)["status"] for invoice in (drill.open, drill.paid, drill.unknown)
    ]
    assert ["unbooked"] == drill.found()
    drill.after(LATER)
    assert (True, ["unbooked"]) == (bool(drill.account()["closed_at"]), drill.found())
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.waiting))
    assert None is drill.open_payments()["closed_at"]
    assert [] == drill.practice.proof()
    assert 1 == len(drill.proof())
    drill.practice.pay(drill.waiting)
    assert 5 == len(drill.charges())


def test_when_both_are_restored_a_person_opens_payments(drill):
    """What both have lost only the processor knows: it is told to the admins, and until one of them opens nothing is charged."""
    drill.restore("processors", "invoicing")
    assert "not_compared_yet" == drill.refused(drill.open_payments)
    drill.after(LATER)
    assert ["orphan", "orphan", "orphan_refund"] == drill.found()
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.open))
    drill.after(24 * 3600)
    assert (True, drill.booked) == (bool(drill.account()["closed_at"]), drill.books())
    drill.practice.record(drill.open, method="other")
    assert None is drill.open_payments()["closed_at"]
    assert [] == drill.proof()
    drill.practice.pay(drill.waiting)
    assert 5 == len(drill.charges())


def test_said_twice_it_is_entered_once(drill):
    """The command can be run again: nothing is entered twice, and payments stay closed from the second time on."""
    drill.restore("invoicing")
    before = drill.proof()
    drill.house.clock.at += timedelta(minutes=1)
    assert "invoicing: 0 payment(s) or refund(s) entered again that only processors knew, 0 settled" in drill.say()
    assert (before, ["unbooked"]) == (drill.proof(), drill.found())


def test_what_was_not_sent_by_the_restored_records_is_never_sent_again(morning, monkeypatch):
    """A refund that waited for its charge to settle was given back after the backup: it is looked up, not sent."""
    drill = morning
    with monkeypatch.context() as earlier:
        earlier.setattr(drill.adapter(), "refund", lambda *_: Outcome(NOT_SETTLED), raising=False)
        waits = drill.practice.refund(drill.paid, 700)
    assert "waiting_for_settlement" == waits["status"]
    drill.back_up()
    drill.house.after(2 * 3600)
    assert "succeeded" == drill.practice.do(Invoicing.read_refund, refund_id=waits["id"])["status"]
    drill.restore("processors", "invoicing")
    monkeypatch.setattr(drill.adapter(), "refund", lambda *_: pytest.fail("it was sent again"), raising=False)
    drill.after(LATER)
    assert "succeeded" == drill.practice.do(Invoicing.read_refund, refund_id=waits["id"])["status"]
    assert [] == drill.proof()


def test_an_account_that_is_added_again_waits_for_its_list(drill):
    """The restore may have lost it, and charges with it: no other is open before it is read, for a week."""
    drill.restore("processors")
    drill.after(LATER)
    assert None is drill.account()["closed_at"]
    added = drill.add_account()
    assert drill.account()["closed_at"]
    assert (True, True) == (bool(added["closed_at"]), bool(added["restored_to"]))
    drill.after(LATER)
    assert [None, None] == [account["closed_at"] for account in drill.practice.do(Processors.list_processors)["data"]]
    drill.after(8 * 24 * 3600)
    assert None is drill.add_account()["closed_at"]


def test_cut_short_nothing_opens_before_it_is_run_again(drill, monkeypatch):
    """The accounts are closed first and the books are told later: in between, the lists agree, and the books lack what was paid."""
    with monkeypatch.context() as dying:
        dying.setattr(restoring, "tell_processors", lambda _: pytest.fail("died"))
        with pytest.raises(pytest.fail.Exception):
            drill.restore("invoicing")
    drill.after(LATER)
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.open))
    drill.say()
    drill.after(LATER)
    assert "action_not_allowed" == drill.refused(lambda: drill.practice.pay(drill.open))


def test_a_payment_that_was_followed_by_another_lets_it_go_first(morning):
    """In the older books the first is still live; it was given up and the second was paid: neither is charged nor given back again."""
    drill = morning
    first = drill.practice.pay(drill.waiting, ASKS_PAYER)
    drill.back_up()
    drill.practice.do(Invoicing.cancel_payment, drill.practice.cleo, payment_id=first["id"])
    drill.practice.pay(drill.waiting)
    booked = drill.books()
    drill.restore("invoicing")
    drill.after(LATER)
    drill.house.after(24 * 3600)
    read = drill.practice.read(drill.waiting)
    assert ("paid", 0, booked, []) == (read["status"], read["amount_refunded"], drill.books(), drill.proof())


def test_a_second_payment_that_still_waits_is_entered_and_waits(morning):
    """The payer may be at the bank with it: the invoice is not payable another way meanwhile."""
    drill = morning
    first = drill.practice.pay(drill.waiting, ASKS_PAYER)
    drill.back_up()
    drill.practice.do(Invoicing.cancel_payment, drill.practice.cleo, payment_id=first["id"])
    waits = drill.practice.pay(drill.waiting, ASKS_PAYER)
    drill.restore("invoicing")
    payments = {payment["id"]: payment["status"] for payment in drill.practice.read(drill.waiting)["payments"]}
    assert {first["id"]: "canceled", waits["id"]: "requires_action"} == payments
    assert "payment_in_progress" == drill.refused(lambda: drill.practice.pay(drill.waiting))


def test_late_money_that_was_returned_is_not_returned_again(morning):
    """Believed lost, then another way was found to pay a part, then it came after all and the rest went back: only processors knows."""
    drill = morning
    lost = drill.practice.pay(drill.waiting, ANSWER_LOST)
    drill.write("update attempts set status = 'not_sent', settled_at = created_at, next_look_up_at = null where id = ?", lost["id"])
    drill.house.after(60)
    drill.house.after(60)
    drill.practice.record(drill.waiting, 5000)
    drill.back_up()
    drill.wake(lost["id"])
    drill.house.after(60)
    returned = [row for row in drill.books() if row[1] == 5000]
    assert 1 == len(returned)
    drill.restore("invoicing")
    drill.after(LATER)
    drill.house.after(24 * 3600)
    assert returned == [row for row in drill.books() if row[1] == 5000]
    account = drill.practice.do(Invoicing.read_client_account, client_id=drill.practice.cleo.member_id)
    assert (0, []) == (account["credit"], drill.proof())


def test_a_payment_that_was_thought_lost_and_is_found_after_the_restore_is_told(morning):
    """The books never knew of it, and processors believed that nothing was charged: the list says otherwise, and payments stay closed."""
    drill = morning
    drill.back_up()
    lost = drill.practice.pay(drill.waiting, ANSWER_LOST)
    drill.write("update attempts set status = 'not_sent', settled_at = created_at, next_look_up_at = null where id = ?", lost["id"])
    drill.restore("invoicing")
    assert [] == drill.found()
    for _ in range(3):
        drill.after(LATER)
    assert (["unbooked"], True) == (drill.found(), bool(drill.account()["closed_at"]))
    assert "payments_closed" == drill.refused(lambda: drill.practice.pay(drill.waiting))


def test_the_ids_of_a_charge_that_was_under_way_are_learned_from_the_list(drill):
    """The backup holds it half begun, the books have it paid: what is needed to give it back is in the list."""
    paid = drill.practice.read(drill.open)["payments"][0]["id"]
    drill.write("update attempts set status = 'sending', processor_ids = '{\"half\": 1}', settled_at = null where id = ?", paid)
    drill.back_up()
    drill.restore("processors")
    drill.after(LATER)
    assert ("succeeded", []) == (drill.practice.refund(drill.open, 500)["status"], drill.proof())


def test_a_refund_that_failed_afterwards_is_booked_back_again(drill, monkeypatch):
    """The books are older than its failure; the news of it will not come again."""
    refund = drill.practice.read(drill.paid)["refunds"][0]
    monkeypatch.setattr(type(drill.adapter()), "find", lambda *_: Outcome(REFUSED, refusal="card_declined"))
    drill.back_up()
    drill.wake(refund["id"])
    drill.house.after(60)
    assert "failed" == drill.practice.do(Invoicing.read_refund, refund_id=refund["id"])["status"]
    drill.restore("invoicing")
    assert "failed" == drill.practice.do(Invoicing.read_refund, refund_id=refund["id"])["status"]
    assert "refund_failed" in drill.found()
    assert [] == drill.practice.proof()


def test_a_removed_account_stays_closed_until_its_own_list_is_read(drill, monkeypatch):
    """What was given back through it can't be given back again, whatever the other accounts' lists say."""
    broken = drill.add_account(api_key="broken")
    drill.practice.do(Processors.activate_processor, processor_id=broken["id"])
    drill.practice.pay(drill.waiting)
    drill.practice.do(Processors.remove_processor, processor_id=broken["id"])
    drill.practice.do(Processors.activate_processor, processor_id=drill.account()["id"])
    drill.back_up()
    drill.restore("processors")
    own = drill.adapter().list_between
    gone = lambda given, *span: None if given.get("api_key") else own(given, *span)  # noqa: E731
    monkeypatch.setattr(drill.adapter(), "list_between", gone, raising=False)
    drill.after(LATER)
    assert None is drill.account()["closed_at"]
    booked = drill.books()
    assert "processor_rejected" == drill.refused(lambda: drill.practice.refund(drill.waiting, 100))
    assert booked == drill.books()
    assert None is drill.open_payments(broken["id"])["closed_at"]
    assert "succeeded" == drill.practice.refund(drill.waiting, 100)["status"]


def test_an_account_that_is_removed_keeps_no_other_closed(drill, monkeypatch):
    """The list of one can't be had any more: all stay closed until the admin removes it."""
    drill.restore("processors")
    broken = drill.add_account(api_key="broken")
    own = drill.adapter().list_between
    gone = lambda given, *span: None if given.get("api_key") else own(given, *span)  # noqa: E731
    monkeypatch.setattr(drill.adapter(), "list_between", gone, raising=False)
    drill.after(LATER)
    first = drill.account()
    assert (True, None) == (bool(first["closed_at"]), first["restored_to"])
    drill.practice.do(Processors.remove_processor, processor_id=broken["id"])
    assert None is drill.account()["closed_at"]
