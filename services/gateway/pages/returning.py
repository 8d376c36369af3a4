"""Coming back to a form that could not be taken: what was typed, never a secret, is kept while the person signs in again."""

from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, request

from services.gateway.pages.forms import SECRET, Form
from services.gateway.pages.page import go, local_address, pages, show

# Forms for people who are not signed in, and buttons that would act rather than draw a form again.
OPEN = {"sign_in", "sign_up", "sign_out", "invitation", "confirmation", "password_resets_begin", "password_reset", "returned"}
ACTS = {"switch_role"}
OURS = ("csrf_token", "idempotency_key", "from_page")  # drawn into a form, not typed
PREFIX, WHERE = "kept-", "kept_at"

Kept = list[tuple[str, str]]


@pages.before_request
def ask_to_sign_in() -> Response | None:
    """A form sent after its session ended leads to the sign-in, with what was typed instead of without."""
    if request.method != "POST" or g.get("asker") or _view() in OPEN:
        return None
    typed = _typed()
    kept = [(WHERE, request.path), *((PREFIX + name, value) for name, value in typed)] if typed else []
    return show("sign_in.html", form=Form(), wanted=_came_from(), kept=kept, status=401)


def carried(form: Form) -> Kept:
    """What the sign-in form carries along, as it was given to it."""
    return [(name, value) for name, value in form.typed.items(multi=True) if name == WHERE or name.startswith(PREFIX)]


def go_on(kept: Kept, csrf_token: str) -> Response:
    """The page after signing in again, whose button draws the form with what was typed; nothing is sent by it."""
    where = local_address(dict(kept).get(WHERE))
    typed = [(name.removeprefix(PREFIX), value) for name, value in kept if name.startswith(PREFIX)]
    return show("go_on.html", where=where, kept=typed, token=csrf_token, title="You are signed in again")


def form_again() -> Response | None:
    """The same for a form that is older than the session (signed in anew elsewhere); None where there is nothing to draw."""
    typed = _typed() if g.get("asker") and request.headers.get("Sec-Fetch-Site") == "same-origin" else []
    if not typed:
        return None
    return show("go_on.html", where=request.path, kept=typed, token="", title="This form is from an earlier session", status=403)


def in_already() -> Response | None:
    """Who signed in elsewhere meanwhile goes on to what this sign-in was for; None for any other form. Nothing is changed by it."""
    if _view() != "sign_in" or not g.get("asker"):
        return None
    kept = carried(Form(request.form)) if request.headers.get("Sec-Fetch-Site") == "same-origin" else []
    if kept:
        return go_on(kept, g.asker.csrf_token)
    return go(local_address(request.args.get("next")), "You are signed in already.")


def _view() -> str:
    return (request.endpoint or "").removeprefix("pages.")


def _typed() -> Kept:
    if _view() in OPEN | ACTS or not (request.endpoint or "").startswith("pages."):
        return []
    return [(name, value) for name, value in request.form.items(multi=True) if not _never(name)]


def _never(name: str) -> bool:
    return name in OURS or bool(SECRET.search(name)) or name.startswith(("card-", "credentials-"))


def _came_from() -> str:
    """The page that the form stood on: this address where it can be opened, else the one that the browser names."""
    rule: Any = request.url_rule
    if rule is not None and "GET" in (rule.methods or ()):
        return request.path
    named = urlsplit(request.headers.get("Referer", ""))
    return local_address(named.path) if named.netloc == request.host else "/"
