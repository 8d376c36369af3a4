"""Colleagues of the practice: invited by mail, with the roles admin and provider."""

from services.gateway.asker import Answer, Asker
from services.gateway.people.usecases import colleagues
from services.gateway.reading import known_id


def invite_colleague(asker: Asker, body: dict) -> Answer:
    return colleagues.invite_colleague(asker, body)


def list_colleagues(asker: Asker, query: dict | None = None) -> Answer:
    """One page of colleagues by name; `role`, `active`, `q`, `limit` and `cursor` choose."""
    return colleagues.list_colleagues(asker, query or {})


def read_colleague(asker: Asker, colleague_id: str) -> Answer:
    return colleagues.read_colleague(asker, known_id(colleague_id, "col"))


def change_colleague(asker: Asker, colleague_id: str, body: dict) -> Answer:
    """New name, roles or `active`; raises Conflict `last_admin` where nobody could administer any more."""
    return colleagues.change_colleague(asker, known_id(colleague_id, "col"), body)


def invite_again(asker: Asker, colleague_id: str) -> Answer:
    """A new invitation by mail; the earlier link stops working."""
    return colleagues.invite_again(asker, known_id(colleague_id, "col"))
