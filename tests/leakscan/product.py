"""`python -m tests.leakscan.product …`: the product's own command, with every logger at DEBUG, and ears and mishaps of the leak scan.

CLIENTBILLING_LEAKSCAN names a folder. What is published on the embedded broker is written to `bus.jsonl` there; the file `raise` names
a place of PLACES that raises with everything it was given in its text; a request to the gateway with the header PLANT says, for the
negative controls, what it is to leak and where.
"""

import base64
import functools
import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

PLANT = "X-Leakscan-Plant"
# place -> the function that raises there: module, then its name or Class.name
PLACES = {
    "gateway sign-in": ("services.gateway.people.usecases.signing_in", "prove_password"),
    "gateway client": ("services.gateway.people.usecases.clients", "create_client"),
    "gateway pay": ("services.gateway.subjects.paying", "seal"),
    "invoicing create": ("services.invoicing.usecases.drafting", "create_invoice"),
    "invoicing pay": ("services.invoicing.usecases.paying", "pay_invoice"),
    "processors account": ("services.processors.usecases.accounts", "add_processor"),
    "processors charge": ("services.processors.adapters.sandbox", "Sandbox.charge"),
    "tax quote": ("services.tax.usecases", "quote"),
    "notifications letter": ("services.notifications.usecases.letters", "send_letter"),
    "notifications mail": ("services.notifications.channels.email", "written"),
    "notifications news": ("services.notifications.usecases.alerting", "_tell"),
}
LOUD = (
    "nameko",
    "kombu",
    "amqp",
    "urllib3",
    "requests",
    "stripe",
    "sqlalchemy",
    "sqlalchemy.engine",
    "sqlalchemy.pool",
    "werkzeug",
    "alembic",
)


def main() -> None:
    folder = os.environ.get("CLIENTBILLING_LEAKSCAN")
    serves = sys.argv[1:2] == ["up"] or "--once" in sys.argv
    if serves:
        import eventlet

        eventlet.monkey_patch()
    from deploy import cli

    if folder:
        cli.log_to_stderr = log_everything
    if folder and sys.argv[1:2] in (["up"], ["serve"]):
        _listen_in(Path(folder), sys.argv[1:3])
    cli.main()


def log_everything() -> None:
    """As loud as an operator could make it. Without the time, so that the same line twice is one."""
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)


def _listen_in(folder: Path, words: list[str]) -> None:
    whole, service = words[0] == "up", words[1]
    if whole:
        _tap_embedded(folder / "bus.jsonl")
    if whole or service == "processors":
        _hurry()
    for place, (module, name) in PLACES.items():
        if whole or place.split()[0] == service:
            _may_raise(folder / "raise", place, importlib.import_module(module), name)
    if whole or service == "gateway":
        _may_leak()


def _tap_embedded(path: Path) -> None:
    from shared.embedded_queues import Broker

    offer, heard = Broker.offer, open(path, "a", buffering=1)  # noqa: SIM115

    def offered(self: Any, letter: Any) -> Any:
        said = {"exchange": letter.exchange, "key": letter.routing_key, "body": _text(letter.body)}
        said |= {"headers": letter.headers, "properties": letter.properties}
        heard.write(json.dumps(said, default=repr) + "\n")
        return offer(self, letter)

    Broker.offer = offered  # type: ignore[method-assign]


def _text(body: Any) -> str:
    return body.decode("latin-1") if isinstance(body, bytes) else str(body)


def _hurry() -> None:
    """Processors are waited for three seconds, and after three look-ups a person is asked."""
    from services.processors.model import attempts
    from tests.faults.zygote import make_short

    make_short(3.0)
    attempts.LOOK_UPS = attempts.LOOK_UPS[:3]


def _may_raise(flag: Path, place: str, module: Any, name: str) -> None:
    """Wrapped so that it raises with all that it was given, and with that in its locals, while the file names it."""
    owner = module
    *classes, last = name.split(".")
    for one in classes:
        owner = getattr(owner, one)
    real = getattr(owner, last)

    @functools.wraps(real)
    def may_raise(*args: Any, **options: Any) -> Any:
        if flag.exists() and flag.read_text() == place:
            seen = f"{args!r} {options!r} {[_opened(one) for one in args]}"
            raise RuntimeError(seen) from ValueError(seen)
        return real(*args, **options)

    setattr(owner, last, may_raise)


def _opened(given: Any) -> Any:
    """What an exception's text could hold at worst: also what only reveals itself when asked."""
    card = getattr(given, "card", None)
    return {**vars(given), "card": (card.number.reveal(), card.cvc.reveal())} if card else getattr(given, "__dict__", given)


def _may_leak() -> None:
    """For the negative controls: the gateway leaks what a request tells it to."""
    from services.gateway import app as module

    create = module.create_app

    def create_app(*args: Any, **options: Any) -> Any:
        app = create(*args, **options)
        app.before_request_funcs.setdefault(None, []).insert(0, functools.partial(_leak, app))
        return app

    module.create_app = create_app


def _leak(app: Any) -> Any:
    from flask import Response, request

    if PLANT not in request.headers:
        return None
    where, text = json.loads(base64.b64decode(request.headers[PLANT]))
    raw = text.encode("latin-1")
    if where == "log":
        logging.getLogger("planted").info("%s", text)
    elif where == "bus":
        _publish(app.extensions["gateway"].settings.amqp_uri, text)
    elif where == "headers":
        return Response("", headers={"X-Planted": text})
    elif where == "cookie":
        return Response("", headers={"Set-Cookie": f"planted={text}"})
    return Response(raw if where == "answer" else b"")


def _publish(uri: str, text: str) -> None:
    from kombu import Connection

    with Connection(uri) as connection:
        connection.Producer().publish(
            json.dumps({"args": [{"caller": "", "body": text, "deadline_at": 0}], "kwargs": {}}),
            exchange="tax.calls", routing_key="tax.read_settings", content_type="application/json", content_encoding="utf-8",
            reply_to=f"rpc.reply-gateway-{'0' * 32}", correlation_id="planted",
        )  # fmt: skip


if __name__ == "__main__":
    main()
