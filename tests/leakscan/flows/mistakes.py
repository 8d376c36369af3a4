"""What people and programs send that can't be taken: no answer, log or message may hold it."""

from typing import Any

from tests.leakscan.stage import Stage, flow, told


@flow
def unknown_fields_and_wrong_types(stage: Stage) -> None:
    """Every address of the API gets canaries in unknown fields, in wrong types, in broken JSON and in the address itself."""
    make = stage.canaries.make
    people = [stage.cast[name] for name in ("ours", "pat", "cleo")]
    ids = {"invoice_id": stage.cast["recorded"], "client_id": stage.cast["cleo_id"], "colleague_id": stage.cast["pat_id"]}
    for rule in stage.answers.rules.map.iter_rules():
        if not rule.rule.startswith("/api/v1"):
            continue
        named = {name: ids.get(name, make("asked for", "inv_{}")) for name in rule.arguments}
        path = rule.build(named)[1]
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS", "DELETE"}):
            if rule.rule == "/api/v1/session" or not rule.rule.endswith(("/check", "/cancel", "/void", "/forgive", "/send")):
                person = people[len(rule.rule) % 2]
                person.ask(method, path, {make("field name"): make("typed"), "name": [make("typed")], "amount": make("typed")})
        people[0].ask("TRACE", path)
    for person in people:
        person.ask("POST", "/api/v1/invoices", data="{" + make("typed"), headers={"Content-Type": "application/json"})
        person.ask("POST", "/api/v1/invoices", data=make("typed"), headers={"Content-Type": "text/" + make("typed")})
        person.ask("GET", f"/api/v1/{make('typed')}?{make('typed')}={make('typed')}")
        person.ask(
            "GET", f"/api/v1/invoices?q={make('asked for')}&sort={make('typed')}&cursor={make('typed')}&{make('field name')}=1"
        )
        person.ask("GET", "/api/v1/clients?cursor=" + make("typed"))
        person.see(f"/{make('typed')}?{make('typed')}")
        person.see("/billing?status=" + make("typed"))
        person.see("/invoices?from=" + make("typed"))
        person.see(f"/clients/{make('typed')}/billing")
        person.see("/sign-in?next=https://" + make("typed"))


@flow
def odd_headers(stage: Stage) -> None:
    """Keys, origins, cookies, hosts and tokens that are made up."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    odd: list[dict[str, Any]] = [
        {"Idempotency-Key": make("typed", "{} with spaces")},
        {"Idempotency-Key": make("typed", "{}") * 30},
        {"Origin": "https://" + make("typed", "{}.example")},
        {"X-CSRF-Token": make("typed")},
        {"X-Forwarded-For": make("typed"), "X-Practice-Id": make("typed"), "Referer": "https://" + make("typed")},
        {
            "User-Agent": make("typed"),
            "Accept": make("typed", "text/{}"),
            "X-Request-Id": make("typed"),
            "traceparent": make("typed"),
        },
        {"Content-Type": make("typed", "application/json; charset={}")},
    ]
    for headers in odd:
        ours.ask("POST", "/api/v1/tax/quotes", {"amount": 100}, headers=headers)
        for path in ("/sign-in", "/billing", "/account/password"):
            answer = ours.browser.post(
                ours.system.url + path, data={"email": "x@y.example"}, headers=headers, allow_redirects=False
            )
            ours.answers.keep(ours.reader, "POST", path, answer)
    for method in ("TRACE", "PUT", "PATCH", make("typed", "M{}").upper()):
        ours.ask(method, "/api/v1/session", {"password": make("password")})


@flow
def forms_filled_in_wrongly(stage: Stage) -> None:
    """Forms that are drawn again show what was typed to whoever typed it, but never a secret."""
    make, ours, pat = stage.canaries.make, stage.cast["ours"], stage.cast["pat"]
    long = "x" * 600
    told(ours.send("/sign-up", practice_name=make("retyped"), name=make("retyped"), email="no", password=make("password")), 422)
    told(ours.send("/colleagues/new", name=make("retyped"), email=make("retyped")), 422)
    told(pat.send("/clients/new", name=make("retyped"), email=make("retyped"), phone=make("retyped") + long), 422)
    page = f"/clients/{stage.cast['cleo_id']}/billing/create"
    told(pat.send(page, description=make("retyped") + long, amount=make("retyped"), memo=make("retyped")), 422)
    told(ours.send("/practice", name=make("retyped") + long, terms_days=make("retyped")), 422)
    typed = {"requirement": "flat", "name": make("retyped"), "rate": make("retyped")}
    told(ours.send("/billing/setup/tax", form_at="/billing/setup", **typed), 422)
    told(ours.send("/practice/api-tokens", form_at="/practice", name=make("retyped") + long), 422)
    told(ours.send(f"/invoices/{stage.cast['recorded']}/refund", amount=make("retyped"), reason=make("retyped")), 422)
    old = stage.someone("admin", ours.reader.practice)
    kept = old.browser.post(
        old.system.url + page,
        data={"description": make("retyped"), "amount": "5", "card-number": stage.canaries.card()},
        allow_redirects=False,
    )
    old.answers.keep(old.reader, "POST", page, kept)
