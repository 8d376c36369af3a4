"""Negative controls: a leak planted in each place of the running system, in each encoding, as if the product had done it."""

import base64
import json
import smtplib
import subprocess
import sys
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP

import requests

from tests.leakscan.encodings import ENCODINGS
from tests.leakscan.product import PLANT
from tests.leakscan.stage import Stage

BINARY = {"gzip", "zlib"}
LINES = {name for name, encode in ENCODINGS.items() if name not in BINARY and b"\n" in encode("x" * 80).strip()}
Plant = Callable[[Stage, bytes], None]


def _by_request(where: str) -> Plant:
    """The gateway itself leaks it: a line in its log, a message on the bus, an answer, a header."""

    def plant(stage: Stage, text: bytes) -> None:
        asked = base64.b64encode(json.dumps([where, text.decode("latin-1")]).encode()).decode()
        answer = requests.get(stage.system.url + "/healthz", headers={PLANT: asked}, timeout=20)
        stage.answers.keep(stage.someone().reader, "GET", "/healthz", answer)

    return plant


def _column(stage: Stage, text: bytes) -> None:
    invoice = stage.sql("invoicing", "SELECT min(id) FROM invoices")[0][0]
    quoted = text.decode("latin-1").replace("'", "''")
    stage.sql("invoicing", f"UPDATE invoices SET search = search || '\n' || '{quoted}' WHERE id = '{invoice}'")


def _mail(where: str) -> Plant:
    def plant(stage: Stage, text: bytes) -> None:
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = "a@practice.example", "b@people.example", "Hello"
        if where == "headers":
            mail["X-Planted"] = text.decode("latin-1")
        mail.set_content(text if where == "text" else b"-", maintype="application", subtype="octet-stream")
        if stage.mail:
            with smtplib.SMTP("127.0.0.1", stage.mail.port, timeout=10) as server:
                server.login("billing", stage.mail.password)
                server.send_message(mail)
        else:
            kept = stage.system.folder / "mail" / f"planted-{hash(text)}.eml"
            kept.write_bytes(mail.as_bytes())

    return plant


def _processor(stage: Stage, text: bytes) -> None:
    requests.post(stage.api_base("stripe") + "/v1/payment_methods", data=text, timeout=20)


def _file(stage: Stage, text: bytes) -> None:
    (stage.system.folder / "left").mkdir(exist_ok=True)
    (stage.system.folder / "left" / f"{hash(text)}").write_bytes(text)


def _command(stage: Stage, text: bytes) -> None:
    stage.printed.append(("doctor", text.decode("latin-1")))


def _process(stage: Stage, text: bytes) -> None:
    waits = [sys.executable, "-c", "import time; time.sleep(600)", text.decode("latin-1")]
    stage.system.processes[f"planted-{hash(text)}"] = subprocess.Popen(waits, start_new_session=True)


# what its name in the table begins with -> (how it is planted, the encodings that can't be there)
PLANTS: dict[str, tuple[Plant, set[str]]] = {
    "log ": (_by_request("log"), BINARY),
    "bus tax.read_settings": (_by_request("bus"), BINARY),
    "answer nobody GET /healthz": (_by_request("answer"), set()),
    "headers nobody GET /healthz": (_by_request("headers"), BINARY | LINES),
    "cookie nobody GET /healthz": (_by_request("cookie"), BINARY | LINES),
    "database invoicing.invoices.search": (_column, BINARY),
    "mail text": (_mail("text"), set()),
    "mail headers": (_mail("headers"), BINARY | LINES),
    "processor stripe": (_processor, set()),
    "file left/": (_file, set()),
    "command doctor": (_command, BINARY),
}
FEW = {"process ": (_process, set(ENCODINGS) - {"raw", "base64 at 1", "hex"})}  # each is a process
