"""Converge's codes: every row of the table goes through the adapter in a whole answer, at the place where Converge puts it."""

import csv
import ssl
from pathlib import Path

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from services.processors.adapters import base
from services.processors.orders import Means, Saving
from shared.contracts.processors import REFUSALS
from tests.contract.processors.elavon import CREDENTIALS, EMPTY, Scripted, card, charge_order, document, rows, sample

ROWS = list(csv.DictReader(Path(base.__file__).with_name("elavon_codes.csv").open(newline="")))
ORDER = charge_order()
NAMED = {"ssl_merchant_txn_id": ORDER.reference, "ssl_invoice_number": ORDER.reference}
APPROVED = {**NAMED, "ssl_amount": "120.50", "ssl_txn_id": "1-2", "ssl_result": "0", "ssl_result_message": "APPROVAL"}
REFUSED = {**NAMED, "ssl_amount": "120.50", "ssl_txn_id": "1-2", "ssl_result": "1"}
NOBODY = NewConnectionError(None, "no")
FAILURES = {
    "connect_refused": requests.ConnectionError(MaxRetryError(None, "/", NOBODY)),
    "tls_failed": requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")),
    "read_timeout": requests.ReadTimeout(),
}


def _of(prefix: str) -> list[dict]:
    return [{**row, "code": row["code"].removeprefix(prefix)} for row in ROWS if row["code"].startswith(prefix)]


def _expected(row: dict) -> str:
    """The facts' classes in our words."""
    kind = row["class"]
    if kind in ("declined", "error_account", "state", "requires_action"):
        return "declined"
    if kind == "error":
        return "not_sent" if row["refusal"] == "processor_unavailable" else "declined"
    return {"approved": "approved", "held": "pending", "partial": "approved"}.get(kind, "unknown")


def _charged(*answers):
    return Scripted(*answers).charge(CREDENTIALS, ORDER)


def _found(**row: str):
    return Scripted(rows(document(**NAMED, ssl_amount="120.50", ssl_txn_id="1-2", **row))).find(CREDENTIALS, ORDER)


def test_the_table_is_whole():
    """Every row has a class and one of the sixteen refusals or none; each kind of place is gone through below."""
    places = ("ssl_result:", "AuthResponse:", "msg:", "issuer:", "error:", "http:", "exc:", "status:", "token:")
    assert 120 < len(ROWS)
    assert len(ROWS) == len(base.refusals("elavon")) == sum(len(_of(place)) for place in places)
    assert {row["refusal"] for row in ROWS} <= {*REFUSALS, ""}


@pytest.mark.parametrize("row", _of("msg:"), ids=lambda row: row["code"])
def test_each_message(row):
    """A message decides a refusal without an issuer's code; approvals come with result 0, a partial one for less."""
    if row["class"] in ("approved", "partial"):
        amount = "50.00" if row["class"] == "partial" else "120.50"
        outcome = _charged(document(**{**APPROVED, "ssl_result_message": row["code"], "ssl_amount": amount}))
        assert ("approved", row["refusal"]) == (outcome.status, outcome.refusal or "")
        assert {"partial": 5000, "approved": 12050}[row["class"]] == outcome.amount
        return
    said = row["code"].replace("MMDD", "1124")
    outcome = _charged(document(**REFUSED, ssl_result_message=said), EMPTY)
    assert (_expected(row), row["refusal"] or "unknown") == (outcome.status, outcome.refusal)
    assert base.words_for("charge", outcome.refusal)


@pytest.mark.parametrize(
    "row", [row for row in _of("msg:") if row["class"] not in ("approved", "partial")], ids=lambda row: row["code"]
)
@pytest.mark.parametrize("ending", ["", " 5305", " 96"])
def test_each_message_in_a_query(row, ending):
    """The same message in a query's row that has no status; a number at its end changes nothing."""
    outcome = _found(ssl_trans_status="", ssl_result_message=row["code"].replace("MMDD", "1124").lower() + ending)
    assert _expected(row) == outcome.status


@pytest.mark.parametrize("row", _of("issuer:"), ids=lambda row: row["code"])
def test_each_issuer_code(row):
    """The issuer's code goes before a plain message."""
    if row["class"] in ("approved", "partial"):
        amount = "50.00" if row["class"] == "partial" else "120.50"
        outcome = _charged(document(**{**APPROVED, "ssl_issuer_response": row["code"], "ssl_amount": amount}))
        assert ("approved", row["refusal"]) == (outcome.status, outcome.refusal or "")
        return
    outcome = _charged(document(**REFUSED, ssl_issuer_response=row["code"], ssl_result_message="DECLINED"), EMPTY)
    assert (_expected(row), row["refusal"]) == (outcome.status, outcome.refusal)


@pytest.mark.parametrize("row", _of("error:"), ids=lambda row: row["code"])
@pytest.mark.parametrize("text", ["errorMessage", "errorMsg"])
def test_each_error_code(row, text):
    """An error code, or a new one of its family, with its text in either of the elements."""
    code = row["code"].replace("***", "777")
    outcome = _charged(document(errorCode=code, errorName="x", **{text: "y"}), EMPTY)
    assert (_expected(row), row["refusal"], f"error:{code}") == (outcome.status, outcome.refusal, outcome.processor_code)


@pytest.mark.parametrize("row", _of("AuthResponse:"), ids=lambda row: row["code"])
def test_each_header(row):
    """The header counts where neither issuer nor message says why."""
    if row["class"] in ("approved", "partial"):
        amount = "50.00" if row["class"] == "partial" else "120.50"
        said = _charged((200, row["code"], document(**{**APPROVED, "ssl_amount": amount})))
        assert ("approved", row["refusal"]) == (said.status, said.refusal or "")
        return
    outcome = _charged((200, row["code"], document(**REFUSED)))
    assert ("declined", row["refusal"]) == (outcome.status, outcome.refusal)


@pytest.mark.parametrize("row", _of("status:"), ids=lambda row: row["code"])
def test_each_status(row):
    """A query's row is judged by its status; what waits for a review has no refusal yet."""
    outcome = _found(ssl_trans_status=row["code"], ssl_result_message="APPROVAL", ssl_transaction_type="SALE")
    assert _expected(row) == outcome.status
    assert outcome.refusal == (row["refusal"] if outcome.status == "declined" else None)


@pytest.mark.parametrize("row", _of("token:"), ids=lambda row: row["code"])
@pytest.mark.parametrize("write", [str.lower, str.title])
def test_each_response_about_a_token(row, write):
    """It decides whether a card is kept, in whatever case it comes."""
    answer = document(ssl_result="0", ssl_token_response=write(row["code"]), ssl_token="9124000000009990")
    saved = Scripted(answer).save_card(CREDENTIALS, Saving("s", "p", Means(card=card())))
    expected = "approved" if row["code"] == "SUCCESS" else _expected(row)
    assert (expected, row["refusal"]) == (saved.status, saved.refusal or "")


@pytest.mark.parametrize(
    ("name", "status"), [("get_token_ok", "approved"), ("bad_credentials", "declined"), ("query_list", "unknown")]
)
def test_each_sample_as_the_answer_to_keeping_a_card(name, status):
    saved = Scripted(sample(name)).save_card(CREDENTIALS, Saving("s", "p", Means(card=card())))
    assert (status, {"token"} if status == "approved" else set()) == (saved.status, {*saved.ids})


@pytest.mark.parametrize("row", _of("ssl_result:"), ids=lambda row: row["code"])
def test_each_result(row):
    """The result alone: approved, or a plain decline."""
    said = {**(APPROVED if row["code"] == "0" else REFUSED), "ssl_result": row["code"]}
    outcome = _charged(document(**said))
    assert (row["class"], row["refusal"]) == (outcome.status, outcome.refusal or "")


@pytest.mark.parametrize("row", _of("exc:") + _of("http:"), ids=lambda row: row["code"])
def test_each_failure_of_the_line(row):
    """What never left is not sent; everything else is not known, whatever the body says."""
    answers = {
        "garbage_body": [b"<html>it works</html>"],
        "5xx": [(status, "AA", document(**APPROVED)) for status in (500, 502, 503, 599)],
    }
    for answer in answers.get(row["code"]) or [FAILURES[row["code"]]]:
        outcome = _charged(answer)
        assert (_expected(row), row["refusal"]) == (outcome.status, outcome.refusal)


@pytest.mark.parametrize(
    "failure", [ReadTimeoutError(None, "/", "slow"), OSError("gone"), RuntimeError("bug"), requests.ConnectionError()]
)
def test_whatever_is_raised_is_unknown(failure):
    """No exception of the line, of the library or of ours comes out of a verb."""
    assert "unknown" == _charged(failure).status


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404, 429])
def test_only_a_200_is_an_answer(status):
    """Converge answers 200 also to errors: anything else came from somewhere else on the way."""
    assert "unknown" == _charged((status, "AA", document(**APPROVED))).status


@pytest.mark.parametrize(
    ("code", "status", "refusal"),
    [
        ("4999", "declined", "invalid_request"),
        ("5999", "declined", "invalid_request"),
        ("6999", "unknown", "processor_unavailable"),
        ("7001", "unknown", "unknown"),
        ("1", "unknown", "processor_unavailable"),
        ("٤٠٢٥", "unknown", "processor_unavailable"),
    ],
)
def test_error_codes_nobody_knows(code, status, refusal):
    """Their family decides; what is of no family says nothing."""
    outcome = _charged(document(errorCode=code, errorName="?"), EMPTY)
    assert (status, refusal) == (outcome.status, outcome.refusal)


def test_the_issuer_goes_before_the_message_but_not_05():
    """51 with DECLINED is insufficient funds; 05 leaves the word to the message; an approving issuer leaves it to the rule."""
    for issuer, message, refusal in (
        ("51", "DECLINED", "insufficient_funds"),
        ("05", "EXPIRED CARD", "expired_card"),
        ("00", "DECLINED: AVS MISMATCH", "incorrect_address"),
        ("77", "PICK UP CARD", "lost_or_stolen"),
    ):
        said = document(**REFUSED, ssl_issuer_response=issuer, ssl_result_message=message)
        assert ("declined", refusal) == (_charged(said).status, _charged(said).refusal)


def test_a_duplicate_goes_before_everything():
    """The duplicate's text is read first, even beside an issuer's code: unknown, never a decline."""
    said = document(**REFUSED, ssl_issuer_response="51", ssl_result_message="Declined - Transaction previously authorized")
    outcome = _charged(said, EMPTY)
    assert ("unknown", "duplicate") == (outcome.status, outcome.refusal)


def test_new_words_are_a_plain_decline():
    """A message that is in no table, with or without a number, never raises."""
    for words in ("TRY YOGA 17", "", "€", "9" * 400):
        outcome = _charged(document(**REFUSED, ssl_result_message=words))
        assert ("declined", "card_declined", "ssl_result:1") == (outcome.status, outcome.refusal, outcome.processor_code)


@pytest.mark.parametrize(
    "changed",
    [
        {"ssl_result": ""}, {"ssl_result": "00"}, {"ssl_result": "yes"}, {"errorCode": "5000"}, {"ssl_amount": ""}, {"ssl_amount": "1,00"},
        {"ssl_amount": "-120.50"}, {"ssl_amount": "120.501"}, {"ssl_txn_id": ""}, {"ssl_txn_id": "a b"}, {"ssl_invoice_number": "another"},
        {"ssl_merchant_txn_id": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_that_contradicts_itself_says_nothing(changed):
    """No result, two kinds of answer, an amount or id that is none, somebody else's reference: unknown."""
    assert "unknown" == _charged(document(**{**APPROVED, **changed})).status


@pytest.mark.parametrize(
    ("name", "status", "refusal", "amount"),
    [
        ("sale_approved", "approved", None, 10000),
        ("authorize_approved", "approved", None, 10000),
        ("sale_declined", "declined", "card_declined", None),
        ("sale_declined_cvv", "declined", "incorrect_cvc", None),
        ("sale_declined_nsf", "declined", "insufficient_funds", None),
        ("sale_bad_number", "declined", "incorrect_number", None),
        ("bad_credentials", "declined", "processor_credentials_refused", None),
        ("sale_partial", "approved", "insufficient_funds", 5000),
        ("sale_duplicate", "unknown", "duplicate", None),
        ("dcc_question", "unknown", "processor_unavailable", None),
        ("get_token_ok", "unknown", "processor_unavailable", None),
        ("verify_approved", "unknown", "processor_unavailable", None),
        ("query_list", "unknown", "processor_unavailable", None),
        ("query_one_open", "unknown", "processor_unavailable", None),
    ],
)
def test_each_sample_as_the_answer_to_a_charge(name, status, refusal, amount):
    """Recorded and written answers come out as their index says; what is no answer to a sale says nothing."""
    asked = charge_order(reference="pay-0001", amount=10000 if "approved" in name else 12050)
    answer = sample(name).replace(b"9f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e", b"pay-0001")
    outcome = Scripted(answer, EMPTY).charge(CREDENTIALS, asked)
    assert (status, refusal, amount) == (outcome.status, outcome.refusal, outcome.amount)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("OPN", "DECLINED", "unknown"),
        ("STL", "PICK UP CARD", "unknown"),
        ("OPN", "", "approved"),
        ("PST", "APPROVAL", "declined"),
        ("XYZ", "APPROVAL", "unknown"),
        ("", "", "unknown"),
        ("", "APPROVED", "unknown"),
        ("", "TRY YOGA", "declined"),
    ],
)
def test_a_row_whose_status_and_message_disagree(status, message, expected):
    """What the message denies is no approval, a rule's failure goes before an approval, and a status nobody knows says nothing."""
    assert expected == _found(ssl_trans_status=status, ssl_result_message=message, ssl_transaction_type="SALE").status
