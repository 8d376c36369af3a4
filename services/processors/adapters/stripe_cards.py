"""Cards on file at Stripe: a customer without a name holds each one, and a SetupIntent has its bank agree to later charges.

Attaching a method without a SetupIntent makes later declines more likely (Stripe's reference of attaching), so both ways of
typing a card go through one. Sources besides: its references of SetupIntents, of ConfirmationTokens and of detaching a method.
"""

from collections.abc import Callable
from typing import Any

from services.processors.adapters.stripe_reading import from_setup
from services.processors.orders import DECLINED, Card, Means, Outcome, Saved, Saving

Ask = Callable[..., tuple[Outcome, Any]]  # the adapter's `_ask`


def method_wanted(card: Card) -> dict[str, Any]:
    """The card as a method is made of it, with nothing of its owner but the postal code."""
    typed = {"number": card.number.reveal(), "exp_month": card.exp_month, "exp_year": card.exp_year, "cvc": card.cvc.reveal()}
    address = {"billing_details": {"address": {"postal_code": card.postal_code}}} if card.postal_code else {}
    return {"type": "card", "card": typed, **address}


def save_card(api: Any, ask: Ask, saving: Saving) -> Saved:
    """Each step has its key by our reference for the card, so that the same saving again within a day finds what it made.

    There is a customer for each card: a key by the payer would answer a 500 it once met to all of their savings for a day.
    A bank that asks the payer now gets no answer: that card is not kept, and what Stripe made for it can't be charged.
    """
    said, given = _given(api, ask, saving)
    if given is None:
        return _not_kept(said)
    payer = {"metadata": {"reference": saving.payer}}
    said, customer = ask(lambda: api.customers.create(payer, _once(saving, "customer")), "customer")
    if customer is None:
        return _not_kept(said)
    wanted = {
        **given,
        "confirm": True,
        "customer": customer.id,
        "usage": "off_session",
        "payment_method_types": ["card"],
        "metadata": {"reference": saving.reference},
        "expand": ["payment_method"],
    }
    said, setup = ask(lambda: api.setup_intents.create(wanted, _once(saving, "setup")), "setup_intent")
    return _not_kept(said) if setup is None else from_setup(setup, customer.id)


def _given(api: Any, ask: Ask, saving: Saving) -> tuple[Outcome, dict | None]:
    """What the SetupIntent is confirmed with: the token of Stripe's form, or a method made of the card."""
    if saving.means.token is not None:
        return Outcome("prepared"), {"confirmation_token": saving.means.token.reveal()}
    assert saving.means.card is not None
    wanted = method_wanted(saving.means.card)
    said, method = ask(lambda: api.payment_methods.create(wanted, _once(saving, "method")), "payment_method")
    return said, None if method is None else {"payment_method": method.id}


def remove_card(api: Any, ask: Ask, ids: dict) -> bool:
    """Detached now, or seen to be nobody's. Stripe gives "not attached" no code, so after a definite no the method is looked at."""
    its_id = ids["method"]
    said, method = ask(lambda: api.payment_methods.detach(its_id), "payment_method", its_id)
    if method is None and said.status == DECLINED:
        said, method = ask(lambda: api.payment_methods.retrieve(its_id), "payment_method", its_id)
    if method is None:
        return said.processor_code == "resource_missing"
    return getattr(method, "customer", "") is None


def confirmed_with(means: Means) -> dict[str, Any]:
    """What confirming an intent names besides it; of a card on file whether its owner is away, then a bank that asks declines."""
    if means.token is not None:
        return {"confirmation_token": means.token.reveal()}
    return {"off_session": True} if means.on_file is not None and means.on_file.off_session else {}


def _not_kept(said: Outcome) -> Saved:
    return Saved(said.status, refusal=said.refusal, processor_code=said.processor_code)


def _once(saving: Saving, step: str) -> dict:
    return {"idempotency_key": f"{saving.reference}-{step}"}
