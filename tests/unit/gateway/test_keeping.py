"""Keeping a card while paying with it: the payment stands whatever comes of the card, and a repeat charges nothing more."""

import json

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Refused, Unavailable
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.test_paying import CARD, INVOICE, PATH, paid
from tests.unit.gateway.world import fields_of

BODY = {"card": CARD, "keep_card": True}


@pytest.fixture
def payer(world):
    admin = world.admin()
    world.bus.knows(admin.practice_id, INVOICE)
    return world.client(admin)


def test_a_card_that_paid_is_kept(world, payer):
    """Sealed for its owner, with the consent's words; the answer is the payment, and names the card."""
    world.bus.script(Invoicing.pay_invoice, paid("succeeded"))
    told = payer.must("POST", PATH, 201, json=BODY)
    ((order, caller),) = [(body, caller) for call, body, caller in world.bus.asked if call is Processors.save_card]
    kept = {"id": sample(Processors.save_card.gives)["id"], "code": None, "message": None}
    assert {**json.loads(paid("succeeded").text), "kept_card": kept} == told
    info = f"save-card|{payer.practice_id}|{caller.member_id}|{order.card_id}"
    assert "4242424242424242" in world.keys["processors"].open(order.sealed_card, info).decode()
    assert "keep this card on file" in order.consent


@pytest.mark.parametrize(
    "fault", [Refused("card_declined", "No."), Conflict("too_many_cards", "Full."), Unavailable("processor_unavailable")]
)
def test_the_payment_stands_where_the_card_is_not_kept(world, payer, fault):
    """201 all the same, and why there is no card."""
    world.bus.script(Invoicing.pay_invoice, paid("succeeded"))
    world.bus.script(Processors.save_card, fault)
    kept = payer.must("POST", PATH, 201, json=BODY)["kept_card"]
    assert (None, fault.code) == (kept["id"], kept["code"]) and kept["message"]


def test_the_payment_stands_where_keeping_the_card_falls_over(world, payer):
    """Whatever it trips over: the payer is told that the payment went through."""

    def falls_over(*_given):
        raise ValueError("4242424242424242")

    world.bus.script(Invoicing.pay_invoice, paid("succeeded"))
    world.bus.script(Processors.save_card, falls_over)
    kept = payer.must("POST", PATH, 201, json=BODY)["kept_card"]
    assert (None, "not_kept") == (kept["id"], kept["code"]) and "4242" not in kept["message"]


@pytest.mark.parametrize(("status", "keep"), [("pending", True), ("requires_action", True), ("succeeded", False)])
def test_nothing_is_kept_unasked_or_before_it_paid(world, payer, status, keep):
    """Then the answer is invoicing's own text."""
    world.bus.script(Invoicing.pay_invoice, paid(status))
    answer = payer.ask("POST", PATH, json={**BODY, "keep_card": keep})
    assert paid(status).text == answer.get_data(as_text=True) and [] == world.bus.made(Processors.save_card)


def test_a_declined_card_is_not_kept(world, payer):
    """The refusal is told as ever."""
    world.bus.script(Invoicing.pay_invoice, Refused("card_declined", "No."))
    payer.must("POST", PATH, 402, json=BODY)
    assert [] == world.bus.made(Processors.save_card)


@pytest.mark.parametrize("way", [{"token": "tok"}, {"payment_method_id": "card_00000000000000000000000000"}, {"hosted": True}])
def test_only_a_typed_card_is_kept(world, payer, way):
    """Anything else is named before anybody is asked to pay."""
    assert ["keep_card"] == fields_of(payer.must("POST", PATH, 422, json={**way, "keep_card": True}))
    assert [] == world.bus.made(Invoicing.pay_invoice)


def test_each_of_the_two_has_a_key_of_its_own(world, payer):
    """The same request under the same key asks both again, each under the key it had."""
    world.bus.script(Invoicing.pay_invoice, paid("succeeded"))
    for _ in range(2):
        payer.must("POST", PATH, 201, json=BODY, headers={"Idempotency-Key": "one"})
    keys = [
        [caller.key for call, _, caller in world.bus.asked if call is asked]
        for asked in (Invoicing.pay_invoice, Processors.save_card)
    ]
    assert keys[0][0] == keys[0][1] and keys[1][0] == keys[1][1] and keys[0][0] != keys[1][0]
