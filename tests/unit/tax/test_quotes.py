"""Quotes: what is taxed, how it is rounded, and that the shares always sum to the whole."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tax.calculators import calculator_for
from services.tax.calculators.base import Line
from services.tax.model import Settings
from shared.caller import IdempotencyKey
from shared.faults import Forbidden, Invalid
from shared.money import MOST
from shared.told import Told


def test_the_journey_s_quote(room):
    """$120.50 at 7.25 % is $8.74 of tax, $129.24 together, with the rule in words."""
    room.choose(requirement="flat", name="Sales tax", rate="0.0725")
    quote = room.quote(amount=12050, currency="USD")
    assert (12050, 874, 12924) == (quote.subtotal, quote.tax, quote.total)
    assert [{"jurisdiction": "Sales tax", "rate": Decimal("0.0725"), "taxable": 12050, "amount": 874}] == quote.tax_lines
    assert [{"amount": 12050, "taxable": True, "category": "taxable", "tax": 874}] == quote.lines
    assert "Sales tax 7.25 % of $120.50, rounded half up per invoice" == quote.rule


def test_without_a_currency_the_rule_names_no_amount(room):
    """A quote that doesn't say its currency is never put into words with a wrong one."""
    room.choose(requirement="flat", rate="0.0725")
    assert "Sales tax 7.25 % of the taxable amount, rounded half up per invoice" == room.quote(amount=12050).rule
    assert "¥12,050" in room.quote(amount=12050, currency="JPY").rule


def test_rounding_per_line_and_per_invoice_differ(room):
    """Three lines of $0.10 at 5 % are 3 cents line by line (half up), 2 cents as one invoice."""
    lines = [{"amount": 10}] * 3
    room.choose(requirement="flat", rate="0.05", rounding="line")
    assert [1, 1, 1] == [line.tax for line in room.quote(lines=lines).lines]
    room.choose(requirement="flat", rate="0.05", rounding="invoice")
    assert [1, 1, 0] == [line.tax for line in room.quote(lines=lines).lines]


def test_halves_go_up_or_to_even(room):
    """Half a cent is 1 cent half up, 0 half to even; one and a half is 2 both ways."""
    for mode, taxes in (("half_up", [1, 2]), ("half_even", [0, 2])):
        room.choose(requirement="flat", rate="0.05", rounding_mode=mode)
        assert taxes == [room.quote(amount=amount).tax for amount in (10, 30)]


@pytest.mark.parametrize("word", ["exempt", "not_taxable", "none", "Exempt"])
def test_lines_of_an_exempt_category_are_not_taxed(room, word):
    """An exempt line bears no tax and is not in the taxable amount; any other category is taxed."""
    room.choose(requirement="flat", rate="0.10")
    quote = room.quote(lines=[{"amount": 1000, "category": word}, {"amount": 500, "category": "counselling"}])
    assert [(False, 0), (True, 50)] == [(line.taxable, line.tax) for line in quote.lines]
    assert (1500, 50, 500) == (quote.subtotal, quote.tax, quote.tax_lines[0].taxable)


def test_lines_without_a_category_take_the_usual_one(room):
    """With default_category exempt an unmarked line is untaxed, and the rule says that nothing is taxable."""
    room.choose(requirement="flat", rate="0.10", default_category="exempt")
    quote = room.quote(amount=1000)
    assert (0, [], "exempt", "Nothing here is taxable.") == (quote.tax, quote.tax_lines, quote.lines[0].category, quote.rule)
    assert 100 == room.quote(lines=[{"amount": 1000, "category": "taxable"}]).tax


def test_prices_that_include_tax(room):
    """$107.25 with 7.25 % inside is $100.00 and $7.25; the total is what was given."""
    room.choose(requirement="flat", rate="0.0725", prices_include_tax=True)
    quote = room.quote(amount=10725, currency="USD")
    assert (10000, 725, 10725, 10000) == (quote.subtotal, quote.tax, quote.total, quote.lines[0].amount)
    assert 10000 == quote.tax_lines[0].taxable
    assert "Sales tax 7.25 % contained in $107.25, rounded half up per invoice" == quote.rule


def test_an_exempt_client_pays_no_tax_and_the_rule_says_so(room):
    """An exempt client's quote is untaxed; another practice's client of the same id is not meant."""
    room.choose(requirement="flat", rate="0.0725")
    room.put_client("cli_cy")
    quote = room.quote(client_id="cli_cy", amount=12050)
    assert (0, "No tax: this client is exempt.", False) == (quote.tax, quote.rule, quote.lines[0].taxable)
    room.choose(room.elsewhere, requirement="flat", rate="0.0725")
    assert 874 == room.quote(room.elsewhere, client_id="cli_cy", amount=12050).tax
    assert 874 == room.quote(client_id="cli_other", amount=12050).tax


def test_older_copies_of_a_client_are_ignored(room):
    """Copies arrive in any order: the highest version counts, and the answer names it."""
    room.choose(requirement="flat", rate="0.0725")
    assert [2, 2, 2] == [room.put_client(version=version, tax_exempt=version == 2) for version in (2, 1, 2)]
    assert 0 == room.quote(client_id="cli_cy", amount=12050).tax
    assert 3 == room.put_client(version=3, tax_exempt=False)
    assert 874 == room.quote(client_id="cli_cy", amount=12050).tax


def test_who_may_ask(room):
    """Staff and the system may quote; a client may not, and only the system writes copies."""
    for caller in (room.admin, room.provider, room.system):
        assert 100 == room.quote(caller, amount=100).total
    with pytest.raises(Forbidden):
        room.quote(room.client, amount=100)
    with pytest.raises(Forbidden):
        room.put_client(caller=room.admin)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": 1, "lines": [{"amount": 1}]}, "amount"),
        ({"lines": []}, "lines"),
        ({"amount": -1}, "amount"),
        ({"amount": 1.0}, "amount"),
        ({"lines": [{"amount": True}]}, "lines.0.amount"),
        ({"lines": [{"amount": MOST}, {"amount": MOST}]}, "lines"),
        ({"amount": MOST}, "amount"),
        ({"lines": [{"description": "Session"}]}, "lines.0.unit_amount"),
        ({"lines": [{"amount": 1}, {"amount": 1, "unit_amount": 1}]}, "lines.1.unit_amount"),
        ({"lines": [{"amount": 1, "quantity": "2"}]}, "lines.0.quantity"),
        ({"lines": [{"unit_amount": MOST, "quantity": "2"}]}, "lines"),
    ],
)
def test_a_quote_that_makes_no_sense_is_refused_by_field(room, body, field):
    """Neither or both of amount and lines, negative or huge amounts, floats: Invalid, naming the field."""
    room.choose(requirement="flat", rate="0.0725")
    with pytest.raises(Invalid) as refused:
        room.quote(**body)
    assert field == refused.value.errors[0]["field"]


def test_lines_are_quoted_as_an_invoice_has_them(room):
    """Quantity times unit amount, rounded half up; one piece where no quantity is sent; a line of its own amount beside them."""
    room.choose(requirement="flat", rate="0.0725")
    lines = [
        {"description": "Session", "quantity": "1.5", "unit_amount": 8001},
        {"description": "Book", "unit_amount": 2000, "category": "taxable"},
        {"amount": 500, "category": "exempt"},
    ]
    quoted = room.quote(lines=lines)
    assert [12002, 2000, 500] == [line.amount for line in quoted.lines]
    assert (14502, 1015, 15517) == (quoted.subtotal, quoted.tax, quoted.total)


def test_the_same_key_is_told_the_same_and_another_body_is_refused(room):
    """A repeated POST of a quote gets the first answer's very text even after the rate changed; another body is Invalid."""
    from services.tax import usecases
    from shared.contracts.tax import Tax

    def asked(fingerprint, amount, route="POST /api/v1/tax/quotes"):
        caller = room.admin.with_key(IdempotencyKey("k1", route, fingerprint))
        return usecases.quote(caller, Tax.quote.load_request({"amount": amount}), room.db, room.clock)

    room.choose(requirement="flat", rate="0.0725")
    first = asked("f1", 12050)
    room.choose(requirement="flat", rate="0.10")
    assert Told(first.text, replayed=True, status=200) == asked("f1", 12050)
    with pytest.raises(Invalid) as refused:
        asked("f2", 99)
    assert "idempotency_key_reused" == refused.value.code
    passed_on = asked("f1", 12050, "POST /api/v1/invoices")
    assert 1205 == passed_on["tax"]


rates = st.integers(0, 10**6).map(lambda millionths: Decimal(millionths).scaleb(-6))
lines = st.lists(
    st.builds(Line, st.one_of(st.integers(0, 10**4), st.integers(0, 10**9)), st.sampled_from(["taxable", "exempt"])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=2000, deadline=None)
@given(lines, rates, st.booleans(), st.sampled_from(["line", "invoice"]), st.sampled_from(["half_up", "half_even"]))
def test_shares_sum_to_the_whole(lines, rate, inclusive, rounding, mode):
    """Over thousands of random quotes: lines and jurisdictions sum to the tax, the tax is the exact one, rounded."""
    chosen = Settings(
        requirement="flat",
        name="T",
        rate_text=str(rate),
        prices_include_tax=inclusive,
        rounding=rounding,
        rounding_mode=mode,
        chosen=True,
    )
    quote = calculator_for(chosen).quote(lines, None)
    given_sum, base = sum(line.amount for line in lines), sum(line.amount for line in lines if line.taxable)
    assert quote.subtotal + quote.tax == quote.total == (given_sum if inclusive else given_sum + quote.tax)
    assert quote.tax == sum(share.amount for share in quote.tax_lines)
    assert all(line.tax >= 0 and line.amount >= 0 and (line.taxable or not line.tax) for line in quote.lines)
    portion = Fraction(rate) / (1 + Fraction(rate)) if inclusive else Fraction(rate)
    bases = [base] if rounding == "invoice" else [line.amount for line in lines if line.taxable]
    assert quote.tax == sum(_rounded(one * portion, mode) for one in bases)
    if rounding == "invoice":
        exact = [line.amount * portion if line.taxable else Fraction(0) for line in lines]
        assert all(abs(line.tax - fair) < Fraction(3, 2) for line, fair in zip(quote.lines, exact, strict=True))


def _rounded(exact: Fraction, mode: str) -> int:
    """The nearest whole number by fractions alone: a second opinion on the product's decimals."""
    whole, rest = divmod(exact.numerator, exact.denominator)
    twice = 2 * rest - exact.denominator
    return whole + (twice > 0 or (twice == 0 and (mode == "half_up" or whole % 2 == 1)))
