"""The ledger's rows: entries that are only ever added, chained by hash, and the head of each practice's chain."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.invoicing.model.base import Base


class LedgerEntry(Base):
    """One posting: debits positive, credits negative, minor units; `hash` covers the entry and the hash before it."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("entries_of_an_invoice", "practice_id", "invoice_id", "seq"),
        Index("entries_in_order", "practice_id", "seq", unique=True),
        {"info": {"only_added": True}},
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    practice_id: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int]
    transaction_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(30))
    account: Mapped[str] = mapped_column(String(30))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    invoice_id: Mapped[str | None] = mapped_column(String(40))
    client_id: Mapped[str] = mapped_column(String(40))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    refund_id: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class ChainHead(Base):
    """How long a practice's chain is and what its last hash is; locked while entries are added."""

    __tablename__ = "chain_heads"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
