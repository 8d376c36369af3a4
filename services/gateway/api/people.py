"""Routes of signing up, signing in, and the person who asks."""

from typing import Any

from flask import Response

from services.gateway.api.door import ADMIN, PUBLIC, SIGNED_IN, Door, respond
from services.gateway.caller import clear_session_cookie, set_session_cookie
from services.gateway.people import words
from services.gateway.subjects import confirmations, invitations, me, password_resets, practices, sessions
from shared.fields import Nothing

door = Door("People")


@door.post("/practices", PUBLIC, takes=words.SignUp, gives=words.SignedUp, status=201, faults=(409,))
def sign_up(visitor: Any, body: dict) -> Any:
    """Sign up: a practice and its first admin."""
    return practices.sign_up(visitor.gateway, body, visitor.caller)


@door.post("/session", PUBLIC, takes=words.SignIn, gives=words.SignedIn, faults=(401, 403, 429))
def sign_in(visitor: Any, body: dict) -> Response:
    """Sign in: a token for the Authorization header, and the same as a cookie."""
    answer = sessions.sign_in(visitor.gateway, body, visitor.remote, visitor.key)
    return set_session_cookie(respond(answer), answer.data.token)


@door.route("DELETE", "/session", SIGNED_IN)
def sign_out(asker: Any) -> Response:
    """Sign out: the token opens nothing any more."""
    sessions.sign_out(asker)
    return clear_session_cookie(respond(None))


@door.route("PUT", "/session/role", SIGNED_IN, takes=words.RoleSwitch, gives=words.SignedIn, faults=(404,))
def switch_role(asker: Any, body: dict) -> Response:
    """Act in another membership: the old token ends, a new one is given."""
    answer = sessions.switch_role(asker, body)
    response = respond(answer)
    return set_session_cookie(response, answer.data.token) if asker.via == "cookie" else response


@door.get("/me", SIGNED_IN, gives=words.Me)
def read_me(asker: Any) -> Any:
    """The person who asks, their memberships, and the one they act in."""
    return me.read_me(asker)


@door.route("PUT", "/me/password", SIGNED_IN, takes=words.PasswordChange, gives=Nothing, faults=(429,))
def change_password(asker: Any, body: dict) -> Any:
    """Choose another password; the person's other sessions end."""
    return me.change_password(asker, body)


@door.post("/me/confirmations", SIGNED_IN, gives=words.PersonRead, status=202)
def ask_to_confirm_again(asker: Any) -> Any:
    """Send the mail that asks to confirm the address once more."""
    return confirmations.ask_again(asker)


def _confirmation_exists(visitor: Any, token: str) -> None:
    confirmations.look_up(visitor.gateway, token)


@door.post("/confirmations/{token}", PUBLIC, gives=words.PersonRead, exists=_confirmation_exists, faults=(404,))
def confirm_address(visitor: Any, token: str) -> Any:
    """Confirm an address with the token of the mail's link."""
    return confirmations.confirm(visitor.gateway, token, visitor.caller)


@door.get("/invitations/{token}", PUBLIC, gives=words.InvitationRead, faults=(404,))
def read_invitation(visitor: Any, token: str) -> Any:
    """What an invitation offers."""
    return invitations.look_up(visitor.gateway, token)


def _invitation_exists(visitor: Any, token: str) -> None:
    invitations.look_up(visitor.gateway, token)


@door.post(
    "/invitations/{token}",
    PUBLIC,
    takes=words.Acceptance,
    gives=words.Accepted,
    exists=_invitation_exists,
    faults=(401, 404, 409, 429),
)
def accept_invitation(visitor: Any, token: str, body: dict) -> Any:
    """Accept an invitation: choose a password, or prove the one that the address has already."""
    return invitations.accept(visitor.gateway, token, body, visitor.asker, visitor.remote, visitor.key)


@door.post("/password-resets", PUBLIC, takes=words.ResetRequest, gives=Nothing, status=202)
def begin_reset(visitor: Any, body: dict) -> Any:
    """Ask for a mail with a link to choose a new password; the answer is always the same."""
    return password_resets.begin(visitor.gateway, body, visitor.caller)


def _reset_exists(visitor: Any, token: str) -> None:
    password_resets.look_up(visitor.gateway, token)


@door.post("/password-resets/{token}", PUBLIC, takes=words.NewPassword, gives=Nothing, exists=_reset_exists, faults=(404,))
def finish_reset(visitor: Any, token: str, body: dict) -> Any:
    """Choose a new password with the token of the mail's link; every session of the person ends."""
    return password_resets.finish(visitor.gateway, token, body, visitor.key)


@door.get("/practice", ADMIN, gives=words.PracticeRead)
def read_practice(asker: Any) -> Any:
    """The practice's settings."""
    return practices.read_practice(asker)


@door.route("PATCH", "/practice", ADMIN, takes=words.PracticeChange, gives=words.PracticeRead, faults=(409,))
def change_practice(asker: Any, body: dict) -> Any:
    """Change the practice's settings; the currency only before the first invoice was sent."""
    return practices.change_practice(asker, body)
