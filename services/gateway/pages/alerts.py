"""Alerts: what happened, newest first; opening one marks it read and leads to what it is about."""

from flask import Response, g

from services.gateway.caller import signed_in
from services.gateway.pages.forms import Form
from services.gateway.pages.page import go, keyed, local_address, pages, pressed, query, show
from services.gateway.pages.words import NEW
from services.gateway.subjects import alerts as subject


@pages.get("/alerts")
@signed_in
def alerts() -> Response:
    return show("alerts.html", tab="Alerts", page=subject.list_alerts(g.asker, query()).data, new_alert=NEW)


@pages.post("/alerts/<alert_id>/read")
@signed_in
def read_alert(alert_id: str) -> Response:
    def act(form: Form) -> Response:
        return go(local_address(subject.read_alert(keyed(form), alert_id).data["path"], "/alerts"))

    return pressed(act, "/alerts")
