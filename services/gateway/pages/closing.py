"""What staff do to an invoice: send, record a payment, refund, forgive, void, delete. Each page says first what will happen."""

from collections.abc import Callable
from typing import Any

from flask import Response, g

from services.gateway.asker import Asker
from services.gateway.caller import role
from services.gateway.pages.forms import Form, flag, money, text
from services.gateway.pages.invoices import LOOKS, past, tab
from services.gateway.pages.page import go, keyed, pages, show, through
from services.gateway.pages.words import METHODS, paid_with
from services.gateway.pages.words import money as money_words
from services.gateway.subjects import clients
from services.gateway.subjects import invoices as subject
from shared.faults import NotFound, Unavailable

Act = Callable[[Asker, str], Any]


def _confirmed(invoice_id: str, action: str, act: Act, after: Callable[[Any], str], where: str = "") -> Response:
    """The page that says what `action` will do, and after its button what was done."""
    found = subject.read_invoice(g.asker, invoice_id).data

    def do(form: Form) -> Response:
        done = act(keyed(form), invoice_id)
        return go(where or f"/invoices/{invoice_id}", after(done.data if done else found))

    def draw(form: Form) -> Response:
        if not form.sent and action not in found["allowed_actions"]:
            return past(found)
        return show("confirm.html", tab=tab(), invoice=found, action=action, form=form)

    return through(do, draw)


@pages.route("/invoices/<invoice_id>/send", methods=["GET", "POST"])
@role("admin", "provider")
def send_invoice(invoice_id: str) -> Response:
    return _confirmed(invoice_id, "send", subject.send_invoice, _sent_words)


def _sent_words(sent: Any) -> str:
    total = money_words(sent["total"], sent["currency"])
    return f"Invoice {sent['number']} of {total} is sent. {sent['client']['name']} gets an alert."


@pages.route("/invoices/<invoice_id>/void", methods=["GET", "POST"])
@role("admin", "provider")
def void_invoice(invoice_id: str) -> Response:
    def after(done: Any) -> str:
        return f"Invoice {done['number']} is void. Nothing is owed on it."

    return _confirmed(invoice_id, "void", subject.void_invoice, after)


@pages.route("/invoices/<invoice_id>/forgive", methods=["GET", "POST"])
@role("admin", "provider")
def forgive_invoice(invoice_id: str) -> Response:
    def after(done: Any) -> str:
        return f"{money_words(done['amount_forgiven'], done['currency'])} of invoice {done['number']} is forgiven."

    return _confirmed(invoice_id, "forgive", subject.forgive_invoice, after)


@pages.route("/invoices/<invoice_id>/delete", methods=["GET", "POST"])
@role("admin", "provider")
def delete_invoice(invoice_id: str) -> Response:
    where = "/billing" if g.asker.role == "admin" else "/invoices"
    return _confirmed(invoice_id, "delete", subject.delete_invoice, lambda _: "The draft is deleted.", where)


@pages.route("/invoices/<invoice_id>/record-payment", methods=["GET", "POST"])
@role("admin", "provider")
def record_payment(invoice_id: str) -> Response:
    found = subject.read_invoice(g.asker, invoice_id).data
    credit = _credit(found["client"]["id"])

    def act(form: Form) -> Response:
        body = form.body(found["currency"], amount=money, method=text, received_on=text, reference=text, keep_as_credit=flag)
        if body.get("method") == "client_credit":
            body.pop("received_on", None)
        paid = subject.record_payment(keyed(form), invoice_id, body).data
        return go(f"/invoices/{invoice_id}", _recorded_words(paid))

    def draw(form: Form) -> Response:
        if not form.sent and "record_payment" not in found["allowed_actions"]:
            return past(found)
        methods = [(name, words) for name, words in METHODS.items() if name != "card" and (credit or name != "client_credit")]
        return show("record_payment.html", tab=tab(), invoice=found, form=form, methods=methods, credit=credit)

    return through(act, draw)


def _recorded_words(paid: Any) -> str:
    words = f"{money_words(paid['amount'], paid['currency'])} is recorded as paid ({paid_with(paid).lower()})."
    kept = paid.get("amount_credited") or 0
    return f"{words} {money_words(kept, paid['currency'])} of it is kept as credit." if kept else words


def _credit(client_id: str) -> int:
    """The credit kept for a client, 0 while that can't be told."""
    try:
        return clients.read_client(g.asker, client_id).data.get("credit") or 0
    except (Unavailable, NotFound):
        return 0


@pages.route("/invoices/<invoice_id>/refund", methods=["GET", "POST"])
@role("admin", "provider")
def refund_invoice(invoice_id: str) -> Response:
    found = subject.read_invoice(g.asker, invoice_id).data
    offered = refundable(found)

    def act(form: Form) -> Response:
        body = form.body(found["currency"], amount=money, reason=text, payment_id=text)
        made = subject.refund_invoice(keyed(form), invoice_id, body).data
        refunds = made.get("data") or [made]  # one, or one per payment
        return go(f"/invoices/{invoice_id}", _refunded_words(refunds), _refunded_look(refunds))

    def draw(form: Form) -> Response:
        if not form.sent and "refund" not in found["allowed_actions"]:
            return past(found)
        most = sum(payment["left"] for payment in offered)
        return show("refund.html", tab=tab(), invoice=found, form=form, offered=offered, most=most)

    return through(act, draw)


def refundable(found: Any) -> list[dict[str, Any]]:
    """The payments that money can still be given back from, newest first, each with what is `left` of it."""
    offered = [{**payment, "left": payment.get("refundable") or 0} for payment in reversed(found["payments"])]
    return [payment for payment in offered if payment["left"] > 0]


def _refunded_words(made: list[Any]) -> str:
    total = money_words(sum(refund["amount"] for refund in made), made[0]["currency"])
    if all(refund["status"] == "succeeded" for refund in made):
        return f"{total} is refunded."
    if any(refund["status"] == "failed" for refund in made):
        return f"Not all of {total} could be refunded: see Payments below."
    return f"The refund of {total} is under way. We are checking with the processor; it won't be given twice."


def _refunded_look(made: list[Any]) -> str:
    """Failed as soon as one of them has failed; paid only where all have succeeded."""
    looks = {LOOKS.get(refund["status"], "waiting") for refund in made}
    return next((look for look in ("failed", "waiting") if look in looks), "paid")
