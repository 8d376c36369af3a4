"""What tax offers: the practice's sales-tax requirement and quotes. A quote moves nothing and may be asked again."""

from shared.contract import Call, Contract
from shared.contracts.parts import CURRENCIES, Copied
from shared.fields import Amount, Choice, Day, Flag, Id, Many, Number, Text, Whole, Words

REQUIREMENTS = ("none", "flat")


class TaxSettings(Words):
    """The requirement an admin selected; `name` and `rate` belong to `flat`."""

    requirement = Choice(*REQUIREMENTS, required=True)
    name = Text(allow_none=True, load_default=None, most=60)
    rate = Number(allow_none=True, load_default=None, least="0", most="1", places=6)
    prices_include_tax = Flag(load_default=False)
    sourcing = Choice("practice", "client", load_default="practice")
    rounding = Choice("line", "invoice", load_default="invoice")
    rounding_mode = Choice("half_up", "half_even", load_default="half_up")
    default_category = Choice("taxable", "exempt", load_default="taxable")


class TaxSettingsRead(TaxSettings):
    """The settings as they stand; `chosen` is false until an admin has picked a requirement."""

    chosen = Flag(required=True)


class QuoteLine(Words):
    """One line to be taxed, as an invoice's line (`quantity`, 1 unless sent, times `unit_amount`) or by its `amount` after discount."""

    description = Text(allow_none=True, load_default=None, most=500)
    quantity = Number(allow_none=True, load_default=None, least="0.0001", most="100000", places=4)
    unit_amount = Amount(allow_none=True, load_default=None)
    amount = Amount(allow_none=True, load_default=None)
    category = Text(allow_none=True, load_default=None, most=60)


class QuoteRequest(Words):
    """Either `amount` or `lines`; `on` is the day whose rates count, `currency` only serves the words of the rule."""

    client_id = Id(allow_none=True, load_default=None)
    amount = Amount(allow_none=True, load_default=None)
    lines = Many(QuoteLine, allow_none=True, load_default=None, least=1, most=200)
    on = Day(allow_none=True, load_default=None)
    currency = Choice(*CURRENCIES, allow_none=True, load_default=None)


class QuotedLine(Words):
    """One line's share: `amount` is net of tax, so that amount + tax is what the line costs."""

    amount = Amount(required=True)
    taxable = Flag(required=True)
    category = Text(required=True)
    tax = Amount(required=True)


class TaxLine(Words):
    """One jurisdiction's share."""

    jurisdiction = Text(required=True)
    rate = Number(required=True)
    taxable = Amount(required=True)
    amount = Amount(required=True)


class Quote(Words):
    """The tax of a set of lines; the shares of the jurisdictions sum to `tax`, the lines' too."""

    subtotal = Amount(required=True)
    tax = Amount(required=True)
    total = Amount(required=True)
    lines = Many(QuotedLine, required=True)
    tax_lines = Many(TaxLine, required=True)
    rule = Text(required=True, most=500)


class TaxClientCopy(Words):
    """What tax keeps of a client: whether they are exempt."""

    version = Whole(required=True, least=1)
    client_id = Id(required=True)
    tax_exempt = Flag(required=True)


class Tax(Contract):
    service = "tax"

    read_settings = Call(gives=TaxSettingsRead)
    change_settings = Call(takes=TaxSettings, gives=TaxSettingsRead)
    quote = Call(takes=QuoteRequest, gives=Quote)
    put_client = Call(takes=TaxClientCopy, gives=Copied)
