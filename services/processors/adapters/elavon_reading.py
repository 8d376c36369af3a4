"""What Converge's answers and rows mean, as outcomes. Asks nobody; the codes are those of `elavon_codes.csv`."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from services.processors.adapters.base import Refusal, refusals
from services.processors.adapters.elavon_xml import Answer
from services.processors.orders import (
    APPROVED,
    CANCELED,
    CHARGE,
    DECLINED,
    NOT_KNOWN,
    NOT_SENT,
    REFUND,
    WAITING,
    Listed,
    Order,
    Outcome,
)
from shared import money

EASTERN = ZoneInfo("America/New_York")  # Converge writes and reads its times in US Eastern, without saying so
UNREADABLE = Outcome(NOT_KNOWN, refusal="processor_unavailable", processor_code="exc:garbage_body")
_VOIDED = {"VOID", "VOIDED", "DELETE", "DELETED"}
_BRANDS = {"VISA": "visa", "MC": "mastercard", "AMEX": "amex", "DISC": "discover"}


def terminal(credentials: dict) -> str:
    """The currency of amounts that name none."""
    return credentials.get("currency", "USD")


def outcome_of(answer: Answer, order: Order, credentials: dict, voids: bool = False) -> Outcome:
    """How a request ended: an error code, else the result; an answer that has neither, or both, or is not ours, says nothing."""
    said = answer.fields
    code, result = said.get("errorCode"), said.get("ssl_result")
    if answer.rows is not None or bool(code) == bool(result):
        return UNREADABLE
    if code:
        return error_of(code)
    if order.kind == CHARGE and _names(said) - {order.reference.lower()}:
        return UNREADABLE
    if result == "0":
        return Outcome(APPROVED) if voids else _approved(said, order, credentials)
    return refused(answer) if re.fullmatch("[1-9][0-9]{0,3}", result or "") else UNREADABLE


def _approved(said: dict[str, str], order: Order, credentials: dict) -> Outcome:
    """Approved for what it says, which is less than was asked in a partial approval; without amount or id nothing is known."""
    currency = said.get("ssl_transaction_currency") or terminal(credentials)
    amount = _minor(said.get("ssl_amount", ""), currency)
    if amount is None or not re.fullmatch("[A-Za-z0-9-]{1,46}", said.get("ssl_txn_id", "")):
        return UNREADABLE
    ids = {"txn": said["ssl_txn_id"], "approval": said.get("ssl_approval_code", "")[:20]}
    if amount < order.amount:
        partial = refusals("elavon")["msg:PARTIAL APPROVAL"]
        return Outcome(APPROVED, amount, currency, ids, refusal=partial.refusal, processor_code="msg:PARTIAL APPROVAL")
    brand, last4 = _card(said)
    return Outcome(APPROVED, amount, currency, ids, brand, last4)


def _card(said: dict[str, str]) -> tuple[str | None, str | None]:
    """The card's brand and last four, which of a card that was typed on Converge's page only Converge can say."""
    masked = re.fullmatch(r"[0-9]*\*+([0-9]{4})", said.get("ssl_card_number", ""))
    brand = _BRANDS.get(said.get("ssl_card_short_description", "").upper(), "card")
    return (brand, masked[1]) if masked else (None, None)


def _minor(text: str, currency: str) -> int | None:
    """Minor units of a plain decimal; None for anything else."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text):
        return None
    whole, _, part = text.partition(".")
    try:
        return money.from_text(f"{whole}.{part.rstrip('0')}", currency)
    except ValueError:
        return None


def refused(answer: Answer) -> Outcome:
    """The reason for a no: a duplicate, else the issuer's code, else the message, else the header, else a plain decline."""
    table, said = refusals("elavon"), answer.fields
    message = _message_key(said.get("ssl_result_message", ""))
    issuer = f"issuer:{said.get('ssl_issuer_response', '').upper()}"
    header = f"AuthResponse:{answer.header[:2]}"
    if message in table and table[message].kind == "duplicate":
        return no(table[message], message)
    if issuer != "issuer:05" and issuer in table and table[issuer].kind not in ("approved", "partial"):
        return no(table[issuer], issuer)
    for key in (message, header):
        if key in table:
            return no(table[key], key)
    return no(table["ssl_result:1"], "ssl_result:1")


def _message_key(text: str) -> str:
    """The message as the table has it: in capitals, whole, else with a date or number at its end left out."""
    text = " ".join(text.upper().split())
    tries = (text, re.sub(r" \d{4}$", " MMDD", text), re.sub(r"\s*\d+$", "", text))
    return next((key for key in (f"msg:{one}" for one in tries) if key in refusals("elavon")), "msg:")


def error_of(code: str) -> Outcome:
    """An error code's meaning, or its family's; a code of no family says nothing."""
    table, key = refusals("elavon"), f"error:{code}"
    if not re.fullmatch("[0-9]{4}", code):
        return UNREADABLE
    return no(table.get(key) or table.get(f"error:{code[0]}***") or Refusal("unknown", "unknown"), key)


def no(meaning: Refusal, code: str) -> Outcome:
    """A definite no, unless its class says otherwise; "not done, come back later" was not sent."""
    if meaning.kind in ("declined", "requires_action", "error_account", "state"):
        return Outcome(DECLINED, refusal=meaning.refusal, processor_code=code)
    if meaning.kind == "error":
        ending = NOT_SENT if meaning.refusal == "processor_unavailable" else DECLINED
        return Outcome(ending, refusal=meaning.refusal, processor_code=code)
    return Outcome(NOT_KNOWN, refusal=meaning.refusal or "unknown", processor_code=code)


def state_forbids(said: Outcome) -> bool:
    meaning = refusals("elavon").get(said.processor_code or "")
    return said.status == DECLINED and meaning is not None and meaning.kind == "state"


def nothing_found(answer: Answer, fields: dict[str, str]) -> bool:
    """Whether an error is Converge's way to say that there is none: its words, or an id that it does not know."""
    words = " ".join(answer.fields.get(name, "") for name in ("errorName", "errorMessage", "errorMsg")).lower()
    told = re.search(r"\bno (records?|transactions?) (were |was )?found\b|\b(records?|transactions?) not found\b", words)
    return bool(told) or ("ssl_txn_id" in fields and answer.fields["errorCode"] == "5040")


def kind_of(row: dict[str, str]) -> str:
    """One recorded sale calls itself AUTHONLY: only returns are told apart by the type."""
    return REFUND if row.get("ssl_transaction_type", "").upper().startswith("RETURN") else CHARGE


def _names(row: dict[str, str]) -> set[str]:
    """The references that it bears; whether Converge keeps their case is not documented, and ours don't need it."""
    return {row.get(name, "").lower() for name in ("ssl_merchant_txn_id", "ssl_invoice_number")} - {""}


def is_ours(row: dict[str, str], order: Order) -> bool:
    """Whether a row is this order: by its kind, and our reference or the id that Converge gave it."""
    known = "txn" in order.ids and row.get("ssl_txn_id") == order.ids["txn"]
    return kind_of(row) == order.kind and (known or order.reference.lower() in _names(row))


def could_be(row: dict[str, str], order: Order) -> bool:
    """Whether a row that bears nobody's name might be this order, so that it is not absent: the same kind and amount.

    Whether a return comes back with the name it was sent with is not documented; it may bear its sale's.
    """
    same = kind_of(row) == order.kind and _minor(row.get("ssl_amount", ""), order.currency) == order.amount
    return same and not _names(row) - {order.charge_ids.get("reference", "").lower()}


def stands(row: dict[str, str], status: str) -> bool:
    return row.get("ssl_trans_status", "").upper() == status


def is_voided(row: dict[str, str]) -> bool:
    return row.get("ssl_transaction_type", "").upper() in _VOIDED


def is_whole(sale: dict[str, str], order: Order, credentials: dict) -> bool:
    currency = sale.get("ssl_transaction_currency") or terminal(credentials)
    return (_minor(sale.get("ssl_amount", ""), currency), currency) == (order.amount, order.currency)


def given_back(sale: dict[str, str], order: Order, credentials: dict) -> Outcome | None:
    """A whole refund that was done by voiding its charge."""
    if not (is_voided(sale) and is_whole(sale, order, credentials)):
        return None
    return Outcome(APPROVED, order.amount, order.currency, {"txn": sale["ssl_txn_id"]})


def judged(rows: list[dict[str, str]], order: Order, credentials: dict) -> Outcome:
    """What the rows of one order come to: money that moved goes before all, and twice is never a plain yes.

    On Converge's page a decline ends nothing, because the payer may try another card there, unless it is of what was held.
    """
    said = [standing(row, order, credentials) for row in rows]
    approved = [one for one in said if one.status == APPROVED]
    if len(approved) > 1:
        return Outcome(NOT_KNOWN, refusal="unknown", processor_code="found_twice")
    first = (APPROVED, CANCELED, WAITING, NOT_KNOWN, DECLINED, NOT_SENT)
    ending = min(said, key=lambda one: first.index(one.status))
    if order.on_page and ending.status in (DECLINED, NOT_SENT) and "txn" not in order.ids:
        return Outcome(NOT_KNOWN, absent=True)
    return ending


def standing(row: dict[str, str], order: Order, credentials: dict) -> Outcome:
    """One row: voided, else by its status, else by its message; a status that its message denies says nothing."""
    table, ids = refusals("elavon"), {"txn": row.get("ssl_txn_id", "")[:46]}
    status, message = f"status:{row.get('ssl_trans_status', '').upper()}", _message_key(row.get("ssl_result_message", ""))
    denied = message in table and table[message].kind not in ("approved", "partial")
    if is_voided(row):
        return Outcome(CANCELED, ids=ids)
    if status == "status:":
        text = row.get("ssl_result_message", "").upper()
        if message not in table and (not text or "APPRO" in text):
            return replace(UNREADABLE, ids=ids)
        known = message if message in table else "ssl_result:1"
        return replace(no(table[known], known), ids=ids) if denied or known != message else _approved(row, order, credentials)
    kind = table[status].kind if status in table else "unknown"
    if kind == "approved" and not denied:
        return _approved(row, order, credentials)
    if kind == "held":
        return Outcome(WAITING, ids=ids, processor_code=status)
    if kind == "declined":
        return Outcome(DECLINED, ids=ids, refusal=table[status].refusal, processor_code=status)
    return replace(UNREADABLE, ids=ids)


def listed(row: dict[str, str], since: datetime, until: datetime, credentials: dict) -> Listed | None:
    """A line of the list; None where it lies outside the span, or is no money of a card at all."""
    currency = row.get("ssl_transaction_currency") or terminal(credentials)
    amount, at = _minor(row.get("ssl_amount", ""), currency), _moment(row.get("ssl_txn_time", ""), since, until)
    if not amount or at is None:
        return None  # of nothing: a card that was verified
    kind, reference = kind_of(row), (row.get("ssl_merchant_txn_id") or row.get("ssl_invoice_number") or "").lower()
    status = standing(row, Order(kind, "", "", amount, currency, ""), credentials).status
    return Listed(reference or None, kind, amount, currency, at, status, row.get("ssl_txn_id"))


def _moment(text: str, since: datetime, until: datetime) -> datetime | None:
    """When it was, if that lies in the span; of the two meanings of an hour that autumn repeats, the one that does."""
    try:
        local = datetime.strptime(f"{text} +0000", "%m/%d/%Y %I:%M:%S %p %z").replace(tzinfo=EASTERN)
    except ValueError:
        return None
    both = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return next((at for at in both if since <= at < until), None)
