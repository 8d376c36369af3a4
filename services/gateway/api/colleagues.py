"""Routes of colleagues and API tokens."""

from typing import Any

from services.gateway.api.door import ADMIN, Door
from services.gateway.people import words
from services.gateway.people.usecases.api_tokens import ApiTokenPage
from services.gateway.people.usecases.colleagues import ColleaguePage
from services.gateway.subjects import api_tokens, colleagues

door = Door("Colleagues")


@door.post("/colleagues", ADMIN, takes=words.NewColleague, gives=words.ColleagueRead, status=201)
def invite_colleague(asker: Any, body: dict) -> Any:
    """Invite a colleague by mail."""
    return colleagues.invite_colleague(asker, body)


@door.get("/colleagues", ADMIN, query=words.ColleagueFilter, gives=ColleaguePage)
def list_colleagues(asker: Any, query: dict) -> Any:
    """Colleagues of the practice, by name."""
    return colleagues.list_colleagues(asker, query)


@door.get("/colleagues/{colleague_id}", ADMIN, gives=words.ColleagueRead)
def read_colleague(asker: Any, colleague_id: str) -> Any:
    """One colleague."""
    return colleagues.read_colleague(asker, colleague_id)


@door.route(
    "PATCH",
    "/colleagues/{colleague_id}",
    ADMIN,
    takes=words.ColleagueChange,
    gives=words.ColleagueRead,
    exists=colleagues.read_colleague,
    faults=(409,),
)
def change_colleague(asker: Any, colleague_id: str, body: dict) -> Any:
    """Change a colleague's name or roles, or deactivate them."""
    return colleagues.change_colleague(asker, colleague_id, body)


@door.post(
    "/colleagues/{colleague_id}/invitations",
    ADMIN,
    gives=words.ColleagueRead,
    status=202,
    exists=colleagues.read_colleague,
    faults=(409,),
)
def invite_colleague_again(asker: Any, colleague_id: str) -> Any:
    """Send the invitation again; the earlier link stops working."""
    return colleagues.invite_again(asker, colleague_id)


@door.post("/api-tokens", ADMIN, takes=words.NewApiToken, gives=words.ApiTokenMade, status=201)
def make_token(asker: Any, body: dict) -> Any:
    """Make an API token; it is told this once."""
    return api_tokens.make_token(asker, body)


@door.get("/api-tokens", ADMIN, gives=ApiTokenPage)
def list_tokens(asker: Any) -> Any:
    """API tokens of the practice, without their secrets."""
    return api_tokens.list_tokens(asker)


@door.route("DELETE", "/api-tokens/{token_id}", ADMIN, exists=api_tokens.must_be_here)
def remove_token(asker: Any, token_id: str) -> Any:
    """Remove an API token: it opens nothing any more."""
    return api_tokens.remove_token(asker, token_id)
