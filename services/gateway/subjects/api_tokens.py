"""Tokens that programs use in an admin's name; each is told once, when it is made."""

from services.gateway.asker import Answer, Asker
from services.gateway.people.usecases import api_tokens
from services.gateway.reading import known_id


def make_token(asker: Asker, body: dict) -> Answer:
    return api_tokens.make_token(asker, body)


def list_tokens(asker: Asker) -> Answer:
    return api_tokens.list_tokens(asker)


def must_be_here(asker: Asker, token_id: str) -> None:
    """Raises NotFound for a token that isn't this practice's."""
    api_tokens.must_be_here(asker, known_id(token_id, "tok"))


def remove_token(asker: Asker, token_id: str) -> None:
    """The token opens nothing any more; raises NotFound for one that isn't this practice's."""
    api_tokens.remove_token(asker, known_id(token_id, "tok"))
