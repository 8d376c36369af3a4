"""Cards at Converge, typed or on file: what is written of them, and what keeping and forgetting one says. Asks nobody.

A token in Converge's Card Manager stands for a card. It looks like a card number: as many digits, the same last four. The same
card always gets the same token of a merchant, so keeping it twice keeps it once. Facts: Elavon's developer pages on
tokenization, generate token and token delete; the words of `ssl_token_response` are those of Elavon's own SDK.
"""

import re

from services.processors.adapters import elavon_reading as reading
from services.processors.adapters.base import refusals
from services.processors.adapters.elavon_xml import Answer
from services.processors.orders import APPROVED, Card, Means, OnFile, Outcome, Saved, Saving

_NO_SUCH_TOKEN = {"error:5083", "error:5085", "token:INVALID TOKEN"}


def paid_with(means: Means) -> dict[str, str]:
    """What a sale says of its card: the token where it is on file, else the card as it was typed."""
    if means.on_file is not None:
        return _on_file(means.on_file)
    assert means.card is not None
    return _typed(means.card)


def _typed(card: Card) -> dict[str, str]:
    fields = {
        "ssl_card_number": card.number.reveal(),
        "ssl_exp_date": _expires(card),
        "ssl_cvv2cvc2": card.cvc.reveal(),
        "ssl_cvv2cvc2_indicator": "1",
    }
    postal_code = re.sub("[^A-Za-z0-9]", "", card.postal_code or "")[:9]
    return {**fields, "ssl_avs_zip": postal_code} if postal_code else fields


def _on_file(kept: OnFile) -> dict[str, str]:
    """A token in its card's place, with the date: without that only a token that is in Card Manager counts."""
    fields = {"ssl_token": kept.ids["token"], "ssl_exp_date": _expires(kept)}
    return {**fields, "ssl_merchant_initiated_unscheduled": "Y"} if kept.off_session else fields


def to_keep(saving: Saving, card: Card) -> dict[str, str]:
    """Its bank is asked first whether the card is good. Card Manager wants two names, and gets ours for the payer."""
    names = {"ssl_first_name": "Client", "ssl_last_name": saving.payer}
    return {**_typed(card), "ssl_verify": "Y", "ssl_add_token": "Y", **names}


def _expires(card: Card | OnFile) -> str:
    return f"{card.exp_month:02}{card.exp_year % 100:02}"


def kept(answer: Answer, card: Card) -> Saved:
    """An error, the bank's no, else the token's own response; the card's own number for a token is none."""
    said = answer.fields
    code, result, token = said.get("errorCode", ""), said.get("ssl_result", ""), said.get("ssl_token", "")
    response = _response(said)
    if answer.rows is not None or bool(code) == bool(response or result):
        return not_kept(reading.UNREADABLE)
    if code:
        return not_kept(reading.error_of(code))
    if re.fullmatch("[1-9][0-9]{0,3}", result):
        return not_kept(reading.refused(answer))
    if response in refusals("elavon") and response != "token:SUCCESS":
        return not_kept(reading.no(refusals("elavon")[response], response))
    fits = re.fullmatch("[0-9]{12,20}", token) and token[-4:] == card.last4 and token != card.number.reveal()
    if response != "token:SUCCESS" or result not in ("", "0") or not fits:
        return not_kept(reading.UNREADABLE)
    return Saved(APPROVED, {"token": token}, card.brand, card.last4, card.exp_month, card.exp_year)


def not_kept(said: Outcome) -> Saved:
    return Saved(said.status, refusal=said.refusal, processor_code=said.processor_code)


def is_gone(answer: Answer, token: str) -> bool:
    """Whether Card Manager no longer holds the token: taken out now, or not in it."""
    said = answer.fields
    code = f"error:{said['errorCode']}" if said.get("errorCode") else ""
    if answer.rows is not None or said.get("ssl_token", token) not in ("", token) or (code and _response(said)):
        return False
    return (code or _response(said)) in {"token:SUCCESS", *_NO_SUCH_TOKEN}


def _response(said: dict[str, str]) -> str:
    words = " ".join(said.get("ssl_token_response", "").upper().split())
    return f"token:{words}" if words else ""
