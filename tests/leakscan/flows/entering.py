"""Signing up, in and out; invitations, forgotten passwords, roles, tokens: by the API and by the pages."""

from tests.leakscan.people import Reader, Watched
from tests.leakscan.stage import Stage, flow, told


def sign_up(stage: Stage, by_page: bool = False) -> Watched:
    """A new practice's admin, signed in at the API and with a browser; whose canaries the next ones are is the practice."""
    make = stage.canaries.make
    admin = stage.someone()
    mark = f"practice {len(stage.canaries.all)}"
    stage.canaries.practice, stage.canaries.client = mark, ""
    body = {
        "practice_name": make("practice_name", "Praxis {} & Töchter"),
        "name": make("staff_name", "Ada {} Ämin"),
        "email": make("staff_email", "ada.{}@practice.example"),
        "password": make("password", "long {} river's walk"),
    }
    if by_page:
        told(admin.send("/sign-up", **body), 303)
    else:
        told(admin.ask("POST", "/api/v1/practices", body), 201)
    admin.reader = Reader("admin", mark)
    return enter(admin, body["email"], body["password"])


def enter(person: Watched, email: str, password: str) -> Watched:
    """Signed in at the API and with a browser."""
    person.email, person.password = email, password  # type: ignore[attr-defined]
    person.sign_in(email, password)
    told(person.send("/sign-in", email=email, password=password), 303)
    return person


def accept(stage: Stage, person: Watched, email: str, by_page: bool = False) -> Watched:
    """Comes in by the link of an invitation, with a new password."""
    token, password = stage.link_to(email, "invitations"), stage.canaries.make("password", "one more {} to remember")
    told(stage.someone().ask("GET", f"/api/v1/invitations/{token}"), 200)
    path = f"/invitations/{token}"
    if by_page:
        told(person.send(path, password=password), 303)
    else:
        told(person.ask("POST", "/api/v1" + path, {"password": password}), 200, 201)
    return enter(person, email, password)


def invite_provider(stage: Stage, admin: Watched, by_page: bool = False) -> tuple[Watched, str]:
    email = stage.canaries.make("staff_email", "pat.{}@practice.example")
    name = stage.canaries.make("staff_name", "Pat {}")
    if by_page:
        told(admin.send("/colleagues/new", name=name, email=email, roles=["provider"]), 303)
    else:
        told(admin.ask("POST", "/api/v1/colleagues", {"name": name, "email": email, "roles": ["provider"]}), 201)
    found = told(admin.ask("GET", "/api/v1/colleagues"), 200)["data"]
    its_id = next(one["id"] for one in found if one["email"] == email.lower())
    provider = stage.someone("provider", admin.reader.practice)
    return accept(stage, provider, email, by_page), its_id


def client_fields(stage: Stage) -> dict:
    """A client's file, every field of it a canary that is this client's alone."""
    make = stage.canaries.make
    stage.canaries.client = f"client {len(stage.canaries.all)}"
    address = {
        "line1": make("address", "{} Street 5"), "line2": make("address", "rear {}"), "city": make("address", "{}ville"),
        "state": make("address", "{}"), "postal_code": make("address", "{}"),
    }  # fmt: skip
    return {
        "name": make("client_name", "Cléo {} O'Client"),
        "email": make("client_email", "cleo.{}@people.example"),
        "phone": make("phone", "+1 {}"),
        "address": address,
    }


def invite_client(stage: Stage, by: Watched, by_page: bool = False) -> tuple[Watched, str]:
    fields = client_fields(stage)
    if by_page:
        flat = {name: value for name, value in fields.items() if name != "address"}
        flat |= {f"address__{name}": value for name, value in fields["address"].items()}
        made = by.send("/clients/new", **flat)
        assert made.status_code == 303, made.text[:500]
        its_id = made.headers["Location"].split("/")[2]
    else:
        its_id = told(by.ask("POST", "/api/v1/clients", fields), 201)["id"]
    client = stage.someone("client", by.reader.practice, stage.canaries.client)
    client = accept(stage, client, fields["email"], by_page)
    client.fields = fields  # type: ignore[attr-defined]
    stage.canaries.client = ""
    return client, its_id


@flow
def two_practices_sign_up(stage: Stage) -> None:
    """One by the API, the other by the pages; an address twice, a mail asks to confirm it."""
    theirs = sign_up(stage, by_page=True)
    ours = sign_up(stage)
    again = {"practice_name": "x", "name": "x", "email": ours.email, "password": stage.canaries.make("password", "again and {}")}
    told(stage.someone().ask("POST", "/api/v1/practices", again), 409, 422)
    stage.link_to(ours.email, "confirmations")
    told(ours.ask("POST", "/api/v1/me/confirmations"), 200, 202)
    stage.link_to(ours.email, "confirmations")
    told(ours.send("/confirmations", form_at="/account"), 303)
    token = stage.link_to(ours.email, "confirmations")
    ours.see(f"/confirmations/{token}")
    told(ours.send(f"/confirmations/{token}"), 303)
    other = stage.link_to(theirs.email, "confirmations")
    told(theirs.ask("POST", f"/api/v1/confirmations/{other}"), 200)
    stage.cast |= {"ours": ours, "theirs": theirs}


@flow
def wrong_and_forgotten_passwords(stage: Stage) -> None:
    """Refused sign-ins at both doors, resets, a changed password, an unknown account and a made-up session."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    visitor = stage.someone()
    for email in (ours.email, make("typed", "who.{}@practice.example", practice="")):
        told(visitor.ask("POST", "/api/v1/session", {"email": email, "password": make("password", "wrong {}")}), 401)
        told(visitor.send("/sign-in", email=ours.email, password=make("password", "wrong {} too")), 401)
    for path in ("/api/v1/password-resets", "/password-resets"):
        if path.startswith("/api"):
            told(visitor.ask("POST", path, {"email": ours.email}), 202)
        else:
            told(visitor.send(path, email=ours.email), 303)
        token, new = stage.link_to(ours.email, "password-resets"), make("password", "quite new {} words")
        if path.startswith("/api"):
            told(visitor.ask("POST", f"{path}/{token}", {"password": make("password", "{}"[:2])}), 422, 200, 204)
            told(visitor.ask("POST", f"{path}/{token}", {"password": new}), 204, 200, 404)
        else:
            visitor.see(f"{path}/{token}")
            told(visitor.send(f"{path}/{token}", password=new), 303)
            visitor.see(f"{path}/{token}")
            enter(ours, ours.email, new)
    made_up = stage.someone()
    made_up.token = make("typed", "cbs_{}")
    told(made_up.ask("GET", "/api/v1/me"), 401)
    made_up.browser.cookies.set("session", make("typed", "cbs_{}"))
    made_up.see("/billing")
    for kind in ("invitations", "confirmations", "password-resets"):
        made_up.see(f"/{kind}/" + make("typed"))
        made_up.ask("POST", f"/api/v1/{kind}/" + make("typed"), {"password": make("password", "not {} at all")})
    change = {"current_password": make("password", "no {} no"), "password": make("password", "then {} this")}
    told(ours.ask("PUT", "/api/v1/me/password", change), 401, 403, 422)
    assert ours.send("/account/password", form_at="/account", **change).status_code >= 400


@flow
def passwords_roles_and_tokens(stage: Stage) -> None:
    """A changed password, a role switched, API tokens made, used and removed."""
    make, ours = stage.canaries.make, stage.cast["ours"]
    new = make("password", "changed {} by API")
    told(ours.ask("PUT", "/api/v1/me/password", {"current_password": ours.password, "password": new}), 204, 200)
    enter(ours, ours.email, new)
    newest = make("password", "changed {} by page")
    told(ours.send("/account/password", form_at="/account", current_password=new, password=newest), 303)
    enter(ours, ours.email, newest)
    made = told(ours.ask("POST", "/api/v1/api-tokens", {"name": make("token label", "books {}")}, key="make-a-token"), 201)
    told(ours.ask("POST", "/api/v1/api-tokens", {"name": stage.canaries.all[-2].value}, key="make-a-token"), 201, 422)
    program = stage.someone("admin", ours.reader.practice)
    program.token = made["token"]
    told(program.ask("GET", "/api/v1/practice"), 200)
    told(ours.ask("GET", "/api/v1/api-tokens"), 200)
    page = ours.send("/practice/api-tokens", form_at="/practice", name=make("token label", "more {}"))
    for word in page.text.replace("<", " ").replace('"', " ").split():
        if word.startswith("cbk_") and len(word) > 20:
            stage.canaries.learn("api_token", word)
    tokens = told(ours.ask("GET", "/api/v1/api-tokens"), 200)["data"]
    told(ours.send(f"/practice/api-tokens/{tokens[-1]['id']}/remove", form_at="/practice"), 303)
    told(ours.ask("DELETE", f"/api/v1/api-tokens/{tokens[0]['id']}"), 204)
    me = told(ours.ask("GET", "/api/v1/me"), 200)
    role = {"practice_id": me["practice"]["id"], "role": "admin"}
    ours.token = told(ours.ask("PUT", "/api/v1/session/role", role, key="switch"), 200)["token"]
    told(ours.send("/session/role", form_at="/account", **role), 303)
    ours.practice_id = me["practice"]["id"]
    leaving = enter(stage.someone("admin", ours.reader.practice), ours.email, ours.password)
    told(leaving.ask("DELETE", "/api/v1/session"), 204)
    told(leaving.send("/sign-out", form_at="/account"), 303)
