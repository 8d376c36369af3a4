"""What Authorize.net's answers mean: bytes in, our words out. Asks nothing.

Of an answer to a transaction `responseCode` decides, never `messages.resultCode`: a held one comes with Ok, a decline with either.
Codes and their meanings: the API's response codes, in `authorize_net_codes.csv`.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from services.processors.adapters.base import Refusal, refusals
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
    Nudge,
    Order,
    Outcome,
)
from shared.money import MOST, decimals

DEFINITE_STATUSES = (400, 401, 403, 404, 413, 415)  # of a gateway in front: the API itself refuses with 200
BEFORE_ANYTHING = "901"  # maintenance: refused before it was tried, unlike the other codes for trouble on their side
HELD = ("FDSPendingReview", "FDSAuthorizedPendingReview", "underReview")
REFUNDED = ("refundPendingSettlement", "refundSettledSuccessfully")
DISPUTED = ("chargeback", "chargebackReversal", "returnedItem")  # the money was taken, which is what was asked
UNSETTLED = ("capturedPendingSettlement", "pendingSettlement", "pendingFinalSettlement", "updatingSettlement")
NOT_CAPTURED = ("authorizedPendingCapture", "authorizedPendingRelease", "approvedReview")
FAILED = ("declined", "failedReview", "expired", "communicationError", "generalError", "settlementError")
STATUSES = {
    **dict.fromkeys((*UNSETTLED, "settledSuccessfully", *REFUNDED, *DISPUTED), APPROVED),
    **dict.fromkeys((*HELD, *NOT_CAPTURED), WAITING),
    **dict.fromkeys(FAILED, DECLINED),
    "voided": CANCELED,
}
BRANDS = {"Visa": "visa", "MasterCard": "mastercard", "AmericanExpress": "amex", "Discover": "discover"}
_FAMILIES = {"1": "approved", "2": "declined", "3": "error", "4": "held"}
_BY_STATUS = {
    "failedReview": "fraud_suspected",
    "communicationError": "processor_unavailable",
    "generalError": "processor_unavailable",
}


@dataclass(frozen=True)
class Silent:
    """No answer of theirs: `not_sent` where nothing can have arrived, `declined` where something in front refused it, else `unknown`."""

    status: str
    refusal: str
    code: str


@dataclass(frozen=True)
class Heard:
    """An answer in their form. Texts of theirs are not kept: they repeat what was sent."""

    body: dict

    @cached_property
    def transaction(self) -> dict:
        return _dict(self.body.get("transactionResponse"))

    @cached_property
    def response_code(self) -> str:
        """`1` approved, `2` declined, `3` error, `4` held; text here, a number elsewhere."""
        return _text(self.transaction.get("responseCode"))

    @cached_property
    def outer(self) -> str:
        return _first(_dict(self.body.get("messages")).get("message"), "code")

    @cached_property
    def reason(self) -> str:
        """The code that says why: of the errors, else of the transaction's messages, else of the answer's."""
        inner = _first(self.transaction.get("errors"), "errorCode") or _first(self.transaction.get("messages"), "code")
        return inner or self.outer

    @property
    def refused(self) -> bool:
        return _dict(self.body.get("messages")).get("resultCode") != "Ok"

    @property
    def meaning(self) -> Refusal:
        """Of the reason; of a reason that is not in the table, its family's."""
        table, family = refusals("authorize_net"), f"responseCode:{self.response_code}"
        if self.reason in table and table[self.reason].kind not in ("info", "wrapper"):
            return table[self.reason]
        return table.get(family) or Refusal("error", "unknown")

    @property
    def network_trouble(self) -> bool:
        """Whether the gateway says "not approved" because of trouble behind it."""
        inner = self.response_code in ("2", "3") and self.reason.isdigit() and self.reason != BEFORE_ANYTHING
        return inner and self.meaning == Refusal("error", "processor_unavailable")

    @property
    def trans_id(self) -> str | None:
        """Theirs of the transaction; `0` means that none was made."""
        said = _text(self.transaction.get("transId"))
        return said if said.strip("0") else None

    def silence(self) -> Silent:
        """This answer where it answers nothing: what was asked for is not in it."""
        known = refusals("authorize_net").get(self.outer)
        code = self.outer[:100] if self.outer.startswith("E") else "exc:garbage_body"
        return Silent(NOT_KNOWN, known.refusal if known and known.refusal else "unknown", code)


def hear(status: int, content: bytes) -> Heard | Silent:
    """An HTTP answer. The JSON begins with a byte-order mark; numbers in it are read as decimals."""
    if status != 200:
        if status in DEFINITE_STATUSES:
            return Silent(DECLINED, "invalid_request", f"http:{status}")
        return Silent(NOT_KNOWN, "processor_unavailable", f"http:{status}")
    try:
        body = json.loads(content.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, InvalidOperation):
        body = None
    if not isinstance(body, dict) or not ("transactionResponse" in body or "messages" in body):
        return Silent(NOT_KNOWN, "processor_unavailable", "exc:garbage_body")
    return Heard(body)


def from_answer(answer: Heard, order: Order) -> Outcome:
    """What a request that moves money came to; duplicates are `unknown` here, as only the earlier one tells."""
    if not answer.transaction:
        return without_transaction(answer)
    said = answer.transaction
    return _with_card(_of_transaction(answer, order), said.get("accountType"), said.get("accountNumber"))


def _of_transaction(answer: Heard, order: Order) -> Outcome:
    ids, code = _ids_in(answer), answer.reason[:100]
    family, meaning = _FAMILIES.get(answer.response_code), answer.meaning
    if family == "approved" or (family == "held" and meaning.kind == "partial"):
        return _approved(answer, order, ids, partial=family == "held")
    if family == "held":
        return Outcome(WAITING, ids=ids, processor_code=code)
    if family is None or meaning.kind in ("unknown", "duplicate"):
        return Outcome(NOT_KNOWN, ids=ids, refusal=meaning.refusal or "unknown", processor_code=code or "exc:garbage_body")
    if meaning.kind in ("approved", "held", "partial", "state_done"):  # `responseCode` says no, and no reason for it is given
        meaning = refusals("authorize_net")[f"responseCode:{answer.response_code}"]
        no_match = family == "declined" and answer.transaction.get("cvvResultCode") == "N"
        meaning = Refusal("declined", "incorrect_cvc") if no_match else meaning
    return _refused(meaning, code, ids)


def without_transaction(answer: Heard) -> Outcome:
    """Refused before it became a transaction: definite, but for two codes, and for an answer that refuses nothing."""
    code = answer.outer[:100]
    meaning = refusals("authorize_net").get(code, Refusal("error", "unknown"))
    if not code.startswith("E") or meaning.kind == "unknown":
        return Outcome(NOT_KNOWN, refusal=meaning.refusal or "unknown", processor_code=code or "exc:garbage_body")
    return _refused(meaning, code, {})


def _refused(meaning: Refusal, code: str, ids: dict) -> Outcome:
    """A definite no; "not processed, come later" was not sent."""
    later = meaning == Refusal("error", "processor_unavailable") and (code == BEFORE_ANYTHING or code.startswith("E"))
    return Outcome(NOT_SENT if later else DECLINED, ids=ids, refusal=meaning.refusal or "unknown", processor_code=code)


def _approved(answer: Heard, order: Order, ids: dict, *, partial: bool) -> Outcome:
    """Approved, for less where a prepaid card did not reach. Without a transaction id nothing was made."""
    if answer.trans_id is None and not (partial and "splitTenderId" in ids):
        if answer.transaction.get("testRequest") == "1":
            return Outcome(DECLINED, refusal="processor_credentials_refused", processor_code="test_mode")
        return Outcome(NOT_KNOWN, ids=ids, processor_code="no_transaction")
    said = _dict(answer.transaction.get("prePaidCard")).get("approvedAmount")
    amount = order.amount if said in (None, "") and not partial else minor(said, order.currency)
    if amount is None:
        return Outcome(NOT_KNOWN, ids=ids, processor_code="amount_differs")
    if amount == order.amount:
        return Outcome(APPROVED, amount=amount, currency=order.currency, ids=ids)
    return Outcome(APPROVED, amount, order.currency, ids, refusal="insufficient_funds", processor_code="295")


def _ids_in(answer: Heard) -> dict:
    """What a refund, a void or a look-up will need: the transaction, the card's last digits, the group of a partial approval."""
    last4 = _last4(answer.transaction.get("accountNumber"))
    split = _text(answer.transaction.get("splitTenderId"))
    ids = {"transId": answer.trans_id, "last4": last4, "splitTenderId": split or None}
    return {name: value for name, value in ids.items() if value}


def _with_card(outcome: Outcome, kind: Any, number: Any) -> Outcome:
    """The same with the card that was used, where one was accepted: its digits are typed at theirs, and we learn the last four."""
    last4 = _last4(number)
    if outcome.status not in (APPROVED, WAITING) or last4 is None:
        return outcome
    return replace(outcome, brand=BRANDS.get(_text(kind), "card"), last4=last4)


def _last4(number: Any) -> str | None:
    digits = _text(number)[-4:]
    return digits if len(digits) == 4 and digits.isdigit() else None


def reference_in(details: dict) -> str | None:
    return _dict(details.get("order")).get("invoiceNumber")


def waits_for_settlement(details: dict) -> bool:
    return details.get("transactionStatus") in UNSETTLED


def amount_in(details: dict, currency: str, name: str = "settleAmount") -> int | None:
    """Minor units of what will settle (or of another field); None where there is no such amount."""
    return minor(details.get(name, details.get("authAmount")), currency)


def from_details(details: dict, order: Order) -> Outcome:
    """How a transaction that was looked up stands."""
    card = _dict(_dict(details.get("payment")).get("creditCard"))
    return _with_card(_of_details(details, order), card.get("cardType"), card.get("cardNumber"))


def _of_details(details: dict, order: Order) -> Outcome:
    said = _text(details.get("transactionStatus"))
    status = STATUSES.get(said, NOT_KNOWN)
    last4 = _last4(_dict(_dict(details.get("payment")).get("creditCard")).get("cardNumber"))
    ids = {"transId": str(details["transId"]), **({"last4": last4} if last4 else {})}
    if status == APPROVED:
        amount = amount_in(details, order.currency)
        if amount is None:
            return Outcome(NOT_KNOWN, ids=ids, processor_code="exc:garbage_body")
        return Outcome(APPROVED, amount=amount, currency=order.currency, ids=ids)
    if status == CANCELED and order.kind == REFUND:  # the merchant took it back: the client has nothing
        return Outcome(DECLINED, ids=ids, refusal="unknown", processor_code="voided")
    if status == DECLINED:
        code = _text(details.get("responseReasonCode"))[:100]
        meaning = refusals("authorize_net").get(code)
        no = meaning.refusal if meaning and meaning.kind in ("declined", "error", "error_account", "state") else None
        return Outcome(DECLINED, ids=ids, refusal=_BY_STATUS.get(said) or no or "card_declined", processor_code=code or said[:100])
    return Outcome(status, ids=ids, processor_code=None if status in (WAITING, CANCELED) else said[:100] or "exc:garbage_body")


def listed(line: dict, currency: str) -> Listed | None:
    """A line of their lists; None where it can't be read."""
    said, amount, at = (
        _text(line.get("transactionStatus")),
        minor(line.get("settleAmount"), currency),
        _moment(line.get("submitTimeUTC")),
    )
    if amount is None or at is None:
        return None
    reference = line.get("invoiceNumber")
    kind = REFUND if said in REFUNDED else CHARGE
    status, its_id = STATUSES.get(said, NOT_KNOWN), _text(line.get("transId"))
    return Listed(reference if isinstance(reference, str) else None, kind, abs(amount), currency, at, status, its_id or None)


def nudge(body: bytes) -> Nudge | None:
    """The transaction that a genuine notification names."""
    try:
        told = _dict(json.loads(body.decode("utf-8-sig"), parse_constant=_refuse))
    except (ValueError, RecursionError):
        return None
    payload, event_id, kind = _dict(told.get("payload")), told.get("notificationId"), _text(told.get("eventType"))
    trans_id, reference = _text(payload.get("id")), _text(payload.get("invoiceNumber"))
    if not isinstance(event_id, str) or not event_id or not trans_id or payload.get("entityName") != "transaction":
        return None
    if not kind.startswith("net.authorize.payment."):
        return None
    return Nudge(event_id[:100], reference or None, {"transId": trans_id})


def minor(value: Any, currency: str) -> int | None:
    """Minor units of an amount as they write it (text or number); None where it is none, or finer than the currency."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    if not amount.is_finite() or abs(amount.adjusted()) > 20:
        return 0 if amount.is_zero() else None
    scaled = amount.scaleb(decimals(currency))
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) <= MOST else None


def _moment(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _refuse(_: str) -> None:
    raise ValueError("not a number")


def _dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Codes and ids wobble between text and number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value)


def _first(entries: Any, name: str) -> str:
    entry = entries[0] if isinstance(entries, list) and entries else None
    return _text(_dict(entry).get(name))
