"""The flows, in the order in which they are played. A new one is a function with `@flow` in one of these files, or a file named here."""

from tests.leakscan.flows import entering, setting_up, billing, paying, cards, mistakes, processing, hosted, breaking, operating  # noqa: I001
from tests.leakscan.stage import FLOWS

__all__ = [
    "FLOWS",
    "billing",
    "breaking",
    "cards",
    "entering",
    "hosted",
    "mistakes",
    "operating",
    "paying",
    "processing",
    "setting_up",
]
