"""What Stripe's objects and errors mean, in our words. Asks nobody; codes: Stripe's decline codes, in stripe_codes.csv."""

from dataclasses import replace
from typing import Any

from services.processors.adapters import stripe_pages, transport
from services.processors.adapters.base import Refusal, refusals
from services.processors.orders import (
    APPROVED,
    CANCELED,
    DECLINED,
    NEEDS_PAYER,
    NOT_KNOWN,
    NOT_SENT,
    WAITING,
    Outcome,
    Saved,
)

_DEFINITE = Refusal("error", "invalid_request")


def from_intent(intent: Any, credentials: dict) -> Outcome:
    """What a PaymentIntent's status says; amounts are those received, in minor units."""
    ids, status, card = {"intent": intent.id}, intent.status, _card_in(intent)
    if status == "succeeded":
        received = getattr(intent, "amount_received", None)
        amount = intent.amount if received is None else received
        return Outcome(APPROVED, amount=amount, currency=intent.currency.upper(), ids=ids, **card)
    if status == "requires_action":
        return Outcome(NEEDS_PAYER, ids=ids, next_action=_next_action(intent, credentials), **card)
    if status == "requires_payment_method":
        return _from_last(getattr(intent, "last_payment_error", None), ids)
    return Outcome({"canceled": CANCELED, "processing": WAITING}.get(status, NOT_KNOWN), ids=ids, **card)


def from_session(session: Any, credentials: dict) -> Outcome:
    """How a page stands, by its PaymentIntent (expanded; there is none before the payer first tries a card).

    While the page is open a decline ends nothing; an expired one can't be paid on any more (Stripe's documentation of
    expiring a Checkout Session).
    """
    intent, ids = getattr(session, "payment_intent", None), {"session": session.id}
    said = from_intent(intent, credentials) if hasattr(intent, "status") else Outcome(NOT_KNOWN)
    ids |= said.ids
    if said.status in (APPROVED, WAITING) or session.status == "complete":
        return replace(said, ids=ids)
    if session.status == "open":
        return Outcome(NEEDS_PAYER, ids=ids)
    return Outcome(CANCELED if session.status == "expired" else NOT_KNOWN, ids=ids)


def from_setup(setup: Any, customer: str) -> Saved:
    """Whether a confirmed SetupIntent (its method expanded) left a card with the customer. One that waits for the payer kept none."""
    card = getattr(getattr(setup, "payment_method", None), "card", None)
    if setup.status == "succeeded" and card is not None:
        ids = {"customer": customer, "method": setup.payment_method.id}
        return Saved(APPROVED, ids, card.brand, card.last4, card.exp_month, card.exp_year)
    if setup.status == "requires_action":
        return Saved(DECLINED, refusal="authentication_required", processor_code="requires_action")
    if setup.status == "requires_payment_method":
        said = _from_last(getattr(setup, "last_setup_error", None), {})
        return Saved(said.status, refusal=said.refusal, processor_code=said.processor_code)
    return Saved(NOT_KNOWN)


def from_refund(refund: Any) -> Outcome:
    ids = {"refund": refund.id}
    if refund.status == "succeeded":
        return Outcome(APPROVED, amount=refund.amount, currency=refund.currency.upper(), ids=ids)
    if refund.status in ("failed", "canceled"):
        return Outcome(DECLINED, ids=ids, refusal="unknown", processor_code=getattr(refund, "failure_reason", None))
    return Outcome(WAITING if refund.status in ("pending", "requires_action") else NOT_KNOWN, ids=ids)


def from_error(failure: Any) -> Outcome:
    """The outcome of a failed call: a definite no only where Stripe said so; by HTTP status first, then by its code."""
    status, body = failure.http_status, failure.json_body
    if status is None:
        code = transport.code_of(failure.__cause__)
        return Outcome(
            NOT_SENT if transport.was_not_sent(code) else NOT_KNOWN,
            refusal="processor_unavailable",
            processor_code=code,
        )
    said = body.get("error") if isinstance(body, dict) else None
    if not isinstance(said, dict):
        return Outcome(NOT_KNOWN, processor_code="exc:garbage_body")
    codes = {name: said.get(name) if isinstance(said.get(name), str) else None for name in ("code", "decline_code")}
    meaning = _meaning(codes["decline_code"], codes["code"], f"http:{status}")
    if status >= 500 or status in (409, 424) or not 400 <= status:
        return Outcome(NOT_KNOWN, refusal="processor_unavailable", processor_code=codes["code"] or f"http:{status}")
    if status in (401, 403):
        meaning = Refusal("error_account", "processor_credentials_refused")
    intent = said.get("payment_intent")
    ids = {"intent": intent["id"]} if isinstance(intent, dict) and "id" in intent else {}
    return _declined(meaning, {**codes, "http": f"http:{status}"}, ids)


def reference_in(thing: Any) -> str | None:
    """Our reference, where the object names one: of a page it is the client's reference."""
    metadata = getattr(thing, "metadata", None)
    if metadata is not None and "reference" in metadata:
        return metadata["reference"]
    return getattr(thing, "client_reference_id", None)


def _card_in(intent: Any) -> dict[str, Any]:
    """Brand and last digits, where the method was asked for with the intent."""
    card = getattr(getattr(intent, "payment_method", None), "card", None)
    return {} if card is None else {"brand": card.brand, "last4": card.last4}


def _from_last(failure: Any, ids: dict) -> Outcome:
    """Why an intent is without a method again, by the error that stands in it."""
    known = {name: getattr(failure, name, None) for name in ("code", "decline_code")}
    if not any(known.values()):
        return Outcome(NOT_KNOWN, ids=ids)
    return _declined(_meaning(known["decline_code"], known["code"], "http:402"), known, ids)


def _meaning(*codes: str | None) -> Refusal:
    """The first code that is in the table."""
    table = refusals("stripe")
    return next((table[code] for code in codes if code in table), _DEFINITE)


def _declined(meaning: Refusal, codes: dict, ids: dict) -> Outcome:
    """A definite no, unless the code itself says that nobody knows; "not done, come back later" was not sent."""
    said = codes.get("decline_code") or codes.get("code") or codes.get("http")
    code = said[:100] if said else None
    if meaning.kind == "unknown":
        return Outcome(NOT_KNOWN, ids=ids, refusal=meaning.refusal, processor_code=code)
    not_done = meaning.kind == "error" and meaning.refusal == "processor_unavailable"
    return Outcome(NOT_SENT if not_done else DECLINED, ids=ids, refusal=meaning.refusal or "unknown", processor_code=code)


def _next_action(intent: Any, credentials: dict) -> dict:
    """Where the payer goes on: the bank's page, or Stripe's script with the intent's client secret."""
    action = intent.next_action
    if action is not None and action.type == "redirect_to_url":
        return {"type": "redirect", "url": action.redirect_to_url.url}
    return stripe_pages.bank_window(intent.client_secret, credentials)
