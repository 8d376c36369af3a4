"""Copies of the gateway's facts (practices, clients, colleagues), and what invoicing itself knows of them: service, credit, numbers."""

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.invoicing.model.base import Base


class Practice(Base):
    __tablename__ = "practices"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64))
    address: Mapped[dict[str, Any] | None]
    number_prefix: Mapped[str] = mapped_column(String(12))
    terms_days: Mapped[int]
    partial_payments: Mapped[bool]

    @property
    def party(self) -> dict:
        return {"name": self.name, "address": self.address}


class Client(Base):
    """`credit` is money kept for the client, in minor units; the ledger's client_credit of this client says the same."""

    __tablename__ = "clients"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    address: Mapped[dict[str, Any] | None]
    active: Mapped[bool]
    credit: Mapped[int] = mapped_column(default=0)

    @property
    def party(self) -> dict:
        return {"name": self.name, "address": self.address}


class ClientProvider(Base):
    """Which provider is listed on which client."""

    __tablename__ = "client_providers"
    __table_args__ = (
        ForeignKeyConstraint(["practice_id", "client_id"], ["clients.practice_id", "clients.client_id"]),
        Index("clients_of_a_provider", "practice_id", "provider_id"),
    )

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)


class Colleague(Base):
    __tablename__ = "colleagues"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    colleague_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    roles: Mapped[list[str]]
    active: Mapped[bool]


class Service(Base):
    """Whether the Client Billing service is on for a practice."""

    __tablename__ = "services"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    enabled: Mapped[bool]


class ServiceProvider(Base):
    """A provider who is assigned to the service."""

    __tablename__ = "service_providers"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class NumberCounter(Base):
    """The last invoice number given in a practice; locked in the sending transaction, so that no number is skipped."""

    __tablename__ = "number_counters"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    last: Mapped[int]
