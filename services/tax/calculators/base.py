"""What every calculator takes and gives. `flat` and `none` are such; the rate table and the external ones are to fit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from services.tax.model import Settings

NOT_TAXED = frozenset({"exempt", "not_taxable", "none"})


@dataclass(frozen=True)
class Line:
    """One line to be taxed: `amount` as it was given, after discount, in minor units."""

    amount: int
    category: str

    @property
    def taxable(self) -> bool:
        return self.category.lower() not in NOT_TAXED


@dataclass(frozen=True)
class QuotedLine:
    """One line with its tax; `amount` is net, so that amount + tax is what the line costs."""

    amount: int
    taxable: bool
    category: str
    tax: int = 0


@dataclass(frozen=True)
class TaxLine:
    """One jurisdiction's share: `amount` of tax on `taxable`, both in minor units."""

    jurisdiction: str
    rate: Decimal
    taxable: int
    amount: int


@dataclass(frozen=True)
class Quote:
    """The tax of a set of lines, and the rule behind it in words. The parts sum to the whole by construction."""

    lines: Sequence[QuotedLine]
    rule: str
    tax_lines: Sequence[TaxLine] = field(default_factory=tuple)

    @property
    def subtotal(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines)

    @property
    def total(self) -> int:
        return self.subtotal + self.tax


class Calculator(Protocol):
    """One way of working out tax."""

    def __init__(self, settings: Settings): ...

    def quote(self, lines: Sequence[Line], currency: str | None) -> Quote:
        """The tax of `lines`; `currency` is for the words only. Raises Unavailable if it can't be known now."""
        ...


def untaxed(lines: Sequence[Line], rule: str) -> Quote:
    """No tax on any line, for the reason that `rule` gives."""
    return Quote([QuotedLine(line.amount, False, line.category) for line in lines], rule)
