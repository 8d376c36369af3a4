"""The processors' own door: deliveries are passed on raw, answered fast, and believed by nobody here."""

import base64

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from services.gateway.caller import gateway
from services.gateway.reading import known_id
from shared.caller import Caller
from shared.contracts.processors import TYPES, Processors
from shared.faults import NotFound

LARGEST = 256 * 1024
SIGNED_BY = ("stripe-signature", "x-anet-signature")  # the headers that are passed on


def register(app: Flask) -> None:
    app.add_url_rule("/webhooks/<kind>/<processor_id>", "webhook", receive, methods=["POST"])


def receive(kind: str, processor_id: str) -> Response:
    """200 once it is noted; 403 where its signature is not right, 404 for no such account, 503 so that the processor repeats it."""
    if kind not in TYPES:
        raise NotFound()
    if (request.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge()
    raw = request.get_data(cache=False)
    if len(raw) > LARGEST:
        raise RequestEntityTooLarge()
    headers = {name: request.headers[name] for name in SIGNED_BY if name in request.headers}
    body = {
        "processor_id": known_id(processor_id),
        "type": kind,
        "body": base64.b64encode(raw).decode(),
        "headers": headers,
    }
    gateway().ask(Processors.receive_webhook, body, Caller.system(""))
    return Response(status=200)
