"""The pay page: the card form or the processor's own, the wait for the processor, the payer's bank, coming back, and giving up.

A card is never drawn again. Nothing that a browser brings back from elsewhere is read: the processor is asked.
"""

from typing import Any

from flask import Response, g, redirect, request

from services.gateway.caller import gateway, role
from services.gateway.pages.forms import Form, digits, flag, money, one, secret, text, whole, year
from services.gateway.pages.invoices import LIVE, live_payment, or_back, usable
from services.gateway.pages.page import allow_sources, go, keyed, origin_of, pages, show, through
from services.gateway.pages.words import money as money_words
from services.gateway.subjects import cards, invoices, paying, payments, processors
from shared.faults import Conflict, Invalid, Unavailable

CARD = one(number=digits, exp_month=whole, exp_year=year, cvc=text, name=text, postal_code=text)


@pages.route("/invoices/<invoice_id>/pay", methods=["GET", "POST"])
@role("client")
def pay(invoice_id: str) -> Response:
    def act(form: Form) -> Response:
        try:
            paid = invoices.pay_invoice(keyed(form), invoice_id, _body(invoice_id, form)).data
        except Conflict as conflict:  # paid already, or another payment is on its way: the page knows which
            return _after_conflict(invoice_id, conflict)
        except Invalid as wrong:
            raise told_balance(invoice_id, wrong) from None
        return _went(invoice_id, paid)

    return through(act, lambda form: _draw(invoice_id, form))


def _body(invoice_id: str, form: Form) -> dict[str, Any]:
    """One way to pay, as the form that was drawn offered it."""
    if form.typed.get("hosted"):
        back = paying.return_address(gateway(), request.host_url, invoice_id)
        return {**form.body(g.asker.practice["currency"], hosted=flag, amount=money), "return_url": back}
    if form.typed.get("payment_method_id"):
        return form.body(g.asker.practice["currency"], payment_method_id=text, amount=money)
    if form.typed.get("token"):
        return form.body(g.asker.practice["currency"], token=secret, amount=money)
    return {"card": {}, **form.body(g.asker.practice["currency"], card=CARD, amount=money, keep_card=flag)}


def told_balance(invoice_id: str, wrong: Invalid) -> Invalid:
    """The same fault; where the amount was refused, with what is due now, as it may have changed since the page was drawn.

    Who may not choose an amount has no field for it, so the sentence stands above the form.
    """
    if [error["field"] for error in wrong.errors or []] != ["amount"]:
        return wrong
    found = invoices.read_invoice(g.asker, invoice_id).data
    due = money_words(found["balance_due"], found["currency"])
    if takes_parts():
        message = f"{wrong.errors[0]['message'].rstrip('.')}: {due} is due now."  # type: ignore[index]
        return Invalid(wrong.code, errors=[{"field": "amount", "message": message}])
    return Invalid("balance_changed", f"What is due has changed: it is {due} now. Nothing was charged. Look again, then go on.")


def takes_parts() -> bool:
    """Whether a client chooses how much of an invoice to pay now, rather than the whole balance."""
    return g.asker.role == "client" and bool(g.asker.practice["partial_payments"])


def _chosen(form: Form, found: Any) -> int:
    """What the page's buttons pay, in minor units: the balance, or the part of it that was chosen."""
    balance = int(found["balance_due"])
    if not takes_parts() or not form.typed.get("amount", "").strip():
        return balance
    try:
        part = form.body(found["currency"], amount=money)["amount"]
    except Invalid as wrong:
        form.refused(wrong)
        return balance
    if 0 < part <= balance:
        return int(part)
    form.errors.setdefault("amount", f"Choose from {_words(1, found)} to {_words(balance, found)}.")
    return balance


def _words(amount: int, found: Any) -> str:
    return money_words(amount, found["currency"])


def _went(invoice_id: str, paid: Any) -> Response:
    if paid["status"] == "succeeded":
        return go(f"/invoices/{invoice_id}", f"Thank you. {money_words(paid['amount'], paid['currency'])} is paid.{_kept(paid)}")
    action = way_on(paid)
    if action.get("page") and not action["fields"] and not action.get("window") and origin_of(action["url"]):
        return redirect(action["url"], 303)  # type: ignore[return-value]
    return go(f"/invoices/{invoice_id}/pay")


def _kept(paid: Any) -> str:
    """What became of the card that was to be kept while paying."""
    kept = paid.get("kept_card")
    if not kept:
        return ""
    return " Your card is on file." if kept["id"] else f" Your card is not on file: {kept['message']}"


def _after_conflict(invoice_id: str, conflict: Conflict) -> Response:
    found = invoices.read_invoice(g.asker, invoice_id).data
    if live_payment(found) or "pay" not in found["allowed_actions"]:
        return go(f"/invoices/{invoice_id}/pay")
    raise conflict


def _draw(invoice_id: str, form: Form) -> Response:
    found = invoices.read_invoice(g.asker, invoice_id).data
    live = live_payment(found)
    if not live and "pay" not in found["allowed_actions"]:
        paid = found["status"] in ("paid", "refunded", "partially_refunded") and not found["amount_forgiven"]
        return go(f"/invoices/{invoice_id}", "This invoice is paid. Nothing more is owed." if paid else "")
    last = found["payments"][-1] if found["payments"] else None
    entry, action = None if live else card_entry(), way_on(live)
    on_file, can_keep = _on_file() if entry and entry.get("available") else ([], False)
    allow_sources((entry or action).get("sources") or {})
    if action.get("fields"):
        allow_sources({"form-action": [action["url"]]})
    return show(
        "pay.html",
        tab="My invoices",
        invoice=found,
        form=form,
        pays=_chosen(form, found),
        parts=takes_parts(),
        live=live,
        action=action,
        entry=entry,
        on_file=on_file,
        consent=cards.consent_text(g.asker.practice["name"]) if can_keep else None,
        last=last if last and last["status"] == "failed" and not form.sent else None,
    )


def card_entry() -> Any:
    """How cards are taken now; not at all while that can't be told."""
    try:
        return processors.read_card_entry(g.asker).data
    except Unavailable:
        return {"available": False}


def _on_file() -> tuple[list[Any], bool]:
    """The client's cards on file that can be used now, and whether one can be kept; neither while that can't be told."""
    try:
        found = cards.list_cards(g.asker).data
    except Unavailable:
        return [], False
    return usable(found), found["can_save"]


def way_on(live: Any) -> dict[str, Any]:
    """Where the payer goes on, when the payment waits for that: a page of ours, one over https, or what a script of ours does.

    `{type, page?, url?, fields, window?, form?, sources?}`, `page` where it is the processor's own; empty where there is nowhere to go.
    """
    action = (live or {}).get("next_action") or {}
    if not isinstance(action, dict):
        return {}
    url = action.get("url")
    if url is not None and not _leads_on(url):
        return {}
    if url is None and not action.get("form"):
        return {}
    return {"fields": {}, **{name: value for name, value in action.items() if value}}


def _leads_on(url: Any) -> bool:
    """A page of ours, or the processor's: over https, or a simulator where those are allowed."""
    if not isinstance(url, str):
        return False
    return url.startswith(("https://", "/sandbox/authentication/")) or gateway().settings.simulator_allowed(url)


@pages.route("/returns", methods=["GET", "POST"], defaults={"invoice_id": ""})
@pages.route("/returns/<invoice_id>", methods=["GET", "POST"])
def returned(invoice_id: str) -> Response:
    """Where processors send payers back to, by whatever method and with whatever it carries: none of it is looked at."""
    return redirect(f"/invoices/{invoice_id}/pay/return" if invoice_id else "/invoices", 303)  # type: ignore[return-value]


@pages.get("/invoices/<invoice_id>/pay/return")
@role("client")
def pay_return(invoice_id: str) -> Response:
    """The payer is back: the processor is asked how the payment stands, and the page that fits is shown."""
    live = live_payment(invoices.read_invoice(g.asker, invoice_id).data)
    if live is None:
        return go(f"/invoices/{invoice_id}/pay")
    try:
        found = payments.check_payment(g.asker, live["id"]).data
    except (Unavailable, Conflict):
        return go(f"/invoices/{invoice_id}/pay")
    if found["status"] == "succeeded":
        return _went(invoice_id, found)
    return go(f"/invoices/{invoice_id}/pay")


@pages.post("/payments/<payment_id>/cancel")
@role("client", "admin", "provider")
def cancel_payment(payment_id: str) -> Response:
    form = Form(request.form)
    return or_back(form, lambda: _given_up(payments.cancel_payment(keyed(form), payment_id).data))


def _given_up(found: Any) -> Response:
    page = "/pay" if g.asker.role == "client" else ""
    where = f"/invoices/{found['invoice_id']}{page}"
    if way_on(found).get("page"):
        words = "The processor's page can't be closed from here: it ends by itself. Nothing is charged unless you pay there."
        return go(where, words, "waiting")
    if found["status"] == "review":
        return go(where, "The payment can't be ended from here: a person has to look at it first.", "waiting")
    if found["status"] in LIVE:
        return go(where, "The payment can't be ended just yet. We are checking with the processor.", "waiting")
    if found["status"] == "succeeded":
        return go(f"/invoices/{found['invoice_id']}", "The payment had gone through already: the money is received.")
    return go(where, "The payment is canceled. No money moved.", "closed")
