"""Requests that are made badly, by mistake or on purpose: each has an answer of its own, and none is a server error."""

import json
import socket
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from tests.unit.gateway.world import fields_of

NOBODYS = "00000000000000000000000000"
HUGE = b'{"a": "' + b"x" * 1_100_000 + b'"}'
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"/clients/cli_{NOBODYS}"),
        ("POST", f"/invoices/inv_{NOBODYS}/refunds"),
        ("POST", f"/invoices/inv_{NOBODYS}/void"),
        ("DELETE", f"/api-tokens/tok_{NOBODYS}"),
        ("DELETE", f"/processors/proc_{NOBODYS}"),
        ("POST", "/password-resets/nothing"),
        ("POST", "/confirmations/nothing"),
        ("POST", "/invitations/nothing"),
    ],
)
def test_what_is_not_there_is_404_however_wrong_the_body_is(steady, method, path):
    """Too large, unreadable or unknown fields: that the object isn't there comes first."""
    for body in ({"data": HUGE, "headers": JSON}, {"data": b"{", "headers": JSON}, {"json": {"nonsense": 1}}, {"data": b"a=b"}):
        steady.steady_admin.must(method, path, 404, **body)


@pytest.mark.parametrize("origin", ["http://[", "null", "://", "https://elsewhere.example", "\u00e9"])
def test_an_origin_that_is_not_ours_is_403_however_it_is_written(steady, origin):
    """A cookie session's change from elsewhere is refused, also where the origin can't be read."""
    admin = steady.steady_admin
    headers = {"Cookie": f"session={admin.token}", "X-CSRF-Token": admin.csrf, "Origin": origin}
    answer = steady.app.test_client(use_cookies=False).delete("/api/v1/session", headers=headers)
    assert (403, "csrf_failed") == (answer.status_code, answer.json["code"])
    admin.must("GET", "/me", 200)


def test_a_slash_too_many_is_404(steady):
    """No redirect before it is known who asks."""
    assert 404 == steady.visitor().ask("GET", "/api/v1//me").status_code


@pytest.mark.parametrize("client_id", ["\ud800", "\x00", "nonsense"])
def test_a_quote_for_what_is_no_client_names_the_field(steady, client_id):
    """Text that can't be an id never reaches the database."""
    body = json.dumps({"amount": 100, "client_id": client_id})
    problem = steady.steady_admin.must("POST", "/tax/quotes", 422, data=body, headers=JSON)
    assert ["client_id"] == fields_of(problem)


def test_a_quote_for_another_practices_client_is_404(world):
    """A client of the practice is quoted for; another's isn't there."""
    ours, theirs = world.admin(), world.admin("eve@practice.example", "Loud Room")
    client = ours.must("POST", "/clients", 201, json={"name": "Cleo", "email": "cleo@home.example"})["id"]
    ours.must("POST", "/tax/quotes", 200, json={"amount": 100, "client_id": client})
    theirs.must("POST", "/tax/quotes", 404, json={"amount": 100, "client_id": client})


def test_credentials_that_are_too_long_together_are_named_so(world):
    """The field is the caller's own word for them, not the sealed message's; odd names are no server error."""
    admin = world.admin()
    body = {"description": "Main", "type": "stripe", "credentials": {f"k{number}": "x" * 2000 for number in range(20)}}
    assert ["credentials"] == fields_of(admin.must("POST", "/processors", 422, json=body))
    assert not world.bus.made(Processors.add_processor)
    odd = json.dumps({**body, "credentials": {"\ud800": "x"}})
    assert 500 > admin.ask("POST", "/processors", data=odd, headers=JSON).status_code


def test_a_practice_may_number_without_a_prefix(world):
    """An empty prefix is a copy that the other services take, so the change is answered."""
    admin = world.admin()
    assert "" == admin.must("PATCH", "/practice", 200, json={"number_prefix": ""})["number_prefix"]
    assert "" == world.bus.made(Invoicing.put_practice)[-1].number_prefix


def test_an_api_token_has_no_session_to_end(world):
    """Signing out with one is refused, rather than answered as if it worked."""
    admin = world.admin()
    program = world.visitor()
    program.token = admin.must("POST", "/api-tokens", 201, json={"name": "books"})["token"]
    assert "not_a_session" == program.must("DELETE", "/session", 403)["code"]
    program.must("GET", "/me", 200)


class _Chunks:
    """A body in chunks, decoded as our servers do; its end is known to the stream alone."""

    def __init__(self, stream):
        self._stream, self._left, self._ended = stream, b"", False

    def read(self, size):
        while not self._ended and len(self._left) < size:
            length = int(self._stream.readline(), 16)
            self._left += self._stream.read(length)
            self._stream.readline()
            self._ended = not length
        taken, self._left = self._left[:size], self._left[size:]
        return taken


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def served(world):
    """The app behind a server that reads chunks without saying so; gives a function that sends them."""

    def app(environ, start):
        if environ.get("HTTP_TRANSFER_ENCODING") == "chunked":
            environ["wsgi.input"] = _Chunks(environ["wsgi.input"])
        return world.app(environ, start)

    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def send(path, token, *chunks):
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        with socket.create_connection(server.server_address, timeout=30) as link:
            link.sendall(head.encode())
            link.sendall(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
            with link.makefile("rb") as answer:
                return int(answer.readline().split()[1])

    yield send
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_body_in_chunks_is_read_whole(world, served):
    """It isn't taken for an empty one, which for a refund would mean all of it; over 1 MB it is refused."""
    admin = world.admin()
    invoice = f"inv_{NOBODYS}"
    world.bus.knows(admin.practice_id, invoice)
    assert 201 == served(f"/invoices/{invoice}/refunds", admin.token, b'{"amo', b'unt": 50}')
    assert [50] == [one.amount for one in world.bus.made(Invoicing.refund_invoice)]
    assert 413 == served(f"/invoices/{invoice}/refunds", admin.token, b'{"reason": "', *[b"x" * 60_000] * 20, b'"}')
