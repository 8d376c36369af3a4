"""The form of Authorize.net's answers: how its books are told. What is in them is decided in `authorize_net.py`."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.simulators.stand import CHARGE, REFUND, Entry, Reply

BOM = b"\xef\xbb\xbf"
TEXTS = {
    "5": "A valid amount is required.",
    "6": "The credit card number is invalid.",
    "8": "The credit card has expired.",
    "11": "A duplicate transaction has been submitted.",
    "16": "The transaction cannot be found.",
    "27": "The transaction has been declined because of an AVS mismatch.",
    "39": "The supplied currency code is either invalid, not supported, not allowed for this merchant or doesn't have an exchange rate.",
    "54": "The referenced transaction does not meet the criteria for issuing a credit.",
    "55": "The sum of credits against the referenced transaction would exceed original debit amount.",
    "65": "This transaction has been declined.",
    "327": "The void action is not supported for this transaction.",
}
OUTER = {
    "I00001": "Successful.",
    "I00004": "No records found.",
    "E00002": "The content-type specified is not supported.",
    "E00003": "The element is invalid.",
    "E00007": "User authentication failed due to invalid authentication values.",
    "E00011": "Access denied. You do not have permission to call the Transaction Details API.",
    "E00013": "The date range is invalid.",
    "E00027": "The transaction was unsuccessful.",
    "E00039": "A duplicate customer payment profile already exists.",
    "E00040": "The record cannot be found.",
    "E00042": "You cannot add more than 10 payment profiles.",
    "E00093": "PaymentProfile cannot be sent with billing data.",
    "E00114": "Invalid OTS Token.",
}


@dataclass
class Merchant:
    """What the merchant's account at Authorize.net says."""

    login: str
    key: str
    currency: str = "USD"
    details_api: bool = True
    test_mode: bool = False
    signature_key: str = ""
    webhook_url: str = ""

    @property
    def client_key(self) -> str:
        """The public one, which the window over a merchant's page is drawn with."""
        return hashlib.sha256(f"public {self.login}".encode()).hexdigest()

    @property
    def places(self) -> int:
        return 0 if self.currency == "JPY" else 2

    def minor(self, text: Any) -> int:
        return int(Decimal(str(text)).scaleb(self.places))

    def number(self, amount: int) -> float:
        return float(Decimal(amount).scaleb(-self.places))


def messages(code: str, text: str | None = None) -> dict:
    return {
        "messages": {"resultCode": "Ok" if code[0] == "I" else "Error", "message": [{"code": code, "text": text or OUTER[code]}]}
    }


_RESPONSE = {"authCode": "", "avsResultCode": "P", "cvvResultCode": "", "cavvResultCode": "", "transId": "0", "refTransID": "",
             "transHash": "", "testRequest": "0", "accountNumber": "", "accountType": ""}  # fmt: skip


def yes(family: str, code: str, text: str, **said: Any) -> dict:
    response = {"responseCode": family, **_RESPONSE, **said, "messages": [{"code": code, "description": text}]}
    return {"transactionResponse": response, **messages("I00001")}


def no(code: str, text: str | None = None, family: str | None = None, **said: Any) -> dict:
    """A plain decline comes with Ok and its error, everything else with E00027."""
    family = family or ("2" if code in ("27", "65") else "3")
    error = {"errorCode": code, "errorText": text or TEXTS[code]}
    response = {"responseCode": family, **_RESPONSE, **said, "errors": [error]}
    return {"transactionResponse": response, **messages("I00001" if family == "2" else "E00027")}


def reply(said: dict, ref_id: str | None = None) -> Reply:
    if ref_id is not None:
        messages = said.pop("messages")
        said = {**said, "refId": ref_id, "messages": messages}
    return Reply(200, BOM + json.dumps(said, separators=(",", ":")).encode(), "application/json; charset=utf-8")


def line(entry: Entry, merchant: Merchant) -> dict:
    """A transaction in a list."""
    reference = {"invoiceNumber": entry.reference} if entry.reference else {}
    return {
        "transId": entry.id,
        "submitTimeUTC": utc(entry.at),
        "submitTimeLocal": utc(entry.at)[:-1],
        "transactionStatus": status(entry),
        **reference,
        "firstName": "Test",
        "lastName": "Payer",
        "accountType": entry.more["brand"],
        "accountNumber": "XXXX" + entry.more["last4"],
        "settleAmount": merchant.number(entry.amount),
        "marketType": "eCommerce",
        "product": "Card Not Present",
        "hasReturnedItemsSpecified": False,
    }


def batch_line(batch: dict, entries: list[Entry] | None, merchant: Merchant) -> dict:
    """A batch; with statistics where its entries are given."""
    said = {
        "batchId": batch["id"],
        "settlementTimeUTC": utc(batch["at"]),
        "settlementTimeUTCSpecified": True,
        "settlementTimeLocal": utc(batch["at"])[:-1],
        "settlementTimeLocalSpecified": True,
        "settlementState": "settledSuccessfully",
    }
    kind = {"paymentMethod": "creditCard", "marketType": "eCommerce", "product": "Card Not Present"}
    if entries is None:
        return {**said, **kind}
    return {
        **said,
        **kind,
        "statistics": [_statistics(brand, entries, merchant) for brand in sorted({e.more["brand"] for e in entries})],
    }


def details(entry: Entry, batch: dict | None, merchant: Merchant) -> dict:
    """One transaction."""
    refund = entry.kind == REFUND
    reason = entry.more["reason"]
    said = {
        "transId": entry.id,
        **({"refTransId": entry.of} if refund else {}),
        "submitTimeUTC": utc(entry.at),
        "submitTimeLocal": utc(entry.at)[:-1],
        "transactionType": "refundTransaction" if refund else "authCaptureTransaction",
        "transactionStatus": status(entry),
        "responseCode": {"declined": 2, "error": 3, "held": 4}.get(entry.status, 1),
        "responseReasonCode": reason,
        "responseReasonDescription": "Approval" if reason == 1 else "",
        "authCode": entry.more["auth"],
        "AVSResponse": entry.more["avs"],
    }
    if batch:
        said["batch"] = {
            name: value for name, value in batch_line(batch, None, merchant).items() if name.startswith(("batch", "sett"))
        }
    said |= {
        "order": {"invoiceNumber": entry.reference, "description": ""},
        "requestedAmountSpecified": False,
        "authAmount": merchant.number(entry.amount),
        "settleAmount": merchant.number(0 if entry.status == "voided" else entry.amount),
        "prepaidBalanceRemainingSpecified": False,
        "taxExempt": False,
        "taxExemptSpecified": True,
        "payment": {
            "creditCard": {
                "cardNumber": "XXXX" + entry.more["last4"],
                "expirationDate": "XXXX",
                "cardType": entry.more["brand"],
            }
        },
        "customer": {"typeSpecified": False, "id": ""},
        "billTo": {
            "phoneNumber": "",
            "firstName": "",
            "lastName": "",
            "address": "",
            "city": "",
            "state": "",
            "zip": "",
            "country": "",
        },
        "recurringBilling": False,
        "recurringBillingSpecified": True,
        "product": "Card Not Present",
        "marketType": "eCommerce",
    }
    return said


def status(entry: Entry) -> str:
    if entry.status == "approved":
        pending = {CHARGE: "capturedPendingSettlement", REFUND: "refundPendingSettlement"}
        settled = {CHARGE: "settledSuccessfully", REFUND: "refundSettledSuccessfully"}
        return (settled if entry.settled else pending)[entry.kind]
    if entry.status == "held":
        return "FDSPendingReview" if entry.more["reason"] == 252 else "FDSAuthorizedPendingReview"
    return {"error": "communicationError"}.get(entry.status, entry.status)


_UNSAID = ("returnedItemAmount", "returnedItemCount", "chargebackAmount", "chargebackCount", "correctionNoticeCount",
           "chargeChargeBackAmount", "chargeChargeBackCount", "refundChargeBackAmount", "refundChargeBackCount",
           "chargeReturnedItemsAmount", "chargeReturnedItemsCount", "refundReturnedItemsAmount", "refundReturnedItemsCount")  # fmt: skip


def _statistics(brand: str, entries: list[Entry], merchant: Merchant) -> dict:
    ours = [entry for entry in entries if entry.more["brand"] == brand]
    done = {
        kind: [entry.amount for entry in ours if entry.kind == kind and entry.status == "approved"] for kind in (CHARGE, REFUND)
    }
    count = {status: len([entry for entry in ours if entry.status == status]) for status in ("voided", "declined", "error")}
    said = {"accountType": brand}
    for kind, amounts in done.items():
        said |= {f"{kind}Amount": merchant.number(sum(amounts)), f"{kind}Count": len(amounts)}
    said |= {"voidCount": count["voided"], "declineCount": count["declined"], "errorCount": count["error"]}
    return {**said, **{f"{name}Specified": False for name in _UNSAID}}


def amount_text(merchant: Merchant, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-merchant.places):.{merchant.places}f}"


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
