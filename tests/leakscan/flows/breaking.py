"""What breaks on our side: use cases that raise with everything in their text, databases and the broker away."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests

from tests.leakscan.flows.billing import invoice
from tests.leakscan.flows.entering import client_fields
from tests.leakscan.flows.paying import card, is_paid, on_the_page
from tests.leakscan.people import Reader
from tests.leakscan.product import PLACES
from tests.leakscan.stage import Stage, flow, told
from tests.system import wait_until


def _everything(stage: Stage) -> None:
    """One request of each kind, at both doors where a page differs; whether it works is not asked."""
    make, ours, pat, cleo = stage.canaries.make, *(stage.cast[name] for name in ("ours", "pat", "cleo"))
    hers = {"client": cleo.reader.client}
    stage.canaries.practice = ours.reader.practice
    visitor = stage.someone()
    visitor.ask("POST", "/api/v1/session", {"email": make("staff_email", "x.{}@practice.example"), "password": make("password")})
    _send(visitor, "/sign-in", email=make("staff_email", "x.{}@practice.example"), password=make("password"))
    body = {
        "client_id": stage.cast["cleo_id"],
        "description": make("description", **hers),
        "memo": make("memo", **hers),
        "amount": 700,
    }
    pat.ask("POST", "/api/v1/invoices", body)
    fields = client_fields(stage)
    stage.canaries.client = ""
    pat.ask("POST", "/api/v1/clients", fields)
    account = {
        "description": make("account label"),
        "type": "sandbox",
        "credentials": {"api_key": make("credential sandbox")},
        "card_entry": "direct",
    }
    ours.ask("POST", "/api/v1/processors", account)
    ours.ask("POST", "/api/v1/tax/quotes", {"client_id": stage.cast["cleo_id"], "amount": 900})
    path = f"/invoices/{stage.cast['payable']}"
    cleo.ask("POST", f"/api/v1{path}/payments", {"card": card(stage)})
    _send(cleo, f"{path}/pay", **on_the_page(card(stage)))
    ours.ask("POST", "/api/v1/password-resets", {"email": ours.email})
    for page in ("/billing", "/clients", "/billing/setup", "/readyz", "/metrics"):
        ours.see(page)


def _send(person: object, path: str, **fields: str) -> None:
    with suppress(AssertionError, requests.RequestException):
        person.send(path, **fields)  # type: ignore[attr-defined]


@flow
def use_cases_that_raise(stage: Stage) -> None:
    """Each named place raises with what it was given in its text and its locals, sealed things opened."""
    for place in PLACES:
        stage.cast["payable"] = invoice(stage)["id"]
        with stage.raising(place):
            _everything(stage)
            if place.startswith("notifications"):
                is_paid(stage, invoice(stage)["id"], card(stage))
                time.sleep(1)


@flow
def databases_away(stage: Stage) -> None:
    """A locked SQLite file (the wait for it made short by nobody: one request meets it), or a PostgreSQL that can't be reached."""
    stage.cast["payable"] = invoice(stage)["id"]
    if stage.databases:
        with _cut(stage, "database"):
            _everything(stage)
        return
    make, pat = stage.canaries.make, stage.cast["pat"]
    for service in ("gateway", "invoicing"):
        with _broken_table(stage, service):
            body = {"client_id": stage.cast["cleo_id"], "description": make("description"), "memo": make("memo"), "amount": 700}
            pat.ask("POST", "/api/v1/invoices", body, key=make("key"))
            pat.ask("POST", "/api/v1/clients", client_fields(stage), key=make("key"))
            stage.canaries.client = ""
            _send(stage.someone(), "/sign-in", email=pat.email, password=make("password"))


@contextmanager
def _broken_table(stage: Stage, service: str) -> Iterator[None]:
    """The driver's own exception, with the statement in its text: a table has another name."""
    with sqlite3.connect(stage.system.folder / f"{service}.db", timeout=20) as connection:
        connection.execute("ALTER TABLE clients RENAME TO clients_away")
    try:
        yield
    finally:
        with sqlite3.connect(stage.system.folder / f"{service}.db", timeout=20) as connection:
            connection.execute("ALTER TABLE clients_away RENAME TO clients")


@flow
def broker_away(stage: Stage) -> None:
    """Where there is a broker to cut: everything is asked while it is away, and again when it is back."""
    if not stage.lines:
        return
    stage.cast["payable"] = invoice(stage)["id"]
    with _cut(stage, "broker"):
        _everything(stage)
    stage.cast["payable"] = invoice(stage)["id"]
    _everything(stage)


@contextmanager
def _cut(stage: Stage, line: str) -> Iterator[None]:
    stage.lines[line].cut()
    try:
        yield
    finally:
        stage.lines[line].mend()
        watcher = stage.someone()
        watcher.reader = Reader("nobody")
        wait_until(lambda: watcher.ask("GET", "/readyz").status_code == 200, 60, 0.3, "readiness")
        told(watcher.ask("GET", "/healthz"), 200)
