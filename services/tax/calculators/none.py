"""The requirement `none`: nothing is taxed, because an admin said so or nobody has chosen yet."""

from collections.abc import Sequence

from services.tax.calculators.base import Line, Quote, untaxed
from services.tax.model import Settings


class NoTax:
    """A practice without sales tax."""

    def __init__(self, settings: Settings):
        self._rule = (
            "No sales tax is charged here." if settings.chosen else "No sales-tax requirement has been chosen, so nothing is taxed."
        )

    def quote(self, lines: Sequence[Line], currency: str | None) -> Quote:
        return untaxed(lines, self._rule)
