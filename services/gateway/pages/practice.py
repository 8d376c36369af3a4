"""Practice: its name, address, time zone, numbering and terms; and the API tokens of programs that act for it."""

from typing import Any
from zoneinfo import available_timezones

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import ADDRESS, Form, flag, needed, needed_whole, or_null, text
from services.gateway.pages.page import go, keyed, pages, show, through
from services.gateway.subjects import api_tokens, practices
from shared.contracts.parts import CURRENCIES
from shared.faults import NotFound

REGIONS = ("America/", "Europe/", "Australia/", "Pacific/", "Asia/", "Africa/", "Atlantic/", "Indian/")


@pages.get("/practice")
@role("admin")
def practice() -> Response:
    return _draw(Form(), Form())


def _draw(form: Form, token_form: Form, made: Any = None) -> Response:
    return show(
        "practice.html",
        tab="Practice",
        form=form,
        token_form=token_form,
        made=made,
        practice=practices.read_practice(g.asker).data,
        tokens=api_tokens.list_tokens(g.asker).data["data"],
        zones=[(name, name.replace("_", " ")) for name in sorted(available_timezones()) if name.startswith(REGIONS)],
        currencies=[(name, name) for name in CURRENCIES],
    )


@pages.post("/practice")
@role("admin")
def change_practice() -> Response:
    def act(form: Form) -> Response:
        body = form.body(
            name=needed, address=or_null(ADDRESS), currency=text, time_zone=text, number_prefix=needed, terms_days=needed_whole,
            partial_payments=flag, idle_minutes=needed_whole,
        )  # fmt: skip
        practices.change_practice(keyed(form), body)
        return go("/practice", "The practice is saved.")

    return through(act, lambda form: _draw(form, Form()))


@pages.post("/practice/api-tokens")
@role("admin")
def make_token() -> Response:
    """The page that shows the new token, this once: it is not kept where it could be read again."""

    def act(form: Form) -> Response:
        return _draw(Form(), Form(), api_tokens.make_token(keyed(form), form.body(name=text)).data)

    return through(act, lambda form: _draw(Form(), form))


@pages.post("/practice/api-tokens/<token_id>/remove")
@role("admin")
def remove_token(token_id: str) -> Response:
    try:
        api_tokens.remove_token(g.asker, token_id)
    except NotFound:  # pressed twice, or removed by somebody else meanwhile
        return go("/practice", "There is no such token any more.", "waiting")
    return go("/practice", "The token is removed: programs that used it can't sign in any more.")
