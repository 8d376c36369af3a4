"""Cards on file at Authorize.net: a customer profile for each payer, known there by our opaque name, with a payment profile for each card.

What exists already is refused with E00039, which tells its id: a customer's in the text, a card's in a field. Facts: the API's schema,
reference and response codes.
"""

import re
from datetime import date
from typing import Any

from services.processors.adapters import authorize_net_pages as pages
from services.processors.adapters import authorize_net_reading as reading
from services.processors.adapters.authorize_net_line import Line
from services.processors.adapters.authorize_net_reading import BRANDS, Heard, Silent
from services.processors.orders import APPROVED, DECLINED, NOT_KNOWN, Card, Means, OnFile, Saved, Saving

DUPLICATE, NOT_FOUND, NOT_VALIDATED = "E00039", "E00040", "E00027"
# The number and the date are checked there, and nobody's bank is asked: `liveMode` would ask it, but wants the payer's street for a
# Visa, which we don't ask for; `none` would keep a number with a slip in it.
VALIDATION = "testMode"


def save_card(line: Line, saving: Saving) -> Saved:
    """Keep a card under the payer's customer profile. One that is kept there already is answered with the ids it has."""
    customer = _customer(line, saving)
    if isinstance(customer, Saved):
        return customer
    fields = {"customerProfileId": customer, "paymentProfile": _payment_profile(saving.means), "validationMode": VALIDATION}
    answer = line.ask("createCustomerPaymentProfileRequest", {"refId": saving.reference, **fields})
    if isinstance(answer, Silent):
        return _unheard(answer)
    its_id = _id_in(answer, "customerPaymentProfileId") if not answer.refused or answer.outer == DUPLICATE else None
    if its_id is None:
        return _why_not(answer)
    ids, card = {"customerProfileId": customer, "paymentProfileId": its_id}, saving.means.card
    if card is None or answer.refused:
        return _as_kept(line, ids)
    return Saved(APPROVED, ids, card.brand, card.last4, card.exp_month, card.exp_year)


def remove_card(line: Line, ids: dict) -> bool:
    """Whether the card's payment profile is gone. The customer profile stays: it holds nothing but our opaque name."""
    fields = {"customerProfileId": ids["customerProfileId"], "customerPaymentProfileId": ids["paymentProfileId"]}
    answer = line.ask("deleteCustomerPaymentProfileRequest", fields)
    return isinstance(answer, Heard) and (not answer.refused or answer.outer == NOT_FOUND)


def charge_of(kept: OnFile) -> dict[str, Any]:
    """What a charge of a card on file has in place of the card; an address may not come with it (E00093).

    The banks are told that the card was kept, and whether its owner (`isStoredCredentials`) or we (`isSubsequentAuth`) ask for this.
    None of the four reasons that could be named besides is an unpaid invoice.
    """
    ids = kept.ids
    profile = {"customerProfileId": ids["customerProfileId"], "paymentProfile": {"paymentProfileId": ids["paymentProfileId"]}}
    return {"profile": profile, "processingOptions": {"isSubsequentAuth" if kept.off_session else "isStoredCredentials": "true"}}


def _customer(line: Line, saving: Saving) -> str | Saved:
    """The id of the payer's customer profile, made now or before; a Saved that says why there is none."""
    answer = line.ask("createCustomerProfileRequest", {"refId": saving.reference, "profile": {"merchantCustomerId": saving.payer}})
    if isinstance(answer, Silent):
        return _unheard(answer)
    if answer.outer == DUPLICATE:
        named = re.search(r"\bID (\d+) already exists", str(answer.body.get("messages")))
        return named[1] if named else _why_not(answer)
    return (None if answer.refused else _id_in(answer, "customerProfileId")) or _why_not(answer)


def _payment_profile(means: Means) -> dict:
    """The card or what stands for it, in the schema's order; without its code, which nobody would check."""
    if means.card is None:
        return {"payment": pages.payment_of(means)}
    bill = {"billTo": {"zip": means.card.postal_code}} if means.card.postal_code else {}
    return {**bill, "payment": {"creditCard": _plain(means.card)}}


def _plain(card: Card) -> dict:
    return {"cardNumber": card.number.reveal(), "expirationDate": f"{card.exp_year:04d}-{card.exp_month:02d}"}


def _as_kept(line: Line, ids: dict) -> Saved:
    """The card as it is kept there: of one that was typed at theirs, or kept before, only they can tell."""
    fields = {"customerProfileId": ids["customerProfileId"], "unmaskExpirationDate": "true"}
    answer = line.ask("getCustomerProfileRequest", fields)
    if isinstance(answer, Silent):
        return _unheard(answer)
    try:
        kept = answer.body["profile"]["paymentProfiles"]
        [card] = [one["payment"]["creditCard"] for one in kept if one["customerPaymentProfileId"] == ids["paymentProfileId"]]
        last4, expires = card["cardNumber"][-4:], date.fromisoformat(card["expirationDate"] + "-01")
        if not re.fullmatch(r"\d{4}", last4, re.ASCII):
            raise ValueError
        return Saved(APPROVED, ids, BRANDS.get(card.get("cardType"), "card"), last4, expires.month, expires.year)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Saved(NOT_KNOWN, refusal="unknown", processor_code="exc:garbage_body")


def _why_not(answer: Heard) -> Saved:
    """A card that their check refused has the reason in the check's own answer; a duplicate that names no id tells nothing."""
    said = str(answer.body.get("validationDirectResponse")).split(",")
    if answer.outer != NOT_VALIDATED or len(said) < 3:
        outcome = reading.without_transaction(answer)
        status = NOT_KNOWN if answer.outer == DUPLICATE else outcome.status
        return Saved(status, refusal=outcome.refusal, processor_code=outcome.processor_code)
    checked = Heard({"transactionResponse": {"responseCode": said[0], "errors": [{"errorCode": said[2]}]}})
    uncertain = checked.network_trouble or checked.meaning.kind == "unknown"
    code = checked.reason[:100]
    return Saved(NOT_KNOWN if uncertain else DECLINED, refusal=checked.meaning.refusal or "card_declined", processor_code=code)


def _unheard(silent: Silent) -> Saved:
    return Saved(silent.status, refusal=silent.refusal, processor_code=silent.code)


def _id_in(answer: Heard, name: str) -> str | None:
    said = str(answer.body.get(name))
    return said if re.fullmatch(r"\d*[1-9]\d*", said, re.ASCII) else None
