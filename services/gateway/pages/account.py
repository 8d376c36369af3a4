"""My account: who I am, my memberships, my password, and which alerts reach me outside the app."""

from flask import Response, g

from services.gateway.caller import signed_in
from services.gateway.pages.forms import Form, flag, secret
from services.gateway.pages.page import go, keyed, pages, show, through
from services.gateway.subjects import alerts, me
from shared.faults import Unavailable


@pages.get("/account")
@signed_in
def account() -> Response:
    return _draw(Form(), Form())


def _draw(form: Form, alerts_form: Form) -> Response:
    try:
        preferences = alerts.read_preferences(g.asker).data
    except Unavailable:
        preferences = None
    return show("account.html", form=form, alerts_form=alerts_form, preferences=preferences)


@pages.post("/account/password")
@signed_in
def change_password() -> Response:
    def act(form: Form) -> Response:
        me.change_password(keyed(form), form.body(current_password=secret, password=secret))
        return go("/account", "Your new password is set. Other sessions of yours have ended.")

    return through(act, lambda form: _draw(form, Form()))


@pages.post("/account/alerts")
@signed_in
def change_preferences() -> Response:
    def act(form: Form) -> Response:
        alerts.change_preferences(keyed(form), form.body(email=flag))
        return go("/account", "Your choice is saved.")

    return through(act, lambda form: _draw(Form(), form))
