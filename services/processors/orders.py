"""What an adapter is asked for and what it answers, in our words. No processor's words, no storage, no network."""

from dataclasses import dataclass, field, replace
from dataclasses import field as dataclass_field
from datetime import datetime, timedelta

# How an adapter says that something ended. `unknown` unless the processor itself said otherwise.
APPROVED, DECLINED, WAITING, NEEDS_PAYER = "approved", "declined", "pending", "requires_action"
NOT_KNOWN, NOT_SENT, CANCELED, PREPARED = "unknown", "not_sent", "canceled", "prepared"
NOT_SETTLED = "not_settled"  # of a refund: certainly not given back, because the charge has not settled yet; it can be later

CHARGE, REFUND = "charge", "refund"


class Secret:
    """Text that prints as `***` wherever it ends up; only `reveal` gives it back."""

    __slots__ = ("_text",)

    def __init__(self, text: str):
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, how: str) -> str:
        return "***"

    def __reduce__(self):
        raise TypeError("a secret is not written down")


@dataclass(frozen=True)
class Card:
    """A card as the payer typed it; it lives in memory, for one charge."""

    number: Secret
    exp_month: int
    exp_year: int
    cvc: Secret
    postal_code: str | None = None

    @property
    def last4(self) -> str:
        return self.number.reveal()[-4:]

    @property
    def brand(self) -> str:
        """The scheme by the number's first digits, in the words that processors use."""
        number = self.number.reveal()
        return next((brand for brand, heads in _BRANDS if number.startswith(heads)), "card")


_BRANDS = (
    ("visa", ("4",)),
    ("amex", ("34", "37")),
    ("discover", ("6011", "65")),
    ("mastercard", tuple(str(head) for head in (*range(51, 56), *range(2221, 2721)))),
)


@dataclass(frozen=True)
class OnFile:
    """A card on file: the `ids` that its processor keeps it under. `off_session`: the payer is not there to answer the bank."""

    account_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    ids: dict = field(repr=False)  # some look like card numbers
    off_session: bool = False


@dataclass(frozen=True)
class Means:
    """What the payer pays with, for one charge, in memory only; exactly one of the four.

    `token` is what the processor's own form on our page gave in place of a card; `return_url` is where the payer comes back
    to from the processor's own page.
    """

    card: Card | None = None
    token: Secret | None = None
    return_url: str | None = None
    on_file: OnFile | None = None

    @property
    def on_page(self) -> bool:
        """Whether the card is typed on the processor's page, at a time of the payer's own."""
        return self.return_url is not None


@dataclass(frozen=True)
class Order:
    """One charge or refund: `amount` in minor units, `reference` is what the processor sees and finds it by.

    `ids` are the processor's own ids of this order so far, `charge_ids` those of the charge that a refund gives back.
    `sent_at` is when the request that moves money was about to be sent, or the payer's page was opened; None where it never was.
    `card_entry` is the account's way of taking cards when it began; `on_page`: the payer pays on the processor's own page, so
    the payer may try several cards there, and a decline ends nothing before the page does.
    """

    kind: str
    id: str
    reference: str
    amount: int
    currency: str
    account_id: str
    ids: dict = field(default_factory=dict)
    charge_ids: dict = field(default_factory=dict)
    means: Means = field(default_factory=Means)
    sent_at: datetime | None = None
    card_entry: str = "direct"
    on_page: bool = False

    @property
    def card(self) -> Card | None:
        return self.means.card

    def with_ids(self, ids: dict) -> "Order":
        return replace(self, ids={**self.ids, **ids})


@dataclass(frozen=True)
class Outcome:
    """How it ended, as the processor said; `absent` marks a look-up that found nothing but proves nothing.

    `refusal` is one of the contract's sixteen, `processor_code` the processor's own; `ids` are merged into the attempt's.
    `lasts` is how long the payer has for what `next_action` asks.
    """

    status: str
    amount: int | None = None
    currency: str | None = None
    ids: dict = field(default_factory=dict)
    brand: str | None = None
    last4: str | None = None
    refusal: str | None = None
    processor_code: str | None = None
    next_action: dict | None = field(default=None, repr=False)  # holds a secret of the processor
    absent: bool = False
    lasts: timedelta | None = None

    def is_a_part_of(self, amount: int, currency: str) -> bool:
        """Whether less was approved than was asked for: such a part is given back, never kept."""
        return self.status == APPROVED and self.currency == currency and self.amount is not None and self.amount < amount

    def as_asked(self, amount: int, currency: str) -> "Outcome":
        """This outcome, but `unknown` where something else was approved than was asked for."""
        if self.status == APPROVED and (self.amount, self.currency) != (amount, currency):
            return replace(self, status=NOT_KNOWN, refusal="unknown", processor_code="amount_differs")
        return self


@dataclass(frozen=True)
class Saving:
    """A card that its owner wants kept at the processor; `reference` is ours for it, `payer` ours for the person: both opaque."""

    reference: str
    payer: str
    means: Means


@dataclass(frozen=True)
class Saved:
    """How that ended: `approved` with the `ids` that it is kept under, else why not, as of a charge."""

    status: str
    ids: dict = field(default_factory=dict, repr=False)
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    refusal: str | None = None
    processor_code: str | None = None


@dataclass(frozen=True)
class Check:
    """Whether credentials work: `ok`, `refused` (then `field` names the culprit) or `unreachable`; `problem` in words.

    `learned` is what the processor said of the account and our page needs to know: public values only.
    """

    status: str
    problem: str | None = None
    field: str | None = None
    learned: dict = dataclass_field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """One line of a processor's own list, for the comparison with ours; `reference` is ours where the line names it, `id` theirs.

    `status` is one of the outcomes above; `amount` in minor units.
    """

    reference: str | None
    kind: str
    amount: int
    currency: str
    at: datetime
    status: str
    id: str | None = None


@dataclass(frozen=True)
class Nudge:
    """What a genuine webhook is worth: which order to look up. It never carries truth.

    `event_id` names the delivery, for the inbox; the order is named by our `reference` or by the processor's own `ids`.
    """

    event_id: str
    reference: str | None = None
    ids: dict = field(default_factory=dict)
