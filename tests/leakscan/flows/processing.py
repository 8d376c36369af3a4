"""The three processors: paying, refunding, each way in which they fail; webhooks; what only an admin can settle."""

import hashlib
import hmac
import json
import time

from tests.leakscan.flows.billing import everybody_reads, invoice
from tests.leakscan.flows.paying import card, is_paid, pay
from tests.leakscan.stage import Stage, flow, told
from tests.simulators.authorize_net import card_for
from tests.simulators.elavon_wire import REFUSALS
from tests.system import wait_until

KINDS = ("stripe", "authorize_net", "elavon")
FAILS = ("500", "garbage", "garbage_after", "lose_answer", "cut_after", "hang")
DECLINED = {"stripe": "4000000000000002", "authorize_net": card_for(2), "elavon": next(iter(REFUSALS))}


@flow
def each_processor_well_and_ill(stage: Stage) -> None:
    """Approved and refunded; then each failure while paying, while refunding and while its credentials are checked."""
    make, ours, pat = stage.canaries.make, stage.cast["ours"], stage.cast["pat"]
    for kind in KINDS:
        its_id, simulator = stage.cast["accounts"][kind], stage.peers.simulators[kind]
        told(ours.ask("POST", f"/api/v1/processors/{its_id}/activate"), 200)
        paid = invoice(stage, "cy")["id"]
        is_paid(stage, paid, card(stage, stage.peers.card(kind)), client="cy")
        for how in ("", "500", "garbage"):
            if how:
                simulator.fail("refund", how, times=2)
                simulator.fail("void", how, times=2)
            reason = make("refund_reason", "{}", client=stage.cast["cy"].reader.client)
            made = pat.ask("POST", f"/api/v1/invoices/{paid}/refunds", {"amount": 300, "reason": reason}).json()
            if kind == "authorize_net" and not how:  # a part of what isn't settled yet waits, and can be given up
                told(pat.ask("POST", f"/api/v1/refunds/{made['id']}/cancel"), 200, 202)
        for how in FAILS:
            for verb in ("charge", "prepare") if kind == "stripe" else ("charge",):
                simulator.fail(verb, how)
                pay(stage, invoice(stage, "cy")["id"], card(stage, stage.peers.card(kind)), client="cy")
                simulator.mend()
        pay(stage, invoice(stage, "cy")["id"], card(stage, DECLINED[kind]), 402, client="cy")
        for how in ("500", "garbage", "hang", "lose_request"):
            simulator.fail("check", how, times=3)
            told(ours.ask("POST", f"/api/v1/processors/{its_id}/check"), 200, 502, 503)
            simulator.mend()
        everybody_reads(stage, paid, "cy")
    told(ours.ask("POST", f"/api/v1/processors/{stage.cast['accounts']['sandbox']}/activate"), 200)


@flow
def webhooks(stage: Stage) -> None:
    """Signed as the processor would, forged, garbage, too large, to nobody; the bodies hold canaries."""
    make, visitor = stage.canaries.make, stage.someone()
    secret = next(one.value for one in stage.canaries.all if one.kind == "webhook_secret" and one.value.startswith("whsec_"))
    told_of = {
        "id": "pi_" + make("webhook"),
        "object": "payment_intent",
        "description": make("webhook"),
        "metadata": {"note": make("webhook")},
    }
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": told_of}, "livemode": False}
    body = json.dumps(event)
    for signed, payload in ((True, body), (False, body), (True, "{" + make("webhook")), (False, make("webhook") * 100)):
        at = int(time.time())
        signature = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signature if signed else make('webhook')}", "Content-Type": "application/json"}
        told(visitor.ask("POST", f"/webhooks/stripe/{stage.cast['accounts']['stripe']}", data=payload, headers=headers), 200, 403)
    for kind in (*KINDS, "sandbox", make("asked for")):
        headers = {"X-ANET-Signature": "sha512=" + make("webhook"), "Content-Type": make("webhook", "text/{}")}
        for its_id in (stage.cast["accounts"].get(kind, "pcr_0"), "pcr_" + make("asked for")):
            visitor.ask("POST", f"/webhooks/{kind}/{its_id}", data=make("webhook"), headers=headers)
    visitor.ask("POST", f"/webhooks/stripe/{stage.cast['accounts']['stripe']}", data=make("webhook") * 40_000)


@flow
def what_only_an_admin_can_settle(stage: Stage) -> None:
    """Payments and a refund that no look-up settles: on the work list, with the evidence, settled at both doors; a finding closed."""
    make, ours, pat = stage.canaries.make, stage.cast["ours"], stage.cast["pat"]
    simulator = stage.peers.simulators["stripe"]
    told(ours.ask("POST", f"/api/v1/processors/{stage.cast['accounts']['stripe']}/activate"), 200)
    refunded = invoice(stage, "cy")["id"]
    is_paid(stage, refunded, card(stage, stage.peers.card("stripe")), client="cy")
    for verb in ("charge", "find", "list", "refund", "cancel"):
        simulator.fail(verb, "500", times=500)
    for _ in range(2):
        pay(stage, invoice(stage, "cy")["id"], card(stage, stage.peers.card("stripe")), 202, client="cy")
        pat.ask("POST", f"/api/v1/invoices/{refunded}/refunds", {"amount": 500, "reason": make("refund_reason", "{}")})

    def in_review() -> list[dict]:
        work = told(ours.ask("GET", "/api/v1/worklist"), 200)["data"]
        waiting = [one for one in work if one["status"] == "review"]
        return waiting if {"payment", "refund"} <= {one["kind"] for one in waiting} and len(waiting) >= 3 else []

    waiting = wait_until(in_review, 40, 0.3, "payments and refunds in review")
    ours.see("/worklist")
    for kind in ("payment", "refund"):
        items = [one["id"] for one in waiting if one["kind"] == kind]
        settled = next(one["invoice_id"] for one in waiting if one["id"] == items[0])
        word = {"outcome": "did_not_happen", "reason": make("settle_reason", "seen {}")}
        told(ours.ask("POST", f"/api/v1/{kind}s/{items[0]}/settle", {**word, "outcome": make("typed")}), 422)
        told(ours.ask("POST", f"/api/v1/{kind}s/{items[0]}/settle", word), 200)
        last = items[-1] if len(items) > 1 else items[0]
        ours.send(f"/{kind}s/{last}/settle", outcome="did_not_happen", reason=make("settle_reason", "page {}"))
        everybody_reads(stage, settled, "cy")
    simulator.mend()
    told(ours.ask("POST", f"/api/v1/processors/{stage.cast['accounts']['sandbox']}/activate"), 200)
    everybody_reads(stage, refunded, "cy")
    _close_findings(stage)


def _close_findings(stage: Stage) -> None:
    """Findings come of the daily comparison, which is a day away: these are written as it would."""
    ours = stage.cast["ours"]
    practice = told(ours.ask("GET", "/api/v1/me"), 200)["practice"]["id"]
    for number in (1, 2):
        columns = "(id, practice_id, kind, reference, amount, currency, created_at)"
        values = f"('fnd_{number}', '{practice}', 'orphan', 'REF{number}', 100, 'USD', '2026-01-01 00:00:00')"
        stage.sql("invoicing", f"INSERT INTO findings {columns} VALUES {values}")
    told(ours.ask("POST", "/api/v1/worklist/fnd_1/close"), 200)
    told(ours.send("/worklist/fnd_2/close", form_at="/worklist"), 303)


@flow
def alerts_and_deliveries(stage: Stage) -> None:
    """Alerts read at both doors; a delivery that is parked is sent again."""
    ours = stage.cast["ours"]
    for name in ("ours", "pat", "cleo", "cy"):
        person = stage.cast[name]
        alerts = wait_until(lambda person=person: told(person.ask("GET", "/api/v1/alerts"), 200)["data"], 20, 0.3, "an alert")
        told(person.ask("POST", f"/api/v1/alerts/{alerts[0]['id']}/read"), 200)
        person.see("/alerts")
        told(person.send(f"/alerts/{alerts[-1]['id']}/read", form_at="/alerts"), 303)
    sent = told(ours.ask("GET", "/api/v1/deliveries?limit=200"), 200)["data"]
    some = [one["id"] for one in sent if one["status"] == "sent"][:2]
    stage.sql("notifications", f"UPDATE deliveries SET status = 'parked' WHERE id IN ('{some[0]}', '{some[1]}')")
    ours.see("/worklist")
    told(ours.ask("POST", f"/api/v1/deliveries/{some[0]}/resend"), 200)
    told(ours.send(f"/deliveries/{some[1]}/resend", form_at="/worklist"), 303)
    told(ours.ask("POST", f"/api/v1/deliveries/{some[0]}/resend"), 200, 409)
