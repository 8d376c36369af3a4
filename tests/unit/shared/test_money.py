"""Rounding and sharing out, to the last minor unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import money


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_shares_sum_to_the_whole_and_none_is_off_by_more_than_a_unit(whole, weights):
    """Whatever the weights, nothing is lost or made, and each share is the exact one rounded up or down."""
    shares = money.share_out(whole, weights)
    assert whole == sum(shares)
    if total := sum(weights):
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - Decimal(whole) * weight / total) < 1


def test_weights_of_nothing_and_below_nothing():
    """No weights take nothing, zero weights give all to the first, negative ones are refused."""
    assert [] == money.share_out(0, [])
    assert [7, 0] == money.share_out(7, [0, 0])
    for whole, weights in ((1, []), (1, [-1, 2])):
        with pytest.raises(ValueError):
            money.share_out(whole, weights)


@pytest.mark.parametrize(
    ("value", "up", "even"), [("0.5", 1, 0), ("1.5", 2, 2), ("2.5", 3, 2), ("-0.5", -1, 0), ("873.625", 874, 874), ("0.49", 0, 0)]
)
def test_halves(value, up, even):
    """Half up goes away from zero, half even to the even unit."""
    assert up == money.rounded(Decimal(value))
    assert even == money.rounded(Decimal(value), money.HALF_EVEN)


@pytest.mark.parametrize(
    ("text", "currency", "units"),
    [
        ("120.50", "USD", 12050),
        ("$1,234.5", "USD", 123450),
        (" 7 ", "USD", 700),
        (".5", "USD", 50),
        ("500", "JPY", 500),
        ("1,234,567.89", "USD", 123456789),
        ("12,050", "JPY", 12050),
        ("$ 120.50", "USD", 12050),
        ("129.", "USD", 12900),
    ],
)
def test_amounts_as_people_type_them(text, currency, units):
    """Signs and separators are read, and written back plainly."""
    assert units == money.from_text(text, currency)
    assert units == money.from_text(money.to_text(units, currency), currency)


@pytest.mark.parametrize("text", ["", ".", "-5", "1.234", "1.2.3", "12a", "٣", "1e3", "5 USD"])
def test_what_is_no_amount(text):
    """Anything else is refused with words."""
    with pytest.raises(ValueError, match=r"\w"):
        money.from_text(text, "USD")


@pytest.mark.parametrize(
    "text", ["120,50", "1.234,50", "0,500", "12,05", "1,2345.00", "1,,234", ",500", "1,234,5", "1200,000", "5,"]
)
def test_a_comma_is_never_taken_for_nothing(text):
    """`120,50` is not twelve thousand: a comma that is not between thousands is refused, and the words say how to write it."""
    with pytest.raises(ValueError, match=r"comma .* such as 120\.50\."):
        money.from_text(text, "USD")
