"""Paying by card: sealing, the statuses of the answer, and the limit on declines."""

import json

import pytest

from shared.asking import Answer
from shared.contracts.invoicing import Invoicing
from shared.faults import Refused, Rejected
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import fields_of

INVOICE = "inv_00000000000000000000000000"
CARD = {"number": "4242 4242-4242 4242", "exp_month": 12, "exp_year": 2031, "cvc": "123"}
PATH = f"/invoices/{INVOICE}/payments"


@pytest.fixture
def payer(world):
    admin = world.admin()
    world.bus.knows(admin.practice_id, INVOICE)
    return world.client(admin)


def paid(status: str) -> Answer:
    said = {**sample(Invoicing.pay_invoice.gives), "status": status}
    return Answer(Invoicing.pay_invoice, json.dumps(said))


def test_the_card_crosses_the_bus_sealed(world, payer):
    """Only processors can open it, for this payment of this invoice only, and not for long."""
    payer.must("POST", PATH, 202, json={"card": CARD, "amount": 500})
    (order,) = world.bus.made(Invoicing.pay_invoice)
    assert "4242" not in json.dumps({**order, "sealed_card": ""}) and 500 == order.amount
    info = f"card|{payer.practice_id}|{INVOICE}|{order.payment_id}"
    opened = json.loads(world.keys["processors"].open(order.sealed_card, info))
    assert ("4242424242424242", "123") == (opened["card"]["number"], opened["card"]["cvc"])
    assert 120 == round(opened["expires_at"] - world.clock.now().timestamp())


@pytest.mark.parametrize(("status", "http"), [("succeeded", 201), ("pending", 202), ("unknown", 202), ("requires_action", 202)])
def test_a_payment_that_settles_later_is_202(world, payer, status, http):
    """201 says that it succeeded; 202 that it is not settled yet; the text is invoicing's own."""
    world.bus.script(Invoicing.pay_invoice, paid(status))
    answer = payer.ask("POST", PATH, json={"card": CARD})
    assert http == answer.status_code and paid(status).text == answer.get_data(as_text=True)


def test_a_declined_card_is_402_with_the_processors_own_code(world, payer):
    """The contract's code, our reason, the processor's code, and a sentence."""
    refusal = Refused("insufficient_funds", "There isn't enough money on this card.", processor_code="51", payment={"id": "pay_1"})
    world.bus.script(Invoicing.pay_invoice, refusal)
    problem = payer.must("POST", PATH, 402, json={"card": CARD})
    assert ("card_declined", "insufficient_funds", "51") == tuple(problem[name] for name in ("code", "reason", "processor_code"))
    assert "pay_1" == problem["payment"]["id"] and problem["detail"].startswith("There isn't")


def test_a_processor_that_refuses_the_practice_is_502(world, payer):
    """What the payer can't mend says so."""
    world.bus.script(Invoicing.pay_invoice, Rejected("processor_credentials_refused", "The practice can't take cards now."))
    assert "processor_rejected" == payer.must("POST", PATH, 502, json={"card": CARD})["code"]


def test_five_declines_of_one_invoice_close_it_to_cards_for_an_hour(world, payer):
    """The sixth try is 429 and nobody is asked; repeats of an old answer don't count; an hour later it is open again."""
    replayed = Refused("card_declined", "No.")
    replayed.replayed = True
    world.bus.script(Invoicing.pay_invoice, replayed)
    for _ in range(3):
        assert "true" == payer.ask("POST", PATH, json={"card": CARD}).headers["Idempotent-Replayed"]
    world.bus.script(Invoicing.pay_invoice, Refused("card_declined", "No."))
    for _ in range(5):
        payer.must("POST", PATH, 402, json={"card": CARD})
    asked = len(world.bus.made(Invoicing.pay_invoice))
    problem = payer.must("POST", PATH, 429, json={"card": CARD})
    assert 3500 < problem["retry_after"] <= 3601 and asked == len(world.bus.made(Invoicing.pay_invoice))
    world.later(minutes=25)
    payer.must("GET", "/me", 200)
    world.later(minutes=25)
    payer.must("GET", "/me", 200)
    world.later(minutes=11)
    payer.must("POST", PATH, 402, json={"card": CARD})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": "4242"}, "card.number"),
        ({"number": 4242424242424242}, "card.number"),
        ({"exp_month": 13}, "card.exp_month"),
        ({"exp_month": "12"}, "card.exp_month"),
        ({"exp_year": 31}, "card.exp_year"),
        ({"cvc": "12"}, "card.cvc"),
        ({"cvv": "123"}, "card.cvv"),
    ],
)
def test_what_is_wrong_with_a_card_is_named_and_never_repeated(world, payer, change, field):
    """The field is named; no digit of the card comes back."""
    answer = payer.ask("POST", PATH, json={"card": {**CARD, **change}})
    assert (422, [field]) == (answer.status_code, fields_of(answer.json)) and b"4242" not in answer.data


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["card"]),
        ({"payment_method_id": "x"}, ["payment_method_id"]),
        ({"token": 5}, ["token"]),
        ({"hosted": "yes"}, ["hosted"]),
        ({"hosted": True}, ["return_url"]),
        ({"hosted": True, "return_url": "http://elsewhere.example/"}, ["return_url"]),
        ({"hosted": True, "return_url": "https://user@elsewhere.example/"}, ["return_url"]),
        ({"hosted": True, "return_url": "javascript:alert(1)"}, ["return_url"]),
        ({"hosted": True, "return_url": "https://[broken/"}, ["return_url"]),
        ({"token": "tok", "card": CARD}, ["card", "token"]),
    ],
)
def test_one_way_to_pay_is_sent(payer, body, named):
    """A card, a token or the processor's page with where to come back to: what is wrong is named, nobody is asked."""
    assert named == fields_of(payer.must("POST", PATH, 422, json=body))


def test_a_token_is_sealed_like_a_card(world, payer):
    """What the processor's own form gave travels sealed for processors."""
    world.bus.script(Invoicing.pay_invoice, paid("succeeded"))
    payer.must("POST", PATH, 201, json={"token": "pm_canary"})
    order = world.bus.made(Invoicing.pay_invoice)[-1]
    assert "pm_canary" not in json.dumps(order) and order.return_url is None


def test_the_processors_page_takes_no_secret(world, payer):
    """Only where the payer comes back to goes along."""
    world.bus.script(Invoicing.pay_invoice, paid("requires_action"))
    payer.must("POST", PATH, 202, json={"hosted": True, "return_url": "https://client.example/back"})
    order = world.bus.made(Invoicing.pay_invoice)[-1]
    assert (None, "https://client.example/back") == (order.sealed_card, order.return_url)


def test_staff_may_not_type_a_card(world, payer):
    """Only the client pays by card."""
    world.visitor().signs_in("ada@practice.example").must("POST", PATH, 403, json={"card": CARD})


@pytest.mark.parametrize(("status", "http"), [(None, 201), (202, 202)])
def test_a_refund_reads_as_invoicing_tells_it(world, payer, status, http):
    """Text and status are invoicing's own: 201 where nothing else is said, 202 while it is not settled."""
    admin = world.visitor().signs_in("ada@practice.example")
    text = json.dumps({"data": [{**sample(Invoicing.read_refund.gives), "status": "pending"}]})
    world.bus.script(Invoicing.refund_invoice, Answer(Invoicing.refund_invoice, text, status=status))
    answer = admin.ask("POST", f"/invoices/{INVOICE}/refunds", json={"amount": 100})
    assert (http, text) == (answer.status_code, answer.get_data(as_text=True))
