"""Paying an invoice by card: what stands for the card is sealed here, bound to its payment, and only processors can open it.

A card may also be typed on the processor's own page: then nothing of it comes here, and what a browser brings back is not read.
"""

import re
from datetime import timedelta
from urllib.parse import urlsplit

from services.gateway.asker import Answer, Asker, Gateway, as_text
from services.gateway.people.usecases import declines
from services.gateway.reading import known_id
from shared.contract import read
from shared.contracts.invoicing import Invoicing
from shared.faults import Forbidden, Invalid, Refused, Rejected, invalid
from shared.fields import Amount, Flag, Id, Part, Text, Whole, Words
from shared.ids import new_id
from shared.settings import LOOPBACK

SEALED_FOR = timedelta(seconds=120)
_WAYS = ("card", "token", "hosted", "payment_method_id")


class CardNumber(Text):
    """12 to 19 digits; spaces and hyphens between them are as people write them. Never told back."""

    def _deserialize(self, value, attr, data, **rest):
        digits = re.sub(r"[ -]", "", super()._deserialize(value, attr, data, **rest))
        return Text(pattern=r"[0-9]{12,19}", hint="A card number has 12 to 19 digits.").deserialize(digits)


class CardBody(Words):
    """A card as it is typed; any future date is judged by the processor."""

    number = CardNumber(required=True, most=40)
    exp_month = Whole(required=True, least=1, most=12)
    exp_year = Whole(required=True, least=2000, most=2199)
    cvc = Text(required=True, pattern=r"[0-9]{3,4}", hint="The security code has 3 or 4 digits.")
    postal_code = Text(allow_none=True, most=20)
    name = Text(allow_none=True, most=200)


class PaymentBody(Words):
    """One of `card`, `token` (of the processor's own form), `payment_method_id` (a card of the client's on file) and `hosted` with
    `return_url` (the processor's own page).

    Which the practice takes is its admins' choice; the answer to the processor's page is a `next_action`. Staff can charge a
    card on file only; the client reads their `reason`. `keep_card` is the payer's consent to keep the `card` on file once it has paid.
    """

    amount = Amount(least=1, allow_none=True)
    card = Part(CardBody)
    keep_card = Flag(allow_none=True)
    payment_method_id = Id(allow_none=True)
    reason = Text(allow_none=True, most=200)
    token = Text(allow_none=True, most=4000)
    hosted = Flag(allow_none=True)
    return_url = Text(allow_none=True, most=500)


def pay_invoice(asker: Asker, invoice_id: str, body: dict) -> Answer:
    """The payment: status 201 when it succeeded, 202 while it is not settled.

    Raises Refused where the card was declined, LimitReached after five declines of one invoice in an hour.
    """
    known_id(invoice_id, "inv")
    request = read(PaymentBody, body)
    if asker.role != "client":
        _must_be_on_file(request)
    _must_be_one_way(request)
    declines.must_be_few(asker, invoice_id)
    payment_id = new_id("pay")
    order = {"invoice_id": invoice_id, "payment_id": payment_id, "amount": request.get("amount"), "reason": request.get("reason")}
    if request.get("payment_method_id"):
        order["card_id"] = request.payment_method_id
    elif request.get("hosted"):
        order["return_url"] = request.return_url
    else:
        secret = {"token": request.token} if request.get("token") else {"card": request.card}
        order["sealed_card"] = _seal(asker, secret, invoice_id, payment_id)
    try:
        answer = asker.ask(Invoicing.pay_invoice, order)
    except Refused as refusal:
        if not refusal.replayed:
            declines.count(asker, invoice_id)
        raise
    except Rejected as refusal:
        if refusal.extra.get("processor_code") == "unknown_sealing_key":
            asker.gateway.sealing.forget()  # so that the payer's next try is sealed with the newest
        raise
    return Answer(answer.text, _status(answer), answer.replayed, Invoicing.pay_invoice.gives)


def _status(answer: Answer) -> int:
    return answer.status or (201 if answer.data.status == "succeeded" else 202)


def _must_be_on_file(request: dict) -> None:
    if [name for name in _WAYS if request.get(name) and name != "payment_method_id"]:
        raise Forbidden("clients_pay", "Only the client types a card. Staff can charge a card that the client keeps on file.")
    if not request.get("payment_method_id"):
        raise invalid("payment_method_id", "This is needed: which of the client's cards on file is charged.")


def _must_be_one_way(request: dict) -> None:
    given = [name for name in _WAYS if request.get(name)]
    if not given:
        raise invalid("card", "This is needed.")
    if len(given) > 1:
        raise Invalid(errors=[{"field": name, "message": "Send one way to pay, not several."} for name in given])
    if request.get("keep_card") and given != ["card"]:
        raise invalid(
            "keep_card", "Only a card that is typed here can be kept while paying. Keep others on the page of your cards."
        )
    if given == ["hosted"] and not _can_come_back(request.get("return_url")):
        raise invalid("return_url", "Send the https address that the payer comes back to.")


def return_address(gateway: Gateway, host_url: str, invoice_id: str) -> str:
    """Where the payer comes back to from the processor's page: below the public address, which a proxy that ends TLS doesn't tell us.

    Where that has no TLS, it is what the browser asked for (`host_url`): this machine, by whichever name and port.
    """
    if gateway.settings.public_url.startswith("https:"):
        return gateway.link("returns", invoice_id)
    return f"{host_url}returns/{invoice_id}"


def _can_come_back(url: str | None) -> bool:
    """An absolute address over https; over http on this machine only."""
    if not url or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and parts.username is None and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def _seal(asker: Asker, secret: dict, invoice_id: str, payment_id: str) -> str:
    return seal(asker, secret, f"card|{asker.practice_id}|{invoice_id}|{payment_id}")


def seal(asker: Asker, secret: dict, info: str) -> str:
    """A card or a token for processors' eyes only, bound to what `info` names, and not for long."""
    expires_at = (asker.gateway.clock.now() + SEALED_FOR).timestamp()
    text = as_text({**secret, "expires_at": expires_at}).encode()
    return asker.gateway.sealing.seal(text, info, asker.caller)
