"""Services: Client Billing, whether it is on, and which providers it is assigned to."""

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import Form, flag, several
from services.gateway.pages.page import body_of, go, keyed, pages, show, through
from services.gateway.subjects import colleagues, service


@pages.get("/services")
@role("admin")
def services() -> Response:
    found = service.read_service(g.asker).data
    assigned = [one for one in _providers() if one["id"] in found["provider_ids"]]
    return show("services.html", tab="Services", service=found, assigned=assigned)


@pages.route("/services/client-billing", methods=["GET", "POST"])
@role("admin")
def edit_service() -> Response:
    def act(form: Form) -> Response:
        changed = service.change_service(keyed(form), body_of(form, enabled=flag, provider_ids=several)).data
        state = "on: assigned providers may create invoices" if changed["enabled"] else "off: no new invoices can be created"
        return go("/services", f"Client Billing is {state}.")

    def draw(form: Form) -> Response:
        return show("service.html", tab="Services", form=form, service=service.read_service(g.asker).data, providers=_providers())

    return through(act, draw)


def _providers() -> list:
    return colleagues.list_colleagues(g.asker, {"role": "provider", "active": "true", "limit": "200"}).data["data"]
