"""Billing > Setup: payment processor accounts, and the sales-tax requirement."""

from typing import Any

from flask import Response, g, request

from services.gateway.caller import role
from services.gateway.pages.forms import Form, flag, needed, one, rate, secret, text
from services.gateway.pages.page import body_of, go, keyed, pages, pressed, show, through
from services.gateway.subjects import processors, tax

CHECKED = {
    "ready": ("The processor accepts the credentials.", "paid"),
    "refused": ("The processor refuses the credentials: replace them below.", "failed"),
}
NOT_ASKED = ("The processor could not be asked just now. Try again in a minute.", "waiting")


@pages.get("/billing/setup")
@role("admin")
def setup() -> Response:
    return _draw(Form(), Form())


@pages.post("/billing/setup/processors")
@role("admin")
def add_processor() -> Response:
    def act(form: Form) -> Response:
        chosen = _type(_types(), form.typed.get("type", ""))
        body = body_of(form, description=text, type=text, card_entry=text, credentials=_credentials(chosen))
        added = processors.add_processor(keyed(form), {"credentials": {}, **body}).data
        return go("/billing/setup", _added_words(added), _added_look(added))

    return through(act, lambda form: _draw(form, Form()))


def _added_words(added: Any) -> str:
    if added["status"] != "ready":
        return f"{added['description']} is saved, but not checked yet: {added.get('problem') or 'the processor did not answer.'}"
    ending = "It takes new payments from now on." if added["active"] else "Make it active when it shall take new payments."
    return f"{added['description']} is connected: the processor accepted the credentials. {ending}"


def _added_look(added: Any) -> str:
    return {"ready": "paid", "refused": "failed"}.get(added["status"], "waiting")


@pages.post("/billing/setup/tax")
@role("admin")
def choose_tax() -> Response:
    def act(form: Form) -> Response:
        tax.change_settings(keyed(form), _tax_body(form))
        return go("/billing/setup", "The sales-tax requirement is saved. It counts for invoices that are sent from now on.")

    return through(act, lambda form: _draw(Form(), form))


def _tax_body(form: Form) -> dict[str, Any]:
    if form.typed.get("requirement") == "none":
        return {"requirement": "none"}
    return body_of(
        form, requirement=text, name=text, rate=rate, prices_include_tax=flag, rounding=text, rounding_mode=text,
        default_category=text, sourcing=text,
    )  # fmt: skip


def _draw(form: Form, tax_form: Form) -> Response:
    types = _types()
    return show(
        "setup.html",
        tab="Setup",
        form=form,
        tax_form=tax_form,
        types=types,
        chosen=_type(types, form.value("type") or request.args.get("type", "")),
        processors=processors.list_processors(g.asker).data["data"],
        tax=tax.read_settings(g.asker).data,
    )


def _types() -> list[Any]:
    return processors.list_types(g.asker).data["data"]


def _type(types: list[Any], name: str) -> Any:
    return next((one_type for one_type in types if one_type["type"] == name), None)


def _credentials(chosen: Any) -> Any:
    """The kinds of the fields that a type needs; secret ones are taken to the letter."""
    return one(**{field["name"]: secret if field["secret"] else text for field in (chosen["fields"] if chosen else [])})


@pages.get("/billing/setup/processors/<processor_id>")
@role("admin")
def processor(processor_id: str) -> Response:
    return _draw_processor(processor_id, Form(), Form())


def _draw_processor(processor_id: str, form: Form, credentials_form: Form) -> Response:
    found = processors.read_processor(g.asker, processor_id).data
    chosen = _type(_types(), found["type"])
    return show("processor.html", tab="Setup", processor=found, chosen=chosen, form=form, credentials_form=credentials_form)


@pages.post("/billing/setup/processors/<processor_id>")
@role("admin")
def change_processor(processor_id: str) -> Response:
    def act(form: Form) -> Response:
        processors.change_processor(keyed(form), processor_id, body_of(form, description=needed, card_entry=text))
        return go(f"/billing/setup/processors/{processor_id}", "The account is saved.")

    return through(act, lambda form: _draw_processor(processor_id, form, Form()))


@pages.post("/billing/setup/processors/<processor_id>/credentials")
@role("admin")
def replace_credentials(processor_id: str) -> Response:
    def act(form: Form) -> Response:
        chosen = _type(_types(), processors.read_processor(g.asker, processor_id).data["type"])
        body = {"credentials": {}, **body_of(form, credentials=_credentials(chosen))}
        processors.change_processor(keyed(form), processor_id, body)
        return go(f"/billing/setup/processors/{processor_id}", "The new credentials are in use.")

    return through(act, lambda form: _draw_processor(processor_id, Form(), form))


@pages.post("/billing/setup/processors/<processor_id>/check")
@role("admin")
def check_processor(processor_id: str) -> Response:
    where = f"/billing/setup/processors/{processor_id}"

    def act(form: Form) -> Response:
        found = processors.check_processor(keyed(form), processor_id).data
        return go(where, *CHECKED.get(found["status"], NOT_ASKED))

    return pressed(act, where)


@pages.post("/billing/setup/processors/<processor_id>/activate")
@role("admin")
def activate_processor(processor_id: str) -> Response:
    def act(form: Form) -> Response:
        found = processors.activate_processor(keyed(form), processor_id).data
        return go("/billing/setup", f"{found['description']} takes new payments from now on.")

    return pressed(act, f"/billing/setup/processors/{processor_id}")


@pages.post("/billing/setup/processors/<processor_id>/open")
@role("admin")
def open_payments(processor_id: str) -> Response:
    where = f"/billing/setup/processors/{processor_id}"

    def act(form: Form) -> Response:
        found = processors.open_payments(keyed(form), processor_id).data
        if found["closed_at"]:
            return go(where, "This account is done. Payments open when your other accounts are, too.", "waiting")
        return go(where, "Payments are open again.")

    return pressed(act, where)


@pages.route("/billing/setup/processors/<processor_id>/remove", methods=["GET", "POST"])
@role("admin")
def remove_processor(processor_id: str) -> Response:
    found = processors.read_processor(g.asker, processor_id).data

    def act(form: Form) -> Response:
        processors.remove_processor(keyed(form), processor_id)
        return go("/billing/setup", f"{found['description']} is removed.")

    return through(act, lambda form: show("remove_processor.html", tab="Setup", processor=found, form=form))
