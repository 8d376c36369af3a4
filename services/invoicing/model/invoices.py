"""An invoice: its lines, its states and what each state allows."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.invoicing.model.base import Base
from shared.faults import Conflict

# status -> what staff may do and what the client may do, before the invoice's own figures have their say
ALLOWED: dict[str, dict[str, tuple[str, ...]]] = {
    "draft": {"staff": ("edit", "delete", "send"), "client": ()},
    "open": {"staff": ("record_payment", "forgive", "void", "refund"), "client": ("pay",)},
    "paid": {"staff": ("refund",), "client": ()},
    "forgiven": {"staff": ("refund",), "client": ()},
    "void": {"staff": (), "client": ()},
}
WAITS_FOR_PAYMENT = frozenset({"pay", "record_payment", "forgive", "void"})  # refused while a payment is live


class Invoice(Base):
    """The stored figures follow from the ledger; `verify-ledger` recomputes each of them. Amounts in minor units.

    `amount_paid` is what is applied now, `amount_refunded` what was given back without reopening the balance.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        Index("invoices_by_client", "practice_id", "client_id", "id"),
        Index("invoices_by_status", "practice_id", "status", "id"),
        Index("invoices_by_number", "practice_id", "number", unique=True),
        Index("invoices_in_order", "practice_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)
    number: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(12))
    client_id: Mapped[str] = mapped_column(String(40))
    client_name: Mapped[str]
    provider_id: Mapped[str] = mapped_column(String(40))
    provider_name: Mapped[str]
    description: Mapped[str] = mapped_column(String(500))
    search: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    subtotal: Mapped[int]
    discount: Mapped[int]
    discount_asked: Mapped[dict[str, Any] | None]
    tax: Mapped[int]
    total: Mapped[int]
    tax_rule: Mapped[str | None] = mapped_column(String(500))
    amount_paid: Mapped[int] = mapped_column(default=0)
    amount_refunded: Mapped[int] = mapped_column(default=0)
    amount_forgiven: Mapped[int] = mapped_column(default=0)
    balance_due: Mapped[int] = mapped_column(default=0)
    live_payment_id: Mapped[str | None] = mapped_column(String(40))
    memo: Mapped[str | None] = mapped_column(Text)
    due_date: Mapped[date | None] = mapped_column(Date)
    parties: Mapped[dict[str, Any] | None]  # both parties' details, frozen when it was sent
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]

    lines: Mapped[list["InvoiceLine"]] = relationship(order_by="InvoiceLine.position", cascade="all, delete-orphan")
    tax_lines: Mapped[list["InvoiceTaxLine"]] = relationship(order_by="InvoiceTaxLine.position", cascade="all, delete-orphan")

    def allowed_actions(self, role: str, refundable: bool) -> list[str]:
        """What somebody in `role` may do with it now; `refundable` says whether any payment has something left to refund."""
        allowed = ALLOWED[self.status]["client" if role == "client" else "staff"]
        return [action for action in allowed if self._permits(action, refundable)]

    def _permits(self, action: str, refundable: bool) -> bool:
        if self.live_payment_id and action in WAITS_FOR_PAYMENT:
            return False
        if action == "refund":
            return refundable
        return not (action == "void" and self.amount_paid)

    def must_allow(self, action: str, role: str, refundable: bool) -> None:
        """Raises Conflict, naming the status and what it allows, unless `action` is possible now."""
        allowed = self.allowed_actions(role, refundable)
        if action in allowed:
            return
        if self.live_payment_id and action in WAITS_FOR_PAYMENT and self.status == "open":
            raise Conflict(
                "payment_in_progress",
                "A payment of this invoice is still being worked on with the processor. Wait for it, or check or cancel it first.",
                allowed_actions=allowed,
                payment_id=self.live_payment_id,
            )
        if action == "void" and self.status == "open":
            raise Conflict(
                "invoice_partly_paid", "Something was paid already. Refund it first, then void.", allowed_actions=allowed
            )
        raise Conflict(
            "action_not_allowed",
            f"This invoice is {self.status}, so it can't be changed this way.",
            allowed_actions=allowed,
            invoice_status=self.status,
        )

    def shown_status(self, today: date) -> str:
        """The status that people see: the stored one, and what follows from payments, refunds and the due date."""
        if self.status == "open":
            if self.live_payment_id:
                return "processing"
            if self.due_date and self.due_date < today:
                return "overdue"
            return "partially_paid" if self.amount_paid else "open"
        if self.status in ("paid", "forgiven") and self.amount_refunded:
            return "refunded" if self.amount_refunded >= self.amount_paid else "partially_refunded"
        return self.status

    def rebalance(self, now: datetime) -> None:
        """The balance from the other figures; an open invoice whose balance reached 0 is paid."""
        self.balance_due = 0 if self.status in ("void", "draft") else self.total - self.amount_paid - self.amount_forgiven
        if self.status == "open" and self.balance_due == 0:
            self.status, self.paid_at = "paid", now
        self.version += 1


class InvoiceLine(Base):
    __tablename__ = "invoice_lines"

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(String(500))
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    unit_amount: Mapped[int]
    amount: Mapped[int]
    discount: Mapped[int]
    category: Mapped[str | None] = mapped_column(String(60))
    taxable: Mapped[bool]
    tax: Mapped[int]


class InvoiceTaxLine(Base):
    __tablename__ = "invoice_tax_lines"

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str]
    rate: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    amount: Mapped[int]


class TimelineRow(Base):
    """One thing that happened to an invoice: who, when, what."""

    __tablename__ = "timeline"
    __table_args__ = (Index("timeline_of_an_invoice", "practice_id", "invoice_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    invoice_id: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    who: Mapped[str]
    role: Mapped[str] = mapped_column(String(12))
    what: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(String(500))
    amount: Mapped[int | None]
