"""An invoice as every role sees it: what it is for, payments, what happened, the explanation of its numbers, the receipt."""

from typing import Any

from flask import Response, g, request

from services.gateway.caller import role, signed_in
from services.gateway.pages.forms import Form
from services.gateway.pages.page import go, keyed, must, pages, show
from services.gateway.pages.words import MONEY, status_of
from services.gateway.subjects import cards, payments, refunds
from services.gateway.subjects import invoices as subject
from shared.faults import NotFound, Unavailable

LIVE = ("pending", "requires_action", "unknown")
EXPLAINED = (("total", "Total"), ("tax", "Sales tax"), ("balance", "To pay"), ("status", "Status"))
TABS = {"admin": "Billing", "provider": "My invoices", "client": "My invoices"}


@pages.get("/invoices/<invoice_id>")
@signed_in
def invoice(invoice_id: str) -> Response:
    found = subject.read_invoice(g.asker, invoice_id).data
    timeline = subject.read_timeline(g.asker, invoice_id).data["data"]
    newest_first = sorted(timeline, key=lambda entry: str(entry["at"]), reverse=True)
    return show(
        "invoice.html",
        tab=tab(),
        invoice=found,
        timeline=newest_first,
        live=live_payment(found),
        moving=_moving(found),
        cards=_chargeable(found),
    )


def _chargeable(found: Any) -> list[Any]:
    """The client's cards on file that staff could charge for it now; none while that can't be told."""
    if g.asker.role == "client" or "record_payment" not in found["allowed_actions"]:
        return []
    try:
        return usable(cards.list_cards_of(g.asker, found["client"]["id"]).data)
    except (NotFound, Unavailable):
        return []


def usable(found: Any) -> list[Any]:
    """Those of some cards on file that can be charged now."""
    return [one for one in found["data"] if one["usable"] and one["expiry"] != "expired"]


def tab() -> str:
    """The tab under which this role comes to invoices."""
    return TABS[g.asker.role]


def live_payment(found: Any) -> Any:
    """The payment that is on its way, of which there is at most one."""
    return next((payment for payment in found["payments"] if payment["status"] in LIVE), None)


def _moving(found: Any) -> str:
    """What the page follows: it changes when a payment or refund that is on its way moves."""
    moving = [one for one in [*found["payments"], *found["refunds"]] if one["status"] in (*LIVE, "waiting_for_settlement")]
    return " ".join(f"{one['id']}:{one['status']}" for one in moving)


@pages.get("/invoices/<invoice_id>/explanation")
@signed_in
def explanation(invoice_id: str) -> Response:
    of = request.args.get("of") or "balance"
    found = subject.read_invoice(g.asker, invoice_id).data
    explained = subject.explain(g.asker, invoice_id, of).data
    return show("explanation.html", tab=tab(), invoice=found, explanation=explained, of=of, offered=EXPLAINED)


@pages.get("/invoices/<invoice_id>/receipt")
@signed_in
def receipt(invoice_id: str) -> Response:
    """What was paid and given back, to print or keep; only where something was paid."""
    found = subject.read_invoice(g.asker, invoice_id).data
    paid = [payment for payment in found["payments"] if payment["status"] == "succeeded"]
    must(paid)
    return show("receipt.html", tab=tab(), invoice=found, paid=paid)


@pages.post("/payments/<payment_id>/check")
@role("admin", "provider")
def check_payment(payment_id: str) -> Response:
    found = payments.check_payment(keyed(Form(request.form)), payment_id).data
    return _asked(found, "payment")


@pages.post("/refunds/<refund_id>/check")
@role("admin", "provider")
def check_refund(refund_id: str) -> Response:
    found = refunds.check_refund(keyed(Form(request.form)), refund_id).data
    return _asked(found, "refund")


def _asked(found: Any, what: str) -> Response:
    status = status_of(MONEY, found["status"]).text.lower()
    return go(f"/invoices/{found['invoice_id']}", f"The processor was asked. The {what}: {status}.")
