"""Opening what the gateway sealed for us: a card, or the token of the processor's own form."""

import json

from services.processors.config import Room
from services.processors.orders import Card, Means, Secret
from services.processors.usecases import sealing
from shared.faults import invalid


def opened_means(room: Room, sealed: str, info: str) -> Means | None:
    """What was sealed with this very `info`; None where it is past its time. Raises Invalid where it is no card and no token."""
    try:
        opened = json.loads(sealing.open_sealed(room, sealed, info))
        expires_at = float(opened["expires_at"])
        means = Means(token=Secret(str(opened["token"]))) if "token" in opened else Means(card=_card(opened["card"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise invalid("card", "This is not a card.") from None
    return means if room.clock.now().timestamp() < expires_at else None


def _card(typed: dict) -> Card:
    return Card(
        number=Secret(str(typed["number"])),
        exp_month=int(typed["exp_month"]),
        exp_year=int(typed["exp_year"]),
        cvc=Secret(str(typed["cvc"])),
        postal_code=typed.get("postal_code"),
    )
