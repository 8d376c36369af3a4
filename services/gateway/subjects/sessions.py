"""Signing in and out, and switching roles: each new session has a new token."""

from services.gateway.asker import Answer, Asker, Gateway
from services.gateway.people.usecases import signing_in
from shared.caller import IdempotencyKey


def sign_in(gateway: Gateway, body: dict, remote: str, key: IdempotencyKey | None = None) -> Answer:
    """`{token, csrf_token, person, memberships, acting_as}`; `remote` is the address that asks.

    Raises NotSignedIn for a wrong address or password alike, LimitReached after ten failures.
    """
    return signing_in.sign_in(gateway, body, remote, key)


def sign_out(asker: Asker) -> None:
    """End the session; its token opens nothing any more. Raises Forbidden for an API token, which has none."""
    signing_in.sign_out(asker)


def switch_role(asker: Asker, body: dict) -> Answer:
    """A new session in another membership of the same person, with a new token; the old one ends."""
    return signing_in.switch_role(asker, body)
