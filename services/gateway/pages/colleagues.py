"""Colleagues: the list, inviting one, and one colleague's roles."""

from flask import Response, g, request

from services.gateway.caller import role
from services.gateway.pages.forms import Form, needed, several, text
from services.gateway.pages.page import body_of, go, keyed, pages, pressed, query, show, through
from services.gateway.subjects import colleagues as subject


@pages.get("/colleagues")
@role("admin")
def colleagues() -> Response:
    return show("colleagues.html", tab="Colleagues", page=subject.list_colleagues(g.asker, query()).data)


@pages.route("/colleagues/new", methods=["GET", "POST"])
@role("admin")
def invite_colleague() -> Response:
    def act(form: Form) -> Response:
        invited = subject.invite_colleague(keyed(form), body_of(form, name=text, email=text, roles=several)).data
        return go("/colleagues", f"{invited['name']} is invited. The invitation is on its way to {invited['email']}.")

    return through(act, lambda form: show("colleague_new.html", tab="Colleagues", form=form))


@pages.route("/colleagues/<colleague_id>", methods=["GET", "POST"])
@role("admin")
def colleague(colleague_id: str) -> Response:
    found = subject.read_colleague(g.asker, colleague_id).data

    def act(form: Form) -> Response:
        body = body_of(form, name=needed, roles=several)
        changed = subject.change_colleague(keyed(form), colleague_id, body).data
        return go("/colleagues", f"{changed['name']} is saved.")

    return through(act, lambda form: show("colleague.html", tab="Colleagues", colleague=found, form=form))


@pages.route("/colleagues/<colleague_id>/active", methods=["GET", "POST"])
@role("admin")
def colleague_active(colleague_id: str) -> Response:
    """Deactivate or take back a colleague; says first what that means."""
    found = subject.read_colleague(g.asker, colleague_id).data

    def act(form: Form) -> Response:
        changed = subject.change_colleague(keyed(form), colleague_id, {"active": request.form.get("active") == "true"}).data
        return go("/colleagues", f"{changed['name']} is {'active again' if changed['active'] else 'deactivated and signed out'}.")

    return through(act, lambda form: show("colleague_active.html", tab="Colleagues", colleague=found, form=form))


@pages.post("/colleagues/<colleague_id>/invitation")
@role("admin")
def invite_colleague_again(colleague_id: str) -> Response:
    def act(form: Form) -> Response:
        invited = subject.invite_again(keyed(form), colleague_id).data
        return go("/colleagues", f"A new invitation is on its way to {invited['email']}. The earlier link no longer works.")

    return pressed(act, f"/colleagues/{colleague_id}")
