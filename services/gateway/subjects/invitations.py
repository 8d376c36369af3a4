"""Invitations as the invited see them: a link that works once and never changes a password."""

from services.gateway.asker import Answer, Asker, Gateway
from services.gateway.people.usecases import accepting
from shared.caller import IdempotencyKey


def look_up(gateway: Gateway, token: str) -> Answer:
    """`{practice_name, name, email, role, has_password}`; raises NotFound for a link that is used, expired or unknown."""
    return accepting.look_up(gateway, token)


def accept(
    gateway: Gateway, token: str, body: dict, asker: Asker | None = None, remote: str = "", key: IdempotencyKey | None = None
) -> Answer:
    """Take the membership: with a new `password`, or signed in (or with one's own password) where one exists already."""
    return accepting.accept(gateway, token, body, asker, remote, key)
