"""The simulator of Converge held against the recorded answers: the same request gets an answer of the same shape.

What may differ is listed here, so that the simulator is not merely what our adapter expects.
"""

import re

import pytest
import requests

from services.processors.adapters import elavon_xml
from tests.contract.processors.elavon import HERE, sample
from tests.simulators import elavon as converge
from tests.simulators import elavon_wire as wire
from tests.simulators.elavon import PATH, PIN, USER
from tests.simulators.elavon_wire import PARTIAL, VISA

CONTACT = {
    "ssl_last_name": "Longsen", "ssl_first_name": "Longbob", "ssl_company": "Widgets Inc", "ssl_phone": "(555)555-5555",
    "ssl_email": "paul@domain.com", "ssl_avs_zip": "K1C2N6", "ssl_avs_address": "456 My Street", "ssl_address2": "Apt 1",
    "ssl_country": "CA", "ssl_state": "ON", "ssl_city": "Ottawa",
}  # fmt: skip
CARD = {"ssl_card_number": VISA, "ssl_exp_date": "1230", "ssl_cvv2cvc2": "123", "ssl_cvv2cvc2_indicator": "1"}
SALE = {"ssl_transaction_type": "ccsale", "ssl_amount": "100.00", **CARD, **CONTACT}
REFERENCE = {"ssl_invoice_number": "pay-0001", "ssl_merchant_txn_id": "9f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e"}

# Elements whose text is another each time, and what it must look like; the others are compared to the letter.
FORMS = {
    "ssl_txn_id": r"|[0-9]{6}[A-Z0-9]{3}-[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}",
    "ssl_txn_time": r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [AP]M",
    "ssl_approval_code": r"|[0-9A-Z]{6}",
    "ssl_oar_data": r"[0-9]{60}",
    "ssl_ps2000_data": r"[A-Z][0-9]{19}[A-Z]{2}",
    "ssl_exp_date": r"[0-9]{4}",
    "ssl_partner_app_id": r"[0-9A-Z]{2}",
    "ssl_issuer_response": r"[0-9A-Z]{2}",
    "ssl_token": r"[0-9]{12,20}",
    "errorMessage": r".+",
}


@pytest.fixture(scope="module")
def serving():
    with converge.Elavon().serving() as simulator:
        yield simulator


@pytest.fixture
def ask(serving):
    """Ask the simulator as anybody would, without our adapter."""
    serving.reset()

    def ask(**elements: str):
        who = {"ssl_merchant_id": "0000001", "ssl_user_id": USER, "ssl_pin": PIN}
        document = elavon_xml.write({**who, **elements})
        return requests.post(serving.url + PATH, data={"xmldata": document}, timeout=5)

    ask.settle = serving.settle
    return ask


def _compare(name: str, answer, *, other: tuple = ()) -> None:
    """The answer has exactly the recorded elements; `other` differ in their text."""
    assert (200, "text/xml") == (answer.status_code, answer.headers["Content-Type"])
    recorded, said = elavon_xml.read(sample(name)).fields, elavon_xml.read(answer.content).fields
    assert {*recorded} == {*said}
    for element, text in said.items():
        if element in FORMS:
            assert re.fullmatch(FORMS[element], text), element
            assert re.fullmatch(FORMS[element], recorded.get(element, text)), element
        elif element not in other:
            assert recorded[element].strip() == text, element


def test_an_approved_sale(ask):
    """As recorded; the recording's type says AUTHONLY for a sale, which the simulator does not repeat. The headers are there."""
    answer = ask(**SALE)
    _compare("sale_approved", answer, other=("ssl_transaction_type",))
    assert ("true", "AA") == (answer.headers["AuthApproved"], answer.headers["AuthResponse"])


def test_an_approved_return(ask):
    """A return of a settled sale, as recorded."""
    sale = elavon_xml.read(ask(**SALE).content).fields
    ask.settle()
    answer = ask(ssl_transaction_type="ccreturn", ssl_txn_id=sale["ssl_txn_id"], ssl_amount="100.00", **CONTACT)
    _compare("return_approved", answer)


def test_a_deleted_sale(ask):
    """A void of an open sale, as recorded of `ccdelete`."""
    sale = elavon_xml.read(ask(**SALE).content).fields
    answer = ask(ssl_transaction_type="ccdelete", ssl_txn_id=sale["ssl_txn_id"], **CONTACT)
    _compare("delete_approved", answer)
    assert sale["ssl_txn_id"] == elavon_xml.read(answer.content).fields["ssl_txn_id"]


def test_a_verified_card(ask):
    """Nothing moves, and the issuer's answer is 85."""
    contact = {"ssl_avs_address": "456 My Street", "ssl_avs_zip": "K1C2N6"}
    _compare("verify_approved", ask(ssl_transaction_type="ccverify", **CARD, **contact))


def test_a_token(ask):
    """Of a card that was there before, as recorded without a verification; a name short, it is not in Card Manager."""
    asked = {"ssl_transaction_type": "ccgettoken", **CARD, "ssl_add_token": "Y", **CONTACT}
    first = elavon_xml.read(ask(**asked).content).fields
    assert "Card Added" == first["ssl_add_token_response"]
    _compare("get_token_ok", again := ask(**asked))
    assert first["ssl_token"] == elavon_xml.read(again.content).fields["ssl_token"]
    nameless = elavon_xml.read(ask(**{**asked, "ssl_first_name": ""}).content).fields
    assert "FAILURE - First Name - is required." == nameless["ssl_add_token_response"]


def test_a_token_stands_for_its_card_and_for_no_other_field(ask):
    """It is charged in the number's place; with a number beside it, unknown, or for a payment's fields, it is refused."""
    asked = {"ssl_transaction_type": "ccgettoken", **CARD, "ssl_verify": "Y"}
    said = elavon_xml.read(ask(**asked).content).fields
    assert ("SUCCESS", "APPROVAL") == (said["ssl_token_response"], said["ssl_result_message"])
    by_token = {"ssl_transaction_type": "ccsale", "ssl_amount": "100.00", "ssl_exp_date": "1230", "ssl_token": said["ssl_token"]}
    assert "0" == elavon_xml.read(ask(**by_token).content).fields["ssl_result"]
    for wrong, code in (
        ({**by_token, "ssl_card_number": VISA}, "5085"),
        ({**by_token, "ssl_token": "9124000000001111"}, "5085"),
        ({**by_token, "ssl_exp_date": "1220"}, "5001"),
        ({**asked, "ssl_amount": "1.00"}, "4010"),
        ({"ssl_transaction_type": "ccdeletetoken"}, "4009"),
    ):
        assert code == elavon_xml.read(ask(**wrong).content).fields["errorCode"]
    gone = elavon_xml.read(ask(ssl_transaction_type="ccdeletetoken", ssl_token=said["ssl_token"]).content).fields
    assert "Invalid Token" == gone["ssl_token_response"]  # it never was in Card Manager


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("bad_credentials", {"ssl_pin": "wrong"}),
        ("sale_bad_number", {"ssl_card_number": "4111111111111112"}),
        ("return_over_amount", {"ssl_transaction_type": "ccreturn", "ssl_amount": "100.01"}),
    ],
)
def test_errors(ask, name, changed):
    """An error's number and name are the recorded ones; its sentence is our own."""
    sale = elavon_xml.read(ask(**SALE).content).fields
    ask.settle()
    _compare(name, ask(**{**SALE, "ssl_txn_id": sale["ssl_txn_id"], **changed}))


@pytest.mark.parametrize(
    ("name", "message"),
    [("sale_declined", "DECLINED"), ("sale_declined_cvv", "DECLINE CVV2"), ("sale_declined_nsf", "DECLINED: NSF")],
)
def test_declines_have_at_least_what_was_written(ask, name, message):
    """The written declines are made from documented names: the simulator says all of them, and what it says of a sale besides."""
    number = next(number for number, no in wire.REFUSALS.items() if no.message == message)
    said = elavon_xml.read(ask(**{**SALE, **REFERENCE, "ssl_card_number": number}).content).fields
    written = elavon_xml.read(sample(name)).fields
    assert {*written} <= {*said}
    for element in ("ssl_result", "ssl_result_message", "ssl_issuer_response", "ssl_approval_code", *REFERENCE):
        assert written[element] == said[element]


def test_a_duplicate_says_the_recorded_words(ask):
    """The same card, amount and invoice number in the open batch: result 1, no id, the recorded message."""
    ask(**SALE, **REFERENCE)
    said = elavon_xml.read(ask(**SALE, **REFERENCE).content).fields
    written = elavon_xml.read(sample("sale_duplicate")).fields
    assert {*written} <= {*said}
    for element in ("ssl_result", "ssl_result_message", "ssl_txn_id", "ssl_approval_code"):
        assert written[element] == said[element]
    ask.settle()
    assert "0" == elavon_xml.read(ask(**SALE, **REFERENCE).content).fields["ssl_result"]


def test_a_partial_approval(ask):
    """Result 0 for less than was asked, with what was asked and what is due."""
    answer = ask(**{**SALE, **REFERENCE, "ssl_card_number": PARTIAL, "ssl_amount": "120.50"})
    said, written = elavon_xml.read(answer.content).fields, elavon_xml.read(sample("sale_partial")).fields
    assert {*written} <= {*said}
    assert ("0", "10", "60.25", "120.50", "60.25", "AP") == (
        said["ssl_result"], said["ssl_issuer_response"], said["ssl_amount"], said["ssl_requested_amount"],
        said["ssl_balance_due"], answer.headers["AuthResponse"],
    )  # fmt: skip


def test_the_currency_question(ask):
    """Neither a result nor an error."""
    said = elavon_xml.read(ask(**{**SALE, "ssl_card_number": wire.ASKS_CURRENCY}).content).fields
    assert elavon_xml.read(sample("dcc_question")).fields == said


def test_queries(ask):
    """One row by its id, a counted list by days, newest first, none of them with a result; and an empty list."""
    assert elavon_xml.read(sample("query_list_empty")).rows == elavon_xml.read(
        ask(ssl_transaction_type="txnquery", ssl_search_start_date="11/02/2026", ssl_search_end_date="11/03/2026").content
    ).rows  # fmt: skip
    sale = elavon_xml.read(ask(**SALE, **REFERENCE).content).fields
    one = elavon_xml.read(ask(ssl_transaction_type="txnquery", ssl_txn_id=sale["ssl_txn_id"]).content).fields
    assert {*elavon_xml.read(sample("query_one_open")).fields} == {*one}
    ask.settle()
    ask(ssl_transaction_type="ccreturn", ssl_txn_id=sale["ssl_txn_id"], ssl_amount="40.00")
    day = sale["ssl_txn_time"][:10]
    rows = elavon_xml.read(ask(ssl_transaction_type="txnquery", ssl_search_start_date=day, ssl_search_end_date=day).content).rows
    assert [("RETURN", "OPN"), ("SALE", "STL")] == [(row["ssl_transaction_type"], row["ssl_trans_status"]) for row in rows]
    for row in rows:
        assert {*elavon_xml.read(sample("query_list")).rows[0]} <= {*row} | {"ssl_invoice_number"}
        assert "ssl_result" not in row


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("request_*.xml")))
def test_the_written_requests_are_understood(ask, name):
    """Requests made from the documented names get an answer, and none of them a complaint about their form."""
    sale = elavon_xml.read(ask(**SALE, **REFERENCE).content).fields
    given = elavon_xml.read(sample(name)).fields
    if "ssl_txn_id" in given:
        given["ssl_txn_id"] = sale["ssl_txn_id"]
    if name == "request_return":
        ask.settle()
    answer = elavon_xml.read(ask(**given).content)
    assert "errorCode" not in answer.fields


@pytest.mark.parametrize("value", ["A & B", "A < B", "<b>x"])
def test_a_bare_letter_of_xml_breaks_the_request(ask, serving, value):
    """Converge reads loosely, and a value with such a letter is not read at all: an error, nothing booked."""
    document = elavon_xml.write({"ssl_pin": PIN, **SALE, "ssl_company": "COMPANY"}).replace("COMPANY", value)
    answer = requests.post(serving.url + PATH, data={"xmldata": document}, timeout=5)
    assert "6042" == elavon_xml.read(answer.content).fields["errorCode"]
    assert [] == serving.books()


@pytest.mark.parametrize(("name", "most"), sorted(wire.LONGEST.items()))
def test_every_field_has_its_limit(ask, serving, name, most):
    """One letter more than documented is 5005, and nothing happens."""
    said = elavon_xml.read(ask(**{**SALE, name: "1" * (most + 1)}).content).fields
    assert "5005" == said["errorCode"]
    assert [] == serving.books()
