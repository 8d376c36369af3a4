"""Cards on file, another account that takes over, and payers who come back from elsewhere."""

from tests.leakscan.flows.billing import everybody_reads, invoice
from tests.leakscan.flows.paying import card, on_the_page
from tests.leakscan.stage import Stage, flow, told


@flow
def cards_on_file(stage: Stage) -> None:
    """Kept with consent and refused without, chosen, charged by the client and by staff with a reason, taken off file, at both doors."""
    make, pat, cleo, cleo_id = stage.canaries.make, *(stage.cast[name] for name in ("pat", "cleo", "cleo_id"))
    stage.canaries.practice = pat.reader.practice
    first, second = (told(cleo.ask("POST", "/api/v1/cards", {"card": card(stage), "consent": True}), 201)["id"] for _ in range(2))
    told(cleo.send("/cards", consent="true", **on_the_page(card(stage))), 303)
    told(cleo.send("/cards", **on_the_page(card(stage))), 422)
    told(cleo.ask("POST", "/api/v1/cards", {"card": card(stage), "consent": False}), 422)
    told(cleo.ask("POST", "/api/v1/cards", {"card": [stage.canaries.card()], "token": make("typed"), "consent": True}), 422)
    told(cleo.ask("POST", "/api/v1/cards", {"card": card(stage, "4000000000000002"), "consent": True}), 201, 402)
    told(cleo.ask("PATCH", f"/api/v1/cards/{second}", {"default": True}), 200)
    told(cleo.send(f"/cards/{first}/default", form_at="/cards"), 303)
    for path in ("/api/v1/cards", f"/api/v1/cards/{first}"):
        told(cleo.ask("GET", path), 200)
    told(pat.ask("GET", f"/api/v1/clients/{cleo_id}/cards"), 200)
    reason = {"client": cleo.reader.client}
    for by_page in (False, True):
        its_id = invoice(stage)["id"]
        if by_page:
            typed = {"payment_method_id": first, "reason": make("charge_reason", "page {}", **reason)}
            told(pat.send(f"/invoices/{its_id}/charge-card", **typed), 303)
        else:
            body = {"payment_method_id": first, "reason": make("charge_reason", "agreed {}", **reason)}
            told(pat.ask("POST", f"/api/v1/invoices/{its_id}/payments", body), 201, 202)
        everybody_reads(stage, its_id)
    told(cleo.ask("POST", f"/api/v1/invoices/{invoice(stage)['id']}/payments", {"payment_method_id": first}), 201, 202)
    told(cleo.send(f"/cards/{first}/remove"), 303)
    told(cleo.ask("DELETE", f"/api/v1/cards/{second}"), 204, 200)
    for by_page in (False, True):
        its_id, its_card = invoice(stage)["id"], card(stage)
        if by_page:
            told(cleo.send(f"/invoices/{its_id}/pay", keep_card="true", **on_the_page(its_card)), 303)
        else:
            told(cleo.ask("POST", f"/api/v1/invoices/{its_id}/payments", {"card": its_card, "keep_card": True}), 201, 202)
        everybody_reads(stage, its_id)
    for kept in told(cleo.ask("GET", "/api/v1/cards"), 200)["data"]:
        told(cleo.ask("DELETE", f"/api/v1/cards/{kept['id']}"), 204, 200)
    third, fourth = (told(cleo.ask("POST", "/api/v1/cards", {"card": card(stage), "consent": True}), 201)["id"] for _ in range(2))
    told(pat.send(f"/clients/{cleo_id}/cards/{third}/remove"), 303)
    told(pat.ask("DELETE", f"/api/v1/clients/{cleo_id}/cards/{fourth}"), 204, 200)


@flow
def another_account_takes_over(stage: Stage) -> None:
    """Failover turned on and off at both doors."""
    ours, accounts = stage.cast["ours"], stage.cast["accounts"]
    order = [accounts["sandbox"], accounts["stripe"]]
    told(ours.ask("GET", "/api/v1/failover"), 200)
    told(ours.ask("PUT", "/api/v1/failover", {"enabled": True, "processor_ids": order}), 200)
    typed = {f"processor_ids-{place}": its_id for place, its_id in enumerate(order)}
    told(ours.send("/billing/setup/failover", enabled="true", **typed), 303)
    told(ours.ask("PUT", "/api/v1/failover", {"enabled": False, "processor_ids": []}), 200)


@flow
def payers_who_come_back(stage: Stage) -> None:
    """Whatever a browser brings back from a processor's page goes nowhere."""
    make, cleo = stage.canaries.make, stage.cast["cleo"]
    its_id = invoice(stage)["id"]
    for path in ("/returns", f"/returns/{its_id}", f"/invoices/{its_id}/pay/return"):
        cleo.see(f"{path}?payment_intent={make('typed')}&{make('typed')}=1")
    elsewhere = stage.someone()  # with a form from another site a browser sends no cookie of ours
    for path in ("/returns", f"/returns/{its_id}"):
        brought = {"ssl_token": make("typed"), make("typed"): "x"}
        sent = elsewhere.browser.post(cleo.system.url + path, data=brought, timeout=60, allow_redirects=False)
        elsewhere.answers.keep(elsewhere.reader, "POST", path, sent)
        told(sent, 303)
