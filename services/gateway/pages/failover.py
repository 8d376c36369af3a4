"""Billing > Setup > If a processor is down: which accounts take over, and the table that says when."""

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import Form, flag
from services.gateway.pages.page import body_of, go, keyed, pages, show, through
from services.gateway.subjects import processors

ROOM = 5  # places on the page; the API takes more


@pages.route("/billing/setup/failover", methods=["GET", "POST"])
@role("admin")
def failover() -> Response:
    def act(form: Form) -> Response:
        body = {**body_of(form, enabled=flag), "processor_ids": _chosen(form)}
        saved = processors.change_failover(keyed(form), body).data
        words = "Another account takes over from now on." if saved["enabled"] else "No other account takes over."
        return go("/billing/setup/failover", words)

    return through(act, _draw)


def _chosen(form: Form) -> list[str]:
    """The accounts in the order of their places; empty places are left out."""
    return [chosen for place in range(ROOM) if (chosen := form.typed.get(f"processor_ids-{place}", "").strip())]


def _draw(form: Form) -> Response:
    accounts = processors.list_processors(g.asker).data["data"]
    could = [one for one in accounts if one["card_entry"] == "direct"]
    options = [("", "Nobody"), *((one["id"], f"{one['description']} ({one['title']})") for one in could)]
    places = range(min(ROOM, len(could)))
    found = processors.read_failover(g.asker).data
    return show("failover.html", tab="Setup", form=form, failover=found, options=options, places=places)
