"""What every view of the pages has: the blueprint, drawing a template, and the way of a form (draw, act, draw again, go on)."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request

from services.gateway.asker import Asker
from services.gateway.caller import gateway, route_of_key
from services.gateway.faults import NotSignedIn, status_of
from services.gateway.pages.forms import Form, idempotency_key
from shared.caller import IdempotencyKey
from shared.faults import Conflict, Fault, Invalid, LimitReached, NotFound, Refused, Rejected, Unavailable

pages = Blueprint("pages", __name__)
Act = Callable[[Form], Response]

# Faults that a form can show beside what was typed; the others become a page of their own.
SHOWN_IN_FORM = (NotSignedIn, Invalid, Conflict, Refused, Rejected, LimitReached, Unavailable)
# What changes nothing: the form is drawn again with another row, with the fields of a type, or with what was kept.
ONLY_DRAWS = ("add_line", "draw_type", "draw_again")
FILTERS = frozenset({"q", "status", "provider_id", "from", "to", "sort", "cursor", "limit"})
HOMES = {"admin": "/billing", "provider": "/clients", "client": "/invoices"}


def show(template: str, *, tab: str = "", status: int = 200, **words: Any) -> Response:
    """A page; `tab` names the tab that is marked as the current one."""
    return make_response(render_template(template, tab=tab, **words), status)


def allow_sources(sources: dict[str, list[str]]) -> None:
    """Let this page's content security policy have these origins besides our own, by directive; what is no origin is left out."""
    more = g.setdefault("csp_more", {})
    for directive, addresses in sources.items():
        if re.fullmatch(r"[a-z]+-[a-z]+", directive):
            more.setdefault(directive, []).extend(filter(None, map(origin_of, addresses)))


def origin_of(address: str) -> str:
    """Scheme, host and port of an absolute address, as a content security policy names them; empty where it has none."""
    found = re.match(r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?(?=[/?#]|$)", address)
    return found[0] if found else ""


def go(address: str, message: str = "", look: str = "paid") -> Response:
    """On to another page, by GET, with a message that is shown there once, in the colours of a status."""
    if message and request.headers.get("X-Poll") != "1":  # a page that merely follows along must not use the message up
        flash(message, look)
    return redirect(address, 303)  # type: ignore[return-value]


def home(role: str) -> str:
    return HOMES.get(role, "/account")


def other_memberships(asker: Asker) -> list[Any]:
    """What else the asker could act as."""
    return [one for one in asker.memberships if (one["practice_id"], one["role"]) != (asker.practice["id"], asker.role)]


def local_address(text: str | None, otherwise: str = "/") -> str:
    """An address of ours to go on to; anything that could lead elsewhere becomes `otherwise`."""
    return text if text and re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", text) and "\\" not in text else otherwise


def form_of_request() -> Form:
    """The form that was sent with this request, or an empty one."""
    if request.method != "POST":
        return Form()
    key = request.form.get("idempotency_key", "")
    return Form(request.form, key if re.fullmatch(r"[\x21-\x7e]{1,255}", key) else "")


def key_of(form: Form) -> IdempotencyKey:
    """The key that was drawn into the form, for this address and what was typed."""
    return idempotency_key(form, route_of_key(), gateway().keys.hmac_key)


def keyed(form: Form) -> Asker:
    """Who asks, with the form's key: sent twice it is done once."""
    return g.asker.with_key(key_of(form))


def zone() -> str:
    """The time zone that moments are written in: the practice's."""
    return g.asker.practice["time_zone"] if g.get("asker") else "UTC"


def today() -> date:
    """The day it is where the practice is."""
    return gateway().clock.now().astimezone(ZoneInfo(zone())).date()


def currency() -> str:
    return g.asker.practice["currency"]


def body_of(form: Form, **kinds: Any) -> dict[str, Any]:
    """The JSON body of a form, amounts in the practice's currency."""
    return form.body(currency(), **kinds)


def through(act: Act, draw: Act) -> Response:
    """The way of every form: drawn when asked for; once sent, done, or drawn again with what was typed and why."""
    form = form_of_request()
    if not form.sent or any(button in form.typed for button in ONLY_DRAWS):
        return draw(form)
    try:
        return act(form)
    except SHOWN_IN_FORM as fault:
        return drawn_again(form, fault, draw)


def pressed(act: Act, back: str) -> Response:
    """The way of a form that is one button: done, or back to the page it stands on, which says why not."""
    try:
        return act(form_of_request())
    except SHOWN_IN_FORM as fault:
        words = fault.errors[0]["message"] if fault.errors else fault.detail
        return go(back, words, "waiting" if isinstance(fault, (Unavailable, LimitReached)) else "failed")


def drawn_again(form: Form, fault: Fault, draw: Act) -> Response:
    """The form with a fault's words. Not answered keeps the key, so that sending again stays the same one request."""
    form.refused(fault)
    if not isinstance(fault, Unavailable):
        form.renewed()
    drawn = draw(form)
    drawn.status_code = status_of(fault) if drawn.status_code == 200 else drawn.status_code
    return drawn


def query() -> dict[str, str]:
    """The filters of a list, as its address holds them; empty ones and those of somebody else left out."""
    return {name: value for name, value in request.args.items() if name in FILTERS and value.strip()}


def must(condition: Any) -> None:
    """NotFound unless it is so: for pages that a state or a role doesn't have."""
    if not condition:
        raise NotFound()
