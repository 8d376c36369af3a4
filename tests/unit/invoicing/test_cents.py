"""To the cent, whatever is billed: lines, discounts, taxes of every kind, and refunds in crumbs."""

import random

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.tax import Tax
from tests.house import Practice


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("rounding", ["line", "invoice"])
@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_the_parts_sum_to_the_whole(house, inclusive, rounding, currency):
    """Line taxes, jurisdictions' shares and refunds' shares sum to the invoice's tax; net and tax to its total; the books prove it."""
    dice = random.Random(f"{inclusive}{rounding}{currency}")
    practice = Practice(house, "9", rate=None, currency=currency)
    for _ in range(8):
        rate = f"0.{dice.randint(1, 300000):06d}"
        rules = {"requirement": "flat", "rate": rate, "prices_include_tax": inclusive, "rounding": rounding}
        house.ask(Tax.change_settings, {**rules, "rounding_mode": dice.choice(["half_up", "half_even"])}, practice.ada)
        invoice = practice.invoice(
            lines=_lines(dice), discount=dice.choice([None, {"percent": "12.5"}, {"amount": dice.randint(1, 3)}])
        )
        off = invoice["subtotal"] - invoice["discount"]
        assert invoice["total"] == (off if inclusive else off + invoice["tax"])
        assert invoice["tax"] == sum(line["tax"] for line in invoice["lines"]) == sum(s["amount"] for s in invoice["tax_lines"])
        practice.pay(invoice)
        _refund_in_crumbs(practice, invoice, dice)
    assert [] == practice.proof()


def _lines(dice):
    kinds = [{}, {"category": "exempt"}, {"quantity": f"{dice.randint(1, 30000) / 10000:.4f}"}]
    lines = [{"description": "x", "unit_amount": dice.randint(1, 20000), **dice.choice(kinds)} for _ in range(dice.randint(0, 5))]
    return [{"description": "x", "unit_amount": dice.randint(10, 20000)}, *lines]


def _refund_in_crumbs(practice, invoice, dice):
    """Seven small refunds and the rest: each share of tax fits its refund, and together they are the tax."""
    shares = []
    for amount in [*(dice.randint(1, max(1, invoice["total"] // 10)) for _ in range(7)), None]:
        refund = practice.refund(invoice, amount)
        assert 0 <= refund["tax"] <= refund["amount"]
        shares.append(refund["tax"])
    read = practice.do(Invoicing.read_invoice, invoice_id=invoice["id"])
    assert ("refunded", invoice["total"]) == (read["status"], read["amount_refunded"])
    assert invoice["tax"] == sum(shares)
