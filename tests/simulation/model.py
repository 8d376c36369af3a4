"""A simple model of what people see of an invoice: amounts, statuses, and what may be done. It knows nothing of how that is kept."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tests.simulation.people import House, Someone

RATE = Decimal("0.0725")
OPEN_ENDED = {  # how a card whose answer is not known may end
    "lost": {"succeeded"},
    "never": {"failed", "canceled"},
    "late": {"succeeded", "failed", "canceled"},
    "bank": {"succeeded", "failed", "canceled"},
}
LIVE = {"pending", "unknown", "requires_action"}


def with_tax(amount: int) -> int:
    return amount + int((amount * RATE).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass
class Paid:
    """A payment that succeeded."""

    id: str
    method: str
    applied: int
    refunded: int = 0

    @property
    def left(self) -> int:
        return self.applied - self.refunded


@dataclass
class Live:
    """A payment whose end is not known yet, and what kind of card it was."""

    id: str
    amount: int
    kind: str


@dataclass
class Bill:
    """One invoice as it should be."""

    id: str
    house: House
    client: Someone
    total: int
    status: str = "draft"
    paid: int = 0
    refunded: int = 0
    forgiven: int = 0
    live: Live | None = None
    payments: list[Paid] = field(default_factory=list)
    declines: int = 0

    @property
    def balance(self) -> int:
        return 0 if self.status in ("draft", "void") else self.total - self.paid - self.forgiven

    @property
    def refundable(self) -> int:
        return sum(payment.left for payment in self.payments)

    def allowed(self, role: str) -> set[str]:
        """What somebody in this role may do now."""
        if role == "client":
            return {"pay"} if self.status == "open" and not self.live else set()
        refund = {"refund"} if self.refundable and self.status in ("open", "paid", "forgiven") else set()
        if self.status == "draft":
            return {"edit", "delete", "send"}
        if self.status != "open" or self.live:
            return refund
        return {"record_payment", "forgive"} | refund | (set() if self.paid else {"void"})

    def take(self, payment: Paid) -> None:
        self.payments.append(payment)
        self.paid += payment.applied
        if self.status == "open" and not self.balance:
            self.status = "paid"

    def settle_live(self, status: str) -> None:
        """The live payment ended so; what came is applied as far as the invoice takes it."""
        assert self.live is not None
        live, self.live = self.live, None
        assert status in OPEN_ENDED[live.kind], (live, status)
        if status == "succeeded":
            self.take(Paid(live.id, "card", min(live.amount, self.balance)))

    def give_back(self, amount: int) -> dict[str, int]:
        """Refund newest first; how much of it went back to each method."""
        back: dict[str, int] = {}
        rest = amount
        for payment in reversed(self.payments):
            part = min(rest, payment.left)
            payment.refunded += part
            rest -= part
            back[payment.method] = back.get(payment.method, 0) + part
        if self.status == "open":
            self.paid -= amount
        else:
            self.refunded += amount
        return back
