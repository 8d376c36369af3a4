"""The declarative base of invoicing's tables, and the tables that every service keeps: outbox, inbox, idempotency."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import DeclarativeBase

from shared.database import Json, Moment
from shared.idempotency import idempotency_table
from shared.outbox import inbox_table, outbox_table


class Base(DeclarativeBase):
    """Ids are text, amounts 64-bit integers of minor units, times UTC."""

    type_annotation_map = {str: String(200), int: BigInteger, datetime: Moment, dict[str, Any]: Json, list[str]: Json}


outbox = outbox_table(Base.metadata)
inbox = inbox_table(Base.metadata)
idempotency = idempotency_table(Base.metadata)
Index("idempotency_by_subject", idempotency.c.subject_id)  # each settlement looks for the request that began it
