"""The processors' own door: a delivery goes on raw and is answered fast; nobody signs in, and nothing is believed here."""

import base64

import pytest

from services.gateway import webhooks
from shared.contracts.processors import Processors
from shared.faults import Forbidden, NotFound, Unreachable

PATH = "/webhooks/stripe/pcr_00000000000000000000000000"


def deliver(world, body: bytes = b'{"id": "evt_1"}', path: str = PATH, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.app.test_client(use_cookies=False).post(path, data=body, headers=named, content_type="application/json")


@pytest.fixture
def taken(world):
    world.bus.knows("", "pcr_00000000000000000000000000")
    world.bus.script(Processors.receive_webhook, {})
    return world


def test_a_delivery_goes_on_byte_for_byte(taken):
    """The raw body and the headers that sign it reach processors, as the system's; other headers don't."""
    assert 200 == deliver(taken, b'{"a": 1}\r\n ', Stripe_Signature="t=1,v1=2", X_Other="secret").status_code
    (passed,) = taken.bus.made(Processors.receive_webhook)
    assert b'{"a": 1}\r\n ' == base64.b64decode(passed.body)
    assert {"stripe-signature": "t=1,v1=2"} == passed.headers
    assert ("stripe", "system") == (passed.type, taken.bus.asked[-1][2].role)


@pytest.mark.parametrize(("fault", "status"), [(Forbidden("webhook_refused"), 403), (NotFound(), 404), (Unreachable(), 503)])
def test_refusals_are_the_services_own(taken, fault, status):
    """Forged is 403, an unknown account 404, and 503 has the processor repeat it; each as a problem, never a page."""
    taken.bus.script(Processors.receive_webhook, fault)
    answer = deliver(taken)
    assert (status, "application/problem+json") == (answer.status_code, answer.mimetype)


def test_what_is_no_address_of_ours_asks_nobody(taken):
    """An unknown type, a strange id and another method are answered here."""
    for path in ("/webhooks/paypal/pcr_1", "/webhooks/stripe/..%2f", "/webhooks/stripe/x"):
        assert 404 == deliver(taken, path=path).status_code
    assert 405 == taken.app.test_client().get(PATH).status_code
    assert [] == taken.bus.made(Processors.receive_webhook)


def test_a_large_delivery_is_refused(taken):
    """Over 256 KB is 413, whether its length is said or not."""
    assert 200 == deliver(taken, b"x" * webhooks.LARGEST).status_code
    assert 413 == deliver(taken, b"x" * (webhooks.LARGEST + 1)).status_code
