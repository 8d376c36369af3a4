"""Everything in one process: four services on the embedded broker, the gateway on eventlet's server, SQLite under one folder."""

import logging
import signal
import sys
from typing import Any

import eventlet
import eventlet.wsgi

from deploy.databases import migrate_one
from deploy.holding import hold
from deploy.services import DOORS, door, watch
from shared.answering import run_containers
from shared.keys import SERVICES, write_keys
from shared.settings import LOOPBACK, Settings, WrongSetting

log = logging.getLogger(__name__)
GREETING = "  Client Billing is ready:  {url}\n"


def serve(settings: Settings, host: str, port: int, demo: bool) -> None:
    """Serve until Ctrl-C or SIGTERM. A first start makes keys, databases and (with `demo`) a practice with data."""
    if settings.development and host not in LOOPBACK:
        log.warning("development mode is reachable from other machines, because --host says so: use it with invented data only")
    settings.data.mkdir(parents=True, exist_ok=True)
    held = hold(settings.data)
    write_keys(settings.keys_folder)
    for service in SERVICES:
        migrate_one(settings, service)
    try:
        listener = eventlet.listen((host, port), reuse_port=False)
    except OSError as taken:
        raise WrongSetting(f"Port {port} of {host} can't be used ({taken.strerror}). Name another: --port {port + 1}") from None
    sign_ins = _demo(settings) if demo else []
    runner = run_containers([door(service) for service in DOORS], settings)
    runner.start()
    app, delivering = _gateway(settings)
    server = eventlet.spawn(eventlet.wsgi.server, listener, app, log_output=False, debug=False)
    _greet(settings, sign_ins)
    died = _wait_for_the_end(runner)
    print("\n  Stopping ...", file=sys.stderr)
    server.kill()
    delivering.stop()
    runner.stop()
    held.close()
    if died:
        raise SystemExit("a part of the system has died; start it again, the data is where it was")


def _gateway(settings: Settings) -> tuple[Any, Any]:
    from services.gateway.app import create_app
    from services.gateway.people.delivering import start_delivering

    app = create_app(settings)
    return app, start_delivering(app.extensions["gateway"])


def _demo(settings: Settings) -> list[tuple[str, str, str]]:
    from deploy.demo import make_demo, sign_ins

    make_demo(settings)
    return sign_ins()


def _greet(settings: Settings, sign_ins: list[tuple[str, str, str]]) -> None:
    print("\n" + GREETING.format(url=settings.public_url), flush=True)
    for role, email, password in sign_ins:
        print(f"  {role:<9} {email:<28} {password}", flush=True)
    print("\n  Ctrl-C stops it; the data stays in " + str(settings.data) + "\n", flush=True)


def _wait_for_the_end(runner: Any) -> bool:
    """Until somebody ends it, or a service dies: whether one did."""
    ended = eventlet.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: eventlet.spawn_after(0, lambda: ended.ready() or ended.send(False)))
    eventlet.spawn(watch, runner, ended)
    return bool(ended.wait())
