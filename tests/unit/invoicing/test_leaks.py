"""What a payer types and an admin pastes is nowhere to be found afterwards: not in logs at DEBUG, not in a database, not in an answer."""

import base64
import json
import logging
from contextlib import suppress

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Fault
from shared.ids import new_id
from tests import house as houses

CVC, API_KEY = "8317", "sk_canary_f00dface"
NUMBERS = ("4242424242424242", "4000000000000002", "4000000000000119", "4000002500003155", "4111111111111112")


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level(logging.DEBUG)


def shapes(secret: str) -> list[bytes]:
    """The secret as it might lie about: plain, grouped, hexadecimal, base64 (cut so that its place in a longer text doesn't matter)."""
    raw = secret.encode()
    encoded = [base64.b64encode(b"x" * pad + raw)[4:-4] for pad in range(3)]
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)).encode()
    return [shape for shape in (raw, grouped, raw.hex().encode(), *encoded) if len(shape) > 5]


def test_no_card_and_no_credential_stays_behind(practice, house, tmp_path, caplog, monkeypatch):
    """Approved, declined, unknown, authenticated, mistyped and broken payments, a refund, a refused account: no trace of a secret."""
    monkeypatch.setitem(houses.CARD, "cvc", CVC)
    told = [_add_account(practice, house)]
    for number in NUMBERS:
        told.append(_try(practice, number))
    monkeypatch.setattr(type(house.services["processors"].room.adapters["sandbox"]), "charge", _break)
    told.append(_try(practice, NUMBERS[0]))
    monkeypatch.undo()
    house.after(60)
    left = [path.read_bytes() for path in tmp_path.glob("*.db*")] + [caplog.text.encode(), json.dumps(told).encode()]
    assert b"pay_" in b"".join(left), "the search looks at the right place"
    for secret in (*NUMBERS, API_KEY):
        for shape in shapes(secret):
            assert not [place for place in left if shape in place], shape
    assert CVC not in json.dumps(told)


def test_a_planted_secret_is_found():
    """The negative control: each shape of a planted number is seen."""
    number = NUMBERS[0]
    planted = {
        b"x" + number.encode(),
        number.encode().hex().encode(),
        *(base64.b64encode(b"y" * n + number.encode()) for n in range(3)),
    }
    for text in planted:
        assert any(shape in text for shape in shapes(number)), text


def _break(self, credentials, order):
    raise ValueError(f"{order.card.number.reveal()} {order.card.cvc.reveal()} {order!r} {credentials}")


def _try(practice, number):
    try:
        invoice = practice.invoice()
        paid = practice.pay(invoice, number)
        with suppress(Fault):
            practice.refund(invoice, 100)
        return [paid, practice.read(invoice)]
    except Fault as fault:
        return fault.to_wire()


def _add_account(practice, house):
    processor_id = new_id("pcr")
    sealed = house.settings.keys("gateway").seal(
        json.dumps({"api_key": API_KEY}).encode(), "processors", f"credentials|{practice.id}|{processor_id}"
    )
    account = {"processor_id": processor_id, "description": "Second", "type": "sandbox", "sealed_credentials": sealed}
    added = json.loads(house.ask(Processors.add_processor, account, practice.ada).text)
    house.ask(Processors.activate_processor, {"processor_id": processor_id}, practice.ada)
    return added


def test_staffs_own_words_are_not_told_to_the_client(practice):
    """Why money was given back, and what an admin saw at the processor, stand in staff's answers and timeline only."""
    invoice = practice.invoice()
    practice.pay(invoice)
    practice.refund(invoice, 100, reason="canary: she complained")
    staff, client = (_all_of(practice, invoice, who) for who in (practice.pat, practice.cleo))
    assert 2 == staff.count("canary"), "in the refund and in the timeline"
    assert "canary" not in client
    assert '"text":"Refund' in client.replace(": ", ":"), "that money was given back is told"


def _all_of(practice, invoice, who):
    timeline = practice.do(Invoicing.read_timeline, who, invoice_id=invoice["id"])
    return json.dumps([practice.read(invoice, who), timeline])
