"""What a person reads when a page can't be shown: plain words per kind of fault, and the way on."""

from flask import Response, g

from services.gateway.faults import retry_after, status_of
from services.gateway.pages.page import go, show
from services.gateway.pages.returning import form_again
from shared.faults import Fault

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


def page_for(fault: Fault) -> Response:
    """The error page of a fault, with its status."""
    status = status_of(fault)
    if status == 401:
        return go("/sign-in")
    g.without_alerts = True  # an error page asks nobody: what it is about may be the one who doesn't answer
    if fault.code == "csrf_failed" and (again := form_again()):
        return again
    title, advice = WORDS.get(status, OTHERWISE)
    spoken = fault.detail if status in (402, 403, 409, 429, 502) and fault.code != "forbidden" else ""
    response = show("error.html", status=status, title=title, advice=advice, spoken=spoken)
    if (wait := retry_after(fault)) is not None:
        response.headers["Retry-After"] = str(wait)
    return response
