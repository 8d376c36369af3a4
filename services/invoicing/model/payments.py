"""Payments and refunds as attempts: committed before anybody is asked for money, and settled once."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.invoicing.model.base import Base

LIVE = ("pending", "requires_action", "unknown", "review")  # a payment in one of these may still take money
SETTLED = ("succeeded", "failed")  # how a refund ends
_IS_LIVE = text("status in ('pending', 'requires_action', 'unknown', 'review')")


class Payment(Base):
    """`applied` of `amount` went to the invoice, `credited` to the client's credit (both 0 until it succeeded)."""

    __tablename__ = "payments"
    __table_args__ = (
        # the lock against charging twice: two live payments of one invoice can't both be committed
        Index("one_live_payment", "invoice_id", unique=True, sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE),
        Index("payments_to_check", "check_at"),
        Index("payments_of_an_invoice", "practice_id", "invoice_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"))
    client_id: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(20))
    amount: Mapped[int]
    applied: Mapped[int] = mapped_column(default=0)
    credited: Mapped[int] = mapped_column(default=0)
    refunded: Mapped[int] = mapped_column(default=0)  # succeeded refunds of the applied part
    held: Mapped[int] = mapped_column(default=0)  # refunds of it that are not settled yet
    currency: Mapped[str] = mapped_column(String(3))
    processor_type: Mapped[str | None] = mapped_column(String(20))
    processor_id: Mapped[str | None] = mapped_column(String(40))
    processor_reference: Mapped[str | None] = mapped_column(String(40))
    card: Mapped[dict[str, Any] | None]
    failure: Mapped[dict[str, Any] | None]
    next_action: Mapped[dict[str, Any] | None]
    charged_by: Mapped[dict[str, Any] | None]  # who of the staff charged a card on file, and why
    reference: Mapped[str | None] = mapped_column(String(100))
    received_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    check_at: Mapped[datetime | None]

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def refundable(self) -> int:
        """What may still be refunded: pending and unknown refunds hold their share back."""
        return self.applied - self.refunded - self.held if self.status == "succeeded" else 0


class Refund(Base):
    """`posted_to` says what it gave back: `refunds` (income), `receivable` (reopened the balance) or `client_credit` (late money)."""

    __tablename__ = "refunds"
    __table_args__ = (
        Index("refunds_of_an_invoice", "practice_id", "invoice_id"),
        Index("refunds_of_credit", "practice_id", "client_id", sqlite_where=text("of_credit"), postgresql_where=text("of_credit")),
        Index("refunds_to_check", "check_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    client_id: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(24))
    amount: Mapped[int]
    tax: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    of_credit: Mapped[bool] = mapped_column(default=False)  # gives back late money, held as the client's credit
    posted_to: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(500))
    failure: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    check_at: Mapped[datetime | None]

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED


class Finding(Base):
    """Something that only a person can explain: a refund that failed afterwards, or lists that don't agree. Open until closed."""

    __tablename__ = "findings"
    __table_args__ = (Index("findings_of_a_practice", "practice_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(30))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    refund_id: Mapped[str | None] = mapped_column(String(40))
    reference: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(200))
