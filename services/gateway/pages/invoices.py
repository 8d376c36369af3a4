"""An invoice as every role sees it: what it is for, payments, what happened, the explanation of its numbers, the receipt."""

import re
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from services.gateway.caller import role, signed_in
from services.gateway.pages.forms import Form
from services.gateway.pages.page import go, keyed, must, pages, show, today
from services.gateway.pages.words import MONEY, invoice_status, status_of
from services.gateway.subjects import cards, payments, refunds
from services.gateway.subjects import invoices as subject
from shared.faults import Conflict, Fault, LimitReached, NotFound, Refused, Rejected, Unavailable

LIVE = ("pending", "requires_action", "unknown", "review")
# What became of money, as the message about it looks; anything else is still on its way.
LOOKS = {"succeeded": "paid", "failed": "failed", "canceled": "closed"}
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
    form = Form(request.form)
    return or_back(form, lambda: _asked(payments.check_payment(keyed(form), payment_id).data, "payment"))


@pages.post("/refunds/<refund_id>/check")
@role("admin", "provider")
def check_refund(refund_id: str) -> Response:
    form = Form(request.form)
    return or_back(form, lambda: _asked(refunds.check_refund(keyed(form), refund_id).data, "refund"))


def _asked(found: Any, what: str) -> Response:
    status = status_of(MONEY, found["status"]).text.lower()
    look = LOOKS.get(found["status"], "waiting")
    return go(f"/invoices/{found['invoice_id']}", f"The processor was asked. The {what}: {status}.", look)


def or_back(form: Form, act: Callable[[], Response]) -> Response:
    """What `act` answers, for a button without a form; where it is refused, the page that the button stands on, with the reason."""
    try:
        return act()
    except (Conflict, Refused, Rejected, LimitReached, Unavailable) as fault:
        where = _stood_on(form)
        if not where:
            raise
        return go(where, _words(fault), "waiting" if isinstance(fault, Unavailable) else "failed")


def _words(fault: Fault) -> str:
    if isinstance(fault, Unavailable):
        return "That could not be asked just now. Nothing is lost: try again in a minute."
    return fault.detail or "That is not possible right now."


def _stood_on(form: Form) -> str:
    """The page that a button says it stands on, where it is one that has such buttons."""
    named = form.typed.get("from_page", "")
    return named if re.fullmatch(r"/worklist|/invoices/inv_[0-9a-z]+(/pay)?", named) else ""


def past(found: Any) -> Response:
    """To the invoice with a sentence, from a page of something that it allows no longer: as after the browser's Back."""
    words = f"That is not possible any more. The invoice: {invoice_status(found, today()).text.lower()}."
    if live_payment(found):
        words = "That is not possible while a payment of this invoice is not settled yet."
    return go(f"/invoices/{found['id']}", words, "waiting")
