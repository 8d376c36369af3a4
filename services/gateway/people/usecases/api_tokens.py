"""API tokens: made by an admin for a program that acts as that admin; told once, kept as a hash."""

from typing import Any

from services.gateway.asker import Answer, told
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import ApiToken
from services.gateway.people.secrets import API, hashed, new_token
from services.gateway.people.words import ApiToken as ApiTokenRead
from services.gateway.people.words import ApiTokenMade, NewApiToken
from shared.contract import read
from shared.fields import Page
from shared.ids import new_id

ApiTokenPage = Page(ApiTokenRead)


def make_token(asker: Any, body: dict) -> Answer:
    """The new token, its secret told this once."""
    wanted = read(NewApiToken, body)
    secret = new_token(API)

    def work(s: Any, now: Any) -> dict:
        row = ApiToken(
            id=new_id("tok"), practice_id=asker.practice_id, person_id=asker.person.id, name=wanted.name,
            hint=f"{API}_…{secret[-4:]}", token_hash=hashed(secret), created_at=now,
        )  # fmt: skip
        s.add(row)
        s.flush()
        return {
            "id": row.id,
            "name": row.name,
            "hint": row.hint,
            "created_at": now,
            "last_used_at": None,
            "token": secret,
        }

    return take_effect(asker.gateway, asker.caller, work, ApiTokenMade, status=201, secret=True)


def list_tokens(asker: Any) -> Answer:
    with storage.reading(asker.gateway.database) as s:
        return told({"data": storage.tokens(s, asker.practice_id), "next_cursor": None}, ApiTokenPage)


def must_be_here(asker: Any, token_id: str) -> None:
    with storage.reading(asker.gateway.database) as s:
        storage.token(s, asker.practice_id, token_id)


def remove_token(asker: Any, token_id: str) -> None:
    with asker.gateway.database.transaction() as s:
        s.delete(storage.token(s, asker.practice_id, token_id))
