"""Converge's `processxml.do` as documented: loose XML in a form, one account's rights, its batch, its duplicate check, its queries.
Its payment pages are stand-ins (`elavon_pages`).

What the documents leave open is an attribute here, so that tests can try the adapter both ways. Card numbers that ask for an
ending are our own; the others are those of Converge's demo system. `python -m tests.simulators.elavon --port N` serves it.
"""

import json
import re
import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared import money
from tests.simulators.elavon_cards import CardManager
from tests.simulators.elavon_pages import Pages
from tests.simulators.elavon_wire import (
    ASKS_CURRENCY,
    CARDS,
    ERRORS,
    HELD,
    LONGEST,
    PARTIAL,
    REFUSALS,
    Refusal,
    Refused,
    Said,
    brand,
    check_digit_is_wrong,
    document,
    echoed,
    given_in,
    reply,
)
from tests.simulators.stand import CHARGE, REFUND, Asked, Entry, Reply, Simulator, main

EASTERN = ZoneInfo("America/New_York")
PATH = "/VirtualMerchantDemo/processxml.do"
VERBS = {
    "ccsale": "charge", "ccreturn": "refund", "ccvoid": "void", "ccdelete": "void", "ccverify": "verify", "ccgettoken": "save",
    "ccdeletetoken": "remove",
}  # fmt: skip
USER, USER_WITHOUT_BATCHES, PIN = "apiuser", "noview", "FAKEPIN0001"


class Elavon(Simulator):
    """One Converge with any number of accounts (six or seven digits), all with the same user names and PIN."""

    name = "elavon"
    voided_rows = "shown"  # or "gone": how a voided sale looks afterwards is not documented
    returns_before_settlement = False
    names_in_rows = ("ssl_invoice_number", "ssl_merchant_txn_id")  # which of them a query's row bears is not documented
    returns_bear = "their own name"  # or "their sale's": likewise
    finds_nothing_by = "count"  # or "error"
    multi_currency = False
    pin, cards = PIN, frozenset(CARDS)

    def __init__(self, port: int = 0):
        self.pages, self.card_manager = Pages(self), CardManager(self)
        super().__init__(port)

    def reset(self) -> None:
        super().reset()
        self.pages.reset()
        self.card_manager.reset()

    def verb_of(self, asked: Asked) -> str:
        """A look-up is two queries, by reference and by days; both are `find`, and the second one ends it."""
        if verb := self.pages.verb_of(asked):
            return verb
        given = given_in(asked) or {}
        kind = given.get("ssl_transaction_type", "").lower()
        if kind != "txnquery":
            return VERBS.get(kind, "other")
        start, end = given.get("ssl_search_start_date", ""), given.get("ssl_search_end_date", "")
        if "ssl_txn_id" in given:
            return "read"
        if "ssl_merchant_txn_id" in given or (start != end and len(start) == 10):
            return "find"
        return "check" if start == end else "list"

    def work(self, asked: Asked) -> Reply:
        self.ends_look_up = False
        if self.pages.verb_of(asked):
            return self.pages.work(asked)
        if asked.path != PATH:
            return Reply(404, b"<html>Not Found</html>", "text/html")
        given = given_in(asked)
        try:
            if given is None:
                raise Refused("6042")
            said = self._answered(given)
        except Refused as no:
            code = str(no)
            words = {"errorCode": code, "errorName": ERRORS[code], "errorMessage": f"{ERRORS[code]}: see the guide."}
            return reply(document("txn", words))
        if isinstance(said, list):
            return reply(document("txnlist", {"ssl_txn_count": str(len(said))}, said))
        return reply(document("txn", said.elements), said.headers)

    def _answered(self, given: dict[str, str]) -> Said | list[dict[str, str]]:
        merchant, kind = self.must_know(given), given.get("ssl_transaction_type", "").lower()
        if any(len(given.get(name, "")) > most for name, most in LONGEST.items()):
            raise Refused("5005")
        verbs = {
            "ccsale": self.sale,
            "ccverify": self._verify,
            "ccgettoken": self.card_manager.keep,
            "ccdeletetoken": self.card_manager.forget,
            "ccreturn": self._return,
            "ccvoid": self._void,
            "ccdelete": self._void,
            "txnquery": self._query,
        }
        if kind not in verbs:
            raise Refused("4010")
        return verbs[kind](merchant, given)

    def must_know(self, given: dict[str, str]) -> str:
        """The account that asks; Refused where it is none."""
        merchant = given.get("ssl_merchant_id", "")
        known = re.fullmatch("[0-9]{6,7}", merchant) and given.get("ssl_user_id") in (USER, USER_WITHOUT_BATCHES)
        if not known or given.get("ssl_pin") != self.pin:
            raise Refused("4025")
        return merchant

    def declined(self, asked: Asked) -> Reply:
        return reply(document("txn", {"ssl_result": "1", "ssl_result_message": "DECLINED", "ssl_issuer_response": "05"}))

    def duplicate(self, asked: Asked) -> Reply:
        said = {"ssl_result": "1", "ssl_result_message": "Declined - Transaction previously authorized"}
        return reply(document("txn", said))

    # what moves money

    def sale(self, merchant: str, given: dict[str, str]) -> Said:
        amount, currency = self.amount_of(given)
        number = self.card_of(merchant, given)
        if number == ASKS_CURRENCY:
            return Said({"dccoption": "Please charge my purchase in my home currency", "ssl_txn_id": ""})
        reference, invoice = given.get("ssl_merchant_txn_id", ""), given.get("ssl_invoice_number", "")
        entry = Entry(self._new_id(), CHARGE, reference or invoice, amount, currency, merchant, "approved", self.now())
        entry.more = {
            "invoice": invoice, "merchant_txn": reference, "masked": f"{number[:2]}**********{number[-4:]}", "card": number[-6:],
            "brand": brand(number), "exp": given["ssl_exp_date"], "user": given["ssl_user_id"], "message": "APPROVAL",
            "merchant_initiated": given.get("ssl_merchant_initiated_unscheduled", ""), "named": "ssl_transaction_currency" in given,
            "approval": f"{uuid.uuid4().int % 1000000:06}",
        }  # fmt: skip
        for other in self.entries:
            same = (other.merchant, other.amount, other.more.get("card"), other.more.get("invoice"))
            if same == (merchant, amount, number[-6:], invoice) and other.status == "approved" and not other.settled:
                entry.id = entry.more["approval"] = ""
                return self._authorised(entry, given, Refusal("Declined - Transaction previously authorized"))
        if no := REFUSALS.get(number):
            entry.status, entry.more["approval"] = "declined", ""
            entry.more["message"] = no.message
            self.book(entry)
            return self._authorised(entry, given, no)
        if number == PARTIAL:
            entry.amount, entry.more["message"] = amount // 2, "PARTIAL APPROVAL"
        entry.status = "held" if number == HELD else "approved"
        self.book(entry)
        return self._authorised(entry, given, asked_for=amount)

    def _authorised(self, entry: Entry, given: dict[str, str], no: Refusal | None = None, asked_for: int | None = None) -> Said:
        """The answer of a sale, with the elements that were recorded from the demo system."""
        partial = asked_for is not None and asked_for != entry.amount
        issuer = no.issuer if no else ("10" if partial else "00")
        said = {
            **({"ssl_issuer_response": issuer} if issuer else {}),
            **echoed(given),
            **self._common(entry, "SALE"),
            **({"ssl_token": given["ssl_token"]} if "ssl_token" in given else {}),
            "ssl_result": "1" if no else "0",
            "ssl_result_message": no.message if no else entry.more["message"],
            "ssl_avs_response": "M", "ssl_cvv2_response": "M", "ssl_departure_date": "", "ssl_completion_date": "",
            "ssl_salestax": "", "ssl_account_balance": "0.00", "ssl_oar_data": "0" * 60, "ssl_ps2000_data": "A8181831435010530042VE",
            "ssl_partner_app_id": "VM",
        }  # fmt: skip
        if partial:
            due = (asked_for or 0) - entry.amount
            said["ssl_requested_amount"] = money.to_text(asked_for or 0, entry.currency)
            said["ssl_balance_due"] = money.to_text(due, entry.currency)
        header = no.header if no else ("AP" if partial else "AA")
        return Said(said, {"AuthApproved": str(no is None).lower(), "AuthResponse": header})

    def _verify(self, merchant: str, given: dict[str, str]) -> Said:
        number = self.card_of(merchant, given)
        said = {
            "ssl_issuer_response": "85", "ssl_transaction_type": "CARDVERIFICATION", "ssl_result": "0", "ssl_result_message": "APPROVAL",
            "ssl_card_number": f"{number[:2]}**********{number[-4:]}", "ssl_oar_data": "0" * 60, "ssl_txn_id": self._new_id(),
            "ssl_avs_response": "M", "ssl_approval_code": "093964", "ssl_avs_address": given.get("ssl_avs_address", ""),
            "ssl_avs_zip": given.get("ssl_avs_zip", ""), "ssl_txn_time": self.eastern(self.now()), "ssl_account_balance": "0.00",
            "ssl_ps2000_data": "A8181857455011610042VE", "ssl_exp_date": given["ssl_exp_date"], "ssl_card_type": "CREDITCARD",
            "ssl_card_short_description": brand(number), "ssl_cvv2_response": "M", "ssl_partner_app_id": "VM",
        }  # fmt: skip
        return Said(said, {"AuthApproved": "true", "AuthResponse": "AA"})

    def _return(self, merchant: str, given: dict[str, str]) -> Said:
        sale = self._entry(merchant, given)
        returned = [entry for entry in self.entries if entry.of == sale.id and entry.kind == REFUND and entry.status == "approved"]
        amount = _minor(given, sale.currency)
        if sale.kind != CHARGE or sale.status != "approved" or not (sale.settled or self.returns_before_settlement):
            raise Refused("5040")
        if amount + sum(entry.amount for entry in returned) > sale.amount:
            raise Refused("5091")
        its_own = self.returns_bear == "their own name"
        reference, invoice = given.get("ssl_merchant_txn_id", ""), given.get("ssl_invoice_number", "")
        names = {"invoice": invoice if its_own else sale.more["invoice"], "merchant_txn": reference if its_own else ""}
        entry = Entry(
            self._new_id(), REFUND, reference or invoice, amount, sale.currency, merchant, "approved", self.now(), of=sale.id
        )
        entry.more = {**sale.more, **names, "message": "APPROVAL", "user": given["ssl_user_id"]}
        self.book(entry)
        said = {
            "ssl_issuer_response": "00", **echoed(given), **self._common(entry, "RETURN"), "ssl_result": "0",
            "ssl_result_message": "APPROVAL", "ssl_departure_date": "", "ssl_completion_date": "", "ssl_avs_response": "",
            "ssl_cvv2_response": "", "ssl_customer_code": "", "ssl_salestax": "", "ssl_account_balance": "0.00", "ssl_partner_app_id": "VM",
        }  # fmt: skip
        return Said(said, {"AuthApproved": "true", "AuthResponse": "AA"})

    def _void(self, merchant: str, given: dict[str, str]) -> Said:
        entry = self._entry(merchant, given)
        returned = any(other.of == entry.id and other.status == "approved" for other in self.entries)
        if entry.settled or entry.status not in ("approved", "held") or returned:
            raise Refused("5040")
        entry.status, entry.more["voided_by"] = "voided", given["ssl_transaction_type"].lower()
        said = {
            **echoed(given), **self._common(entry, "DELETE"), "ssl_result": "0",
            "ssl_result_message": "APPROVAL", "ssl_salestax": "",
            "ssl_service_fee_amount": "", "ssl_credit_surcharge_amount": "", "ssl_partner_app_id": "VM",
        }  # fmt: skip
        said.pop("ssl_approval_code")
        return Said(said)

    def decide(self, reference: str, approve: bool) -> None:
        """The merchant's word on what is held."""
        for entry in self.entries:
            if entry.reference == reference and entry.status == "held":
                entry.status = "approved" if approve else "failed"

    def command(self, asked: Asked) -> Reply:
        """Besides the stand's: `decide` what is held, and `returns_to`, the return address in Converge's own interface."""
        given = json.loads(asked.body or b"{}")
        with self.lock:
            if asked.path == "/_simulator/decide":
                self.decide(**given)
                return Reply(200, b"null")
            if asked.path == "/_simulator/returns_to":
                self.pages.returns_to = given["address"]
                return Reply(200, b"null")
        return super().command(asked)

    # queries

    def _query(self, merchant: str, given: dict[str, str]) -> Said | list[dict[str, str]]:
        if given["ssl_user_id"] == USER_WITHOUT_BATCHES:
            raise Refused("4016")
        hidden = {its_id for its_id, left in self.hidden.items() if left > 0}
        found = [entry for entry in self.entries if entry.id not in hidden and entry.merchant == merchant]
        found = [entry for entry in found if entry.status != "voided" or self.voided_rows == "shown"]
        if "ssl_txn_id" in given:
            one = [entry for entry in found if entry.id == given["ssl_txn_id"]]
            if not one:
                raise Refused("5040")
            return Said(self._row(one[0]))
        if "ssl_merchant_txn_id" in given:
            found = [entry for entry in found if entry.more["merchant_txn"] == given["ssl_merchant_txn_id"]]
        else:
            self.shown()  # a look by days brings the hidden ones nearer
            self.ends_look_up = True
        start, end = self._range(given)
        rows = [self._row(entry) for entry in reversed(found) if start <= datetime.fromtimestamp(entry.at, EASTERN) < end]
        if not rows and self.finds_nothing_by == "error":
            return Said(
                {"errorCode": "5999", "errorName": "No Records Found", "errorMsg": "No transactions found for this search."}
            )
        return rows

    def _look_up_happened(self) -> None:
        if self.ends_look_up:
            super()._look_up_happened()

    def _range(self, given: dict[str, str]) -> tuple[datetime, datetime]:
        first, last = given.get("ssl_search_start_date", ""), given.get("ssl_search_end_date", "")
        start = _moment(first) or datetime.fromtimestamp(self.now(), EASTERN) - timedelta(days=30)
        end = _moment(last) or start + timedelta(days=30)
        if len(last) == 10:
            end += timedelta(days=1)  # a day means all of it
        if end < start or end - start > timedelta(days=32):
            raise Refused("5999")
        return start, end

    def _row(self, entry: Entry) -> dict[str, str]:
        """A row of a query: no result, but a status."""
        status = {"approved": "STL" if entry.settled else "OPN", "held": "PEN", "failed": "PST", "declined": "", "voided": "OPN"}
        kind = "RETURN" if entry.kind == REFUND else ("DELETE" if entry.status == "voided" else "SALE")
        row = self._common(entry, kind)
        row = {name: text for name, text in row.items() if not name.endswith(("invoice_number", "merchant_txn_id"))}
        names = {"ssl_invoice_number": entry.more["invoice"], "ssl_merchant_txn_id": entry.more["merchant_txn"]}
        named = {name: names[name] for name in self.names_in_rows if names[name]}
        more = {"ssl_user_id": entry.more["user"], "ssl_trans_status": status[entry.status], "ssl_entry_mode": "K"}
        return {**row, **more, "ssl_result_message": entry.more["message"], **named}

    # what several of them need

    def _common(self, entry: Entry, kind: str) -> dict[str, str]:
        said = {
            "ssl_txn_id": entry.id, "ssl_transaction_type": kind, "ssl_card_number": entry.more["masked"],
            "ssl_exp_date": entry.more["exp"], "ssl_card_type": "CREDITCARD", "ssl_card_short_description": entry.more["brand"],
            "ssl_amount": money.to_text(entry.amount, entry.currency), "ssl_txn_time": self.eastern(entry.at),
            "ssl_approval_code": entry.more["approval"], "ssl_invoice_number": entry.more["invoice"],
        }  # fmt: skip
        if entry.more["merchant_txn"]:
            said["ssl_merchant_txn_id"] = entry.more["merchant_txn"]
        return said | ({"ssl_transaction_currency": entry.currency} if entry.more["named"] else {})

    def _entry(self, merchant: str, given: dict[str, str]) -> Entry:
        for entry in self.entries:
            if entry.merchant == merchant and entry.id == given.get("ssl_txn_id"):
                return entry
        raise Refused("5040")

    def amount_of(self, given: dict[str, str]) -> tuple[int, str]:
        currency = given.get("ssl_transaction_currency") or "USD"
        if given.get("ssl_transaction_currency") and not self.multi_currency:
            raise Refused("5087")
        return _minor(given, currency), currency

    def card_of(self, merchant: str, given: dict[str, str]) -> str:
        """The number of the card that was typed, or that a token stands for; Refused where it can't be used."""
        number = self.card_manager.number_of(merchant, given) if "ssl_token" in given else given.get("ssl_card_number", "")
        today = datetime.fromtimestamp(self.now(), EASTERN)
        if not number.isdigit() or not 12 <= len(number) <= 19 or check_digit_is_wrong(number):
            raise Refused("5000")
        if number not in self.cards:
            raise Refused("9999")
        expires = re.fullmatch("(0[1-9]|1[0-2])([0-9]{2})", given.get("ssl_exp_date", ""))
        if not expires or (2000 + int(expires[2]), int(expires[1])) < (today.year, today.month):
            raise Refused("5001")
        if given.get("ssl_cvv2cvc2_indicator") == "1" and not re.fullmatch("[0-9]{3,4}", given.get("ssl_cvv2cvc2", "")):
            raise Refused("5021")
        return number

    def _new_id(self) -> str:
        return f"{datetime.fromtimestamp(self.now(), EASTERN):%d%m%y}ED4-{uuid.uuid4()}".upper()

    @staticmethod
    def eastern(at: float) -> str:
        return f"{datetime.fromtimestamp(at, EASTERN):%m/%d/%Y %I:%M:%S %p}"

    # its own ways to fail

    def garbage(self) -> Reply:
        return Reply(200, b'<?xml version="1.0" encoding="UTF-8"?>\n<txn><ssl_result>0</ssl_re', "text/xml")

    def broken(self) -> Reply:
        return Reply(500, b"<html><head><title>Error 500</title></head><body>A server error occurred.</body></html>", "text/html")


def _minor(given: dict[str, str], currency: str) -> int:
    text = given.get("ssl_amount", "")
    if not re.fullmatch(r"[0-9]{1,8}(\.[0-9]{2})?", text):
        raise Refused("5002")
    try:
        return money.from_text(text, currency)
    except ValueError:
        raise Refused("5002") from None


def _moment(text: str) -> datetime | None:
    for how in ("%m/%d/%Y", "%m/%d/%Y %I:%M:%S %p"):
        try:
            return datetime.strptime(text, how).replace(tzinfo=EASTERN)
        except ValueError:
            continue
    if text:
        raise Refused("5999")
    return None


if __name__ == "__main__":
    main(Elavon)
