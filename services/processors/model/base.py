"""What all of processors' tables share, and the ones that every service has."""

from sqlalchemy.orm import DeclarativeBase

from shared.idempotency import idempotency_table
from shared.outbox import inbox_table, outbox_table


class Base(DeclarativeBase):
    """The tables of processors."""


outbox = outbox_table(Base.metadata)
inbox = inbox_table(Base.metadata)
idempotency = idempotency_table(Base.metadata)
