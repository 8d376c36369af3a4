"""Cards typed elsewhere: on each processor's own page, and in its form on ours, which gives a token; what both hold stays there."""

import re
from html import unescape

import requests

from tests.leakscan.flows.billing import everybody_reads, invoice
from tests.leakscan.flows.processing import KINDS
from tests.leakscan.stage import Stage, flow, told
from tests.system import wait_until


@flow
def on_a_processors_page(stage: Stage) -> None:
    """At both doors: begun and given up, begun and paid; the payer comes back, and everybody reads what became of it."""
    cy = stage.cast["cy"]
    for kind in KINDS:
        _takes(stage, kind, "hosted_page")
        given_up = invoice(stage, "cy")["id"]
        told(cy.send(f"/invoices/{given_up}/pay", hosted="true"), 200, 303)
        waiting = _last_payment(stage, given_up)
        _learn_page(stage, waiting["next_action"])
        cy.see(f"/invoices/{given_up}/pay")
        cy.send(f"/payments/{waiting['id']}/cancel", form_at=f"/invoices/{given_up}/pay")
        its_id = invoice(stage, "cy")["id"]
        body = {"hosted": True, "return_url": "https://client.example/paid"}
        begun = told(cy.ask("POST", f"/api/v1/invoices/{its_id}/payments", body, key=f"page-{kind}"), 202)
        _learn_page(stage, begun["next_action"])
        for name in ("ours", "pat"):
            stage.cast[name].ask("GET", f"/api/v1/payments/{begun['id']}")
        _on_page(begun["next_action"], stage.peers.card(kind), stage.canaries.code())
        for path in (f"/returns/{its_id}", f"/invoices/{its_id}/pay/return", f"/invoices/{its_id}/pay"):
            cy.see(path)
        _is_paid(stage, begun["id"])
        everybody_reads(stage, its_id, "cy")
        _takes(stage, kind, "direct")
    _back_to_the_sandbox(stage)


@flow
def in_a_processors_form(stage: Stage) -> None:
    """The token of a form pays at the API and at the page, is refused where it was used, and is nowhere afterwards."""
    cy = stage.cast["cy"]
    for kind in ("stripe", "authorize_net"):  # Converge's window has a page's token, which the flow above knows
        _takes(stage, kind, "hosted_fields")
        its_id = invoice(stage, "cy")["id"]
        cy.see(f"/invoices/{its_id}/pay")
        token = _typed_in_form(stage, kind)
        paid = told(cy.ask("POST", f"/api/v1/invoices/{its_id}/payments", {"token": token}), 201, 202)
        _is_paid(stage, paid["id"])
        again = invoice(stage, "cy")["id"]
        told(cy.ask("POST", f"/api/v1/invoices/{again}/payments", {"token": token}), 402, 422, 502)
        cy.send(f"/invoices/{again}/pay", token=_typed_in_form(stage, kind))
        everybody_reads(stage, its_id, "cy")
        _takes(stage, kind, "direct")
    _back_to_the_sandbox(stage)


def _takes(stage: Stage, kind: str, card_entry: str) -> None:
    ours, its_id = stage.cast["ours"], stage.cast["accounts"][kind]
    told(ours.ask("PATCH", f"/api/v1/processors/{its_id}", {"card_entry": card_entry}), 200)
    told(ours.ask("POST", f"/api/v1/processors/{its_id}/activate"), 200)
    ours.see(f"/billing/setup/processors/{its_id}")


def _back_to_the_sandbox(stage: Stage) -> None:
    told(stage.cast["ours"].ask("POST", f"/api/v1/processors/{stage.cast['accounts']['sandbox']}/activate"), 200)


def _last_payment(stage: Stage, invoice_id: str) -> dict:
    return told(stage.cast["cy"].ask("GET", f"/api/v1/invoices/{invoice_id}"), 200)["payments"][-1]


def _is_paid(stage: Stage, payment_id: str) -> None:
    path = f"/api/v1/payments/{payment_id}"
    wait_until(lambda: told(stage.cast["cy"].ask("GET", path), 200)["status"] == "succeeded", 60, 0.3, "the page's success")


def _learn_page(stage: Stage, action: dict) -> None:
    """What opens the page is its payer's alone: a token, or what follows the # of Stripe's address."""
    token = (action.get("fields") or {}).get("token") or re.split("[=#]", action["url"])[-1]
    stage.canaries.learn("page", requests.utils.unquote(token))


def _on_page(action: dict, number: str, code: str) -> None:
    """As a browser does at the simulators' stand-ins: nothing of it goes through us."""
    url, fields = action["url"], action.get("fields") or {}
    if "token" in fields:  # Authorize.net
        typed = {"token": fields["token"], "cardNum": number, "expiryDate": "12/31", "cvv": code}
        url = url.removesuffix("/payment") + "/submit"
    elif "/c/pay/" in url:  # Stripe
        typed = {"number": number, "expiry": "12/31", "cvc": code}
    else:  # Converge
        found = re.search('name="ssl_txn_auth_token" value="([^"]+)"', requests.get(url, timeout=10).text)
        typed = {"ssl_txn_auth_token": unescape(found[1]), "do": "pay", "number": number, "expires": "1231", "cvc": code}  # type: ignore[index]
    assert requests.post(url, typed, timeout=10, allow_redirects=False).status_code < 400


def _typed_in_form(stage: Stage, kind: str) -> str:
    """A card typed into the processor's form: the token that its script gives the page."""
    simulator, number = stage.peers.simulators[kind], stage.peers.card(kind)
    if kind == "stripe":
        key = next(one.value for one in stage.canaries.all if one.value.startswith("pk_test_"))
        typed = {"number": number, "exp_month": "12", "exp_year": "2031", "cvc": "123"}
        token = simulator.create_token(key, typed)  # type: ignore[attr-defined]
    else:
        login, merchant = next(found for found in simulator.merchants.items() if found[0].startswith("login"))  # type: ignore[attr-defined]
        typed = {"apiLoginID": login, "clientKey": merchant.client_key, "cardNum": number, "expiryDate": "12/31", "cvv": "123"}
        answer = requests.post(f"{simulator.url}/v3/acceptMain/token", data=typed, timeout=10).json()
        token = answer["opaqueData"]["dataValue"]
    return stage.canaries.learn("form token", token)
