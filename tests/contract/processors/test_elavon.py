"""The Elavon adapter against the simulator of Converge: every verb, every fault of the line, and what the documents leave open."""

import gzip
import io
import logging
import re
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from services.processors.adapters import base
from shared.contracts.processors import REFUSALS
from shared.faults import Forbidden, Invalid
from tests.contract.processors.elavon import CREDENTIALS, CVC, adapter, charge_order, document, refund_order
from tests.simulators import elavon as converge
from tests.simulators import elavon_wire as wire
from tests.simulators.elavon import PIN, USER_WITHOUT_BATCHES
from tests.simulators.elavon_wire import ASKS_CURRENCY, HELD, PARTIAL, VISA
from tests.simulators.stand import FAULTS, Reply

ELAVON = adapter()


def _meeting(how: str):
    """The adapter that meets this fault: it waits a second where nothing ever comes."""
    return adapter((5.0, 1.0)) if "hang" in how else ELAVON


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving, monkeypatch):
    """The simulator with empty books; what a test opens on it by `monkeypatch` is closed again."""
    serving.reset()
    return serving


@pytest.fixture
def credentials(simulator):
    return {**CREDENTIALS, "api_base": simulator.url}


def _approved(simulator, kind="charge") -> list[dict]:
    return [entry for entry in simulator.books() if entry["kind"] == kind and entry["status"] == "approved"]


def _verbs(simulator) -> list[str]:
    return [verb for verb, _path in simulator.seen]


def _settled(simulator, credentials, order=None):
    """A charge that was approved and has settled: (its order, its outcome)."""
    order = order or charge_order()
    charged = ELAVON.charge(credentials, order)
    simulator.settle()
    return order, charged


# credentials


def test_credentials_are_checked_by_a_query(simulator, credentials):
    """Good ones are good, and nothing but a query of one day was sent."""
    assert "ok" == ELAVON.check(credentials).status
    assert ["check"] == _verbs(simulator)
    assert [] == simulator.books()


@pytest.mark.parametrize("changed", [{"pin": "wrong"}, {"user_id": "nobody"}, {"merchant_id": "12345678"}])
def test_refused_credentials_are_told(credentials, changed):
    """Converge doesn't say which of the three is wrong, so neither do we."""
    check = ELAVON.check({**credentials, **changed})
    assert ("refused", "pin") == (check.status, check.field)
    assert "user ID" in check.problem


def test_a_user_who_may_not_look_up_is_refused(credentials):
    """Without “Batches - View” a lost answer could never be settled: refused, with what to switch on."""
    check = ELAVON.check({**credentials, "user_id": USER_WITHOUT_BATCHES})
    assert ("refused", "user_id") == (check.status, check.field)
    assert "Batches - View" in check.problem


def test_a_silent_converge_is_unreachable(simulator, credentials):
    """No answer says nothing about the credentials."""
    simulator.fail("check", "500")
    assert "unreachable" == ELAVON.check(credentials).status
    assert "unreachable" == ELAVON.check({**credentials, "api_base": "http://127.0.0.1:9"}).status


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("merchant_id", "12a4567"),
        ("pin", "a&b"),
        ("user_id", "<x>"),
        ("currency", "usd"),
        ("mode", "test"),
        ("api_base", "https://example.com"),
    ],
)
def test_credentials_that_can_not_be_are_refused_before_anybody_is_asked(field, value):
    """Named by their field."""
    with pytest.raises(Invalid) as refused:
        ELAVON.read_credentials({**CREDENTIALS, field: value})
    assert [f"credentials.{field}"] == [error["field"] for error in refused.value.errors]


def test_what_the_form_draws():
    """Only the PIN is secret, the mode is a choice, and the hint shows the account and nothing else."""
    drawn = {field["name"]: field for field in ELAVON.described()["fields"]}
    assert ["pin"] == [name for name, field in drawn.items() if field["secret"]]
    assert ["live", "demo"] == drawn["mode"]["choices"]
    assert "account …0001" == ELAVON.hint(CREDENTIALS)
    assert ELAVON.is_test(CREDENTIALS)
    assert not ELAVON.is_test({**CREDENTIALS, "mode": "live"})


# charging


def test_a_charge(simulator, credentials):
    """Prepared without a word to anybody, approved once, for our amount and under our reference in both fields."""
    order = charge_order()
    prepared = ELAVON.prepare(credentials, order)
    assert ("prepared", {"reference": order.reference}, "visa", "9990") == (
        prepared.status, prepared.ids, prepared.brand, prepared.last4,
    )  # fmt: skip
    assert [] == _verbs(simulator)
    charged = ELAVON.charge(credentials, order.with_ids(prepared.ids))
    assert ("approved", 12050, "USD") == (charged.status, charged.amount, charged.currency)
    [entry] = simulator.books()
    assert (order.reference, order.reference, entry["id"]) == (entry["reference"], entry["more"]["invoice"], charged.ids["txn"])
    assert ["charge"] == _verbs(simulator)


def test_each_refusal_can_be_shown(simulator, credentials):
    """The simulator's cards show all refusals but `unknown`, `duplicate` and the two of our own making, as they would come."""
    said = {number: ELAVON.charge(credentials, charge_order(f"r{n:019}", number=number)) for n, number in enumerate(wire.REFUSALS)}
    assert {*REFUSALS} - {"unknown", "duplicate"} == {outcome.refusal for outcome in said.values()}
    assert {"declined", "not_sent", "unknown"} == {outcome.status for outcome in said.values()}
    assert [] == _approved(simulator)
    assert all(base.words_for("charge", outcome.refusal) for outcome in said.values())


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"number": "4111111111111111"}, "error:9999"),
        ({"number": "4124939999999991"}, "error:5000"),
        ({"exp_year": 2020}, "error:5001"),
        ({"currency": "EUR"}, "error:5087"),
        ({"amount": 10**12}, "error:5005"),
    ],
)
def test_what_the_gateway_refuses_is_a_definite_no(simulator, credentials, changed, code):
    """Live cards on the demo, a wrong digit, an old card, another currency, too long an amount: declined, nothing booked."""
    outcome = ELAVON.charge(credentials, charge_order(**changed))
    assert ("declined", code) == (outcome.status, outcome.processor_code)
    assert [] == simulator.books()


def test_a_partial_approval_names_what_was_taken(simulator, credentials):
    """Half is approved although we asked for none of it: approved for the half, with the id that reverses it; then voided."""
    order = charge_order(number=PARTIAL)
    said = ELAVON.charge(credentials, order)
    assert ("approved", 6025, "insufficient_funds") == (said.status, said.amount, said.refusal)
    assert "unknown" == said.as_asked(order.amount, order.currency).status
    assert 6025 == ELAVON.find(credentials, order).amount
    assert "canceled" == ELAVON.void(credentials, order.with_ids(said.ids)).status
    assert [] == _approved(simulator)
    assert "canceled" == ELAVON.find(credentials, order).status


def test_the_currency_question_is_unknown_and_then_absent(simulator, credentials):
    """A card that is asked in which currency it wants to pay was not charged: unknown, and the look-up finds nothing."""
    order = charge_order(number=ASKS_CURRENCY)
    assert "unknown" == ELAVON.charge(credentials, order).status
    assert ELAVON.find(credentials, order).absent
    assert [] == simulator.books()


def test_a_held_charge_waits_until_the_merchant_decides(simulator, credentials):
    """Approved by the answer, pending by the query; afterwards as the merchant decided."""
    for approve, status in ((True, "approved"), (False, "declined")):
        order = charge_order(f"held{approve}", number=HELD)
        ELAVON.charge(credentials, order)
        assert "pending" == ELAVON.find(credentials, order).status
        simulator.decide(order.reference, approve)
        assert status == ELAVON.find(credentials, order).status


def test_a_held_charge_is_voided(simulator, credentials):
    """Giving it up releases it."""
    order = charge_order(number=HELD)
    ELAVON.charge(credentials, order)
    assert "canceled" == ELAVON.void(credentials, order).status
    assert ["voided"] == [entry["status"] for entry in simulator.books()]


def test_a_request_that_arrives_twice_is_charged_once(simulator, credentials):
    """The terminal's duplicate check refuses the second, and the answer to it is the first one, looked up."""
    order = charge_order()
    first, second = ELAVON.charge(credentials, order), ELAVON.charge(credentials, order)
    assert ("approved", first.ids["txn"]) == (second.status, second.ids["txn"])
    assert 1 == len(_approved(simulator))


def test_a_duplicate_whose_first_is_not_seen_yet_is_unknown(simulator, credentials):
    """The earlier one hides from the look-up: unknown and `duplicate`, and found when it shows."""
    order = charge_order()
    simulator.hide(1)
    ELAVON.charge(credentials, order)
    said = ELAVON.charge(credentials, order)
    assert ("unknown", "duplicate") == (said.status, said.refusal)
    assert "approved" == ELAVON.find(credentials, order).status
    assert 1 == len(_approved(simulator))


def test_a_terminal_with_more_currencies(simulator, credentials, monkeypatch):
    """Yen have no decimals, come back as yen, and are given back as yen."""
    monkeypatch.setattr(simulator, "multi_currency", True)
    order, charged = _settled(simulator, credentials, charge_order(amount=5000, currency="JPY"))
    assert ("approved", 5000, "JPY") == (charged.status, charged.amount, charged.currency)
    assert ("JPY", 5000) == (simulator.books()[0]["currency"], simulator.books()[0]["amount"])
    assert (5000, "JPY") == (ELAVON.find(credentials, order).amount, ELAVON.find(credentials, order).currency)
    returned = ELAVON.refund(credentials, refund_order(order, charged, 1200))
    assert ("approved", 1200, "JPY") == (returned.status, returned.amount, returned.currency)


def test_the_terminals_own_currency_is_never_mistaken(simulator, credentials):
    """A terminal in Canadian dollars asked for its own currency needs no name for it; an amount without a name is in it."""
    canadian = {**credentials, "currency": "CAD"}
    charged = ELAVON.charge(canadian, charge_order(currency="CAD"))
    assert ("approved", "CAD") == (charged.status, charged.currency)


# faults of the line


@pytest.mark.parametrize("how", FAULTS)
def test_a_charge_on_a_bad_line(simulator, credentials, how):
    """Whatever the line does to a charge: unknown where money may have moved, then found as the books have it, charged at most once."""
    order = charge_order()
    seconds = {"seconds": 0.1} if how == "slow" else {}
    simulator.fail("charge", how, **seconds)
    said = _meeting(how).charge(credentials, order)
    assert ("approved" if how == "slow" else "unknown") == said.status
    held = _approved(simulator)
    found = ELAVON.find(credentials, order)
    assert ("approved" if held else "unknown") == found.status
    assert found.absent == (not held)
    simulator.release()
    assert len(_approved(simulator)) == (1 if held or how.startswith("late") else 0)
    assert 1 == _verbs(simulator).count("charge")
    if how.startswith("late"):
        assert "approved" == ELAVON.find(credentials, order).status


@pytest.mark.parametrize("how", FAULTS)
def test_a_refund_on_a_bad_line(simulator, credentials, how):
    """The same for a return: unknown, then found under its own reference; never given back twice."""
    order, charged = _settled(simulator, credentials)
    asked = refund_order(order, charged, 2000)
    simulator.fail("refund", how, **({"seconds": 0.1} if how == "slow" else {}))
    said = _meeting(how).refund(credentials, asked)
    assert ("approved" if how == "slow" else "unknown") == said.status
    held = _approved(simulator, "refund")
    found = ELAVON.find(credentials, asked)
    assert ("approved" if held else "unknown", not held) == (found.status, found.absent)
    simulator.release()
    assert len(_approved(simulator, "refund")) == (1 if held or how.startswith("late") else 0)
    assert 1 == _verbs(simulator).count("refund")


@pytest.mark.parametrize("how", FAULTS)
def test_a_void_on_a_bad_line(simulator, credentials, how):
    """A whole refund of an open charge is a void; its lost answer is found by the charge's own row."""
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    asked = refund_order(order, charged, order.amount)
    simulator.fail("void", how, **({"seconds": 0.1} if how == "slow" else {}))
    said = _meeting(how).refund(credentials, asked)
    assert ("approved" if how == "slow" else "unknown") == said.status
    voided = not _approved(simulator)
    found = ELAVON.find(credentials, asked)
    assert ("approved" if voided else "unknown", not voided) == (found.status, found.absent)
    assert [] == _approved(simulator, "refund")
    simulator.release()
    assert ([] == _approved(simulator)) == (voided or how.startswith("late"))


@pytest.mark.parametrize("how", [how for how in FAULTS if how != "slow"])
@pytest.mark.parametrize("verb", ["find", "read"])
def test_a_look_up_on_a_bad_line_proves_nothing(simulator, credentials, how, verb):
    """A query that was not answered is never absence, and a refund whose charge can't be read is not begun."""
    order, charged = _settled(simulator, credentials)
    simulator.fail(verb, how)
    if verb == "read":
        assert "not_sent" == _meeting(how).refund(credentials, refund_order(order, charged, 100)).status
        assert [] == _approved(simulator, "refund")
        return
    found = _meeting(how).find(credentials, replace(order, reference="never"))
    assert ("unknown", False) == (found.status, found.absent)


def test_nobody_listens(credentials):
    """A refused connection is certainly not sent."""
    nowhere = {**credentials, "api_base": "http://127.0.0.1:9"}
    order = charge_order()
    charged = ELAVON.charge(nowhere, order)
    assert ("not_sent", "exc:connect_refused") == (charged.status, charged.processor_code)
    assert ("unknown", False) == (ELAVON.find(nowhere, order).status, ELAVON.find(nowhere, order).absent)


@pytest.mark.parametrize("look_ups", [1, 2, 3])
def test_a_charge_that_hides(simulator, credentials, look_ups):
    """Missed by so many look-ups, then found; each miss is an absence that proves nothing."""
    simulator.hide(look_ups)
    simulator.fail("charge", "lose_answer")
    order = charge_order()
    assert "unknown" == ELAVON.charge(credentials, order).status
    for _ in range(look_ups):
        found = ELAVON.find(credentials, order)
        assert ("unknown", True) == (found.status, found.absent)
    assert "approved" == ELAVON.find(credentials, order).status


def test_a_system_that_trips_is_looked_up_once(simulator, credentials):
    """PLEASE RETRY is not sent only after a look that finds no charge; a look that is not answered leaves it unknown."""
    number = next(number for number, no in wire.REFUSALS.items() if no.message.startswith("PLEASE RETRY"))
    assert "not_sent" == ELAVON.charge(credentials, charge_order("first", number=number)).status
    assert ["charge", "find"] == _verbs(simulator)
    simulator.fail("find", "500")
    assert "unknown" == ELAVON.charge(credentials, charge_order("second", number=number)).status


# giving up, giving back


def test_what_was_only_prepared_is_canceled(simulator, credentials):
    """Nothing was sent and Converge has nothing: canceled. Sent and not found is not."""
    order = charge_order()
    assert "canceled" == ELAVON.cancel(credentials, replace(order, sent_at=None)).status
    assert ("unknown", True) == (ELAVON.cancel(credentials, order).status, ELAVON.cancel(credentials, order).absent)


def test_what_was_approved_stays_unless_it_is_voided(simulator, credentials):
    """Cancel tells what the processor's books say and undoes no charge; a void releases it as long as it has not settled."""
    order = charge_order()
    ELAVON.charge(credentials, order)
    assert "approved" == ELAVON.cancel(credentials, replace(order, sent_at=None)).status
    assert "canceled" == ELAVON.void(credentials, order).status
    settled, _ = _settled(simulator, credentials, charge_order("another"))
    assert ["approved"] * 2 == [verb(credentials, settled).status for verb in (ELAVON.cancel, ELAVON.void)]
    assert ["voided", "approved"] == [entry["status"] for entry in simulator.books()]


def test_a_whole_open_charge_is_voided_instead_of_returned(simulator, credentials):
    """Money never moves: the refund is approved for the whole, and found again by its own reference."""
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    asked = refund_order(order, charged, order.amount)
    said = ELAVON.refund(credentials, asked)
    assert ("approved", order.amount, "USD") == (said.status, said.amount, said.currency)
    assert ["voided"] == [entry["status"] for entry in simulator.books()]
    assert ["charge", "read", "void"] == _verbs(simulator)
    for seen in (ELAVON.find(credentials, asked), ELAVON.find(credentials, asked.with_ids(said.ids))):
        assert ("approved", order.amount) == (seen.status, seen.amount)


def test_a_part_of_an_open_charge_is_not_settled_yet(simulator, credentials):
    """5040 on a part before settlement: certainly not given back, and the same request succeeds afterwards."""
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    said = ELAVON.refund(credentials, refund_order(order, charged, 2000))
    assert ("not_settled", "error:5040") == (said.status, said.processor_code)
    simulator.settle()
    later = ELAVON.refund(credentials, refund_order(order, charged, 2000))
    assert ("approved", 2000) == (later.status, later.amount)
    assert [2000] == [entry["amount"] for entry in _approved(simulator, "refund")]


def test_a_part_of_an_open_charge_where_converge_allows_it(simulator, credentials, monkeypatch):
    """Not documented either way: where it is taken before settlement, it is approved."""
    monkeypatch.setattr(simulator, "returns_before_settlement", True)
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    assert "approved" == ELAVON.refund(credentials, refund_order(order, charged, 2000)).status


def test_a_charge_that_settles_between_the_look_and_the_void_is_returned(simulator, credentials):
    """The void is refused for certain, so the return takes its place: given back once."""
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    real = simulator._void

    def settles_first(merchant, given):
        simulator.settle()
        return real(merchant, given)

    simulator._void = settles_first
    try:
        said = ELAVON.refund(credentials, refund_order(order, charged, order.amount))
    finally:
        del simulator._void
    assert ("approved", order.amount) == (said.status, said.amount)
    assert [order.amount] == [entry["amount"] for entry in _approved(simulator, "refund")]


def test_more_than_the_charge_is_refused(simulator, credentials):
    """Converge keeps the sum of the returns within the sale: a definite no."""
    order, charged = _settled(simulator, credentials)
    assert "approved" == ELAVON.refund(credentials, refund_order(order, charged, 12000)).status
    said = ELAVON.refund(credentials, refund_order(order, charged, 51, "second"))
    assert ("declined", "invalid_request", "error:5091") == (said.status, said.refusal, said.processor_code)


def test_parallel_parts_never_exceed_the_charge(simulator, credentials):
    """Twenty returns of $10.00 of $120.50 at once: twelve are approved."""
    order, charged = _settled(simulator, credentials)
    said: list = []
    asked = [refund_order(order, charged, 1000, f"part{n:016}") for n in range(20)]
    threads = [threading.Thread(target=lambda one=one: said.append(ELAVON.refund(credentials, one).status)) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (12, 8) == (said.count("approved"), said.count("declined"))
    assert 12000 == sum(entry["amount"] for entry in _approved(simulator, "refund"))


def test_a_charge_voided_by_hand_can_not_be_given_back_in_part(simulator, credentials):
    """Somebody voided it in Converge: a part is refused, the whole is as good as done."""
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    ELAVON.void(credentials, order)
    assert "declined" == ELAVON.refund(credentials, refund_order(order, charged, 100)).status
    assert "approved" == ELAVON.refund(credentials, refund_order(order, charged, order.amount)).status


# what the documents leave open


@pytest.mark.parametrize("names", [("ssl_invoice_number",), ("ssl_merchant_txn_id",)])
@pytest.mark.parametrize("nothing", ["count", "error"])
def test_either_name_in_a_row_is_enough(simulator, credentials, monkeypatch, names, nothing):
    """Whichever of the two fields a row bears, the charge is found; and none found is told by a count or by an error."""
    monkeypatch.setattr(simulator, "names_in_rows", names)
    monkeypatch.setattr(simulator, "finds_nothing_by", nothing)
    order = charge_order()
    assert ELAVON.find(credentials, order).absent
    ELAVON.charge(credentials, order)
    assert "approved" == ELAVON.find(credentials, order).status


def test_a_reference_in_capitals_is_ours(simulator, credentials):
    """Should Converge change the case of what it keeps, the charge is found all the same."""
    order = charge_order()
    ELAVON.charge(credentials, replace(order, reference=order.reference.upper()))
    simulator.entries[0].more["merchant_txn"] = ""
    assert "approved" == ELAVON.find(credentials, order).status


def test_a_row_without_a_name_is_not_read_as_absence(simulator, credentials, monkeypatch):
    """A nameless row of the same amount could be ours: unknown, but not absent, until a person looks."""
    monkeypatch.setattr(simulator, "names_in_rows", ())
    order = charge_order()
    ELAVON.charge(credentials, order)
    assert ("unknown", False) == (ELAVON.find(credentials, order).status, ELAVON.find(credentials, order).absent)
    assert ELAVON.find(credentials, replace(order, amount=1)).absent


def test_a_return_that_bears_its_sales_name_is_not_read_as_absence(simulator, credentials, monkeypatch):
    """Where Converge puts the sale's number on a return, a lost one is not taken for absent."""
    monkeypatch.setattr(simulator, "returns_bear", "their sale's")
    order, charged = _settled(simulator, credentials)
    asked = refund_order(order, charged, 2000)
    simulator.fail("refund", "lose_answer")
    assert "unknown" == ELAVON.refund(credentials, asked).status
    assert ("unknown", False) == (ELAVON.find(credentials, asked).status, ELAVON.find(credentials, asked).absent)


def test_a_void_that_leaves_no_row_is_not_read_as_absence(simulator, credentials, monkeypatch):
    """Where a voided sale is not shown any more, its lost refund stays unknown: a person decides."""
    monkeypatch.setattr(simulator, "voided_rows", "gone")
    order = charge_order()
    charged = ELAVON.charge(credentials, order)
    asked = refund_order(order, charged, order.amount)
    simulator.fail("void", "lose_answer")
    assert "unknown" == ELAVON.refund(credentials, asked).status
    assert ("unknown", False) == (ELAVON.find(credentials, asked).status, ELAVON.find(credentials, asked).absent)


def test_two_charges_under_one_reference_are_never_a_plain_yes(simulator, credentials):
    """The batch was settled between, so the duplicate check let the second through: unknown, and named."""
    order, _ = _settled(simulator, credentials)
    ELAVON.charge(credentials, order)
    found = ELAVON.find(credentials, order)
    assert ("unknown", "found_twice", False) == (found.status, found.processor_code, found.absent)


# lists and notices


def test_the_list_of_a_span(simulator, credentials):
    """Charges, returns and voids of the span with their references and amounts, in UTC although Converge tells Eastern time."""
    order, charged = _settled(simulator, credentials)
    ELAVON.refund(credentials, refund_order(order, charged, 2000))
    ELAVON.charge(credentials, charge_order("void", amount=700))
    ELAVON.void(credentials, charge_order("void", amount=700))
    ELAVON.charge(credentials, charge_order("no", number=next(iter(wire.REFUSALS))))
    now = datetime.now(UTC)
    listed = ELAVON.list_between(credentials, now - timedelta(days=3), now + timedelta(minutes=1))
    assert {
        (order.reference, "charge", 12050, "approved"), ("refund00000000000001", "refund", 2000, "approved"),
        ("void", "charge", 700, "canceled"), ("no", "charge", 12050, "declined"),
    } == {(line.reference, line.kind, line.amount, line.status) for line in listed}  # fmt: skip
    assert 4 == len(listed)
    assert all(abs(line.at - now) < timedelta(minutes=1) for line in listed)
    assert [] == ELAVON.list_between(credentials, now - timedelta(days=3), now - timedelta(days=2))


@pytest.mark.parametrize("at", ["2026-11-01T05:30:00", "2026-11-01T06:30:00", "2026-03-08T06:59:00", "2026-03-08T07:01:00"])
def test_no_line_falls_between_two_days_when_the_clocks_change(simulator, credentials, at):
    """In the hour that autumn repeats, and beside the one that spring leaves out, each line is in a span that holds it."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    simulator.ahead = moment.timestamp() - datetime.now(UTC).timestamp()
    ELAVON.charge(credentials, charge_order())
    day = timedelta(hours=12)
    assert 1 == len(ELAVON.list_between(credentials, moment - day, moment + day))
    assert 1 == len(ELAVON.list_between(credentials, moment - timedelta(minutes=5), moment + timedelta(minutes=5)))


def test_a_list_that_can_not_be_had_is_none(simulator, credentials):
    """Half a list would read like missing money."""
    simulator.fail("list", "garbage", times=1)
    now = datetime.now(UTC)
    assert ELAVON.list_between(credentials, now - timedelta(days=2), now) is None


def test_notices_are_refused():
    """Converge signs nothing, so nothing that claims to come from it is believed."""
    with pytest.raises(Forbidden):
        ELAVON.read_webhook(CREDENTIALS, b"ssl_result=0", {}, datetime.now(UTC))


# nothing private gets out


def test_nothing_secret_is_written_down(simulator, credentials):
    """Card, code and PIN through every verb and fault: not in any logger at DEBUG, nor in an outcome, nor in standard output."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    outcomes = []
    try:
        for n, how in enumerate(["", *FAULTS]):
            order = charge_order(f"canary{n:014}", sent_at=datetime.now(UTC).replace(microsecond=0))
            if how:
                simulator.fail("charge", how, **({"seconds": 0.1} if how == "slow" else {}))
            outcomes += [
                ELAVON.prepare(credentials, order),
                _meeting(how).charge(credentials, order),
                ELAVON.find(credentials, order),
            ]
            outcomes += [ELAVON.refund(credentials, refund_order(order, outcomes[-1], 100)), ELAVON.void(credentials, order), order]
        outcomes += [ELAVON.check({**credentials, "pin": PIN + "x"}), ELAVON.charge({**credentials, "api_base": "nonsense"}, order)]
        logging.getLogger("canary").debug("planted %s", VISA[:8])
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    written = log.getvalue() + repr(outcomes)
    assert "planted 41249399" in written
    assert "processxml.do" in written
    for secret in (VISA, VISA[6:], CVC, PIN):
        assert not re.search(f"(?<![0-9A-Z]){secret}(?![0-9A-Z])", written)


def test_the_request_itself_holds_no_more_than_a_charge_needs(simulator, credentials, monkeypatch):
    """No name, address or description of anybody leaves: the fields of a sale are these and no others."""
    sent: list = []
    real = requests.post
    monkeypatch.setattr(requests, "post", lambda url, **given: sent.append(given["data"]["xmldata"]) or real(url, **given))
    ELAVON.charge(credentials, charge_order(postal_code="98004-1234 &<"))
    names = {part.split(">")[0].lstrip("/") for part in sent[0].split("<")[1:]}
    assert {
        "txn", "ssl_merchant_id", "ssl_user_id", "ssl_pin", "ssl_transaction_type", "ssl_amount", "ssl_invoice_number",
        "ssl_merchant_txn_id", "ssl_card_number", "ssl_exp_date", "ssl_cvv2cvc2", "ssl_cvv2cvc2_indicator",
        "ssl_partial_auth_indicator", "ssl_avs_zip",
    } == names  # fmt: skip
    assert "<ssl_avs_zip>980041234</ssl_avs_zip>" in sent[0]


# the wire


@pytest.mark.parametrize(
    ("how", "reply"),
    [
        ("a redirect", Reply(307, b"", headers={"Location": converge.PATH})),
        ("a redirect to a GET", Reply(302, b"", headers={"Location": "/elsewhere"})),
        ("2 MB", Reply(200, document(ssl_result="0", ssl_amount="120.50", ssl_txn_id="1", x="x" * 2_000_000), "text/xml")),
        ("endless", Reply(200, b"<txn>" + b" " * 30_000_000, "text/xml")),
        ("packed", Reply(200, gzip.compress(b"<txn/>" * 1_000_000), "text/xml", {"Content-Encoding": "gzip"})),
        ("nothing", Reply(204, b"")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_wire_can_bring(simulator, credentials, monkeypatch, how, reply):
    """No redirect is followed with a card, no more is read than an answer holds, nothing is unpacked: unknown, and asked once."""
    monkeypatch.setattr(simulator, "garbage", lambda: reply)
    simulator.fail("charge", "garbage_after")
    order, began = charge_order(), time.monotonic()
    assert "unknown" == ELAVON.charge(credentials, order).status
    assert time.monotonic() - began < 5
    assert ["charge"] == _verbs(simulator)
    assert "approved" == ELAVON.find(credentials, order).status


def test_an_answer_that_drips_is_given_up(simulator, credentials, monkeypatch):
    """A byte now and then keeps no worker for ever: past its deadline the answer is unknown."""

    class Dripping:
        status_code, headers = 200, {}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        @property
        def raw(self):
            return self

        def read1(self, *_, **__):
            time.sleep(0.05)
            return b" "

    monkeypatch.setattr(requests, "post", lambda *_, **__: Dripping())
    said = adapter((0.1, 0.2)).charge(credentials, charge_order())
    assert ("unknown", "exc:read_timeout") == (said.status, said.processor_code)
