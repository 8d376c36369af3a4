"""One suite over every adapter, driven against its simulator: what holds for one processor holds for all. A new one adds a line."""

import logging
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.processors.adapters import base
from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.adapters.base import Adapter
from services.processors.adapters.elavon import Elavon
from services.processors.adapters.register import build_adapters
from services.processors.adapters.stripe import Stripe
from services.processors.orders import (
    APPROVED,
    CANCELED,
    CHARGE,
    DECLINED,
    NEEDS_PAYER,
    NOT_KNOWN,
    NOT_SENT,
    NOT_SETTLED,
    PREPARED,
    REFUND,
    Card,
    Means,
    OnFile,
    Order,
    Outcome,
    Saving,
    Secret,
)
from shared.clock import SystemClock
from shared.faults import Forbidden, Invalid
from shared.ids import base32, new_id
from shared.settings import Settings
from tests.faults.processors import KINDS
from tests.leaks import leaked
from tests.simulators.authorize_net import AuthorizeNetSimulator
from tests.simulators.elavon import Elavon as ElavonSimulator
from tests.simulators.stand import FAULTS, Simulator
from tests.simulators.stripe import StripeSimulator

DEVELOPMENT = Settings({"CLIENTBILLING_DEVELOPMENT": "1"})
CVC, ZIP = "9173", "98004"


@dataclass(frozen=True)
class Line:
    """One processor: how its adapter is built with short deadlines, and who stands in for it."""

    build: Callable[[], Adapter]
    simulator: Callable[[], Simulator]


LINES = {
    "stripe": Line(lambda: Stripe(DEVELOPMENT, deadlines=(2.0, 1.0)), StripeSimulator),
    "authorize_net": Line(lambda: AuthorizeNet(DEVELOPMENT, SystemClock(), deadlines=(2.0, 1.0)), AuthorizeNetSimulator),
    "elavon": Line(lambda: Elavon(DEVELOPMENT, SystemClock(), deadlines=(2.0, 1.0)), ElavonSimulator),
}


KEEPING = [kind for kind, line in LINES.items() if line.build().saves_cards]
PAGED = [kind for kind, line in LINES.items() if "hosted_page" in line.build().card_entry]


class Merchant:
    """A merchant of one processor."""

    def __init__(self, kind: str, simulator: Simulator):
        self.kind, self.simulator = KINDS[kind], simulator
        self.adapter = LINES[kind].build()
        self.credentials = {**self.kind.credentials, "api_base": simulator.url}

    def ask(self, verb: str, order: Order) -> Outcome:
        return getattr(self.adapter, verb)(self.credentials, order)

    def order(self) -> Order:
        card = Card(Secret(self.kind.card), 12, 2031, Secret(CVC), ZIP)
        reference = base32(random.getrandbits(99), 20)
        return Order(CHARGE, new_id("pay"), reference, 12050, "USD", "pcr_1", means=Means(card=card))

    def prepared(self) -> Order:
        order = self.order()
        ready = self.ask("prepare", order)
        assert PREPARED == ready.status
        return _sent(order.with_ids(ready.ids))

    def paid(self) -> Order:
        order = self.prepared()
        done = self.ask("charge", order)
        assert (APPROVED, 12050, "USD") == (done.status, done.amount, done.currency)
        return order.with_ids(done.ids)

    def give_back(self, paid: Order, amount: int) -> Order:
        return _sent(Order(REFUND, new_id("ref"), base32(random.getrandbits(99), 20), amount, "USD", "pcr_1", charge_ids=paid.ids))

    def moved(self, kind: str) -> list[int]:
        return [entry["amount"] for entry in self.simulator.books() if (entry["kind"], entry["status"]) == (kind, APPROVED)]


def _sent(order: Order) -> Order:
    return replace(order, sent_at=datetime.now(UTC))


@pytest.fixture(params=LINES)
def merchant(request):
    with LINES[request.param].simulator().serving() as simulator:
        yield Merchant(request.param, simulator)


def test_the_pulldown_has_a_line_here(tmp_path):
    """Every processor but the sandbox that an admin can choose is in this suite."""
    adapters = build_adapters(Settings({"CLIENTBILLING_DATA": str(tmp_path)}), type("Books", (), {"clock": SystemClock()})())
    assert set(adapters) - {"sandbox"} == set(LINES) == set(KINDS)


def test_it_says_what_an_admin_needs(merchant):
    """Its fields draw the form, secrets are marked, a missing one is named, and the hint tells no secret."""
    described = merchant.adapter.described()
    assert any(field["secret"] and field["required"] for field in described["fields"])
    with pytest.raises(Invalid) as missing:
        merchant.adapter.read_credentials({})
    required = {f"credentials.{field['name']}" for field in described["fields"] if field["required"]}
    assert required == {error["field"] for error in missing.value.errors}
    secrets = [value for name, value in merchant.credentials.items() if name in ("secret_key", "transaction_key", "pin")]
    assert not any(secret in (merchant.adapter.hint(merchant.credentials) or "") for secret in secrets)
    assert "ok" == merchant.adapter.check(merchant.credentials).status


def test_every_code_has_words(merchant):
    """Each row of its table of codes is one of the sixteen refusals, with advice for the payer."""
    table = base.refusals(merchant.adapter.name)
    assert table
    assert {entry.refusal for entry in table.values()} <= {"", *base.WORDS}
    assert Path(base.__file__).with_name(f"{merchant.adapter.name}_codes.csv").exists()


def test_a_charge_is_found_by_what_was_kept(merchant):
    """Approved, and found again with amount and currency by the reference and ids that were committed before."""
    order = merchant.prepared()
    merchant.ask("charge", order)
    found = merchant.ask("find", order)
    assert (APPROVED, 12050, "USD") == (found.status, found.amount, found.currency)
    assert [12050] == merchant.moved(CHARGE)


@pytest.mark.parametrize("how", FAULTS)
def test_a_charge_through_every_fault_is_never_two(merchant, how):
    """Whatever the line does, the outcome is right or unknown, the look-up tells what happened, and nothing was sent twice."""
    order = merchant.prepared()
    merchant.simulator.fail("charge", how, seconds=0.2 if how == "slow" else None)
    said = merchant.ask("charge", order)
    happened = bool(merchant.moved(CHARGE))
    assert said.status in ((APPROVED, NOT_KNOWN) if happened else (NOT_KNOWN, NOT_SENT, DECLINED)), said
    found = merchant.ask("find", order.with_ids(said.ids))
    expected = (APPROVED,) if happened else (NOT_KNOWN, NOT_SENT, CANCELED)
    assert found.status in expected, found
    merchant.simulator.release()
    assert len(merchant.moved(CHARGE)) == (1 if happened or (how.startswith("late") and found.status == NOT_KNOWN) else 0)
    assert 1 == [verb for verb, _ in merchant.simulator.seen].count("charge")


def test_refunds_at_once_never_exceed_the_charge(merchant):
    """Ten refunds of a fifth at once: five are given."""
    paid = merchant.paid()
    merchant.simulator.settle()
    orders, outcomes = [merchant.give_back(paid, 2410) for _ in range(10)], []
    threads = [threading.Thread(target=lambda order=order: outcomes.append(merchant.ask("refund", order))) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 5 == [outcome.status for outcome in outcomes].count(APPROVED)
    assert 12050 == sum(merchant.moved(REFUND))


@pytest.mark.parametrize("how", ["lose_answer", "hang_after", "500_after", "garbage_after"])
def test_a_refund_whose_answer_was_lost_is_found(merchant, how):
    """Given back at the processor, unknown here, then found by its own reference."""
    paid = merchant.paid()
    merchant.simulator.settle()
    order = merchant.give_back(paid, 2050)
    merchant.simulator.fail("refund", how)
    assert NOT_KNOWN == merchant.ask("refund", order).status
    assert (APPROVED, 2050) == (lambda found: (found.status, found.amount))(merchant.ask("find", order))
    assert [2050] == merchant.moved(REFUND)


def test_before_settlement_the_whole_goes_back_at_once(merchant):
    """All of an unsettled charge is given back now; a part either as well, or certainly not yet."""
    paid = merchant.paid()
    part = merchant.ask("refund", merchant.give_back(paid, 2050))
    waits = "refund_unsettled_part" in merchant.adapter.cannot
    assert part.status == (NOT_SETTLED if waits else APPROVED) or part.status == NOT_SETTLED
    left = 12050 if part.status == NOT_SETTLED else 10000
    assert APPROVED == merchant.ask("refund", merchant.give_back(paid, left)).status


def test_what_was_only_prepared_is_given_up(merchant):
    """Preparing moves no money; cancelled, it can't be charged any more or was nothing at the processor."""
    order = merchant.order()
    ready = merchant.ask("prepare", order)
    assert CANCELED == merchant.ask("cancel", order.with_ids(ready.ids)).status
    assert [] == merchant.moved(CHARGE)


def test_its_own_list_shows_what_was_charged(merchant):
    """For the daily comparison: our reference, the amount, approved; None where the list can't be had."""
    paid = merchant.paid()
    now = datetime.now(UTC)
    span = (now - timedelta(days=1), now + timedelta(minutes=5))
    lines = merchant.adapter.list_between(merchant.credentials, *span)
    assert [(12050, APPROVED)] == [(line.amount, line.status) for line in lines if line.reference == paid.reference]
    merchant.adapter.deadlines = (0.2, 0.2)
    assert merchant.adapter.list_between({**merchant.credentials, "api_base": "http://127.0.0.1:9"}, *span) is None


def test_its_own_list_is_enough_to_find_and_give_back(merchant):
    """After a restore nothing is kept of a charge but our reference and its card's last four digits; the list has the rest."""
    paid = merchant.paid()
    merchant.simulator.settle()
    now = datetime.now(UTC)
    lines = merchant.adapter.list_between(merchant.credentials, now - timedelta(days=1), now + timedelta(minutes=5))
    ids = merchant.adapter.ids_of(next(line for line in lines if line.reference == paid.reference), merchant.kind.card[-4:])
    again = replace(paid, ids=ids, means=Means())
    assert APPROVED == merchant.ask("find", again).status
    assert APPROVED == merchant.ask("refund", merchant.give_back(again, 2050)).status
    assert [2050] == merchant.moved(REFUND)


def test_an_unsigned_delivery_is_refused(merchant):
    """Whatever it says, without a signature nothing is woken."""
    for headers in ({}, {"stripe-signature": "t=1,v1=00", "x-anet-signature": "sha512=00"}):
        with pytest.raises(Forbidden):
            merchant.adapter.read_webhook(merchant.credentials, b"{}", headers, datetime.now(UTC))


@pytest.mark.parametrize("merchant", PAGED, indirect=True)
def test_its_own_page_is_opened_without_a_card(merchant, monkeypatch):
    """The payer is told where to go and how long it lasts; our reference and no card went there, and nothing has moved."""
    asked, answer = [], merchant.simulator.answer
    monkeypatch.setattr(merchant.simulator, "answer", lambda one: (asked.append(one), answer(one))[1])
    means = Means(return_url="https://practice.example/returns/inv_1")
    order = _sent(replace(merchant.order(), means=means, card_entry="hosted_page", on_page=True))
    opened = merchant.ask("open_page", order)
    assert (NEEDS_PAYER, "redirect") == (opened.status, opened.next_action["type"])
    assert opened.next_action["url"].startswith(merchant.simulator.url) and timedelta(0) < opened.lasts
    told = "\n".join(f"{one.path} {one.headers} {one.body.decode()}" for one in asked)
    assert order.reference in told
    assert not any(leaked(private, told) for private in (merchant.kind.card, order.id))
    found = merchant.ask("find", order.with_ids(opened.ids))
    assert NEEDS_PAYER == found.status or (NOT_KNOWN, True) == (found.status, found.absent)
    assert [] == merchant.moved(CHARGE)


def test_nothing_private_comes_out(merchant, caplog, capsys):
    """Card, code and credentials are in no outcome's text, no log at DEBUG and nothing printed, with faults and without."""
    caplog.set_level(logging.DEBUG)
    told = [repr(merchant.ask("charge", merchant.prepared()))]
    for how in FAULTS:
        merchant.simulator.fail("charge", how, seconds=0.1)
        order = merchant.prepared()
        told += [repr(merchant.ask("charge", order)), repr(merchant.ask("find", order)), repr(order)]
    text = "\n".join([*told, caplog.text, *capsys.readouterr()])
    secrets = [value for name, value in merchant.kind.credentials.items() if name in ("secret_key", "transaction_key", "pin")]
    for canary in (merchant.kind.card, CVC, *secrets):
        assert not leaked(canary, text)


@pytest.mark.parametrize("merchant", KEEPING, indirect=True)
@pytest.mark.parametrize("off_session", [False, True])
def test_a_card_on_file_is_charged_once(merchant, off_session):
    """Kept without a charge, charged for its owner and for staff; a lost answer is found, and once removed it is charged no more."""
    card = merchant.order().card
    kept = merchant.adapter.save_card(merchant.credentials, Saving("s" * 20, "p" * 20, Means(card=card)))
    assert (APPROVED, card.last4, 12, 2031) == (kept.status, kept.last4, kept.exp_month, kept.exp_year)
    assert [] == merchant.moved(CHARGE)
    means = Means(on_file=OnFile("pcr_1", kept.brand, kept.last4, kept.exp_month, kept.exp_year, kept.ids, off_session))
    order = replace(merchant.order(), means=means)
    order = _sent(order.with_ids(merchant.ask("prepare", order).ids))
    merchant.simulator.fail("charge", "lose_answer")
    assert NOT_KNOWN == merchant.ask("charge", order).status
    found = merchant.ask("find", order)
    assert (APPROVED, 12050, "USD", [12050]) == (found.status, found.amount, found.currency, merchant.moved(CHARGE))
    assert [True, True] == [merchant.adapter.remove_card(merchant.credentials, kept.ids) for _ in range(2)]
    again = replace(merchant.order(), means=means)
    ready = merchant.ask("prepare", again)
    said = merchant.ask("charge", _sent(again.with_ids(ready.ids))) if ready.status == PREPARED else ready
    assert (DECLINED, [12050]) == (said.status, merchant.moved(CHARGE))


@pytest.mark.parametrize("merchant", PAGED, indirect=True)
@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_page_that_did_not_open_is_no_page(merchant, how):
    """Whatever the line does to the opening, nobody is sent anywhere and nothing is called failed that may be there."""
    order = _sent(
        replace(
            merchant.order(),
            means=Means(return_url="https://practice.example/returns/inv_1"),
            card_entry="hosted_page",
            on_page=True,
        )
    )
    merchant.simulator.fail("open", how)
    opened = merchant.ask("open_page", order)
    assert opened.status in (NOT_KNOWN, NOT_SENT) and opened.next_action is None


@pytest.mark.parametrize("merchant", PAGED, indirect=True)
def test_each_way_needs_what_it_needs(merchant):
    """Our own form is nobody's default; sources are single origins, the processor's own or only the simulator's."""
    assert "direct" in merchant.adapter.card_entry and "direct" != merchant.adapter.card_entry[0]
    real = {name: value for name, value in merchant.credentials.items() if name != "api_base"}
    for mode in merchant.adapter.card_entry:
        here, there = (merchant.adapter.content_sources(held, mode) for held in (merchant.credentials, real))
        assert {merchant.simulator.url} >= {origin for origins in here.values() for origin in origins}
        assert set(here) == set(there)
        for origin in (origin for origins in there.values() for origin in origins):
            assert re.fullmatch(r"https://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", origin)
    assert {} == merchant.adapter.content_sources(real, "direct")
    assert merchant.adapter.card_form(real, {}, "direct") is None is merchant.adapter.card_form(real, {}, "hosted_page")
