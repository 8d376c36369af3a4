"""What the gateway does when processors no longer knows the key that something was sealed with."""

import json

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Rejected
from shared.keys import signed_sealing_key
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.test_paying import CARD, PATH, payer  # noqa: F401  # a fixture

NEW = {"description": "Main", "type": "sandbox", "credentials": {"api_key": "sk_test_canary4242"}}


@pytest.fixture
def signed(world):
    """Processors gives out its file's own key under the names `seal-1`, `seal-2` and so on, a new one for each question."""
    ring = world.keys["processors"]
    public = ring._sealing_public["processors"]["key"]
    until = world.clock.now().replace(year=2030)

    def tell(_request, _caller):
        tell.times += 1
        return {"signed": signed_sealing_key(ring, f"seal-{tell.times}", public, until)}

    tell.times = 0
    world.bus.script(Processors.read_sealing_key, tell)
    return tell


def test_credentials_are_sealed_again_with_the_newest_key(world, signed):
    """Refused once for its key, the request goes out once more with the next; the admin notices nothing. Refused again, it is told."""
    admin = world.admin()

    def once(request, _caller):
        if request.sealed_credentials.startswith("seal-1."):
            return Conflict("unknown_sealing_key", "Send it again.")
        return sample(Processors.add_processor.gives)

    world.bus.script(Processors.add_processor, once)
    admin.must("POST", "/processors", 201, json=NEW)
    assert ["seal-1", "seal-2"] == [one.sealed_credentials.partition(".")[0] for one in world.bus.made(Processors.add_processor)]
    assert 1 == len({one.processor_id for one in world.bus.made(Processors.add_processor)})
    world.bus.script(Processors.add_processor, Conflict("unknown_sealing_key", "Send it again."))
    said = admin.must("POST", "/processors", 409, json=NEW)
    assert "unknown_sealing_key" == said["code"]


def test_the_next_payment_is_sealed_with_the_newest_key(world, payer, signed):  # noqa: F811
    """A payment that was refused for its key has failed without a charge; the next one is sealed anew."""
    refused = Rejected("processor_rejected", "Not charged.", reason="processor_unavailable", processor_code="unknown_sealing_key")
    world.bus.script(Invoicing.pay_invoice, refused)
    payer.must("POST", PATH, 502, json={"card": CARD})
    world.bus.unscript(Invoicing.pay_invoice)
    payer.must("POST", PATH, 202, json={"card": CARD})
    payer.must("POST", PATH, 202, json={"card": CARD})
    made = [json.dumps(one.sealed_card)[1:].partition(".")[0] for one in world.bus.made(Invoicing.pay_invoice)]
    assert ["seal-1", "seal-2", "seal-2"] == made
