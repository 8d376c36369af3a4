"""The door of the API: the order of refusals, bodies, keys, headers, limits and what operators read."""

import json

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Unanswered, Unreachable
from tests.unit.gateway.world import World, fields_of

JSON = {"Content-Type": "application/json"}
INVOICE = "inv_00000000000000000000000000"


@pytest.mark.parametrize("path", ["/invoices", "/clients", "/me/password", "/session/role"])
def test_nobody_is_told_anything_before_signing_in(steady, path):
    """Without a session it is 401 whatever else is wrong: the method's body, its type, its size."""
    method = "PUT" if path in ("/me/password", "/session/role") else "POST"
    for body in ({"data": b"{", "headers": JSON}, {"data": b"a=b"}, {"data": b"x" * 2_000_000}, {"json": {"nonsense": 1}}):
        answer = steady.visitor().ask(method, path, **body)
        assert (401, "application/problem+json") == (answer.status_code, answer.mimetype)
        assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_the_role_is_refused_before_the_object_and_the_object_before_the_body(world):
    """403 for a wrong role, then 404 for what isn't there, then the body, then the state."""
    admin = world.admin()
    client = world.client(admin)
    client.must("POST", "/invoices", 403, data=b"{", headers=JSON)
    client.must("POST", f"/invoices/{INVOICE}/void", 403)
    path = f"/invoices/{INVOICE}/refunds"
    for body in ({"data": b"{", "headers": JSON}, {"data": b"a=b"}, {"json": [1]}, {"json": {"amount": True}}):
        admin.must("POST", path, 404, **body)
    world.bus.knows(admin.practice_id, INVOICE)
    world.bus.script(Invoicing.refund_invoice, Conflict("not_refundable", "It is a draft.", allowed_actions=["send"]))
    admin.must("POST", path, 400, data=b"{", headers=JSON)
    admin.must("POST", path, 415, data=b"a=b")
    assert ["body"] == fields_of(admin.must("POST", path, 422, json=[1]))
    assert ["amount"] == fields_of(admin.must("POST", path, 422, json={"amount": True}))
    problem = admin.must("POST", path, 409, json={})
    assert ("not_refundable", ["send"]) == (problem["code"], problem["allowed_actions"])


def test_who_is_not_assigned_is_told_so_before_the_body_is_read(world):
    """A provider who may not create invoices gets 403 whatever they sent; one who may is told what is wrong with it."""
    provider = world.provider(world.admin())
    service = {"enabled": True, "provider_ids": [], "may_create": False, "why_not": "You are not assigned."}
    world.bus.script(Invoicing.read_service, service)
    assert "not_assigned" == provider.must("POST", "/invoices", 403, json={"amount": True})["code"]
    world.bus.script(Invoicing.read_service, {**service, "may_create": True, "why_not": None})
    assert "amount" in fields_of(provider.must("POST", "/invoices", 422, json={"amount": True}))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": NaN}', 400),
        (b'{"a"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"amount": ' + b"9" * 5000 + b"}", 400),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"name": "a\\u0000b", "email": "a@b.example"}', 422),
        (b'{"name": "a\\ud800b", "email": "a@b.example"}', 422),
        (b'{"\\ud800": 1, "name": "a", "email": "a@b.example"}', 422),
        (b'{"name": true, "email": {}}', 422),
        (b'{"name": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
)
def test_no_body_is_a_server_error(steady, body, status):
    """Whatever is sent is answered by a problem that says what is wrong with it."""
    problem = steady.steady_admin.must("POST", "/clients", status, data=body, headers=JSON)
    assert status == problem["status"] and problem["code"] and problem["title"]


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_an_idempotency_key_is_visible_ascii(steady, key):
    """1 to 255 visible ASCII characters, else 422 naming the header."""
    problem = steady.steady_admin.must(
        "POST", "/clients", 422, json={"name": "C", "email": "c@b.example"}, headers={"Idempotency-Key": key}
    )
    assert ["Idempotency-Key"] == fields_of(problem)


def test_a_services_answer_is_passed_on_word_for_word_with_its_key(world):
    """The caller that invoicing sees carries the key, the route and a fingerprint of the body."""
    admin = world.admin()
    for key in ("k1", None):
        admin.must(
            "POST",
            "/invoices",
            201,
            json={"client_id": "cli_1", "description": "Talk", "amount": 100},
            headers={"Idempotency-Key": key} if key else {},
        )
    (_, first, caller), (_, second, other) = [one for one in world.bus.asked if one[0] is Invoicing.create_invoice]
    assert ("k1", "POST /api/v1/invoices", 64) == (caller.key.value, caller.key.route, len(caller.key.fingerprint))
    assert other.key.value.startswith("key_") and other.key.fingerprint == caller.key.fingerprint
    assert first.invoice_id != second.invoice_id and "admin" == caller.role


def test_what_a_client_may_not_say_is_refused_before_invoicing_is_asked(world):
    """Ids that the gateway makes can't be sent along; floats and text are no amounts."""
    admin = world.admin()
    body = {"client_id": "cli_1", "description": "Talk", "amount": 1.5, "invoice_id": INVOICE}
    assert {"amount", "invoice_id"} == set(fields_of(admin.must("POST", "/invoices", 422, json=body)))
    assert not world.bus.made(Invoicing.create_invoice)


@pytest.mark.parametrize("fault", [Unreachable(), Unanswered()])
def test_a_service_that_is_away_is_503_with_retry_after(world, fault):
    """The caller is told when to ask again."""
    admin = world.admin()
    world.bus.script(Invoicing.list_invoices, fault)
    answer = admin.ask("GET", "/invoices")
    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/invoices/x/y/z", "/webhooks/stripe/proc_1"])
def test_an_unknown_path_is_a_problem_404(steady, path):
    """Machines get a problem document, also for addresses that come with a later release."""
    answer = (
        steady.visitor().ask("POST" if "webhooks" in path else "GET", path)
        if path.startswith("/api")
        else steady.app.test_client().post(path)
    )
    assert (404, "application/problem+json") == (answer.status_code, answer.mimetype)


def test_a_wrong_method_is_405_and_says_which_are_right(world):
    """PUT of a list is not offered."""
    answer = world.admin().ask("PUT", "/invoices")
    assert (405, "application/problem+json") == (answer.status_code, answer.mimetype) and "GET" in answer.headers["Allow"]


def test_lists_pass_their_filters_on(world):
    """The query arrives at invoicing as the contract names it; a wrong one is named."""
    admin = world.admin()
    admin.must("GET", "/invoices?status=open&from=2026-01-01&limit=5", 200)
    (asked,) = world.bus.made(Invoicing.list_invoices)
    assert ("open", 5, 2026) == (asked.status, asked.limit, asked.from_.year)
    assert {"status", "limit"} == set(fields_of(admin.must("GET", "/invoices?status=new&limit=many", 422)))


def test_credentials_leave_the_gateway_sealed(world):
    """Only processors can open them, and only for this account."""
    admin = world.admin()
    body = {"description": "Main", "type": "stripe", "credentials": {"secret_key": "sk_test_canary4242"}}
    admin.must("POST", "/processors", 201, json=body)
    (asked,) = world.bus.made(Processors.add_processor)
    assert "canary" not in json.dumps(asked)
    info = f"credentials|{admin.practice_id}|{asked.processor_id}"
    assert {"secret_key": "sk_test_canary4242"} == json.loads(world.keys["processors"].open(asked.sealed_credentials, info))
    wrong = admin.must("POST", "/processors", 422, json={**body, "credentials": {"secret_key": 5}})
    assert ["credentials.secret_key"] == fields_of(wrong)


def test_private_answers_are_not_kept_and_pages_are_strict(world):
    """no-store, nosniff, no referrer, and a policy that lets nothing in from elsewhere."""
    headers = world.admin().ask("GET", "/me").headers
    assert ("no-store", "nosniff", "no-referrer") == tuple(
        headers[n] for n in ("Cache-Control", "X-Content-Type-Options", "Referrer-Policy")
    )
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


def test_a_token_asks_so_often_a_minute(tmp_path):
    """With a limit of 5 the sixth request is 429 with Retry-After; another token has its own allowance."""
    world = World(tmp_path, api_limit="5")
    admin = world.admin()
    statuses = [admin.ask("GET", "/me") for _ in range(6)]
    assert [200] * 5 + [429] == [one.status_code for one in statuses]
    assert int(statuses[-1].headers["Retry-After"]) in range(1, 14)
    world.close()


def test_operators_read_health_readiness_and_figures(world):
    """Alive is always 200; ready names what doesn't work; figures name no person."""
    operator = world.visitor()
    operator.must("GET", "/healthz", 200)
    assert "ready" == operator.must("GET", "/readyz", 200)["status"]
    world.bus.script(Processors.read_card_entry, Unreachable())
    assert ["processors"] == list(operator.must("GET", "/readyz", 503)["missing"])
    assert 'clientbilling_http_requests_total{method="GET",status="503"} 1' in operator.ask("GET", "/metrics").get_data(
        as_text=True
    )


def test_nothing_unforeseen_tells_its_text(world, caplog):
    """A bug is a 500 with an id for the log, and none of its words outside or in the log, which names its kind and place."""
    admin = world.admin()

    private = "".join(("can", "ary"))  # the log shows lines of code

    def broken(request, caller):
        raise ValueError(private)

    world.bus.script(Invoicing.list_invoices, broken)
    answer = admin.ask("GET", "/invoices")
    assert 500 == answer.status_code and b"canary" not in answer.data
    assert "canary" not in caplog.text and "ValueError" in caplog.text and "in broken" in caplog.text
    assert answer.json["detail"].rpartition(" ")[2].rstrip(".") in caplog.text
