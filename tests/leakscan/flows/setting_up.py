"""The practice's settings, colleagues, clients, processor accounts, sales tax and the service."""

import secrets

from tests.leakscan.canaries import Canaries
from tests.leakscan.flows.entering import invite_client, invite_provider
from tests.leakscan.stage import Stage, flow, told


@flow
def the_practice_and_its_colleagues(stage: Stage) -> None:
    """Its address and terms; providers invited at both doors, changed, deactivated, invited again."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    address = {
        "line1": make("practice_address", "{} Road"),
        "city": make("practice_address", "{}burg"),
        "state": "CO",
        "postal_code": "80302",
    }
    told(ours.ask("GET", "/api/v1/practice"), 200)
    told(ours.ask("PATCH", "/api/v1/practice", {"address": address, "partial_payments": True}), 200)
    fields = {f"address__{name}": value for name, value in address.items()}
    said = {"name": make("practice_name", "Praxis {}"), "currency": "USD", "time_zone": "America/Denver", "number_prefix": "INV-"}
    told(ours.send("/practice", terms_days="14", idle_minutes="30", partial_payments="true", **said, **fields), 303)
    pat, pat_id = invite_provider(stage, ours)
    _, pia_id = invite_provider(stage, ours, by_page=True)
    told(ours.ask("GET", f"/api/v1/colleagues/{pat_id}"), 200)
    told(ours.ask("PATCH", f"/api/v1/colleagues/{pia_id}", {"name": make("staff_name", "Pia {}")}), 200)
    told(ours.send(f"/colleagues/{pia_id}", name=make("staff_name", "Pi {}"), roles=["provider"]), 303)
    told(ours.send(f"/colleagues/{pia_id}/active", active="false"), 303)
    late = {"name": make("staff_name", "Lou {}"), "email": make("staff_email", "lou.{}@practice.example"), "roles": ["provider"]}
    lou = told(ours.ask("POST", "/api/v1/colleagues", late), 201)["id"]
    told(ours.ask("POST", f"/api/v1/colleagues/{lou}/invitations"), 200, 202)
    told(ours.send(f"/colleagues/{lou}/invitation", form_at="/colleagues"), 303)
    ours.see("/colleagues")
    stage.cast |= {"pat": pat, "pat_id": pat_id}


@flow
def clients_at_both_doors(stage: Stage) -> None:
    """Clients with everything in their files; changed, searched for, invited again; one of the other practice."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    stage.canaries.practice = ours.reader.practice
    pat = stage.cast["pat"]
    cleo, cleo_id = invite_client(stage, pat)
    cy, cy_id = invite_client(stage, pat, by_page=True)
    stage.canaries.client = cy.reader.client
    told(pat.ask("PATCH", f"/api/v1/clients/{cy_id}", {"name": make("client_name", "Cy {}"), "phone": make("phone")}), 200)
    told(pat.send(f"/clients/{cy_id}", name=make("client_name", "Cyril {}"), phone=make("phone")), 303)
    for one in (ours, pat):
        told(one.ask("GET", "/api/v1/clients?q=" + cleo.fields["name"]), 200)
        told(one.ask("GET", f"/api/v1/clients/{cleo_id}"), 200)
        for path in ("/clients", f"/clients/{cleo_id}", f"/clients/{cleo_id}/billing", "/clients?q=" + make("asked for")):
            one.see(path)
    stage.canaries.client = f"invited {len(stage.canaries.all)}"
    waits = {"name": make("client_name", "Waits {}"), "email": make("client_email", "waits.{}@people.example")}
    waiting = told(pat.ask("POST", "/api/v1/clients", waits, key="client-once"), 201)["id"]
    told(pat.ask("POST", "/api/v1/clients", waits, key="client-once"), 201)
    told(pat.ask("POST", f"/api/v1/clients/{waiting}/invitations"), 200, 202)
    told(pat.send(f"/clients/{waiting}/invitation", form_at=f"/clients/{waiting}"), 303)
    odd = {"name": make("client_name", "Odd {}"), "email": make("client_email", "nobody.{}@people.example")}
    told(pat.ask("POST", "/api/v1/clients", odd), 201)
    stage.canaries.client = ""
    theirs = stage.cast["theirs"]
    told(theirs.ask("GET", f"/api/v1/clients/{cleo_id}"), 404)
    theirs.see(f"/clients/{cleo_id}")
    stage.cast |= {"cleo": cleo, "cleo_id": cleo_id, "cy": cy, "cy_id": cy_id}


@flow
def processor_accounts(stage: Stage) -> None:
    """One of each type, by the API and by the page; checked, refused, changed, replaced, removed."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    accounts = {}
    for kind, credentials in credentials_of(stage).items():
        body = {
            "description": make("account label", f"{kind} {{}}"),
            "type": kind,
            "card_entry": "direct",
            "credentials": credentials,
        }
        accounts[kind] = told(ours.ask("POST", "/api/v1/processors", body), 201)["id"]
    sandbox = accounts["sandbox"]
    told(ours.ask("POST", f"/api/v1/processors/{sandbox}/activate"), 200)
    told(ours.ask("GET", "/api/v1/processor-types"), 200)
    told(ours.ask("GET", "/api/v1/processors"), 200)
    for kind, its_id in accounts.items():
        told(ours.ask("GET", f"/api/v1/processors/{its_id}"), 200)
        told(ours.ask("POST", f"/api/v1/processors/{its_id}/check"), 200)
        told(ours.ask("POST", f"/api/v1/processors/{its_id}/open"), 200)
        ours.see(f"/billing/setup?type={kind}")
        ours.see(f"/billing/setup/processors/{its_id}")
    page = f"/billing/setup/processors/{sandbox}"
    told(ours.send(page, description=make("account label", "renamed {}"), card_entry="direct"), 303)
    told(ours.send(f"{page}/check", form_at=page), 303)
    told(ours.send(f"{page}/activate", form_at=page), 303)
    told(ours.send(f"{page}/open", form_at=page), 303)
    replaced = {"credentials__api_key": make("credential sandbox")}
    told(ours.send(f"{page}/credentials", form_at=page, **replaced), 303)
    told(ours.ask("PATCH", f"/api/v1/processors/{sandbox}", {"description": make("account label", "again {}")}), 200)
    added = {
        "description": make("account label", "by page {}"),
        "type": "sandbox",
        "card_entry": "direct",
        "credentials__api_key": make("credential sandbox"),
    }
    told(ours.send("/billing/setup/processors", form_at="/billing/setup?type=sandbox", **added), 303)
    second = next(
        one["id"] for one in told(ours.ask("GET", "/api/v1/processors"), 200)["data"] if one["id"] not in accounts.values()
    )
    told(ours.send(f"/billing/setup/processors/{second}/remove"), 303)
    told(ours.ask("DELETE", "/api/v1/processors/" + _spare(stage, "sandbox")), 204)
    stage.cast["accounts"] = accounts


def _spare(stage: Stage, kind: str) -> str:
    body = {
        "description": "spare",
        "type": kind,
        "card_entry": "direct",
        "credentials": {"api_key": stage.canaries.make("credential sandbox")},
    }
    return told(stage.cast["ours"].ask("POST", "/api/v1/processors", body), 201)["id"]


@flow
def refused_credentials(stage: Stage) -> None:
    """Credentials that the processor refuses, that don't fit, that lead elsewhere, or come in unknown fields: none is echoed."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    for kind, wrong in wrong_credentials(stage).items():
        body = {"description": make("account label", "refused {}"), "type": kind, "card_entry": "direct", "credentials": wrong}
        told(ours.ask("POST", "/api/v1/processors", body), 201, 422, 409, 502)
        flat = {f"credentials__{name}": value for name, value in wrong.items()}
        ours.send("/billing/setup/processors", form_at=f"/billing/setup?type={kind}", description="x", type=kind, **flat)
        elsewhere = {**wrong, "api_base": "https://" + make("typed", "{}.example")}
        told(ours.ask("POST", "/api/v1/processors", {**body, "credentials": elsewhere}), 422)
        unknown = {**wrong, "colour": make(f"credential {kind}"), "secret_key": [make("credential stripe", "sk_test_{}")]}
        told(ours.ask("POST", "/api/v1/processors", {**body, "credentials": unknown}), 422)
        for odd in ([make(f"credential {kind}")], make(f"credential {kind}"), {"pin": {"deep": make("credential elavon")}}):
            told(ours.ask("POST", "/api/v1/processors", {**body, "credentials": odd}), 422)
        spaced = {name: f"{value} {make(f'credential {kind}')}" for name, value in wrong.items()}
        told(ours.ask("POST", "/api/v1/processors", {**body, "credentials": spaced}), 422)


def credentials_of(stage: Stage) -> dict[str, dict]:
    make = stage.canaries.make
    elavon = stage.peers.simulators["elavon"]
    return {
        "sandbox": {"api_key": make("credential sandbox")},
        "stripe": {
            "secret_key": make("credential stripe", "sk_test_ours.{}abcd"), "webhook_secret": make("webhook_secret", "whsec_{}wxyz"),
            "publishable_key": make("public_key", "pk_test_ours.{}"), "api_base": stage.api_base("stripe"),
        },
        "authorize_net": {
            "mode": "test", "api_login_id": make("account name", "login{}"), "api_base": stage.api_base("authorize_net"),
            "transaction_key": make("credential authorize_net", "key{}abc"),
            "signature_key": stage.canaries.learn("webhook_secret", secrets.token_hex(64).upper()),
        },
        "elavon": {
            "mode": "demo", "merchant_id": "731946", "user_id": "apiuser", "pin": elavon.pin,  # type: ignore[attr-defined]
            "api_base": stage.api_base("elavon"),
        },
    }  # fmt: skip


def wrong_credentials(stage: Stage) -> dict[str, dict]:
    canaries: Canaries = stage.canaries
    return {
        "sandbox": {"api_key": canaries.make("credential sandbox", "refused{}")},
        "stripe": {"secret_key": canaries.make("credential stripe", "sk_test_refused{}"), "api_base": stage.api_base("stripe")},
        "authorize_net": {
            "mode": "test", "api_login_id": canaries.make("account name", "refused{}"),
            "transaction_key": canaries.make("credential authorize_net", "no{}abcd"), "api_base": stage.api_base("authorize_net"),
        },
        "elavon": {
            "mode": "demo", "merchant_id": "731947", "user_id": canaries.make("account name", "u{}"),
            "pin": canaries.make("credential elavon", "WRONG{}"), "api_base": stage.api_base("elavon"),
        },
    }  # fmt: skip


@flow
def tax_and_service(stage: Stage) -> None:
    """The sales-tax requirement and the service, at both doors."""
    make, ours, pat_id = stage.canaries.make, stage.cast["ours"], stage.cast["pat_id"]
    told(ours.ask("PUT", "/api/v1/tax/settings", {"requirement": "flat", "name": make("tax label", "Tax {}"), "rate": "0.05"}), 200)
    told(ours.ask("GET", "/api/v1/tax/settings"), 200)
    form = {
        "requirement": "flat",
        "name": make("tax label", "Tax by page {}"),
        "rate": "7.25",
        "rounding": "invoice",
        "rounding_mode": "half_up",
    }
    more = {"default_category": "taxable", "sourcing": "practice"}
    told(ours.send("/billing/setup/tax", form_at="/billing/setup", **form, **more), 303)
    told(ours.ask("POST", "/api/v1/tax/quotes", {"client_id": stage.cast["cleo_id"], "amount": 12050}), 200)
    told(ours.ask("PATCH", "/api/v1/services/client-billing", {"enabled": True, "provider_ids": [pat_id]}), 200)
    told(ours.ask("GET", "/api/v1/services/client-billing"), 200)
    told(ours.send("/services/client-billing", enabled="true", provider_ids=[pat_id]), 303)
    for path in ("/services", "/account", "/practice", "/billing", "/billing/create", "/"):
        ours.see(path)
    for person in (ours, stage.cast["pat"], stage.cast["cleo"]):
        told(person.ask("GET", "/api/v1/alert-preferences"), 200)
        told(person.ask("PUT", "/api/v1/alert-preferences", {"email": True}), 200)
        told(person.send("/account/alerts", form_at="/account", email="true"), 303)
