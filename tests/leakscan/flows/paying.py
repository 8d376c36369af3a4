"""Paying by card at the sandbox: every test card, cards of our own, 3-D Secure, giving up, refunds, and cards typed wrongly."""

from typing import Any

from tests.leakscan.flows.billing import everybody_reads, invoice
from tests.leakscan.stage import Stage, flow, told
from tests.system import wait_until

ENDINGS = (
    "4000000000000002", "4000000000009995", "4000000000000069", "4000000000000127", "4000000000000077", "4000000000000119",
    "4000000000000259", "4000000000000341",
)  # fmt: skip


def card(stage: Stage, number: str = "", **more: Any) -> dict:
    """A card with a code, a name and a postal code; the number is a canary unless one is given."""
    make = stage.canaries.make
    return {
        "number": number or stage.canaries.card(), "exp_month": 12, "exp_year": 2031, "cvc": stage.canaries.code(),
        "name": make("cardholder", "Holder {}"), "postal_code": make("cardholder", "{}"), **more,
    }  # fmt: skip


def pay(stage: Stage, invoice_id: str, its_card: dict, *statuses: int, client: str = "cleo", **options: Any) -> dict:
    answer = stage.cast[client].ask("POST", f"/api/v1/invoices/{invoice_id}/payments", {"card": its_card}, **options)
    return told(answer, *(statuses or (201, 202, 402, 502)))


def is_paid(stage: Stage, invoice_id: str, its_card: dict, client: str = "cleo", **options: Any) -> dict:
    """Paid; on a busy machine perhaps only once a look-up found what the processor had done."""
    paid = pay(stage, invoice_id, its_card, 201, 202, client=client, **options)
    path = f"/api/v1/payments/{paid['id']}"
    wait_until(lambda: told(stage.cast[client].ask("GET", path), 200)["status"] == "succeeded", 60, 0.2, "the payment's success")
    return paid


def on_the_page(its_card: dict) -> dict:
    return {f"card__{name}": str(value) for name, value in its_card.items()}


@flow
def approved(stage: Stage) -> None:
    """Paid at both doors, twice with one key, in part; then refunded in part and whole, at both doors."""
    make, pat, cleo = stage.canaries.make, stage.cast["pat"], stage.cast["cleo"]
    hers = {"client": cleo.reader.client}
    first = invoice(stage)["id"]
    its_card = card(stage)
    for _ in range(2):
        paid = is_paid(stage, first, its_card, key="pay-once")
    pay(stage, first, card(stage), 422, 409, key="pay-once")
    told(cleo.ask("GET", f"/api/v1/payments/{paid['id']}"), 200)
    told(pat.ask("POST", f"/api/v1/payments/{paid['id']}/check"), 200, 409)
    stage.cast["ours"].send(f"/payments/{paid['id']}/check", form_at=f"/invoices/{first}")
    second = invoice(stage)["id"]
    cleo.see(f"/invoices/{second}/pay")
    told(cleo.send(f"/invoices/{second}/pay", amount="20.00", **on_the_page(card(stage))), 303)
    told(cleo.send(f"/invoices/{second}/pay", **on_the_page(card(stage))), 303)
    refund = told(
        pat.ask("POST", f"/api/v1/invoices/{first}/refunds", {"amount": 1000, "reason": make("refund_reason", "part {}", **hers)}),
        201,
    )
    told(pat.ask("GET", f"/api/v1/refunds/{refund['id']}"), 200)
    told(pat.ask("POST", f"/api/v1/refunds/{refund['id']}/check"), 200, 409)
    told(pat.ask("POST", f"/api/v1/refunds/{refund['id']}/cancel"), 200, 202, 409)
    pat.send(f"/refunds/{refund['id']}/check", form_at=f"/invoices/{first}")
    told(pat.send(f"/invoices/{first}/refund", amount="3.00", reason=make("refund_reason", "page {}", **hers)), 303)
    told(pat.ask("POST", f"/api/v1/invoices/{second}/refunds", {"reason": make("refund_reason", "all {}", **hers)}), 201)
    everybody_reads(stage, first)
    everybody_reads(stage, second)


@flow
def every_other_ending(stage: Stage) -> None:
    """Each of the sandbox's cards at the API, one at the page; a number whose check digit is wrong."""
    for number in ENDINGS:
        pay(stage, invoice(stage, "cy")["id"], card(stage, number), client="cy")
    declined = invoice(stage, "cy")["id"]
    page = stage.cast["cy"].send(f"/invoices/{declined}/pay", **on_the_page(card(stage, ENDINGS[0])))
    told(page, 402)
    mistyped = stage.canaries.card()
    stage.canaries.learn("card", wrong := mistyped[:-1] + str((int(mistyped[-1]) + 1) % 10))
    pay(stage, declined, card(stage, wrong), client="cy")
    everybody_reads(stage, declined, "cy")


@flow
def the_bank_asks(stage: Stage) -> None:
    """3-D Secure approved, declined and given up, at both doors."""
    cleo = stage.cast["cleo"]
    asked = "4000002500003155"
    for approve in (True, False):
        begun = pay(stage, invoice(stage)["id"], card(stage, asked), 202)
        told(cleo.ask("POST", f"/api/v1/payments/{begun['id']}/sandbox-answer", {"approve": approve}), 200, 201, 202, 402)
    for approve in ("true", "false"):
        begun = pay(stage, invoice(stage)["id"], card(stage, asked), 202)
        cleo.see(f"/invoices/{begun['invoice_id']}/pay")
        cleo.send(f"/sandbox/authentication/{begun['id']}", approve=approve)
    given_up = pay(stage, invoice(stage)["id"], card(stage, asked), 202)
    told(cleo.ask("POST", f"/api/v1/payments/{given_up['id']}/cancel"), 200, 202)
    on_page = pay(stage, invoice(stage)["id"], card(stage, asked), 202)
    cleo.send(f"/payments/{on_page['id']}/cancel", form_at=f"/invoices/{on_page['invoice_id']}/pay")


@flow
def cards_typed_wrongly(stage: Stage) -> None:
    """Numbers, codes and names of wrong kinds, in wrong fields and in unknown ones: refused, and never told back."""
    make, cleo = stage.canaries.make, stage.cast["cleo"]
    its_id = invoice(stage)["id"]
    path, number = f"/api/v1/invoices/{its_id}/payments", stage.canaries.card
    good = card(stage)
    wrong: list[Any] = [
        {"card": {**good, "number": number() + "x"}},
        {"card": {**good, "number": number() + number()}},
        {"card": {**good, "number": [number()]}},
        {"card": {**good, "number": {"is": number()}}},
        {"card": {**good, "number": int(number())}},
        {"card": {**good, "exp_month": number()}},
        {"card": {**good, "cvc": number()}},
        {"card": {**good, "cvc": int(stage.canaries.code())}},
        {"card": {**good, "name": [make("cardholder")]}},
        {"card": {**good, make("field name"): number()}},
        {"card": number()},
        {"card": [number()]},
        {"card": good, "amount": number()},
        {"card": good, make("field name"): make("typed")},
        {"token": make("typed")},
        {"payment_method_id": number(), "return_url": "https://" + make("typed")},
        [number()],
        number(),
    ]
    for body in wrong:
        told(cleo.ask("POST", path, body), 400, 409, 422, 502)  # a token is looked at by the account, which may not take one
    raw = f'{{"card": {{"number": "{number()}", "cvc": "{stage.canaries.code()}"'
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        told(cleo.ask("POST", path, data=raw, headers={"Content-Type": kind}), 400, 415)
    told(cleo.ask("POST", path, data=raw + " " * 1_100_000, headers={"Content-Type": "application/json"}), 413)
    told(cleo.ask("PUT", path, {"card": good}), 405)
    told(cleo.ask("POST", "/api/v1/invoices/" + make("asked for", "inv_{}") + "/payments", {"card": good}), 404, 422)
    told(stage.someone().ask("POST", path, {"card": good}), 401)
    for field in ("number", "exp_month", "cvc", "exp_year"):
        typed = on_the_page({**card(stage), field: number() + "x"})
        told(cleo.send(f"/invoices/{its_id}/pay", **typed), 422)
    told(stage.cast["pat"].ask("POST", path, {"card": card(stage)}), 403, 422)
