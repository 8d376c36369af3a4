"""The sandbox's pretended bank, where a payer approves or declines; only for a payment that waits there."""

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import Form
from services.gateway.pages.page import go, keyed, must, pages, show, through
from services.gateway.pages.paying import way_on
from services.gateway.subjects import payments


@pages.route("/sandbox/authentication/<payment_id>", methods=["GET", "POST"])
@role("client")
def authentication(payment_id: str) -> Response:
    found = payments.read_payment(g.asker, payment_id).data
    where = f"/invoices/{found['invoice_id']}/pay"

    def act(form: Form) -> Response:
        payments.answer_sandbox(keyed(form), payment_id, {"approve": form.typed.get("approve") == "true"})
        return go(where)

    def draw(form: Form) -> Response:
        if found["status"] != "requires_action":
            return go(where)
        must(way_on(found).get("url", "").endswith(f"/sandbox/authentication/{payment_id}"))
        return show("authentication.html", payment=found, form=form)

    return through(act, draw)
