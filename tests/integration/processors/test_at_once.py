"""Many at once, on both databases: one charge per payment, no refund above it, one active account."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from services.processors import storage
from services.processors.model import Account, Attempt, SealingKey
from services.processors.orders import Check
from services.processors.usecases import accounts, checking, looking_up, sealing
from shared.clock import SystemClock
from shared.fields import Record
from shared.ids import new_id
from shared.migrating import upgrade
from shared.tenancy import acting_for_all
from tests import engines
from tests.unit.processors.conftest import Desk, make_room

AT_ONCE = 20


@pytest.fixture(params=["sqlite", "postgresql"])
def rooms(request, tmp_path):
    """Two rooms on the same databases: on PostgreSQL they stand for two processes."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("processors", "books")]
        elif engines.postgres_url() is None:
            pytest.fail("this test needs PostgreSQL; CLIENTBILLING_TEST_POSTGRES_URL names one")
        else:
            urls = [stack.enter_context(engines.fresh_postgres_database(name)) for name in ("processors", "books")]
        upgrade("processors", urls[0])
        rooms = [make_room(*urls, SystemClock(), time.sleep) for _ in range(2)]
        yield rooms
        for room in rooms:
            room.close()


@pytest.fixture
def desks(rooms):
    desks = [Desk(room) for room in rooms]
    desks[0].account = desks[0].add()
    return desks


def _all_at_once(stories: list):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [ended.result() for ended in [pool.submit(story) for story in stories]]


def test_processes_at_once_make_one_sealing_key(rooms):
    """Asked twenty times at once, and again when the key is a month old: each time all are told the same new key."""
    said = [{told["signed"] for told in _all_at_once([lambda n=n: sealing.read_sealing_key(rooms[n % 2]) for n in range(AT_ONCE)])}]
    with rooms[0].database.transaction() as session:
        session.execute(update(SealingKey).values(created_at=rooms[0].clock.now() - timedelta(days=30)))
    said.append(
        {told["signed"] for told in _all_at_once([lambda n=n: sealing.read_sealing_key(rooms[n % 2]) for n in range(AT_ONCE)])}
    )
    assert [1, 1] == [len(one) for one in said]
    with rooms[0].database.reading() as session:
        keys = session.scalars(select(SealingKey).order_by(SealingKey.number)).all()
        assert [("seal-1", False), ("seal-2", True)] == [(key.id, key.replaced_at is None) for key in keys]


def test_processes_at_once_check_an_account_once(desks, monkeypatch):
    """Two processes whose timers turn in the same moment ask the processor about each account once."""
    with desks[0].room.database.transaction() as session:
        session.execute(update(Account).values(check_at=desks[0].room.clock.now()))
    asked = []
    for desk in desks:
        monkeypatch.setattr(desk.room.adapters["sandbox"], "check", lambda _: asked.append(1) or Check("ok"))
    _all_at_once([lambda n=n: _as_timer(desks[n % 2].room) for n in range(6)])
    assert 1 == len(asked)


def _as_timer(room):
    with acting_for_all():
        return checking.check_due(room)


def test_one_payment_asked_twenty_times_is_charged_once(desks):
    """Twenty deliveries of one message to two processes: one charge in the books, asked for once, nobody told it failed."""
    request = desks[0].request()
    said = _all_at_once([lambda desk=desks[n % 2]: desk.send(request) for n in range(AT_ONCE)])
    assert {answer.status for answer in said} <= {"pending", "succeeded"}
    assert "succeeded" == desks[0].look(request.payment_id).status
    assert [1] == [entry.asked for entry in desks[0].books()]


def test_twenty_payments_are_twenty_charges(desks):
    """Twenty different payments at once: each is charged, once, under a reference of its own."""
    requests = [desks[0].request() for _ in range(AT_ONCE)]
    said = _all_at_once([lambda desk=desks[n % 2], asked=asked: desk.send(asked) for n, asked in enumerate(requests)])
    assert {"succeeded"} == {answer.status for answer in said}
    assert AT_ONCE == len({entry.reference for entry in desks[0].books()})


def test_parallel_refunds_stay_within_the_charge(desks):
    """Twenty refunds of $10.00 of $129.24 at once: twelve succeed, eight are declined."""
    paid = desks[0].charge()
    said = _all_at_once([lambda desk=desks[n % 2]: desk.refund(paid.payment_id, 1000) for n in range(AT_ONCE)])
    assert {"succeeded": 12, "declined": 8} == {
        status: len([answer for answer in said if answer.status == status]) for status in ("succeeded", "declined")
    }
    assert 12000 == sum(entry.amount for entry in desks[0].books() if entry.kind == "refund")


def test_a_tombstone_and_its_charge_can_not_both_be(desks):
    """A late message and the question about it in the same moment: either it is charged, or it never will be."""
    for _ in range(5):
        request = desks[0].request()
        _all_at_once([lambda asked=request: desks[0].send(asked), lambda asked=request: desks[1].look(asked.payment_id)])
        charged = [entry for entry in desks[0].books() if entry.reference == desks[0].look(request.payment_id).reference]
        assert (desks[0].look(request.payment_id).status == "succeeded") == (len(charged) == 1)


def test_one_account_stays_active(desks):
    """Ten admins activate different accounts at once: one is active afterwards."""
    ids = [desks[0].add().id for _ in range(5)]
    _all_at_once([
        lambda desk=desks[n % 2], one=ids[n % 5]: accounts.activate_processor(desk.admin, Record(processor_id=one), desk.room)
        for n in range(10)
    ])  # fmt: skip
    assert 1 == len([row for row in desks[0].listed() if row.active])


def test_one_key_adds_one_account(desks):
    """Ten requests with one key at once: one account, and every answer is the same text."""

    def add(desk) -> str:
        processor_id = new_id("pcr")
        body = {
            "processor_id": processor_id,
            "description": "x",
            "type": "sandbox",
            "sealed_credentials": desk.sealed({}, processor_id),
        }
        return accounts.add_processor(desk.keyed("k"), accounts.Processors.add_processor.load_request(body), desk.room).text

    texts = _all_at_once([lambda desk=desks[n % 2]: add(desk) for n in range(10)])
    assert 1 == len(set(texts))
    assert json.loads(texts[0])["id"] in [row.id for row in desks[0].listed()]
    assert 2 == len(desks[0].listed())


def test_look_ups_are_shared_between_processes(desks):
    """Two timers on the same due attempts: every one is settled, and none of them twice."""
    fast = [replace(desk.room, time_scale=1000) for desk in desks]
    lost = [Desk(fast[0]).request("4000000000000259") for _ in range(6)]
    _all_at_once([lambda asked=asked: Desk(fast[0]).send(asked) for asked in lost])
    time.sleep(0.1)
    _all_at_once([lambda room=fast[n % 2]: looking_up.settle_due(room) for n in range(4)])
    assert {"not_sent"} == {desks[0].look(asked.payment_id).status for asked in lost}
    with fast[0].database.reading() as session:
        versions = set(session.scalars(select(Attempt.version)))
    assert 1 == len(versions)


def test_an_account_that_is_just_being_used_is_hidden_not_deleted(desks, monkeypatch):
    """Removed while its first charge begins: the charge is carried out, and can be refunded afterwards."""
    real, inserted, removing = storage.add_attempt, threading.Event(), threading.Event()

    def slow(session, row):
        ours = real(session, row)
        inserted.set()
        removing.wait(10)
        time.sleep(0.5)  # the removal comes as far as it can while this attempt is not committed
        return ours

    monkeypatch.setattr(storage, "add_attempt", slow)

    def remove():
        assert inserted.wait(10)
        removing.set()
        accounts.remove_processor(desks[1].admin, Record(processor_id=desks[0].account.id), desks[1].room)

    paid, _ = _all_at_once([desks[0].charge, remove])
    assert "succeeded" == paid.status
    assert [] == desks[0].listed()
    assert "succeeded" == desks[1].refund(paid.payment_id, 100).status
