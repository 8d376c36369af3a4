"""Paying and keeping the card, in one step of the payer's: two requests here, and the payment stands whatever comes of the second."""

import json
import logging
from dataclasses import replace

from services.gateway.asker import Answer, Asker, as_text
from services.gateway.subjects import cards, paying
from shared.contracts.invoicing import Payment
from shared.faults import Fault
from shared.fields import Id, Part, Text, Words
from shared.mishap import log_mishap

NOT_NOW = "It could not be kept just now. You can keep it on the page of your cards."

_log = logging.getLogger(__name__)


class KeptCard(Words):
    """The card that is on file now, or why there is none: `code` and `message`."""

    id = Id(allow_none=True)
    code = Text(allow_none=True)
    message = Text(allow_none=True)


class PaymentAndCard(Payment):
    """A payment; `kept_card` is there where `keep_card` was sent and the payment succeeded at once."""

    kept_card = Part(KeptCard, allow_none=True)


def pay_invoice(asker: Asker, invoice_id: str, body: dict) -> Answer:
    """As `paying.pay_invoice`. With `keep_card`, which is the payer's consent, a typed card that has paid is kept on file.

    Where the gateway dies between the two, the same request under the same key keeps the card and charges nothing more.
    """
    paid = paying.pay_invoice(asker, invoice_id, body)
    if not body.get("keep_card") or paid.data.status != "succeeded":
        return paid
    told = {**json.loads(paid.text), "kept_card": _kept(asker, body["card"])}
    return replace(paid, text=as_text(told), gives=PaymentAndCard)


def _kept(asker: Asker, card: dict) -> dict:
    key = asker.caller.key
    own = asker.with_key(replace(key, route=f"{key.route} keep_card") if key else None)
    try:
        return {"id": cards.save_card(own, {"card": card, "consent": True}).data.id, "code": None, "message": None}
    except Fault as fault:
        return {"id": None, "code": fault.code, "message": fault.detail or NOT_NOW}
    except Exception as trouble:  # the payment has gone through, and that is what must be told
        log_mishap(_log, "keeping a card that paid", trouble, asker.caller.correlation_id)
        return {"id": None, "code": "not_kept", "message": NOT_NOW}
