"""What Stripe sends by itself: whether a delivery is genuine, and which order it asks to look at. It carries no truth."""

from datetime import datetime
from typing import Any

from services.processors.adapters.stripe_reading import reference_in
from services.processors.orders import Nudge
from shared.faults import Forbidden

WINDOW = 300  # seconds
_NAMED = {"payment_intent": "intent", "refund": "refund", "checkout.session": "session"}  # what our ids call it


def read_delivery(sdk: Any, secret: str | None, body: bytes, headers: dict[str, str], now: datetime) -> Nudge | None:
    """Signed over the raw body with a time-stamp of at most 300 s (Stripe's documentation of webhook signatures)."""
    if not secret:
        raise Forbidden("webhook_refused", "This account has no webhook signing secret.")
    try:
        event = sdk.Webhook.construct_event(body, headers.get("stripe-signature", ""), secret, tolerance=None)
        signed_at = _signed_at(headers.get("stripe-signature", ""))
        told, event_id = event.data.object, event.id
    except Exception:  # not signed, not JSON, not an event: whatever the SDK raises, nothing is believed
        raise Forbidden("webhook_refused", "The signature is not right.") from None
    if abs(now.timestamp() - signed_at) > WINDOW:
        raise Forbidden("webhook_refused", "This was signed too long ago.")
    kind = _NAMED.get(getattr(told, "object", ""))
    if kind is None and getattr(told, "payment_intent", None) is None:
        return None
    ids = {kind: told.id} if kind else {"intent": told.payment_intent}
    return Nudge(event_id, reference=reference_in(told), ids=ids)


def _signed_at(header: str) -> float:
    """The time-stamp of a signature header, in epoch seconds. There must be one: of several the SDK checks the first only."""
    [stamp] = [value for name, _, value in (part.partition("=") for part in header.split(",")) if name == "t"]
    return int(stamp)
