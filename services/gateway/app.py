"""The gateway's only wiring: an app of the people's database, the bus, the JSON API and the pages."""

import logging
import secrets
from typing import Any

from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from services.gateway import caller, health, openapi, pages, webhooks
from services.gateway.api import reader, routes
from services.gateway.asker import Gateway
from services.gateway.faults import Broken, Unreadable, problem, retry_after
from services.gateway.limits import Limits, place_of
from services.gateway.metrics import Metrics
from services.gateway.pages.errors import page_for
from services.gateway.people.passwords import Passwords
from services.gateway.people.storage import DATABASE_DOWN
from services.gateway.rpc import Rpc
from services.gateway.sealing import Sealing
from shared.clock import SystemClock
from shared.database import Database
from shared.faults import Fault, NotFound, Unavailable
from shared.mishap import log_mishap
from shared.settings import Settings

log = logging.getLogger(__name__)
VERSION = "1.0"  # of the public contract
LARGEST_BODY = 1024 * 1024
SERVING_THREADS = 16  # as many connections at least, so that no thread of the server waits for one
_PUBLIC = ("/static/", "/openapi.json", "/docs")


def create_app(settings: Settings, rpc: Any = None, *, clock: Any = None, passwords: Any = None) -> Flask:
    """The WSGI app. Nothing is connected before the first request, so it may be made before a server's fork."""
    metrics = Metrics()
    keys = settings.keys("gateway")
    gateway = Gateway(
        settings=settings,
        rpc=rpc or Rpc(settings, metrics),
        database=Database(settings.database_url("gateway"), pool_size=max(settings.max_workers, SERVING_THREADS), durable=False),
        keys=keys,
        clock=clock or SystemClock(),
        passwords=passwords or Passwords(),
        vault=settings.vault("gateway"),
    )
    gateway.sealing = Sealing(keys, gateway.rpc, gateway.clock)
    app = Flask(__name__)
    _believe_proxies(app, settings.proxies)
    app.url_map.merge_slashes = False  # an address that is written wrongly isn't there, rather than somewhere else
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.extensions.update(gateway=gateway, metrics=metrics)
    _answer_in_order(app, metrics, Limits(settings.api_limit), settings.public_url)
    _answer_operators(app, gateway, metrics)
    _answer_readers(app)
    routes.register(app)
    webhooks.register(app)
    pages.register(app)
    return app


def _believe_proxies(app: Flask, count: int) -> None:
    """Who asks, and by which address, as so many proxies of the operator's say it; nobody's word is taken for it otherwise."""
    if count:
        # each proxy adds an address; of the scheme only the nearest one's word comes, which stands for all
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=1)  # type: ignore[method-assign]


def _answer_in_order(app: Flask, metrics: Metrics, limits: Limits, public_url: str) -> None:
    """Who asks, then how often; on the way out every answer gets its headers."""

    @app.before_request
    def begin() -> None:
        g.asker, g.csrf_failed, g.csp_nonce = None, False, secrets.token_urlsafe(16)
        _read_chunks()

    caller.register(app)

    @app.before_request
    def take_allowance() -> None:
        if request.path.startswith("/api/"):
            limits.take(g.asker.session_id if g.asker else f"address {place_of(request.remote_addr or '')}")

    @app.errorhandler(Exception)
    def refuse(wrong: Exception) -> Response:
        return _refusal(wrong)

    @app.after_request
    def end(response: Response) -> Response:
        metrics.answered(request.method, response.status_code)
        return _with_headers(response, https=request.is_secure or public_url.startswith("https:"))


def _read_chunks() -> None:
    """Let a body be read that comes in chunks: every server of ours ends it, but not each says so, and then it would seem empty."""
    if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
        request.environ["wsgi.input_terminated"] = True


def _refusal(wrong: Exception) -> Response:
    fault = _as_fault(wrong)
    if not caller.for_machines():
        return page_for(fault)
    said = problem(fault)
    response = Response(json.dumps(said), said["status"], mimetype="application/problem+json")
    if (wait := retry_after(fault)) is not None:
        response.headers["Retry-After"] = str(wait)
    if said["status"] == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Client Billing"'
    if fault.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if isinstance(wrong, HTTPException):
        response.headers.extend({name: value for name, value in wrong.get_headers() if name == "Allow"})
    return response


def _as_fault(wrong: Exception) -> Fault:
    """What happened in the faults' own words; what nobody foresaw is logged with an id, and neither logged nor told with its text."""
    if isinstance(wrong, Fault):
        return wrong
    if isinstance(wrong, HTTPException):
        return _of_http(wrong)
    if isinstance(wrong, RecursionError):
        return Unreadable(400, "malformed_json", "The body is nested too deeply.")
    if isinstance(wrong, DATABASE_DOWN):
        log.error("the database does not answer (%s)", type(wrong).__name__)
        return Unavailable("database_unavailable")
    return Broken(log_mishap(log, "a request", wrong, secrets.token_hex(8)))


def _of_http(wrong: HTTPException) -> Fault:
    code = wrong.code or 500
    if code == 404:
        return NotFound()
    known = {
        405: ("method_not_allowed", "This address does not take that method."),
        413: ("too_large", "A request takes at most 1 MB."),
        415: ("unsupported_media_type", "Send JSON, with Content-Type: application/json."),
    }
    return Unreadable(code if code in known else 400, *known.get(code, ("unreadable", "The request can't be read.")))


def _with_headers(response: Response, https: bool) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = _content_security_policy(g.get("csp_nonce", ""), g.get("csp_more", {}))
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if not request.path.startswith(_PUBLIC):
        headers["Cache-Control"] = "no-store"
    return response


def _content_security_policy(nonce: str, more: dict[str, list[str]]) -> str:
    """Our own origin only, and on the pay page what the processor's own form or page needs (`more`, by directive)."""
    ours = {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{nonce}'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    directives = dict.fromkeys([*ours, *more])
    return "; ".join(" ".join([name, *([ours[name]] if name in ours else []), *more.get(name, [])]) for name in directives)


def _answer_operators(app: Flask, gateway: Gateway, metrics: Metrics) -> None:
    @app.get("/healthz")
    def healthz() -> dict:
        return {"status": "alive"}

    @app.get("/readyz")
    def readyz() -> tuple[dict, int]:
        missing = health.what_is_missing(gateway)
        return ({"status": "not_ready", "missing": missing}, 503) if missing else ({"status": "ready"}, 200)

    @app.get("/metrics")
    def figures() -> Response:
        return Response(metrics.text(), mimetype="text/plain; version=0.0.4")


def _answer_readers(app: Flask) -> None:
    """The contract itself: as a document and as a page."""
    document = openapi.document(routes.routes(), VERSION)

    @app.get("/openapi.json")
    def openapi_document() -> Response:
        return Response(json.dumps(document), mimetype="application/json")

    @app.get("/docs")
    def docs() -> Response:
        return Response(reader.page(document), mimetype="text/html")
