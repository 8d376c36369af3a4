"""The sales-tax requirement: who may choose it, what it needs, what counts before it was chosen."""

import pytest

from shared.faults import Forbidden, Invalid


def test_before_any_choice_nothing_is_taxed_and_it_says_so(room):
    """A new practice reads requirement none, not chosen, and a quote of $120.50 has no tax and says why."""
    assert {"requirement": "none", "chosen": False} == {name: room.settings()[name] for name in ("requirement", "chosen")}
    quote = room.quote(amount=12050)
    assert (12050, 0, 12050, []) == (quote.subtotal, quote.tax, quote.total, quote.tax_lines)
    assert "No sales-tax requirement has been chosen, so nothing is taxed." == quote.rule


def test_a_flat_requirement_is_kept_with_all_that_goes_with_it(room):
    """What the admin selects is what is read afterwards, word for word."""
    chosen = {
        "requirement": "flat", "name": "City tax", "rate": "0.0725", "prices_include_tax": True, "sourcing": "client",
        "rounding": "line", "rounding_mode": "half_even", "default_category": "exempt",
    }  # fmt: skip
    room.choose(**chosen)
    read = room.settings()
    assert {**chosen, "chosen": True} == {**read, "rate": str(read.rate)}


def test_flat_without_a_rate_is_refused_by_name(room):
    """A flat tax needs a rate: Invalid names `rate`, and what was chosen before stays."""
    room.choose(requirement="flat", rate="0.05")
    with pytest.raises(Invalid) as refused:
        room.choose(requirement="flat", name="Nameless")
    assert ["rate"] == [error["field"] for error in refused.value.errors]
    assert "0.05" == str(room.settings().rate)


def test_the_name_is_sales_tax_unless_given(room):
    """Flat without a name is called Sales tax."""
    assert "Sales tax" == room.choose(requirement="flat", rate="0.05").name


def test_back_to_none_forgets_name_and_rate(room):
    """An admin who turns tax off has chosen none; no old rate lingers in the answer."""
    room.choose(requirement="flat", rate="0.05")
    settings = room.choose(requirement="none")
    assert (True, None, None) == (settings.chosen, settings.name, settings.rate)
    assert "No sales tax is charged here." == room.quote(amount=100).rule


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "0.00000001", "1e-2", 0.0725, True])
def test_a_rate_that_is_no_rate_is_refused(room, rate):
    """Rates are decimals as text from 0 to 1 with six places; a float never gets in."""
    with pytest.raises(Invalid) as refused:
        room.choose(requirement="flat", rate=rate)
    assert ["rate"] == [error["field"] for error in refused.value.errors]


def test_only_admins_choose_and_read(room):
    """Providers and clients may neither read nor change the requirement."""
    for caller in (room.provider, room.client):
        with pytest.raises(Forbidden):
            room.choose(caller, requirement="none")
        with pytest.raises(Forbidden):
            room.settings(caller)


def test_another_practice_has_settings_of_its_own(room):
    """What one practice chooses is neither seen nor used by another."""
    room.choose(requirement="flat", rate="0.0725")
    assert not room.settings(room.elsewhere).chosen
    assert 0 == room.quote(room.elsewhere, amount=12050).tax
