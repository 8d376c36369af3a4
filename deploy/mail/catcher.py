"""The mail catcher of development: takes every mail by SMTP (2525), keeps the newest in memory, shows them by HTTP (8025)."""

import html
import json
import signal
from collections import deque
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

MOST, SHOWN = 5000, 50
KEPT: deque[dict] = deque(maxlen=MOST)


class Keep:
    """What aiosmtpd tells of each mail."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        raw = envelope.content.decode("utf-8", "replace")
        KEPT.append({"to": list(envelope.rcpt_tos), "raw": raw})
        return "250 Kept"


class Shelf(BaseHTTPRequestHandler):
    """`/mails`: every mail as JSON, oldest first; `/`: the newest ones to look at."""

    def do_GET(self) -> None:
        as_json = self.path == "/mails"
        body = json.dumps(list(KEPT)) if as_json else _page()
        content = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if as_json else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Who looked is nobody's business."""


def _page() -> str:
    shown = []
    for mail in list(KEPT)[: -SHOWN - 1 : -1]:
        message = message_from_bytes(mail["raw"].encode(), policy=default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        shown.append(f"<h2>{html.escape(str(message['Subject']))}</h2><p>{html.escape(', '.join(mail['to']))}</p>")
        shown.append(f"<pre>{html.escape(text)}</pre>")
    return "<!doctype html><title>Mail</title><h1>Mail that was caught</h1>" + ("".join(shown) or "<p>None yet.</p>")


def main() -> None:
    """Until SIGTERM."""
    smtp = Controller(Keep(), hostname="0.0.0.0", port=2525)  # noqa: S104  # reached from other containers
    smtp.start()
    shelf = ThreadingHTTPServer(("0.0.0.0", 8025), Shelf)  # noqa: S104

    def stop(*_: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    shelf.serve_forever()


if __name__ == "__main__":
    main()
