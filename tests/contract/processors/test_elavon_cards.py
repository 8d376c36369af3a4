"""Cards on file at Converge: kept by a token, charged by it, taken out; every fault of the line; nothing private on the way."""

import io
import logging
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import requests

from services.processors.adapters import elavon_reading as reading
from services.processors.orders import Means, OnFile, Saved, Saving, Secret
from tests.contract.processors.elavon import CREDENTIALS, CVC, Scripted, adapter, card, charge_order, document, refund_order, rows
from tests.simulators import elavon as converge
from tests.simulators import elavon_wire as wire
from tests.simulators.elavon import PIN
from tests.simulators.elavon_wire import AMEX, MASTERCARD, VISA
from tests.simulators.stand import FAULTS, Asked

ELAVON = adapter()
PAYER = "payer000000000000001"
SAVING = Saving("saving00000000000001", PAYER, Means(card=card()))
TOKEN = "9124000000009990"
LINE_FAULTS = [how for how in FAULTS if how != "slow"]


def _meeting(how: str):
    """The adapter that meets this fault: it waits a second where nothing ever comes."""
    return adapter((5.0, 1.0)) if "hang" in how else ELAVON


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving):
    serving.reset()
    return serving


@pytest.fixture
def credentials(simulator):
    return {**CREDENTIALS, "api_base": simulator.url}


@pytest.fixture
def sent(monkeypatch):
    """The documents that leave, each as its elements."""
    documents: list[dict[str, str]] = []
    real = requests.post

    def post(url, **given):
        documents.append(wire.given_in(Asked("POST", url, {}, urlencode(given["data"]).encode())) or {})
        return real(url, **given)

    monkeypatch.setattr(requests, "post", post)
    return documents


def _save(credentials: dict, number: str = VISA, **more) -> Saved:
    return ELAVON.save_card(credentials, replace(SAVING, means=Means(card=card(number, **more))))


def _paying_with(saved: Saved, reference: str = "9f1c2d3e4f5a6b7c8d9e", off_session: bool = False, **more):
    """A charge of the card that was saved."""
    kept = OnFile("pcr_1", saved.brand, saved.last4, saved.exp_month, saved.exp_year, saved.ids, off_session)
    return replace(charge_order(reference, **more), means=Means(on_file=kept))


def _number_of(message: str, issuer: str = "") -> str:
    return next(number for number, no in wire.REFUSALS.items() if no.message == message and issuer in no.issuer)


# keeping


@pytest.mark.parametrize(("number", "brand"), [(VISA, "visa"), (MASTERCARD, "mastercard"), (AMEX, "amex")])
def test_a_card_is_kept_by_a_token(simulator, credentials, number, brand):
    """Known by a token that is not its number, with its brand, ending and date; nothing is charged."""
    saved = _save(credentials, number)
    assert ("approved", brand, number[-4:], 12, 2031) == (saved.status, saved.brand, saved.last4, saved.exp_month, saved.exp_year)
    assert {"token"} == {*saved.ids} and number != saved.ids["token"]
    assert [] == simulator.books() and ["save"] == [verb for verb, _path in simulator.seen]


def test_kept_twice_it_is_kept_once(simulator, credentials):
    """Converge answers the same token, and its Card Manager holds one."""
    assert _save(credentials).ids == _save(credentials).ids
    assert 1 == len(simulator.card_manager.holds)


@pytest.mark.parametrize(
    ("number", "more", "refusal"),
    [
        (_number_of("DECLINED", "05"), {}, "card_declined"),
        (_number_of("DECLINE CVV2"), {}, "incorrect_cvc"),
        (_number_of("PICK UP CARD"), {}, "lost_or_stolen"),
        ("4124939999999991", {}, "incorrect_number"),
        (VISA, {"exp_year": 2020}, "expired_card"),
    ],
)
def test_a_card_that_its_bank_does_not_confirm_is_not_kept(simulator, credentials, number, more, refusal):
    """A definite no with its reason, and no token."""
    saved = _save(credentials, number, **more)
    assert ("declined", refusal, {}) == (saved.status, saved.refusal, saved.ids)
    assert {} == simulator.card_manager.numbers


def test_refused_credentials_keep_nothing(credentials):
    saved = _save({**credentials, "pin": "wrong"})
    assert ("declined", "processor_credentials_refused") == (saved.status, saved.refusal)


def test_only_a_typed_card_can_be_kept(simulator, credentials):
    """Converge's page and window give no token: nobody is asked, and the client isn't offered it."""
    saved = ELAVON.save_card(credentials, replace(SAVING, means=Means(token=Secret("x"))))
    assert ("declined", "invalid_request") == (saved.status, saved.refusal)
    assert [] == simulator.seen
    assert [True, False, False] == [ELAVON.keeps_cards_of(way) for way in ("direct", "hosted_fields", "hosted_page")]


@pytest.mark.parametrize("how", LINE_FAULTS)
def test_keeping_on_a_bad_line(simulator, credentials, how):
    """Not known whether it is kept; asked again it is kept, and once."""
    simulator.fail("save", how)
    assert "unknown" == _meeting(how).save_card(credentials, SAVING).status
    assert "approved" == _save(credentials).status
    simulator.release()
    assert 1 == len(simulator.card_manager.holds)


def test_nobody_listens(credentials):
    """What never left was not sent, and nothing is gone that nobody was asked to take out."""
    nowhere = {**credentials, "api_base": "http://127.0.0.1:9"}
    assert "not_sent" == ELAVON.save_card(nowhere, SAVING).status
    assert not ELAVON.remove_card(nowhere, {"token": TOKEN})


@pytest.mark.parametrize(
    ("said", "status", "refusal"),
    [
        ({"ssl_token_response": "SUCCESS", "ssl_token": TOKEN}, "approved", None),
        ({"ssl_token_response": "SUCCESS", "ssl_token": TOKEN, "ssl_result": "0"}, "approved", None),
        ({"ssl_token_response": "FAILURE", "ssl_result": "0"}, "declined", "card_declined"),
        ({"ssl_token_response": "Not Permitted", "ssl_result": "0"}, "declined", "processor_credentials_refused"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": TOKEN, "ssl_result": "1"}, "declined", "card_declined"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": TOKEN, "ssl_result": "yes"}, "unknown", "processor_unavailable"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": VISA}, "unknown", "processor_unavailable"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": "9124000000001111"}, "unknown", "processor_unavailable"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": ""}, "unknown", "processor_unavailable"),
        ({"ssl_token_response": "Words nobody has seen"}, "unknown", "processor_unavailable"),
        ({"ssl_result": "0", "ssl_token": TOKEN}, "unknown", "processor_unavailable"),
        ({"ssl_token_response": "SUCCESS", "ssl_token": TOKEN, "errorCode": "5000"}, "unknown", "processor_unavailable"),
    ],
)
def test_what_an_answer_to_keeping_can_say(said, status, refusal):
    """Only a success with a token of this card, that is not its number, keeps it; what contradicts itself says nothing."""
    saved = Scripted(document(**said)).save_card(CREDENTIALS, SAVING)
    assert (status, refusal) == (saved.status, saved.refusal)
    assert ({"token": TOKEN} if status == "approved" else {}) == saved.ids


# charging


@pytest.mark.parametrize("off_session", [False, True])
def test_a_card_on_file_is_charged(simulator, credentials, sent, off_session):
    """An ordinary sale in the books, by the token; staff's is told to be without the payer. Nothing is asked before."""
    order = _paying_with(_save(credentials), off_session=off_session)
    prepared = ELAVON.prepare(credentials, order)
    assert ("prepared", "visa", "9990", {"reference": order.reference}) == (
        prepared.status, prepared.brand, prepared.last4, prepared.ids,
    )  # fmt: skip
    said = ELAVON.charge(credentials, order.with_ids(prepared.ids))
    assert ("approved", 12050, "USD", "9990") == (said.status, said.amount, said.currency, said.last4)
    [entry] = simulator.books()
    assert (order.reference, said.ids["txn"], "Y" if off_session else "") == (
        entry["reference"], entry["id"], entry["more"]["merchant_initiated"],
    )  # fmt: skip
    flag = {"ssl_merchant_initiated_unscheduled"} if off_session else set()
    assert {
        "ssl_merchant_id", "ssl_user_id", "ssl_pin", "ssl_transaction_type", "ssl_amount", "ssl_invoice_number", "ssl_merchant_txn_id",
        "ssl_token", "ssl_exp_date", "ssl_partial_auth_indicator",
    } | flag == {*sent[-1]}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "issuer", "refusal"),
    [("DECLINED: NSF", "51", "insufficient_funds"), ("DECLINED", "1A", "authentication_required")],
)
def test_its_bank_may_say_no(simulator, credentials, message, issuer, refusal):
    """A card that was confirmed when it was kept: no funds later, or a bank that wants to hear the payer."""
    order = _paying_with(_save(credentials, _number_of(message, issuer)), off_session=True)
    said = ELAVON.charge(credentials, order)
    assert ("declined", refusal) == (said.status, said.refusal)


def test_past_its_month_it_is_refused(simulator, credentials):
    saved = _save(credentials)
    simulator.ahead = datetime(2032, 1, 2, tzinfo=UTC).timestamp() - datetime.now(UTC).timestamp()
    assert "expired_card" == ELAVON.charge(credentials, _paying_with(saved)).refusal
    assert [] == simulator.books()


@pytest.mark.parametrize("how", FAULTS)
def test_a_charge_on_a_bad_line(simulator, credentials, how):
    """Unknown where money may have moved, found as the books have it, charged at most once and never sent again."""
    order = _paying_with(_save(credentials))
    simulator.fail("charge", how, **({"seconds": 0.1} if how == "slow" else {}))
    said = _meeting(how).charge(credentials, order)
    assert ("approved" if how == "slow" else "unknown") == said.status
    held = len(simulator.books())
    found = ELAVON.find(credentials, order)
    assert ("approved" if held else "unknown", not held) == (found.status, found.absent)
    simulator.release()
    assert (1 if held or how.startswith("late") else 0) == len(simulator.books())
    assert 1 == [verb for verb, _path in simulator.seen].count("charge")


def test_a_request_that_arrives_twice_is_charged_once(simulator, credentials):
    """The terminal knows the card behind the token: the second is the first one, looked up."""
    order = _paying_with(_save(credentials))
    first, second = ELAVON.charge(credentials, order), ELAVON.charge(credentials, order)
    assert ("approved", first.ids["txn"]) == (second.status, second.ids["txn"])
    assert 1 == len(simulator.books())


def test_it_is_given_back_like_any_charge(simulator, credentials):
    order = _paying_with(_save(credentials))
    charged = ELAVON.charge(credentials, order)
    simulator.settle()
    assert "approved" == ELAVON.refund(credentials, refund_order(order, charged, 2000)).status


# removing


def test_taken_out_it_can_not_be_charged(simulator, credentials):
    """Gone, and gone already when it is asked again; a charge of it is a definite no that moves nothing."""
    saved = _save(credentials)
    assert ELAVON.remove_card(credentials, saved.ids)
    assert ELAVON.remove_card(credentials, saved.ids)
    assert {} == simulator.card_manager.holds
    said = ELAVON.charge(credentials, _paying_with(saved))
    assert ("declined", "invalid_request", "error:5085") == (said.status, said.refusal, said.processor_code)
    assert [] == simulator.books()


def test_another_merchants_token_is_unknown(simulator, credentials):
    """A token is good at the account that it was made for, and there only."""
    saved, other = _save(credentials), {**credentials, "merchant_id": "0000002"}
    assert "declined" == ELAVON.charge(other, _paying_with(saved)).status
    ELAVON.remove_card(other, saved.ids)
    assert "approved" == ELAVON.charge(credentials, _paying_with(saved)).status


@pytest.mark.parametrize("how", LINE_FAULTS)
def test_removing_on_a_bad_line(simulator, credentials, how):
    """Nothing is known, so it is not told to be gone; asked again it is."""
    saved = _save(credentials)
    simulator.fail("remove", how)
    assert not _meeting(how).remove_card(credentials, saved.ids)
    assert ELAVON.remove_card(credentials, saved.ids)
    assert {} == simulator.card_manager.holds


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ({"ssl_token": TOKEN, "ssl_token_response": "SUCCESS"}, True),
        ({"ssl_token_response": "SUCCESS"}, True),
        ({"ssl_token": TOKEN, "ssl_token_response": "Invalid Token"}, True),
        ({"errorCode": "5085"}, True),
        ({"errorCode": "5083"}, True),
        ({"ssl_token": "9124000000001111", "ssl_token_response": "SUCCESS"}, False),
        ({"ssl_token": TOKEN, "ssl_token_response": "FAILURE"}, False),
        ({"ssl_token": TOKEN, "ssl_token_response": "Action Not Permitted"}, False),
        ({"ssl_token": TOKEN, "ssl_token_response": "SUCCESS", "errorCode": "4025"}, False),
        ({"errorCode": "4025"}, False),
        ({"ssl_result": "0"}, False),
        ({}, False),
    ],
)
def test_what_an_answer_to_removing_can_say(said, gone):
    """Gone is what Converge took out of this token, or says it doesn't have."""
    assert gone == Scripted(document(**said)).remove_card(CREDENTIALS, {"token": TOKEN})


def test_a_list_is_no_answer_to_either():
    listed = rows(document(ssl_token=TOKEN, ssl_token_response="SUCCESS"))
    assert "unknown" == Scripted(listed).save_card(CREDENTIALS, SAVING).status
    assert not Scripted(listed).remove_card(CREDENTIALS, {"token": TOKEN})


# nothing private gets out


def test_what_is_sent_to_keep_a_card(simulator, credentials, sent):
    """The card, its postal code, and for the two names that Card Manager wants a word and our opaque name of the payer."""
    _save(credentials, postal_code="98004-1234 &<")
    [given] = sent
    assert {
        "ssl_merchant_id": "0000001", "ssl_user_id": credentials["user_id"], "ssl_pin": PIN, "ssl_transaction_type": "ccgettoken",
        "ssl_card_number": VISA, "ssl_exp_date": "1231", "ssl_cvv2cvc2": CVC, "ssl_cvv2cvc2_indicator": "1",
        "ssl_avs_zip": "980041234", "ssl_verify": "Y", "ssl_add_token": "Y", "ssl_first_name": "Client", "ssl_last_name": PAYER,
    } == given  # fmt: skip


def test_nothing_secret_is_written_down(simulator, credentials):
    """Card, code, PIN and token through each verb and fault: in no logger at DEBUG, and in nothing's repr."""
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    told: list = []
    try:
        for verb in ("save", "charge", "remove"):
            for n, how in enumerate(["", *LINE_FAULTS]):
                if how:
                    simulator.fail(verb, how)
                hasty = _meeting(how)
                told += [hasty.save_card(credentials, SAVING), saved := _save(credentials)]
                order = _paying_with(saved, f"canary{verb[0]}{n:013}")
                told += [
                    ELAVON.prepare(credentials, order),
                    hasty.charge(credentials, order),
                    ELAVON.find(credentials, order),
                    order,
                ]
                told += [hasty.remove_card(credentials, saved.ids), SAVING]
        logging.getLogger("canary").debug("planted %s", saved.ids["token"][:8])
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    written, token = log.getvalue() + repr(told), saved.ids["token"]
    assert f"planted {token[:8]}" in written and "processxml.do" in written
    for secret in (VISA, VISA[6:], PIN, token, token[6:], f"'{CVC}'", f">{CVC}<"):
        assert secret not in written


# the list


def test_a_verification_is_no_money_of_the_list():
    """Should keeping a card leave a row of nothing, the comparison doesn't take it for a charge that we don't know."""
    row = {"ssl_txn_id": "1", "ssl_txn_time": "11/25/2026 10:00:00 AM", "ssl_transaction_type": "CARDVERIFICATION"}
    day = (datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC))
    assert reading.listed({**row, "ssl_amount": "0.00"}, *day, CREDENTIALS) is None
    assert reading.listed({**row, "ssl_amount": "1.00"}, *day, CREDENTIALS) is not None
