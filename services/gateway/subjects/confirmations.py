"""Confirming an address: the link in the mail after sign-up."""

from services.gateway.asker import Answer, Asker, Gateway
from services.gateway.people.usecases import signing_up
from shared.caller import Caller


def look_up(gateway: Gateway, token: str) -> None:
    """Nothing; raises NotFound for a link that is used, expired or unknown."""
    signing_up.look_up(gateway, token)


def confirm(gateway: Gateway, token: str, caller: Caller | None = None) -> Answer:
    """The person, whose address is now confirmed; raises NotFound for a link that is used, expired or unknown."""
    return signing_up.confirm(gateway, token, caller)


def ask_again(asker: Asker) -> Answer:
    """Send the mail once more."""
    return signing_up.ask_again(asker)
