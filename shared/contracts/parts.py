"""Pieces that several contracts share: addresses, copies' versions, pages of a list."""

from shared.fields import Choice, Flag, Part, Text, Whole, Words

CURRENCIES = ("USD", "CAD", "EUR", "GBP", "AUD", "NZD", "CHF", "JPY")


class Address(Words):
    """A postal address."""

    line1 = Text(required=True, most=200)
    line2 = Text(allow_none=True, most=200)
    city = Text(required=True, most=100)
    state = Text(required=True, most=50)
    postal_code = Text(required=True, most=20)
    country = Text(load_default="US", most=2, least=2, pattern="[A-Z]{2}", hint="Two capital letters, such as US.")


class Paged(Words):
    """Which page of a list: at most `limit` rows after `cursor`."""

    limit = Whole(load_default=50, least=1, most=200)
    cursor = Text(allow_none=True, load_default=None, most=500)


class Done(Words):
    """It is done; nothing more to say."""


class Copied(Words):
    """A copy is stored (or a newer one was there already); `version` is the one that is held."""

    version = Whole(required=True)


class PracticeCopy(Words):
    """The facts of a practice that other services keep a copy of; older versions are ignored."""

    version = Whole(required=True, least=1)
    name = Text(required=True, most=200)
    currency = Choice(*CURRENCIES, required=True)
    time_zone = Text(required=True, most=64)
    address = Part(Address, allow_none=True, load_default=None)
    number_prefix = Text(load_default="INV-", most=12, least=0)
    terms_days = Whole(load_default=14, least=0, most=365)
    partial_payments = Flag(load_default=False)
