"""Authorize.net's codes: every row of the table, inside a whole answer at its place, goes through the adapter and means an outcome."""

import csv
import json
from pathlib import Path

import pytest
import requests

from services.processors.adapters import authorize_net_reading as reading
from services.processors.adapters import base
from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Secret
from shared.clock import SystemClock
from shared.contracts.processors import REFUSALS
from shared.settings import Settings

ROWS = list(csv.DictReader(Path(base.__file__).with_name("authorize_net_codes.csv").open(newline="")))
CREDENTIALS = {"mode": "test", "api_login_id": "FAKELOGIN", "transaction_key": "FAKETRANSKEY0001"}
CARD = Card(Secret("4111111111111111"), 12, 2031, Secret("900"))
ORDER = Order(CHARGE, "pay_1", "ref1", 12050, "USD", "pcr_1", means=Means(card=CARD))
FAMILY = {"approved": "1", "declined": "2", "held": "4", "partial": "4"}  # responseCode by class; all others are errors, 3

EXPECTED = {
    "approved": "approved",
    "partial": "approved",
    "declined": "declined",
    "held": "pending",
    "error": "declined",
    "error_account": "declined",
    "state": "declined",
    "state_done": "declined",  # of a charge: `responseCode` says no
    "wrapper": "declined",
    "duplicate": "unknown",
    "unknown": "unknown",
}


class Wire:
    """`requests.post` with the answers of the test: one for what moves money, empty lists for the looks."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def __call__(self, url, data, **how):
        [(method, _)] = json.loads(data).items()
        self.asked.append(method)
        if method not in ("createTransactionRequest", "updateHeldTransactionRequest"):
            return _response(_outer("I00004"))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _response(body, status: int = 200):
    answer = requests.Response()
    answer.status_code = status
    answer._content = body if isinstance(body, bytes) else b"\xef\xbb\xbf" + json.dumps(body).encode()
    return answer


def _outer(code: str) -> dict:
    return {"messages": {"resultCode": "Ok" if code.startswith("I") else "Error", "message": [{"code": code, "text": "…"}]}}


def _whole(code: str | None, family: str, **more) -> dict:
    """An answer as the gateway makes it: approvals and holds have messages, the rest errors; a decline with Ok."""
    said = {"responseCode": family, "transId": "60120000001" if family in "124" else "0", "accountNumber": "XXXX1111", **more}
    if code is not None:
        named = {"messages": [{"code": code}]} if family in "14" else {"errors": [{"errorCode": code, "errorText": "…"}]}
        said.update(named)
    outer = {"messages": {"resultCode": "Ok", "message": []}} if code is None else _outer("E00027" if family == "3" else "I00001")
    return {"transactionResponse": said, "refId": "ref1", **outer}


def _in_its_place(row: dict):
    code, kind = row["code"], row["class"]
    if code.startswith("responseCode:"):
        return _response(_whole(None, code[-1]))
    if code.startswith("http:"):
        return _response(b"<html>gateway</html>", {"http:4xx": 400, "http:5xx": 502}[code])
    if code.startswith("exc:"):
        return _EXCEPTIONS[code]
    if code[0] in "EI":
        return _response(_outer(code))
    prepaid = {"prePaidCard": {"requestedAmount": "120.50", "approvedAmount": "60.25"}} if kind == "partial" else {}
    return _response(_whole(code, FAMILY.get(kind, "3"), **prepaid))


class _NotRefused(Exception):
    """A connection that was never made, as urllib3 tells it."""


def _refused_connection() -> Exception:
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    return requests.exceptions.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused")))


def _tls() -> Exception:
    import ssl

    failure = requests.exceptions.SSLError("tls")
    failure.__cause__ = ssl.SSLCertVerificationError("self-signed")
    return failure


_EXCEPTIONS = {
    "exc:connect_refused": _refused_connection(),
    "exc:tls_failed": _tls(),
    "exc:read_timeout": requests.exceptions.ReadTimeout("silence"),
    "exc:garbage_body": _response(b"\xef\xbb\xbf<html>it works</html>"),
}


def _sent(monkeypatch, answer, order: Order = ORDER, verb: str = "charge"):
    wire = Wire(answer)
    monkeypatch.setattr(requests, "post", wire)
    adapter = AuthorizeNet(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), SystemClock())
    return getattr(adapter, verb)(CREDENTIALS, order), wire


def _expected(row: dict) -> str:
    code, kind = row["code"], row["class"]
    if code.startswith("I") or (kind == "info" and code[0] == "I"):
        return "unknown"  # an answer about a transaction without the transaction
    if kind == "info":
        return "declined"
    if (kind, row["refusal"]) == ("error", "processor_unavailable") and (not code.isdigit() or code == "901"):
        return "not_sent"
    return EXPECTED[kind]


def test_the_table_is_whole():
    """Every row names a class and, unless nothing was refused, one of the sixteen refusals; no code is there twice."""
    assert 360 < len(ROWS)
    assert len(ROWS) == len({row["code"] for row in ROWS}) == len(base.refusals("authorize_net"))
    assert {row["refusal"] for row in ROWS} <= {*REFUSALS, ""}
    assert {row["class"] for row in ROWS} <= {*EXPECTED, "info"}


@pytest.mark.parametrize("row", ROWS, ids=[row["code"] for row in ROWS])
def test_each_code_means_its_class(monkeypatch, row):
    """A charge answered with this code ends as its class says, and whoever reads of it reads a sentence; sent once."""
    outcome, wire = _sent(monkeypatch, _in_its_place(row))
    assert _expected(row) == outcome.status
    assert 1 == wire.asked.count("createTransactionRequest")
    if row["refusal"] and row["class"] != "held":
        assert row["refusal"] == outcome.refusal
    if outcome.status in ("declined", "not_sent"):
        assert base.words_for(CHARGE, outcome.refusal) and base.words_for(REFUND, outcome.refusal)
    if row["class"] == "partial":
        assert (6025, "60120000001") == (outcome.amount, outcome.ids["transId"])
        assert "unknown" == outcome.as_asked(ORDER.amount, "USD").status


TROUBLE = [row for row in ROWS if (row["class"], row["refusal"]) == ("error", "processor_unavailable") and row["code"].isdigit()]


@pytest.mark.parametrize("row", TROUBLE, ids=[row["code"] for row in TROUBLE])
def test_trouble_behind_the_gateway_is_looked_at_once(monkeypatch, row):
    """Not approved, says the gateway, but something may hang: one look at the lists, but none where it was in maintenance."""
    _, wire = _sent(monkeypatch, _in_its_place(row))
    assert (row["code"] != "901") == ("getUnsettledTransactionListRequest" in wire.asked)


@pytest.mark.parametrize(("family", "status", "refusal"), [
    ("1", "approved", None), ("2", "declined", "card_declined"), ("3", "declined", "unknown"), ("4", "pending", None),
    ("5", "unknown", "unknown"), ("", "unknown", "unknown"),
])  # fmt: skip
def test_codes_nobody_knows_take_their_family(monkeypatch, family, status, refusal):
    """A code that is in no table never raises: `responseCode` decides, and one that is none decides nothing."""
    answer = _whole("987654", family or "3")
    answer["transactionResponse"]["responseCode"] = family
    outcome, _ = _sent(monkeypatch, _response(answer))
    assert (status, refusal) == (outcome.status, outcome.refusal)


def test_unknown_outer_codes_are_a_definite_no(monkeypatch):
    """Without a transaction an E-code that is new refuses the request."""
    outcome, _ = _sent(monkeypatch, _response(_outer("E09999")))
    assert ("declined", "unknown", "E09999") == (outcome.status, outcome.refusal, outcome.processor_code)


def test_the_outer_result_decides_nothing(monkeypatch):
    """A decline with Ok and an approval beside an E-code are what their responseCode says; numbers for it are read as well."""
    for family, status in (("2", "declined"), (4, "pending"), (1, "approved")):
        for outer in ("I00001", "E00027", "E00155"):
            answer = {**_whole("1", str(family)), **_outer(outer)}
            answer["transactionResponse"]["responseCode"] = family
            assert status == _sent(monkeypatch, _response(answer))[0].status


def test_no_transaction_is_no_approval(monkeypatch):
    """Approved with transId 0 moved nothing: an account in test mode is refused, anything else is looked up."""
    outcome, _ = _sent(monkeypatch, _response(_whole("1", "1", transId="0", testRequest="1")))
    assert ("declined", "processor_credentials_refused") == (outcome.status, outcome.refusal)
    assert "unknown" == _sent(monkeypatch, _response(_whole("1", "1", transId="0")))[0].status


GARBAGE = [
    b"", b"\xef\xbb\xbf", b"null", b"[]", b'"Ok"', b"{}", b"{", b'{"messages": null}', b'{"messages": []}', b'{"transactionResponse": 5}',
    b'{"transactionResponse": {"responseCode": true}}', b'{"transactionResponse": {"responseCode": [1]}, "messages": 1}',
    b'{"messages": {"message": {"code": "E00007"}}}', b'{"messages": {"message": [null]}}', b'{"a": NaN}', b"[" * 100_000,
    b'{"transactionResponse": {"responseCode": "1", "transId": {"a": 1}}, "messages": {}}',
    b'{"transactionResponse": {"responseCode": "4", "transId": "5", "messages": [{"code": "295"}], '
    b'"prePaidCard": {"approvedAmount": "1e999999999"}}}',
    "\ufeff\ufeff{}".encode(), b"\xff\xfe{}", b"HTTP/1.1 200 OK",
]  # fmt: skip


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("verb", ["charge", "refund", "void"])
def test_garbage_is_unknown(monkeypatch, body, verb):
    """What is no answer of theirs decides nothing, for any verb, and nothing is raised."""
    ids = {"transId": "1", "last4": "1111"}
    order = Order(REFUND if verb == "refund" else CHARGE, "x", "ref1", 12050, "USD", "a", ids, ids, means=Means(card=CARD))
    assert "unknown" == _sent(monkeypatch, _response(body), order, verb)[0].status


@pytest.mark.parametrize("status", [301, 302, 402, 408, 409, 429, 500, 502, 503, 504])
def test_other_statuses_are_unknown(monkeypatch, status):
    """Whatever the body says: only 200 is their answer, and a few refusals in front of them are definite."""
    assert "unknown" == _sent(monkeypatch, _response(_whole("1", "1"), status))[0].status


@pytest.mark.parametrize(("said", "currency", "amount"), [
    ("120.50", "USD", 12050), ("120.5", "USD", 12050), ("120", "USD", 12000), (120, "USD", 12000), ("1200", "JPY", 1200),
    ("1200.00", "JPY", 1200), ("0.00", "USD", 0), ("120.505", "USD", None), ("1.5", "JPY", None), ("", "USD", None),
    (None, "USD", None), (True, "USD", None), ("NaN", "USD", None), ("1e400000", "USD", None), ("1e13", "USD", None), ({}, "USD", None),
])  # fmt: skip
def test_amounts_are_exact(said, currency, amount):
    """Text and numbers become minor units exactly, and what is finer or no amount becomes none."""
    assert amount == reading.minor(said, currency)
