"""Work list: payments and refunds that need a person, what was found to differ, and alerts that could not be delivered."""

from collections.abc import Callable
from typing import Any

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import Form, text
from services.gateway.pages.page import go, keyed, pages, pressed, query, show, through
from services.gateway.pages.words import MONEY, status_of
from services.gateway.subjects import deliveries, payments, refunds
from services.gateway.subjects import worklist as subject
from shared.faults import Unavailable


@pages.get("/worklist")
@role("admin")
def worklist() -> Response:
    return show("worklist.html", tab="Work list", page=subject.list_work(g.asker, query()).data, parked=_parked())


def _parked() -> list | None:
    try:
        return deliveries.list_deliveries(g.asker, {"status": "parked"}).data["data"]
    except Unavailable:
        return None


@pages.route("/payments/<payment_id>/settle", methods=["GET", "POST"])
@role("admin")
def settle_payment(payment_id: str) -> Response:
    return _settled("payment", payment_id, lambda form, body: payments.settle_payment(keyed(form), payment_id, body))


@pages.route("/refunds/<refund_id>/settle", methods=["GET", "POST"])
@role("admin")
def settle_refund(refund_id: str) -> Response:
    return _settled("refund", refund_id, lambda form, body: refunds.settle_refund(keyed(form), refund_id, body))


def _settled(kind: str, its_id: str, settle: Callable[[Form, dict], Any]) -> Response:
    """The evidence, a reason and two buttons: it happened, or it did not."""

    def act(form: Form) -> Response:
        done = settle(form, form.body("", outcome=text, reason=text)).data
        return go("/worklist", f"Noted. The {kind}: {status_of(MONEY, done['status']).text.lower()}.")

    def draw(form: Form) -> Response:
        items = subject.list_work(g.asker).data["data"]
        item = next((one for one in items if (one["kind"], one["id"]) == (kind, its_id)), None)
        if not form.sent and (item is None or item["status"] != "review"):
            return go("/worklist", f"This {kind} needs nobody's word: it is settled, or the processor can still tell.")
        return show("settle.html", tab="Work list", form=form, item=item, kind=kind)

    return through(act, draw)


@pages.post("/worklist/<finding_id>/close")
@role("admin")
def close_finding(finding_id: str) -> Response:
    def act(form: Form) -> Response:
        subject.close_finding(keyed(form), finding_id)
        return go("/worklist", "It is off the list.")

    return pressed(act, "/worklist")


@pages.post("/deliveries/<delivery_id>/resend")
@role("admin")
def resend_delivery(delivery_id: str) -> Response:
    def act(form: Form) -> Response:
        deliveries.resend_delivery(keyed(form), delivery_id)
        return go("/worklist", "It is tried again now.")

    return pressed(act, "/worklist")
