"""Failover against the processors' simulators: every way to fail, at every processor, before every verb; never a second charge.

What a case is decides the table that the admin's page shows; the judges are both processors' own books.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from sqlalchemy import select

from services.processors.model import CredentialVersion, credentials_place
from services.processors.usecases import failing_over
from services.processors.usecases.failing_over import CASES
from shared.clock import SetClock
from shared.contracts.processors import Processors
from tests.contract.processors.test_every_adapter import LINES
from tests.faults.processors import KINDS
from tests.peers import free_port
from tests.simulators.stand import FAULTS
from tests.unit.processors.conftest import Desk, new_database, room  # noqa: F401

VERBS = ("prepare", "charge")
WRONG_KEY = {
    "stripe": {"secret_key": "sk_test_refused0"},
    "authorize_net": {"transaction_key": "wrong"},
    "elavon": {"pin": "WRONG"},
}


@pytest.fixture
def clock():
    return SetClock(datetime.now(UTC))


@pytest.fixture
def desk(room, request):  # noqa: F811
    """A practice whose first account is at a processor's simulator, and whose second, at the sandbox, takes over."""
    kind = request.param
    made = Desk(replace(room, adapters={**room.adapters, kind: LINES[kind].build()}))
    with LINES[kind].simulator().serving() as simulator:
        made.kind, made.simulator = kind, simulator
        made.first = made.add(kind, {**KINDS[kind].credentials, "api_base": simulator.url}, card_entry="direct")
        made.second = made.add("sandbox", card_entry="direct")
        order = Processors.change_failover.load_request({"enabled": True, "processor_ids": [made.second.id]})
        failing_over.change_failover(made.admin, order, made.room)
        yield made


def pay(desk):
    """A payment by a card that both processors take, and how it stands when everything has been found out."""
    said = desk.charge(KINDS[desk.kind].card)
    first = said.processor_id
    desk.simulator.mend()
    desk.simulator.release()
    for seconds in (6, 31, 301, 3601):
        desk.after(seconds)
    return first, desk.row(said.payment_id)


def charged(desk) -> int:
    """Approved charges in both books."""
    theirs = [entry for entry in desk.simulator.books() if entry["kind"] == "charge" and entry["status"] == "approved"]
    return len(theirs) + len([entry for entry in desk.books() if entry.kind == "charge"])


@pytest.mark.parametrize(("desk", "verb", "how"), product(LINES, VERBS, FAULTS), indirect=["desk"])
def test_a_bad_line_charges_once_at_most(desk, verb, how):
    """Whatever is lost, late or garbled: no other account is tried unless nothing was sent, and the books agree with ours."""
    desk.simulator.fail(verb, how)
    _, row = pay(desk)
    assert charged(desk) == (row.status == "succeeded") <= 1, (row.status, row.processor_code)
    if verb == "charge" and desk.simulator.met:
        assert desk.first.id == row.account_id, "another account was tried while nobody could know"


@pytest.mark.parametrize("desk", LINES, indirect=True)
def test_a_processor_that_is_down_hands_over(desk):
    """Nothing listens there: the second account charges, once."""
    _kept(desk, api_base=f"http://127.0.0.1:{free_port()}")
    first, row = pay(desk)
    assert (desk.second.id, "succeeded", 1) == (first, row.status, charged(desk))
    assert 2 == row.tries


@pytest.mark.parametrize("desk", LINES, indirect=True)
def test_an_account_that_is_refused_hands_over(desk):
    """A key that stopped working: the second account charges, once, and the first is marked for the admins."""
    _kept(desk, **WRONG_KEY[desk.kind])
    first, row = pay(desk)
    assert (desk.second.id, "succeeded", 1) == (first, row.status, charged(desk))
    assert "refused" == desk.listed()[0].status


@pytest.mark.parametrize(("desk", "how"), product(LINES, ("decline", "duplicate")), indirect=["desk"])
def test_a_definite_no_to_the_card_ends_it(desk, how):
    """The bank, or the processor's own memory, said no: nobody else is asked."""
    kind = KINDS[desk.kind]
    if (how, "pay") in kind.refusals:
        desk.simulator.refuse("charge", **kind.refusals[how, "pay"])
    else:
        desk.simulator.fail("charge", how)
    first, row = pay(desk)
    assert (desk.first.id, desk.first.id, 0) == (first, row.account_id, charged(desk))


@pytest.mark.parametrize("desk", LINES, indirect=True)
def test_going_on_from_an_unknown_would_charge_twice(desk, monkeypatch):
    """The control: with that row of the table turned round, a lost answer is charged at both processors."""
    unknown = replace(CASES["not_known"], goes_on=True)
    monkeypatch.setitem(CASES, "not_known", unknown)
    desk.simulator.fail("charge", "lose_answer")
    pay(desk)
    assert 2 == charged(desk)


def _kept(desk, **changes: str) -> None:
    """Put other values into the kept credentials, past the check that they would not stand."""
    with desk.room.database.transaction() as session:
        for row in session.scalars(select(CredentialVersion).where(CredentialVersion.account_id == desk.first.id)):
            place = credentials_place("prc_1", desk.first.id, row.version)
            held = {**json.loads(desk.room.vault.open(row.sealed, *place)), **changes}
            row.sealed = desk.room.vault.seal(json.dumps(held).encode(), *place)
