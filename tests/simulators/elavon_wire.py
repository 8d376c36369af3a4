"""Converge's tables and its wire, for the simulator: which cards end how, fields and errors, loose XML read and written."""

import re
from dataclasses import dataclass, field
from html import escape, unescape
from urllib.parse import parse_qs

from tests.simulators.stand import Asked, Reply

# Converge's own test cards; the third Mastercard is the one that is asked in which currency it wants to pay.
VISA, MASTERCARD, AMEX, DISCOVER = "4124939999999990", "5121212121212124", "370000000000002", "6011000000000004"
ASKS_CURRENCY = "5406004444444443"
DEMO_CARDS = {VISA, "4000000000000002", MASTERCARD, "5472063333333330", AMEX, DISCOVER, ASKS_CURRENCY}


def _own(number: int) -> str:
    """A card number of ours, with a right check digit."""
    digits = f"4124930000000{number:02}"
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::2])
    return digits + str(-(doubled + sum(int(digit) for digit in digits[1::2])) % 10)


@dataclass(frozen=True)
class Refusal:
    """How an answer says no: the message, the issuer's code and the AuthResponse header; each may be empty."""

    message: str
    issuer: str = ""
    header: str = "ND"


_ENDINGS = (
    Refusal("DECLINED", "05"),
    Refusal("DECLINED: NSF", "51"),
    Refusal("EXPIRED CARD", "54"),
    Refusal("DECLINE CVV2", "N7", "N7"),
    Refusal("INVALID CARD", "14"),
    Refusal("DECLINED: AVS MISMATCH"),
    Refusal("SUSPECTED FRAUD", "59"),
    Refusal("PICK UP CARD", "04", "NC"),
    Refusal("EXCEEDS LIMIT", "61"),
    Refusal("SERV NOT ALLOWED", "57"),
    Refusal("DECLINED", "1A"),
    Refusal("INVALID TERM ID"),
    Refusal("PLEASE RETRY 5305", "91"),
    Refusal("AMOUNT ERROR", "13"),
    Refusal("WORDS NOBODY HAS SEEN 17", ""),
    Refusal("TIMEOUT", ""),
)
REFUSALS = {_own(number): ending for number, ending in enumerate(_ENDINGS, 1)}
PARTIAL, HELD = _own(90), _own(91)
CHALLENGED = _own(92)  # on the payment page a bank asks about it first; an approved card otherwise
CARDS = DEMO_CARDS | set(REFUSALS) | {PARTIAL, HELD, CHALLENGED}

LONGEST = {
    "ssl_invoice_number": 25, "ssl_merchant_txn_id": 39, "ssl_txn_id": 46, "ssl_description": 255, "ssl_first_name": 20,
    "ssl_last_name": 30, "ssl_company": 50, "ssl_avs_address": 30, "ssl_avs_zip": 9, "ssl_city": 30, "ssl_state": 10,
    "ssl_token": 20, "ssl_phone": 20, "ssl_email": 100, "ssl_country": 50, "ssl_amount": 11,
}  # fmt: skip
CONTACT = ("last_name", "company", "phone", "email", "avs_zip", "address2", "country", "avs_address", "state", "city", "first_name")
ERRORS = {
    "4003": "HTTP Referrer Invalid",
    "4009": "Required Field Not Supplied", "4010": "Invalid Transaction Type", "4016": "Permission Denied", "4025": "Invalid Credentials",
    "5000": "Credit Card Number Invalid", "5001": "Exp Date Invalid", "5002": "Amount Invalid", "5005": "Field Character Limit Exceeded",
    "5021": "Invalid CVV2 Value", "5040": "Invalid Transaction ID", "5087": "Transaction currency not allowed",
    "5085": "Invalid Token", "5091": "Invalid amount", "6042": "Invalid request format", "9999": "Only Test Cards Allowed",
    "5999": "Invalid search range",  # the number is ours: none is documented
}  # fmt: skip


@dataclass
class Said:
    """An answer being written: the elements of a `<txn>`, and the headers that come with an authorisation."""

    elements: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The gateway says no before anything happens."""


def given_in(asked: Asked) -> dict[str, str] | None:
    """The request's elements, read as loosely as Converge does: a bare `&` or `<` in a value breaks the whole."""
    form = parse_qs(asked.body.decode("utf-8", "replace"), keep_blank_values=True)
    document = "".join(form.get("xmldata", []))
    if not re.fullmatch(r"\s*<txn>.*</txn>\s*", document, re.S) or re.search("&(?!(amp|lt|gt|quot|#x27|#39|apos);)", document):
        return None
    inside = document.strip()[5:-6]
    found = re.findall(r"<(\w+)>([^<>]*)</\1>", inside)
    rest = re.sub(r"<(\w+)>([^<>]*)</\1>", "", inside)
    return None if rest.strip() else {name: unescape(value).strip() for name, value in found}


def document(root: str, elements: dict[str, str], rows: list[dict[str, str]] | None = None) -> bytes:
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    inside += "".join(document("txn", row).decode().split("\n", 1)[1] for row in rows or [])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inside}</{root}>'.encode()


def reply(body: bytes, headers: dict[str, str] | None = None) -> Reply:
    return Reply(200, body, "text/xml", {"Set-Cookie": "JSESSIONID=none; Path=/", **(headers or {})})


def echoed(given: dict[str, str]) -> dict[str, str]:
    return {f"ssl_{name}": given[f"ssl_{name}"] for name in CONTACT if f"ssl_{name}" in given}


def brand(number: str) -> str:
    return {"4": "VISA", "5": "MC", "3": "AMEX", "6": "DISC"}[number[0]]


def check_digit_is_wrong(number: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (doubled + sum(int(digit) for digit in number[-1::-2])) % 10 != 0
