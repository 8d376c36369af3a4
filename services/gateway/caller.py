"""Who asks: the session cookie or Bearer token of a request becomes `flask.g.asker`; CSRF, cookies and roles are kept here."""

import functools
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, current_app, g, redirect, request

from services.gateway.asker import Asker, Gateway
from services.gateway.faults import NotSignedIn
from services.gateway.people.secrets import hashed
from services.gateway.people.usecases import recognising
from shared.faults import Forbidden
from shared.settings import LOOPBACK
from shared.tenancy import acting_in

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MACHINE = ("/api/", "/openapi.json", "/webhooks/", "/healthz", "/readyz", "/metrics")
NOBODYS = ("/static/", "/returns")  # nobody is recognised here, whatever the browser carries along


def gateway() -> Gateway:
    """The gateway that this app was made with."""
    return current_app.extensions["gateway"]


def for_machines() -> bool:
    """Whether the request's path is answered with problem documents rather than pages."""
    return request.path.startswith(MACHINE) or request.path == "/api"


def register(app: Flask) -> None:
    app.before_request(recognise)
    app.teardown_request(_forget)


def recognise() -> None:
    """Set `g.asker` (None when nobody known asks) and `g.csrf_failed`; the request then reaches the rows of its asker's practice."""
    g.asker, g.csrf_failed = None, False
    if request.path.startswith(NOBODYS):
        return
    bearer = _bearer()
    token = bearer or request.cookies.get(cookie_name())
    if token:
        via = "token" if bearer else "cookie"
        polling = request.headers.get("X-Poll") == "1"
        g.asker = recognising.recognise(gateway(), token, via, polling)
    if g.asker is not None:
        g.acting = acting_in(g.asker.practice_id)
        g.acting.__enter__()
    if request.method not in SAFE and not bearer:
        g.csrf_failed = not _same_origin() or (g.asker is not None and not _csrf_matches(g.asker))
        if g.csrf_failed and not for_machines():
            raise csrf_fault()


def _forget(wrong: BaseException | None) -> None:
    """The thread goes on to somebody else's request."""
    if (entered := g.pop("acting", None)) is not None:
        entered.__exit__(None, None, None)


def route_of_key() -> str:
    """The route that a request's idempotency key belongs to; a link's token in it is hashed, since keys are kept."""
    path, token = request.path, (request.view_args or {}).get("token")
    return f"{request.method} {path.replace(token, hashed(token)) if token else path}"[:200]


def csrf_fault() -> Forbidden:
    return Forbidden("csrf_failed", "This form came from elsewhere or is too old. Load the page again and repeat.")


def _bearer() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _same_origin() -> bool:
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    ours = {request.host, urlsplit(gateway().settings.public_url).netloc}
    host = origin.partition("://")[2]
    return bool(host) and host in ours


def _csrf_matches(asker: Asker) -> bool:
    given = request.headers.get("X-CSRF-Token") or ""
    if not given and not request.is_json and not for_machines():
        given = request.form.get("csrf_token", "")
    return hmac.compare_digest(given.encode(), asker.csrf_token.encode())


def _plain_cookie() -> bool:
    """Whether this is http on loopback (or development), where a `__Host-` cookie would be thrown away by the browser."""
    settings = gateway().settings
    if request.is_secure or settings.public_url.startswith("https:"):
        return False
    return settings.development or urlsplit(f"//{request.host}").hostname in LOOPBACK


def cookie_name() -> str:
    return "session" if _plain_cookie() else "__Host-session"


def set_session_cookie(response: Response, token: str) -> Response:
    """Put the session's token into the browser's cookie: http-only, this host only, until the browser closes."""
    response.set_cookie(cookie_name(), token, secure=not _plain_cookie(), httponly=True, samesite="Lax", path="/")
    return response


def clear_session_cookie(response: Response) -> Response:
    response.delete_cookie(cookie_name(), secure=not _plain_cookie(), httponly=True, samesite="Lax", path="/")
    return response


def must_be_signed_in() -> Asker:
    """The asker; raises NotSignedIn (401), or Forbidden (403) where a cookie came without its CSRF token."""
    if g.asker is None:
        raise NotSignedIn()
    if g.csrf_failed:
        raise csrf_fault()
    return g.asker


def signed_in(view: Callable) -> Callable:
    """For views that need somebody signed in: a problem for machines, the way to sign in for people."""

    @functools.wraps(view)
    def guarded(*args: Any, **ids: Any) -> Any:
        if g.asker is None and not for_machines():
            came_for = request.full_path.rstrip("?") if request.method in SAFE else "/"
            return redirect("/sign-in?" + urlencode({"next": came_for}), 303)
        must_be_signed_in()
        return view(*args, **ids)

    return guarded


def role(*roles: str) -> Callable[[Callable], Callable]:
    """For views of these roles only; the others get Forbidden, which is a problem or a page."""

    def guard(view: Callable) -> Callable:
        @functools.wraps(view)
        def guarded(*args: Any, **ids: Any) -> Any:
            g.asker.caller.must_be(*roles)
            return view(*args, **ids)

        return signed_in(guarded)

    return guard
