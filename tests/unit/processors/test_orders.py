"""Cards and secrets in memory, and the references that a processor sees."""

import pickle

import pytest

from services.processors.adapters.sandbox import check_digit_fits
from services.processors.model import reference_of
from services.processors.orders import Card, Secret


def test_a_card_does_not_print():
    """However a card is written, its number and code come out as stars."""
    card = Card(Secret("4242424242424242"), 12, 2031, Secret("917"))
    for text in (repr(card), str(card), f"{card.number} {card.cvc:>5} {card.number!r}", f"{card.cvc}"):
        assert "4242424242424242" not in text
        assert "917" not in text
    with pytest.raises(TypeError):
        pickle.dumps(card)


@pytest.mark.parametrize(
    ("number", "brand"),
    [("4242424242424242", "visa"), ("378282246310005", "amex"), ("2223003122003222", "mastercard"), ("9999", "card")],
)
def test_a_card_knows_its_brand(number, brand):
    """The first digits tell the scheme."""
    assert brand == Card(Secret(number), 12, 2031, Secret("1")).brand


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("4242424242424242", True),
        ("4242424242424241", False),
        ("378282246310005", True),
        ("79927398713", False),
        ("", False),
        ("４２４２４２４２４２４２４２４２", False),
        ("4242-4242-4242-4242", False),
    ],
)
def test_the_check_digit(number, fits):
    """Only twelve to nineteen plain digits with the right last one are a card number."""
    assert fits == check_digit_fits(number)


def test_references_are_opaque_and_repeatable():
    """Twenty letters and digits, the same for the same attempt, another for each id, account, number and key."""
    first = reference_of(b"k" * 32, "pay_1", "pcr_1", 1)
    assert first == reference_of(b"k" * 32, "pay_1", "pcr_1", 1)
    others = {
        reference_of(b"k" * 32, "pay_2", "pcr_1", 1),
        reference_of(b"k" * 32, "pay_1", "pcr_2", 1),
        reference_of(b"k" * 32, "pay_1", "pcr_1", 2),
        reference_of(b"x" * 32, "pay_1", "pcr_1", 1),
    }
    assert 5 == len({first, *others})
    assert 20 == len(first)
    assert first.isalnum()
