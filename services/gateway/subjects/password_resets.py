"""Forgotten passwords: a mail with a link that works once. Whether an address is known is never told."""

from services.gateway.asker import Answer, Gateway
from services.gateway.people.usecases import resetting
from shared.caller import Caller, IdempotencyKey


def begin(gateway: Gateway, body: dict, caller: Caller | None = None) -> Answer:
    """Always the same answer, whether or not the address is known."""
    return resetting.begin(gateway, body, caller)


def look_up(gateway: Gateway, token: str) -> None:
    """Nothing; raises NotFound for a link that is used, expired or unknown."""
    resetting.look_up(gateway, token)


def finish(gateway: Gateway, token: str, body: dict, key: IdempotencyKey | None = None) -> Answer:
    """Set the new `password`; every session of the person ends."""
    return resetting.finish(gateway, token, body, key)
