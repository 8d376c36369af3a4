"""Who may do what: every route of the API against everybody. The table is written by hand; a route without a row fails."""

import pytest

from tests.unit.gateway.world import World

ANYONE, SIGNED_IN, ADMIN, STAFF, CLIENT = "anyone", "signed in", ("admin",), ("admin", "provider"), ("client",)
ROWS = {
    "POST /practices": ANYONE,
    "POST /session": ANYONE,
    "DELETE /session": SIGNED_IN,
    "PUT /session/role": SIGNED_IN,
    "GET /me": SIGNED_IN,
    "PUT /me/password": SIGNED_IN,
    "POST /me/confirmations": SIGNED_IN,
    "POST /confirmations/<token>": ANYONE,
    "GET /invitations/<token>": ANYONE,
    "POST /invitations/<token>": ANYONE,
    "POST /password-resets": ANYONE,
    "POST /password-resets/<token>": ANYONE,
    "GET /practice": ADMIN,
    "PATCH /practice": ADMIN,
    "POST /colleagues": ADMIN,
    "GET /colleagues": ADMIN,
    "GET /colleagues/<colleague_id>": ADMIN,
    "PATCH /colleagues/<colleague_id>": ADMIN,
    "POST /colleagues/<colleague_id>/invitations": ADMIN,
    "POST /api-tokens": ADMIN,
    "GET /api-tokens": ADMIN,
    "DELETE /api-tokens/<token_id>": ADMIN,
    "POST /clients": STAFF,
    "GET /clients": STAFF,
    "GET /clients/<client_id>": STAFF,
    "PATCH /clients/<client_id>": STAFF,
    "POST /clients/<client_id>/invitations": STAFF,
    "POST /clients/<client_id>/credit-refunds": STAFF,
    "GET /processor-types": ADMIN,
    "POST /processors": ADMIN,
    "GET /processors": ADMIN,
    "GET /processors/<processor_id>": ADMIN,
    "PATCH /processors/<processor_id>": ADMIN,
    "DELETE /processors/<processor_id>": ADMIN,
    "POST /processors/<processor_id>/check": ADMIN,
    "POST /processors/<processor_id>/activate": ADMIN,
    "POST /processors/<processor_id>/open": ADMIN,
    "GET /card-entry": SIGNED_IN,
    "GET /failover": ADMIN,
    "PUT /failover": ADMIN,
    "GET /tax/settings": ADMIN,
    "PUT /tax/settings": ADMIN,
    "POST /tax/quotes": STAFF,
    "GET /services/client-billing": ADMIN,
    "PATCH /services/client-billing": ADMIN,
    "POST /invoices": STAFF,
    "GET /invoices": SIGNED_IN,
    "GET /invoices/<invoice_id>": SIGNED_IN,
    "PATCH /invoices/<invoice_id>": STAFF,
    "DELETE /invoices/<invoice_id>": STAFF,
    "POST /invoices/<invoice_id>/send": STAFF,
    "POST /invoices/<invoice_id>/void": STAFF,
    "POST /invoices/<invoice_id>/forgive": STAFF,
    "POST /invoices/<invoice_id>/recorded-payments": STAFF,
    "POST /invoices/<invoice_id>/payments": SIGNED_IN,  # staff with the client's card on file only: test_paying
    "POST /cards": CLIENT,
    "GET /cards": CLIENT,
    "GET /cards/<card_id>": CLIENT,
    "PATCH /cards/<card_id>": CLIENT,
    "DELETE /cards/<card_id>": CLIENT,
    "GET /clients/<client_id>/cards": STAFF,
    "DELETE /clients/<client_id>/cards/<card_id>": STAFF,
    "POST /invoices/<invoice_id>/refunds": STAFF,
    "GET /invoices/<invoice_id>/timeline": SIGNED_IN,
    "GET /invoices/<invoice_id>/explanation": SIGNED_IN,
    "GET /reports/summary": ADMIN,
    "GET /payments/<payment_id>": SIGNED_IN,
    "POST /payments/<payment_id>/check": SIGNED_IN,
    "POST /payments/<payment_id>/cancel": SIGNED_IN,
    "POST /payments/<payment_id>/sandbox-answer": CLIENT,
    "GET /refunds/<refund_id>": STAFF,
    "POST /refunds/<refund_id>/check": STAFF,
    "POST /refunds/<refund_id>/cancel": STAFF,
    "POST /refunds/<refund_id>/settle": ADMIN,
    "POST /payments/<payment_id>/settle": ADMIN,
    "GET /worklist": ADMIN,
    "POST /worklist/<finding_id>/close": ADMIN,
    "GET /alerts": SIGNED_IN,
    "POST /alerts/<alert_id>/read": SIGNED_IN,
    "GET /alert-preferences": SIGNED_IN,
    "PUT /alert-preferences": SIGNED_IN,
    "GET /deliveries": ADMIN,
    "POST /deliveries/<delivery_id>/resend": ADMIN,
}
EMAILS = {"admin": "ada@practice.example", "provider": "pia@practice.example", "client": "cleo@home.example"}
OBJECTS = {
    "invoice": "inv",
    "payment": "pay",
    "refund": "rfd",
    "processor": "proc",
    "alert": "alr",
    "delivery": "dlv",
    "finding": "fnd",
    "card": "card",
}
ABSENT = "0" * 26


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Two practices with everybody in each, and one object of every kind in the first."""
    world = World(tmp_path_factory.mktemp("house"))
    world.others, world.ids = {}, {}
    for place in ("", "other."):
        admin = world.admin(place + EMAILS["admin"], f"{place} Room")
        provider = world.provider(admin, place + EMAILS["provider"])
        client = world.client(provider, place + EMAILS["client"])
        if not place:
            world.ids = {f"<{kind}_id>": f"{prefix}_{'1' * 26}" for kind, prefix in OBJECTS.items()}
            world.bus.knows(admin.practice_id, *world.ids.values())
            world.ids.update({"<client_id>": client.member_id, "<colleague_id>": provider.member_id, "<token>": "nonsense"})
            made = admin.must("POST", "/api-tokens", 201, json={"name": "one"})
            world.ids["<token_id>"], world.api_token = made["id"], made["token"]
    yield world
    world.close()


def routes(world):
    """Every method of every path below /api that the app answers."""
    for rule in world.app.url_map.iter_rules():
        if rule.rule.startswith("/api"):
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield f"{method} {rule.rule.removeprefix('/api/v1')}"


def asked(house, row, who=None, absent=False):
    """The answer to a row's route with an empty body, asked by somebody about the first practice's object."""
    method, _, path = row.partition(" ")
    for name, value in house.ids.items():
        path = path.replace(name, f"{value.partition('_')[0]}_{ABSENT}" if absent else value)
    someone = house.visitor()
    if who:
        someone.signs_in(who)
    return someone.ask(method, path, **({} if method == "GET" else {"json": {}}))


def may(row):
    """The roles that may, of those who are signed in."""
    return tuple(EMAILS) if ROWS[row] in (ANYONE, SIGNED_IN) else ROWS[row]


def test_every_route_has_a_row_and_every_row_a_route(house):
    """A new route can't come without somebody deciding who may use it."""
    assert set(ROWS) == set(routes(house))


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row] is not ANYONE])
def test_nobody_gets_in_without_a_session(house, row):
    """Not signed in, or with a made-up token, it is 401 and the same for every object."""
    assert 401 == asked(house, row).status_code
    stranger = house.visitor()
    stranger.token = "cbs_made-up"
    method, _, path = row.partition(" ")
    assert 401 == stranger.ask(method, path).status_code


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(ROWS[row], tuple)])
def test_other_roles_are_refused(house, row):
    """Signed in but not in the role it is 403, before anything else is looked at."""
    for role in set(EMAILS) - set(may(row)):
        answer = asked(house, row, EMAILS[role])
        assert (403, "forbidden") == (answer.status_code, answer.json["code"]), role


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row] is not ANYONE and row != "DELETE /api-tokens/<token_id>"])
def test_the_right_roles_get_through(house, row):
    """In the role, and with an object of one's own practice, the empty body is looked at: neither 401, 403 nor 404."""
    for role in may(row):
        answer = asked(house, row, EMAILS[role])
        assert answer.status_code in (200, 201, 202, 204, 409, 422), (role, answer.get_data(as_text=True))


@pytest.mark.parametrize("row", [row for row in ROWS if "_id>" in row])
def test_another_practices_object_reads_like_none(house, row):
    """Somebody of another practice, in the right role, gets the very bytes that an object gives that never was."""
    for role in may(row):
        foreign = asked(house, row, "other." + EMAILS[role])
        absent = asked(house, row, "other." + EMAILS[role], absent=True)
        assert (404, absent.data) == (foreign.status_code, foreign.data), role


def test_another_practices_lists_hold_nothing_of_ours(house):
    """Lists of the gateway's own subjects show one practice only."""
    other = house.visitor().signs_in("other." + EMAILS["admin"])
    for path in ("/clients", "/colleagues", "/api-tokens"):
        text = other.ask("GET", path).get_data(as_text=True)
        assert not [one for one in house.ids.values() if one in text], path


def test_the_practice_is_the_sessions_whatever_is_sent(house):
    """A practice named in a query, a body or a header changes nothing or is refused; the caller's is the session's."""
    admin, other = (house.visitor().signs_in(place + EMAILS["admin"]) for place in ("", "other."))
    other.must("GET", f"/invoices?practice_id={admin.practice_id}", 422)
    other.ask("GET", "/invoices", headers={"X-Practice-Id": admin.practice_id})
    assert other.practice_id == house.bus.asked[-1][2].practice_id


def test_a_cookie_without_the_csrf_token_changes_nothing(house):
    """Each route that changes something answers 403 to a bare cookie, whatever the role."""
    browser = house.app.test_client()
    sign_in = {"email": EMAILS["admin"], "password": "a good long passphrase"}
    assert 200 == browser.post("/api/v1/session", json=sign_in).status_code
    for row in ROWS:
        method, _, path = row.partition(" ")
        if method != "GET" and ROWS[row] is not ANYONE:
            answer = browser.open(f"/api/v1{path}", method=method, json={})
            assert (403, "csrf_failed") == (answer.status_code, answer.json["code"]), row


def test_an_expired_session_and_a_removed_token_open_nothing(house):
    """After 31 minutes a session answers 401 on every route; so does an API token whose row is gone."""
    late = house.visitor().signs_in(EMAILS["admin"])
    house.later(minutes=31)
    admin = house.visitor().signs_in(EMAILS["admin"])
    admin.must("DELETE", f"/api-tokens/{house.ids['<token_id>']}", 204)
    program = house.visitor()
    program.token = house.api_token
    for row in ROWS:
        method, _, path = row.partition(" ")
        if ROWS[row] is not ANYONE:
            assert {401} == {one.ask(method, path).status_code for one in (late, program)}, row
