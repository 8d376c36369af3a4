"""Authorize.net's own page (Accept Hosted) and its window over our page (AcceptUI): what is asked for, where they lie, what they need.

A page can't be closed by us and carries nothing back: what was paid there is looked for by our reference. Facts: Authorize.net's
description of Accept Hosted and Accept.js, and its sample application.
"""

import json
from datetime import datetime, timedelta

from services.processors.adapters import authorize_net_reading as reading
from services.processors.adapters.authorize_net_line import Line
from services.processors.adapters.authorize_net_reading import Silent
from services.processors.orders import CANCELED, DECLINED, NEEDS_PAYER, NOT_KNOWN, Means, Order, Outcome

LASTS = timedelta(minutes=15)
DESCRIPTOR = "COMMON.ACCEPT.INAPP.PAYMENT"  # of what AcceptUI gives in place of a card
PAGES = {"live": "https://accept.authorize.net", "test": "https://test.authorize.net"}
SCRIPTS = {"live": "https://js.authorize.net", "test": "https://jstest.authorize.net"}


def open_page(line: Line, credentials: dict, order: Order, transaction: dict) -> Outcome:
    """A page on which this very transaction can be paid, once: the payer's browser sends its token there by a form."""
    fields = {"refId": order.reference, "transactionRequest": transaction, "hostedPaymentSettings": {"setting": _settings(order)}}
    answer = line.ask("getHostedPaymentPageRequest", fields)
    if isinstance(answer, Silent):
        return Outcome(answer.status, refusal=answer.refusal, processor_code=answer.code)
    token = answer.body.get("token")
    if answer.refused or not isinstance(token, str) or not token:
        return reading.from_answer(answer, order)
    url = _host(credentials, PAGES) + "/payment/payment"
    action = {"type": "redirect", "method": "POST", "url": url, "fields": {"token": token}}
    return Outcome(NEEDS_PAYER, ids={"reference": order.reference}, next_action=action, lasts=LASTS)


def _settings(order: Order) -> list[dict]:
    """How the page looks: cards only, back to us without a receipt of theirs. Each value is JSON in a text."""
    back = order.means.return_url
    options = {
        "ReturnOptions": {
            "showReceipt": False,
            "url": back,
            "urlText": "Back to the invoice",
            "cancelUrl": back,
            "cancelUrlText": "Cancel",
        },
        "ButtonOptions": {"text": "Pay"},
        "OrderOptions": {"show": False},
        "PaymentOptions": {"cardCodeRequired": True, "showCreditCard": True, "showBankAccount": False},
        "SecurityOptions": {"captcha": False},
        "ShippingAddressOptions": {"show": False, "required": False},
        "BillingAddressOptions": {"show": True, "required": False},
        "CustomerOptions": {"showEmail": False, "requiredEmail": False},
    }
    return [{"settingName": f"hostedPayment{name}", "settingValue": json.dumps(value)} for name, value in options.items()]


def payment_of(means: Means) -> dict:
    """The `payment` of a charge: what AcceptUI gave in place of the card, or the card."""
    if means.token is not None:
        return {"opaqueData": {"dataDescriptor": DESCRIPTOR, "dataValue": means.token.reveal()}}
    card = means.card
    assert card is not None
    expires = f"{card.exp_year:04d}-{card.exp_month:02d}"
    return {"creditCard": {"cardNumber": card.number.reveal(), "expirationDate": expires, "cardCode": card.cvc.reveal()}}


def form_of(credentials: dict, learned: dict) -> dict | None:
    """What AcceptUI needs; None while the public client key is not known, so that the payer is sent to the page instead."""
    key = learned.get("client_key")
    if not key:
        return None
    script = _host(credentials, SCRIPTS) + "/v3/AcceptUI.js"
    merchant = {"api_login_id": credentials["api_login_id"], "client_key": key}
    return {"kind": "accept_ui", "script": script, "descriptor": DESCRIPTOR, **merchant}


def sources_of(credentials: dict, card_entry: str) -> dict[str, list[str]]:
    """AcceptUI is a script that draws a frame, both from one place; the page needs nothing before it is opened."""
    if card_entry != "hosted_fields":
        return {}
    host = _host(credentials, SCRIPTS)
    return {"script-src": [host], "frame-src": [host]}


def learn(line: Line) -> dict:
    """The merchant's public client key, which AcceptUI is drawn with; empty where they don't say it."""
    answer = line.ask("getMerchantDetailsRequest")
    key = None if isinstance(answer, Silent) or answer.refused else answer.body.get("publicClientKey")
    return {"client_key": key} if isinstance(key, str) and key.isalnum() and key.isascii() else {}


def as_of_a_page(outcome: Outcome, order: Order, now: datetime) -> Outcome:
    """How a payment on the page stands: only what was approved or held counts, as the payer may try another card after a decline.

    One that was held, and was refused in its review or voided there, has ended when the page has.
    """
    if outcome.status not in (DECLINED, CANCELED):
        return outcome
    over = order.sent_at is not None and now >= order.sent_at + LASTS
    return outcome if over and "transId" in order.ids else Outcome(NOT_KNOWN, absent=True)


def _host(credentials: dict, hosts: dict) -> str:
    """Theirs, or the simulator that stands in for it."""
    return (credentials.get("api_base") or hosts[credentials["mode"]]).rstrip("/")
