"""The line to Converge: one POST of a form, and what it means when the line fails. What is sent and said is the adapter's."""

import time

from services.processors.adapters import elavon_xml, transport
from services.processors.orders import NOT_KNOWN, NOT_SENT, Outcome


def send(url: str, form: dict[str, str], deadlines: tuple[float, float]) -> tuple[int, str, bytes]:
    """(status, AuthResponse header, body) of one POST on a line of its own, within seconds for connecting and for the answer.

    No redirect is followed, and no more read than fits. Raises what the `requests` library raises.
    """
    import requests

    until = time.monotonic() + sum(deadlines)
    with requests.post(
        url,
        data=form,
        headers={"Accept-Encoding": "identity"},
        timeout=deadlines,
        allow_redirects=False,
        stream=True,
    ) as answer:
        body = b""
        while len(body) <= elavon_xml.MOST and (part := answer.raw.read1(65536, decode_content=False)):
            body += part
            if time.monotonic() > until:
                raise requests.exceptions.ReadTimeout()
        return answer.status_code, answer.headers.get("AuthResponse", ""), body


def failed(failure: Exception) -> Outcome:
    """Whatever the line did: what is certain is only what never left."""
    code = transport.code_of(failure)
    ending = NOT_SENT if transport.was_not_sent(code) else NOT_KNOWN
    return Outcome(ending, refusal="processor_unavailable", processor_code=code)
