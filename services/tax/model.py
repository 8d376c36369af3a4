"""What tax remembers: a practice's requirement, and which of its clients are exempt. No session, no clock, no arithmetic."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import Moment
from shared.faults import invalid
from shared.fields import Record, plain
from shared.idempotency import idempotency_table

USUAL_NAME = "Sales tax"


class Base(DeclarativeBase):
    """The tables of tax."""


idempotency = idempotency_table(Base.metadata)


class Settings(Base):
    """The requirement that an admin of one practice selected, with everything that goes with it."""

    __tablename__ = "settings"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    requirement: Mapped[str] = mapped_column(String(20), default="none")
    name: Mapped[str | None] = mapped_column(String(60))
    rate_text: Mapped[str | None] = mapped_column("rate", String(40))  # text: SQLite has no decimals of its own
    prices_include_tax: Mapped[bool] = mapped_column(Boolean, default=False)
    sourcing: Mapped[str] = mapped_column(String(10), default="practice")
    rounding: Mapped[str] = mapped_column(String(10), default="invoice")
    rounding_mode: Mapped[str] = mapped_column(String(10), default="half_up")
    default_category: Mapped[str] = mapped_column(String(10), default="taxable")
    chosen: Mapped[bool] = mapped_column(Boolean, default=False)
    changed_by: Mapped[str] = mapped_column(String(40), default="")
    changed_at: Mapped[datetime | None] = mapped_column(Moment)

    @classmethod
    def unchosen(cls, practice_id: str) -> "Settings":
        """The settings of a practice whose admin has not chosen yet: nothing is taxed."""
        return cls(
            practice_id=practice_id, requirement="none", prices_include_tax=False, sourcing="practice", rounding="invoice",
            rounding_mode="half_up", default_category="taxable", chosen=False, changed_by="",
        )  # fmt: skip

    @property
    def rate(self) -> Decimal | None:
        """The flat rate as a fraction: 0.0725 is 7.25 %; None where the requirement has no single rate."""
        return None if self.rate_text is None else Decimal(self.rate_text)

    def choose(self, request: Record, by: str, now: datetime) -> None:
        """Take over what an admin selected; raises Invalid naming `rate` for a flat tax without one."""
        flat = request.requirement == "flat"
        if flat and request.rate is None:
            raise invalid("rate", 'A flat tax needs a rate, such as "0.0725" for 7.25 %.')
        self.requirement = request.requirement
        self.name = (request.name or USUAL_NAME) if flat else None
        self.rate_text = plain(request.rate) if flat else None
        for field in ("prices_include_tax", "sourcing", "rounding", "rounding_mode", "default_category"):
            setattr(self, field, request[field])
        self.chosen, self.changed_by, self.changed_at = True, by, now


class ClientCopy(Base):
    """What tax keeps of a client of one practice; the gateway owns the original."""

    __tablename__ = "clients"

    practice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=0)
    tax_exempt: Mapped[bool] = mapped_column(Boolean, default=False)

    def follow(self, request: Record) -> None:
        """Take over a newer version; an older one, or the same again, changes nothing."""
        if request.version > self.version:
            self.version, self.tax_exempt = request.version, request.tax_exempt
