"""Converge's tokens and its Card Manager, for the simulator: a token for each card of a merchant, kept under two names.

A token has its card's length, its last four digits and a right check digit, and begins as no card does.
"""

import hashlib
from typing import TYPE_CHECKING

from tests.simulators.elavon_wire import REFUSALS, Refused, Said, brand, check_digit_is_wrong, echoed

if TYPE_CHECKING:
    from tests.simulators.elavon import Elavon

TAKES = {
    "ssl_merchant_id", "ssl_user_id", "ssl_pin", "ssl_vendor_id", "ssl_transaction_type", "ssl_card_number", "ssl_exp_date",
    "ssl_cvv2cvc2", "ssl_cvv2cvc2_indicator", "ssl_verify", "ssl_add_token", "ssl_first_name", "ssl_last_name", "ssl_company",
    "ssl_avs_address", "ssl_address2", "ssl_city", "ssl_state", "ssl_avs_zip", "ssl_country", "ssl_phone", "ssl_email",
}  # fmt: skip
OF_A_PAYMENT = {"DECLINED: NSF", "EXCEEDS LIMIT", "AMOUNT ERROR"}  # what a verification of nothing doesn't meet


class CardManager:
    """The tokens of one Converge; `holds` is what a merchant sees of them and may take out."""

    def __init__(self, house: "Elavon"):
        self.house = house
        self.reset()

    def reset(self) -> None:
        self.numbers: dict[tuple[str, str], str] = {}
        self.holds: dict[tuple[str, str], dict[str, str]] = {}

    def keep(self, merchant: str, given: dict[str, str]) -> Said:
        if set(given) - TAKES:
            raise Refused("4010")
        number = self.house.card_of(merchant, given)
        no = REFUSALS.get(number) if given.get("ssl_verify") == "Y" else None
        if no and no.message not in OF_A_PAYMENT and no.issuer != "1A":
            said = {**self._described(given, number), "ssl_result": "1", "ssl_result_message": no.message}
            issuer = {"ssl_issuer_response": no.issuer} if no.issuer else {}
            return Said({**said, **issuer, "ssl_token_response": "Acct Verification Failed"}, {"AuthResponse": no.header})
        token = _token(merchant, number)
        self.numbers[merchant, token] = number
        added = {"ssl_add_token_response": self._add(merchant, token, given)} if given.get("ssl_add_token") == "Y" else {}
        verified = {"ssl_result_message": "APPROVAL", "ssl_cvv2_response": "M"} if given.get("ssl_verify") == "Y" else {}
        return Said({**self._described(given, number), **verified, "ssl_token_response": "SUCCESS", "ssl_token": token, **added})

    def _add(self, merchant: str, token: str, given: dict[str, str]) -> str:
        for name, words in (("ssl_first_name", "First Name"), ("ssl_last_name", "Last Name")):
            if not given.get(name):
                return f"FAILURE - {words} - is required."
        known = (merchant, token) in self.holds
        self.holds[merchant, token] = {"exp": given["ssl_exp_date"], "name": f"{given['ssl_first_name']} {given['ssl_last_name']}"}
        return "Card Updated" if known else "Card Added"

    def forget(self, merchant: str, given: dict[str, str]) -> Said:
        """All that goes with a token goes with it."""
        if not given.get("ssl_token"):
            raise Refused("4009")
        known = self.holds.pop((merchant, given["ssl_token"]), None)
        if known is not None:
            self.numbers.pop((merchant, given["ssl_token"]))
        return Said({"ssl_token": given["ssl_token"], "ssl_token_response": "SUCCESS" if known is not None else "Invalid Token"})

    def number_of(self, merchant: str, given: dict[str, str]) -> str:
        if "ssl_card_number" in given or (merchant, given["ssl_token"]) not in self.numbers:
            raise Refused("5085")
        return self.numbers[merchant, given["ssl_token"]]

    def _described(self, given: dict[str, str], number: str) -> dict[str, str]:
        empty = (
            "txn_id",
            "avs_response",
            "approval_code",
            "salestax",
            "customer_id",
            "result_message",
            "invoice_number",
            "cvv2_response",
        )
        return {
            **{f"ssl_{name}": "" for name in empty}, **echoed(given), "ssl_card_number": f"{number[:2]}**********{number[-4:]}",
            "ssl_result": "0", "ssl_txn_time": self.house.eastern(self.house.now()), "ssl_exp_date": given["ssl_exp_date"],
            "ssl_card_short_description": brand(number), "ssl_card_type": "CREDITCARD", "ssl_transaction_type": "GETTOKEN",
            "ssl_account_balance": "0.00",
        }  # fmt: skip


def _token(merchant: str, number: str) -> str:
    """Always the same for one merchant's card."""
    middle = str(int(hashlib.sha256(f"{merchant}|{number}".encode()).hexdigest(), 16))[-(len(number) - 6) :]
    tries = (f"9{middle}{digit}{number[-4:]}" for digit in range(10))
    return next(token for token in tries if not check_digit_is_wrong(token))
