"""How tax is worked out: one file per way, chosen by the practice's requirement. Nothing here remembers anything."""

from services.tax.calculators.base import Calculator
from services.tax.calculators.flat import Flat
from services.tax.calculators.none import NoTax
from services.tax.model import Settings


def calculator_for(settings: Settings) -> Calculator:
    """The calculator of the requirement; KeyError for one that no calculator serves, never a silent zero."""
    served: dict[str, type[Calculator]] = {"none": NoTax, "flat": Flat}
    return served[settings.requirement](settings)
