"""Cards on file: the client's own page, and for staff those of a client, and charging one with a reason."""

from typing import Any

from flask import Response, g

from services.gateway.caller import role
from services.gateway.pages.forms import Form, flag, money, secret, text
from services.gateway.pages.invoices import past, tab, usable
from services.gateway.pages.page import allow_sources, body_of, go, keyed, pages, pressed, show, through
from services.gateway.pages.paying import CARD, card_entry, told_balance
from services.gateway.pages.words import card as card_words
from services.gateway.pages.words import money as money_words
from services.gateway.subjects import cards, invoices
from shared.faults import Invalid, NotFound, Unavailable, invalid


@pages.route("/cards", methods=["GET", "POST"])
@role("client")
def own_cards() -> Response:
    def act(form: Form) -> Response:
        body = body_of(form, card=CARD, consent=flag, token=secret)
        if not body.get("token"):
            body = {"card": {}, **body}
        saved = cards.save_card(keyed(form), body).data
        return go("/cards", f"{card_words(saved)} is on file.")

    return through(act, _draw)


def _draw(form: Form) -> Response:
    found, entry = cards.list_cards(g.asker).data, card_entry()
    allow_sources(entry.get("sources") or {})
    consent = cards.consent_text(g.asker.practice["name"])
    return show("cards.html", tab="Cards", cards=found["data"], can_save=found["can_save"], entry=entry, consent=consent, form=form)


@pages.post("/cards/<card_id>/default")
@role("client")
def choose_card(card_id: str) -> Response:
    def act(form: Form) -> Response:
        chosen = cards.change_card(keyed(form), card_id, {"default": True}).data
        return go("/cards", f"{card_words(chosen)} is offered first from now on.")

    return pressed(act, "/cards")


@pages.route("/cards/<card_id>/remove", methods=["GET", "POST"])
@role("client")
def remove_card(card_id: str) -> Response:
    found = _one(cards.list_cards(g.asker).data, card_id)

    def act(form: Form) -> Response:
        cards.remove_card(keyed(form), card_id)
        return go("/cards", f"{card_words(found)} is off file. It can't be charged any more.")

    return through(act, lambda form: show("remove_card.html", tab="Cards", card=found, form=form, back="/cards"))


@pages.route("/clients/<client_id>/cards/<card_id>/remove", methods=["GET", "POST"])
@role("admin", "provider")
def remove_card_of(client_id: str, card_id: str) -> Response:
    back = f"/clients/{client_id}/billing"
    found = _one(cards.list_cards_of(g.asker, client_id).data, card_id)

    def act(form: Form) -> Response:
        cards.remove_card_of(keyed(form), client_id, card_id)
        return go(back, f"{card_words(found)} is off file. It can't be charged any more.")

    return through(act, lambda form: show("remove_card.html", tab="Clients", card=found, form=form, back=back))


def _one(found: Any, card_id: str) -> Any:
    card = next((one for one in found["data"] if one["id"] == card_id), None)
    if card is None:
        raise NotFound()
    return card


@pages.route("/invoices/<invoice_id>/charge-card", methods=["GET", "POST"])
@role("admin", "provider")
def charge_card(invoice_id: str) -> Response:
    found = invoices.read_invoice(g.asker, invoice_id).data

    def act(form: Form) -> Response:
        body = body_of(form, payment_method_id=text, reason=text, amount=money)
        if not body.get("reason"):
            raise invalid("reason", "Say why the card is charged: the client can read it.")
        try:
            paid = invoices.pay_invoice(keyed(form), invoice_id, body).data
        except Invalid as wrong:
            raise told_balance(invoice_id, wrong) from None
        if paid["status"] != "succeeded":
            return go(f"/invoices/{invoice_id}")
        receipt = f"{found['client']['name']} gets an alert and sees the receipt."
        return go(f"/invoices/{invoice_id}", f"{money_words(paid['amount'], paid['currency'])} is charged. {receipt}")

    def draw(form: Form) -> Response:
        now = _as_it_stands(found) if form.sent else found
        if "record_payment" not in now["allowed_actions"]:
            return past(now)
        offered = usable(cards.list_cards_of(g.asker, found["client"]["id"]).data)
        if not offered and not form.sent:
            return go(f"/invoices/{invoice_id}", "There is no card on file that can be charged now.", "waiting")
        return show("charge_card.html", tab=tab(), invoice=now, cards=offered, form=form)

    return through(act, draw)


def _as_it_stands(found: Any) -> Any:
    """The invoice as it is now, or as it was a moment ago while that can't be told."""
    try:
        return invoices.read_invoice(g.asker, found["id"]).data
    except Unavailable:
        return found
