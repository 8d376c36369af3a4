"""Invoices without a card: drafted, edited, sent, voided, forgiven, paid in cash, refunded; read by everybody who may and who may not."""

from tests.leakscan.people import Watched
from tests.leakscan.stage import Stage, flow, told


def invoice(stage: Stage, client: str = "cleo", send: bool = True, **more: object) -> dict:
    """An invoice of that client with a description and a memo that nobody else has."""
    make = stage.canaries.make
    stage.canaries.practice, stage.canaries.client = stage.cast["ours"].reader.practice, stage.cast[client].reader.client
    body = {
        "client_id": stage.cast[f"{client}_id"], "description": make("description", "Session on {} & “more”"), "amount": 12050,
        "memo": make("memo", "for staff {}"), "send": send, **more,
    }  # fmt: skip
    made = told(stage.cast["pat"].ask("POST", "/api/v1/invoices", body), 201)
    stage.canaries.client = ""
    return made


def everybody_reads(stage: Stage, invoice_id: str, client: str = "cleo") -> None:
    """Admin, provider and client read it at both doors; the other client and the other practice try to."""
    readers: list[Watched] = [stage.cast[name] for name in ("ours", "pat", client)]
    other = stage.cast["cy" if client == "cleo" else "cleo"]
    for person in (*readers, other, stage.cast["theirs"]):
        for path in ("", "/timeline", "/explanation?of=total", "/explanation?of=balance"):
            person.ask("GET", f"/api/v1/invoices/{invoice_id}{path}")
        for path in ("", "/explanation", "/receipt"):
            person.see(f"/invoices/{invoice_id}{path}")
        person.ask("GET", "/api/v1/invoices?limit=20")
        person.see("/invoices")
    for path in ("/billing", "/billing?q=" + stage.canaries.make("asked for")):
        stage.cast["ours"].see(path)
    told(stage.cast["ours"].ask("GET", "/api/v1/reports/summary"), 200)


@flow
def drafts(stage: Stage) -> None:
    """Made, changed and deleted at both doors; one is sent."""
    make, pat, cleo_id = stage.canaries.make, stage.cast["pat"], stage.cast["cleo_id"]
    ours = {"client": stage.cast["cleo"].reader.client}
    draft = invoice(stage, send=False)
    lines = [{"description": make("description", "Line {}", **ours), "unit_amount": 5000, "quantity": "1.5", "category": "taxable"}]
    told(pat.ask("PATCH", f"/api/v1/invoices/{draft['id']}", {"lines": lines, "memo": make("memo", "changed {}", **ours)}), 200)
    edited = {"description": make("description", "Edited {}", **ours), "amount": "99.00", "memo": make("memo", "edited {}", **ours)}
    told(pat.send(f"/invoices/{draft['id']}/edit", **edited), 303)
    told(pat.ask("POST", f"/api/v1/invoices/{draft['id']}/send"), 200)
    told(pat.ask("DELETE", f"/api/v1/invoices/{invoice(stage, send=False)['id']}"), 204)
    page = f"/clients/{cleo_id}/billing/create"
    for send in ("false", "true"):
        typed = {"description": make("description", "By page {}", **ours), "amount": "50.00", "memo": make("memo", "{}", **ours)}
        made = pat.send(page, send=send, **typed)
        assert made.status_code == 303, made.text[:400]
        path = made.headers["Location"]
        if send == "false":
            told(pat.send(f"{path}/delete"), 303)
    rows = {"lines-0-description": make("description", "Row {}", **ours), "lines-0-unit_amount": "10.00", "lines-0-quantity": "2"}
    wrong = {"lines-1-description": make("description", "Wrong {}", **ours), "lines-1-unit_amount": "x" + make("retyped")}
    told(pat.send(page, send="false", **rows, **wrong), 422)
    by_page = invoice(stage, send=False)["id"]
    told(pat.send(f"/invoices/{by_page}/send"), 303)
    everybody_reads(stage, draft["id"])


@flow
def voided_forgiven_and_recorded(stage: Stage) -> None:
    """Each at both doors, with a reference; credit kept, applied and paid out; refunds of what was recorded."""
    make, pat = stage.canaries.make, stage.cast["pat"]
    hers = {"client": stage.cast["cleo"].reader.client}
    for action in ("void", "forgive"):
        told(pat.ask("POST", f"/api/v1/invoices/{invoice(stage)['id']}/{action}"), 200)
        told(pat.send(f"/invoices/{invoice(stage)['id']}/{action}"), 303)
    paid = invoice(stage)["id"]
    recorded = {"method": "check", "reference": make("reference", "no {}", **hers), "amount": 20000, "keep_as_credit": True}
    told(pat.ask("POST", f"/api/v1/invoices/{paid}/recorded-payments", recorded, key="record-once"), 201)
    told(pat.ask("POST", f"/api/v1/invoices/{paid}/recorded-payments", recorded, key="record-once"), 201)
    told(
        pat.ask("POST", f"/api/v1/invoices/{paid}/refunds", {"amount": 100, "reason": make("refund_reason", "because {}", **hers)}),
        201,
    )
    reason = make("refund_reason", "by page {}", **hers)
    told(pat.send(f"/invoices/{paid}/refund", amount="2.00", reason=reason), 303)
    by_page = invoice(stage)["id"]
    typed = {"amount": "10.00", "method": "check", "received_on": "2026-01-05", "reference": make("reference", "page {}", **hers)}
    told(pat.send(f"/invoices/{by_page}/record-payment", **typed), 303)
    credit = {"amount": 100, "reason": make("refund_reason", "credit {}", **hers)}
    told(pat.ask("POST", f"/api/v1/clients/{stage.cast['cleo_id']}/credit-refunds", credit), 200, 201)
    page = f"/clients/{stage.cast['cleo_id']}/billing"
    sent = pat.send(
        f"/clients/{stage.cast['cleo_id']}/credit-refunds", form_at=page, amount="1.00", reason=make("refund_reason", "{}", **hers)
    )
    told(sent, 303)
    everybody_reads(stage, paid)
    stage.cast["recorded"] = paid
