"""Money as integers of the currency's minor unit, and the few ways we round and share it out. No float comes near."""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

HALF_UP, HALF_EVEN = "half_up", "half_even"
_MODES = {HALF_UP: ROUND_HALF_UP, HALF_EVEN: ROUND_HALF_EVEN}
# ISO 4217 currencies without a minor unit (the list that Stripe publishes for zero-decimal charges, less UGX and ISK).
ZERO_DECIMAL = frozenset(["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"])
_IN_THOUSANDS = r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?"  # where a comma is no decimal point
MOST = 10**12  # an amount above ten thousand million dollars is a slip of the keyboard


def rounded(value: Decimal, mode: str = HALF_UP) -> int:
    """`value` to a whole number of minor units; halves away from zero, or to even."""
    return int(value.quantize(Decimal(1), rounding=_MODES[mode]))


def share_out(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` in parts proportional to `weights`, by largest remainder: the parts always sum to the whole.

    With all weights zero the first part takes everything; negative weights are refused with ValueError.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("weights can't be negative")
    if not weights:
        if whole:
            raise ValueError("nothing to share out to")
        return []
    total = sum(weights)
    if total == 0:
        return [whole] + [0] * (len(weights) - 1)
    sign = -1 if whole < 0 else 1
    parts, remainders = [], []
    for position, weight in enumerate(weights):
        part, rest = divmod(abs(whole) * weight, total)
        parts.append(part)
        remainders.append((-rest, position))
    for _, position in sorted(remainders)[: abs(whole) - sum(parts)]:
        parts[position] += 1
    return [sign * part for part in parts]


def decimals(currency: str) -> int:
    """How many decimal places a person writes for this currency."""
    return 0 if currency in ZERO_DECIMAL else 2


def from_text(text: str, currency: str) -> int:
    """Minor units of an amount as a person types it (`1,234.50`, `$120`); ValueError says what is wrong with it."""
    cleaned = text.strip().replace("\u00a0", "").replace(" ", "").lstrip("$€£")
    places = decimals(currency)
    if "," in cleaned and not re.fullmatch(_IN_THOUSANDS, cleaned):
        raise ValueError(f"A comma only separates thousands. Write an amount such as {'120.50' if places else '1200'}.")
    whole, _, part = cleaned.replace(",", "").partition(".")
    if not (whole or part) or not (whole + part).isascii() or not (whole + part).isdigit():
        raise ValueError("Write an amount such as 120.50.")
    if len(part) > places:
        raise ValueError("That is finer than a cent." if places else "This currency has no smaller unit.")
    return int((whole or "0") + part.ljust(places, "0"))


def to_text(amount: int, currency: str) -> str:
    """Plain digits for a form field, such as `120.50`."""
    places = decimals(currency)
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(places + 1, "0")
    return sign + (digits if not places else f"{digits[:-places]}.{digits[-places:]}")
