"""Peers that tests talk to: the local Stripe server in a process of its own, and a line to it that can be made to fail."""

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# The server's own command binds every interface and keeps a file; this one stays on loopback and in memory.
_STRIPE = """
import sys
from aiohttp import web
from localstripe import resources
from localstripe.server import app
resources.store.dump_to_disk = lambda *_: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_localstripe(port: int | None = None, within: float = 30.0) -> tuple[str, subprocess.Popen]:
    """(its address, its process): a fresh Stripe server that answers. Whoever starts it ends it, by `stop_process`."""
    port = port or free_port()
    command = [sys.executable, "-c", _STRIPE, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + within
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return f"http://127.0.0.1:{port}", process
        if process.poll() is not None or time.monotonic() > until:
            stop_process(process)
            raise AssertionError("the local Stripe server did not start")
        time.sleep(0.05)


def stop_process(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


class BadLine:
    """A line to an HTTP server that fails on the paths it is told to, before or after passing the request on.

    `fail(r"/confirm$", "close")`: `close` answers nothing, `garbage`, `empty`, `text` (a JSON string), `other` (another
    object), `500`, `cut` (half an answer), `hang` (silence), `redirect` (to a GET of the target's balance). With
    `after=True` the server has done its work before the line fails. `seen` lists the method and path of every request.
    """

    def __init__(self, target: str):
        self.target = urlsplit(target)
        self.seen: list[str] = []
        self._failing: list[tuple[re.Pattern, str, bool]] = []
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def fail(self, path: str, how: str, *, after: bool = False) -> None:
        self._failing.append((re.compile(path), how, after))

    def mend(self) -> None:
        self._failing.clear()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                line.serve(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.seen.append(f"{request.command} {request.path}")
        fault = next(((how, after) for path, how, after in self._failing if path.search(request.path)), None)
        if fault is None or fault[1]:
            status, kind, answer = self._forward(request, body)
            if fault is None:
                return _reply(request, status, answer, kind)
        self._misbehave(request, fault[0])

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self.target.hostname or "", self.target.port, timeout=20)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        told = answer.status, answer.headers.get("Content-Type", "application/json"), answer.read()
        connection.close()
        return told

    def _misbehave(self, request: BaseHTTPRequestHandler, how: str) -> None:
        request.close_connection = True
        if how == "hang":
            self._released.wait(20)
        elif how == "redirect":
            request.send_response(302)
            request.send_header("Location", "/v1/balance")
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif how == "cut":
            request.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"id": "pi_')
        elif how != "close":
            status, answer = _ANSWERS[how]
            _reply(request, status, answer)


_ANSWERS = {
    "garbage": (200, b"<html>it works</html>"),
    "empty": (200, b""),
    "text": (200, b'"hello"'),
    "other": (200, b'{"object": "payment_intent", "id": "pi_somebody_elses", "status": "succeeded"}'),
    "500": (500, b'{"error": {"type": "api_error", "message": "no"}}'),
    "garbage 402": (402, b"declined?"),
    "429": (429, b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "slow"}}'),
    "401": (401, b'{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}'),
    "403": (403, b'{"error": {"type": "invalid_request_error", "message": "The key lacks a right"}}'),
    "409": (409, b'{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "busy"}}'),
}


def _reply(request: BaseHTTPRequestHandler, status: int, answer: bytes, kind: str = "application/json") -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(answer)))
    request.end_headers()
    request.wfile.write(answer)
