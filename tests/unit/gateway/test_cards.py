"""Cards on file at the gateway: sealed on the way, and no place to try cards out."""

import json

import pytest

from shared.contracts.processors import Processors
from shared.faults import Refused
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import fields_of

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2031, "cvc": "123"}
BODY = {"card": CARD, "consent": True}


@pytest.fixture
def client(world):
    return world.client(world.admin())


def test_a_card_travels_sealed_with_what_was_agreed(world, client):
    """No digit of it is in the request; the client's consent is, in words."""
    client.must("POST", "/cards", 201, json=BODY)
    (order,) = world.bus.made(Processors.save_card)
    assert "4242" not in json.dumps({**order, "sealed_card": ""}) and "keep this card on file" in order.consent


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"card": CARD}, ["consent"]),
        ({**BODY, "consent": False}, ["consent"]),
        ({"consent": True}, ["card"]),
        ({**BODY, "token": "tok"}, ["card", "token"]),
    ],
)
def test_what_is_wrong_is_named(world, client, body, named):
    """Without consent, without a card, or with two of them, nobody is asked."""
    assert named == fields_of(client.must("POST", "/cards", 422, json=body))
    assert [] == world.bus.made(Processors.save_card)


def test_five_refused_cards_in_an_hour_are_enough(world, client):
    """One key for all of them or one for each: the sixth card is not tried, for an hour; another client's cards are."""
    world.bus.script(Processors.save_card, Refused("card_declined", "No."))
    for number in range(5):
        headers = {"Idempotency-Key": "always-the-same"} if number % 2 else {}
        client.must("POST", "/cards", 402, json=BODY, headers=headers)
    tried = len(world.bus.made(Processors.save_card))
    client.must("POST", "/cards", 429, json=BODY)
    client.must("POST", "/cards", 429, json=BODY, headers={"Idempotency-Key": "always-the-same"})
    assert tried == len(world.bus.made(Processors.save_card))
    world.client(world.visitor().signs_in("ada@practice.example"), "other@home.example").must("POST", "/cards", 402, json=BODY)
    world.bus.script(Processors.save_card, sample(Processors.save_card.gives))
    world.later(minutes=61)
    client = world.visitor().signs_in("cleo@home.example")
    client.must("POST", "/cards", 201, json=BODY)
