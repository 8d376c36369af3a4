"""Each account's credentials are tried once a day: a processor that begins to refuse them is told once, and it recovers by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.orders import Check
from services.processors.usecases import accounts, checking
from shared.fields import Record

DAY = timedelta(days=1)


@pytest.fixture
def checks(open_desk, monkeypatch):
    """What the sandbox says to a check from now on (`says[0]`), and how often it was asked."""

    class Said(list):
        asked = 0

    says = Said([Check("ok")])

    def check(_credentials):
        says.asked += 1
        if isinstance(says[0], Exception):
            raise says[0]
        return says[0]

    monkeypatch.setattr(open_desk.room.adapters["sandbox"], "check", check)
    return says


def after(desk, how_long: timedelta) -> int:
    desk.room.clock.at += how_long
    return checking.check_due(desk.room)


def told(desk) -> list[str]:
    return [event for event, _ in desk.news()]


def test_a_processor_that_begins_to_refuse_is_told_once_and_recovers(open_desk, checks):
    """A day after it was accepted the key is tried: refused and told; the next days nothing more is told; accepted again it takes cards."""
    assert 0 == after(open_desk, timedelta(hours=22))
    checks[0] = Check("refused", "No.")
    assert 1 == after(open_desk, timedelta(hours=2))
    account = open_desk.listed()[0]
    assert ("refused", ["credentials_refused"]) == (account.status, told(open_desk))
    for _ in range(3):
        assert 1 == after(open_desk, DAY)
    assert ["credentials_refused"] == told(open_desk)
    checks[0] = Check("ok")
    after(open_desk, DAY)
    account = open_desk.listed()[0]
    assert ("ready", None, True, open_desk.room.clock.now()) == (
        account.status,
        account.problem,
        account.active,
        account.checked_at,
    )
    checks[0] = Check("refused", "No.")
    after(open_desk, DAY)
    assert 2 == len(told(open_desk)), "it is told anew when it begins anew"


def test_once_a_day_each_at_a_time_of_its_own(open_desk, checks):
    """In ten days each of three accounts is tried ten times or one more, and no longer all at the same moment."""
    for _ in range(2):
        open_desk.add()
    checks.asked, moments = 0, set()
    for _ in range(10 * 24 * 4):
        if after(open_desk, timedelta(minutes=15)):
            moments |= {_next(open_desk, account.id) for account in open_desk.listed()}
    assert 30 <= checks.asked <= 33
    assert 3 == len({_next(open_desk, account.id) for account in open_desk.listed()})


def _next(desk, account_id):
    with desk.room.database.reading() as session:
        return storage.account(session, desk.practice_id, account_id).check_at


def test_one_process_takes_an_account(open_desk, checks):
    """Two processes see the same account due: one of them tries it."""
    open_desk.room.clock.at += DAY
    with open_desk.room.database.reading() as session:
        due = storage.taken_out(session, storage.accounts_to_check(session, open_desk.room.clock.now(), DAY))
    assert [True, False] == [checking._check(account, open_desk.room) for account in [*due, *due]]
    assert 1 == checks.asked


@pytest.mark.parametrize("trouble", [Check("unreachable", "Not now."), OSError("no line")])
def test_a_processor_out_of_reach_takes_nothing_back(open_desk, checks, trouble):
    """Nothing is changed and nobody told; it is tried again an hour later."""
    checks[0] = trouble
    assert 0 == after(open_desk, DAY)
    account = open_desk.listed()[0]
    assert ("ready", None, []) == (account.status, account.problem, told(open_desk))
    after(open_desk, timedelta(minutes=59))
    assert 1 == checks.asked
    after(open_desk, timedelta(minutes=1))
    assert 2 == checks.asked


def test_an_account_that_trips_does_not_keep_the_others_waiting(open_desk, checks):
    """One whose stored credentials can't be opened is logged; those after it are tried."""
    second = open_desk.add()
    with open_desk.room.database.transaction() as session:
        storage.credentials_in_use(session, open_desk.practice_id, open_desk.account.id, open_desk.room.clock.now())[0].sealed = "x"
    checks.asked = 0
    assert 1 == after(open_desk, DAY)
    assert (1, open_desk.room.clock.now()) == (checks.asked, _checked_at(open_desk, second.id))


def _checked_at(desk, account_id):
    return next(account.checked_at for account in desk.listed() if account.id == account_id)


def test_what_was_never_checked_becomes_ready_and_active(desk, monkeypatch):
    """The processor could not be reached when the account was added: the daily check makes it the one that takes payments."""
    adapter: Adapter = desk.room.adapters["sandbox"]
    monkeypatch.setattr(adapter, "check", lambda _: Check("unreachable", "Not now."))
    desk.add()
    monkeypatch.undo()
    after(desk, DAY)
    account = desk.listed()[0]
    assert ("ready", True) == (account.status, account.active)


def test_a_removed_account_is_left_alone(open_desk, checks):
    open_desk.charge()
    accounts.remove_processor(open_desk.admin, Record(processor_id=open_desk.account.id), open_desk.room)
    after(open_desk, DAY)
    assert 0 == checks.asked


def test_the_day_is_scaled_in_development(open_desk, checks):
    """Twenty-four times faster, a day is an hour."""
    fast = replace(open_desk.room, time_scale=24.0)
    open_desk.room.clock.at += timedelta(minutes=59)
    assert 0 == checking.check_due(fast)
    open_desk.room.clock.at += timedelta(minutes=1)
    assert 1 == checking.check_due(fast)
