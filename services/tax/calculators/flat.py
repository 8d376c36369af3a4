"""The requirement `flat`: one named rate on everything taxable. Exact arithmetic only; the one rounding is the settings' own."""

from collections.abc import Sequence
from decimal import Decimal

from babel.numbers import format_currency

from services.tax.calculators.base import Line, Quote, QuotedLine, TaxLine, untaxed
from services.tax.model import USUAL_NAME, Settings
from shared.fields import plain
from shared.money import rounded, share_out, to_text

_IN_WORDS = {"half_up": "half up", "half_even": "half to even"}


class Flat:
    """One rate, one jurisdiction."""

    def __init__(self, settings: Settings):
        if settings.rate is None:
            raise ValueError("a flat tax has a rate")
        self.name, self.rate = settings.name or USUAL_NAME, settings.rate
        self.inclusive = settings.prices_include_tax
        self.rounding, self.mode = settings.rounding, settings.rounding_mode

    def quote(self, lines: Sequence[Line], currency: str | None) -> Quote:
        """The tax of `lines`: rounded line by line, or once and shared out so that the lines sum to it."""
        bases = [line.amount if line.taxable else 0 for line in lines]
        if not any(line.taxable for line in lines):
            return untaxed(lines, "Nothing here is taxable.")
        taxes = [self._tax(base) for base in bases] if self.rounding == "line" else share_out(self._tax(sum(bases)), bases)
        quoted = [
            QuotedLine(line.amount - tax if self.inclusive else line.amount, line.taxable, line.category, tax)
            for line, tax in zip(lines, taxes, strict=True)
        ]
        net = sum(line.amount for line in quoted if line.taxable)
        return Quote(quoted, self._rule(sum(bases), currency), (TaxLine(self.name, self.rate, net, sum(taxes)),))

    def _tax(self, base: int) -> int:
        """The tax on `base`, or the tax that `base` holds already.

        Amounts have 13 digits at most and rates 6 places, so a quotient that is no tie stays further from one than
        Decimal's 28 digits can blur; a product is exact.
        """
        return rounded(base * self.rate / (1 + self.rate) if self.inclusive else base * self.rate, self.mode)

    def _rule(self, base: int, currency: str | None) -> str:
        amount = format_currency(Decimal(to_text(base, currency)), currency, locale="en_US") if currency else "the taxable amount"
        link = "contained in" if self.inclusive else "of"
        return f"{self.name} {plain(self.rate * 100)} % {link} {amount}, rounded {_IN_WORDS[self.mode]} per {self.rounding}"
