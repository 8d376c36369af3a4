"""What a person reads when a page can't be shown: plain words per kind of fault, and the way on."""

from typing import Any

from flask import Response, g, request

from services.gateway.faults import retry_after, status_of
from services.gateway.pages.page import go, other_memberships, show
from services.gateway.pages.places import page_of_form
from services.gateway.pages.returning import form_again, in_already
from shared.faults import Fault, Unreachable

WORDS = {
    400: ("This request can't be read", "Go back, load the page again and repeat what you did."),
    402: ("The card was declined", ""),
    403: ("This page is not for your role", "If you hold another role, switch to it at the top right."),
    404: ("There is nothing here", "The address may be mistyped, or what was here belongs to somebody else."),
    405: ("This address does nothing by itself", "Go back and use the page's own buttons."),
    409: ("That is not possible right now", ""),
    413: ("That is too large", "Send less at once: a page takes at most 1 MB."),
    415: ("This request can't be read", "Go back, load the page again and repeat what you did."),
    422: ("Some fields need another look", "Go back and look at them again."),
    429: ("Too often", "Wait a little and try again."),
    502: ("The processor refused", ""),
    503: ("This part is not available right now", "Nothing is lost. Load this page again in a few seconds."),
}
OTHERWISE = ("Something is not working", "It has been noted. Try again in a little while.")
OLD_FORM = (
    "This form is from before you signed in or out",
    "Nothing was changed. Load the page again and repeat what you did.",
)
NOT_SENT = "Nothing was changed. Go back and try again in a few seconds."
NOT_KNOWN = "Whether it was done can't be told right now. Go back in a few seconds and look, before you repeat it."


def page_for(fault: Fault) -> Response:
    """The error page of a fault, with its status."""
    status = status_of(fault)
    if status == 401:
        return go("/sign-in")
    if status == 405 and request.method in ("GET", "HEAD") and (page := page_of_form()):
        return go(page)
    g.without_alerts = True  # an error page asks nobody: what it is about may be the one who doesn't answer
    if fault.code == "csrf_failed" and (again := in_already() or form_again()):
        return again
    return _drawn(fault, status)


def _drawn(fault: Fault, status: int) -> Response:
    title, advice = _words(fault, status)
    response = show(
        "error.html",
        status=status,
        title=title,
        advice=advice,
        spoken=_spoken(fault, status),
        back=page_of_form() if request.method == "POST" else "",
        switches=_switches(fault, status),
        came_for=request.path if _may_be_told() else "",
    )
    if (wait := retry_after(fault)) is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def _words(fault: Fault, status: int) -> tuple[str, str]:
    title, advice = OLD_FORM if fault.code == "csrf_failed" else WORDS.get(status, OTHERWISE)
    if status == 503 and request.method == "POST":
        advice = NOT_SENT if isinstance(fault, Unreachable) else NOT_KNOWN
    return title, advice


def _spoken(fault: Fault, status: int) -> str:
    told = status in (402, 403, 409, 429, 502) and fault.code not in ("forbidden", "csrf_failed")
    return fault.detail if told else ""


def _switches(fault: Fault, status: int) -> list[Any]:
    """The asker's other memberships, where what was asked for may be there for one of them."""
    may_be_there = status == 404 or fault.code == "forbidden"
    return other_memberships(g.asker) if g.get("asker") and may_be_there else []


def _may_be_told() -> bool:
    """Whether this address is a page's own, without the token of a link."""
    return request.method == "GET" and request.url_rule is not None and "token" not in (request.view_args or {})
