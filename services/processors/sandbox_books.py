"""The sandbox's own books, in a database of their own as a processor would have. Nothing of ours is read or written here.

One row per reference: a reference is charged once, and one that was closed is refused from then on. A row whose time has
not come has not happened yet, and happens by itself when it comes, whoever is still alive.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from shared.clock import SystemClock
from shared.database import Database, Moment
from shared.fields import rfc3339
from shared.settings import Settings

log = logging.getLogger(__name__)

metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("reference", String(40), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("merchant", String(40), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(20), nullable=False),
    Column("refusal", String(40)),
    Column("of_reference", String(40), index=True),
    Column("asked", Integer, nullable=False),
    Column("at", Moment, nullable=False),
)

DONE, DECLINED, WAITS_FOR_PAYER, CLOSED = "done", "declined", "requires_action", "closed"


@dataclass(frozen=True)
class Entry:
    """What the books hold under one reference; `happened` is false while its time is still to come."""

    reference: str
    kind: str
    merchant: str
    amount: int
    currency: str
    status: str
    refusal: str | None
    asked: int
    at: datetime
    happened: bool


class SandboxBooks:
    """The pretended processor: it books, refuses, closes and tells. Amounts are in minor units."""

    def __init__(self, database: Database, clock):
        self.database, self.clock = database, clock
        self._made = False

    @classmethod
    def of(cls, settings: Settings, clock=None) -> "SandboxBooks":
        return cls(Database(settings.database_url("sandbox_books")), clock or SystemClock())

    def close(self) -> None:
        self.database.dispose()

    def charge(
        self,
        reference: str,
        merchant: str,
        amount: int,
        currency: str,
        *,
        status: str = DONE,
        refusal: str | None = None,
        after: timedelta = timedelta(0),
    ) -> Entry:
        """Book a charge that happens `after` a while; a reference that is there already answers as it stands."""
        with self._transaction() as session:
            return self._book(session, reference, "charge", merchant, amount, currency, status=status, refusal=refusal, after=after)

    def refund(self, reference: str, of_reference: str, merchant: str, amount: int, currency: str) -> Entry:
        """Give back a part of a charge that happened; more than is left of it is declined."""
        with self._transaction() as session:
            charge = self._read(session, of_reference, lock=True)
            query = select(func.coalesce(func.sum(entries.c.amount), 0)).where(
                entries.c.of_reference == of_reference, entries.c.status == DONE, entries.c.reference != reference
            )
            given_back = int(session.scalar(query) or 0)
            fits = (
                charge is not None
                and charge.happened
                and (charge.kind, charge.status, charge.merchant, charge.currency) == ("charge", DONE, merchant, currency)
                and given_back + amount <= charge.amount
            )
            return self._book(
                session,
                reference,
                "refund",
                merchant,
                amount,
                currency,
                status=DONE if fits else DECLINED,
                refusal=None if fits else "invalid_request",
                of_reference=of_reference,
            )

    def answer(self, reference: str, approve: bool) -> Entry | None:
        """The payer's answer to the pretended bank; without effect where nothing waits for it. None for no such charge."""
        with self._transaction() as session:
            entry = self._read(session, reference, lock=True)
            if entry is None or entry.status != WAITS_FOR_PAYER:
                return entry
            said = {"status": DONE} if approve else {"status": DECLINED, "refusal": "authentication_required"}
            self._change(session, reference, at=self.clock.now(), **said)
            return self._read(session, reference)

    def look(self, reference: str) -> Entry | None:
        """What is booked under the reference, changing nothing."""
        with self._transaction() as session:
            return self._read(session, reference)

    def close_reference(self, reference: str, merchant: str, *, also_waiting: bool = False) -> Entry:
        """The entry as it stands if it has happened; else the reference is closed, and a later charge under it refused.

        One that waits for the payer is closed only where `also_waiting` says so.
        """
        with self._transaction() as session:
            entry = self._read(session, reference, lock=True)
            if entry is None:
                entry = self._book(session, reference, "cancel", merchant, 0, "", status=CLOSED)
            waiting = entry.status == WAITS_FOR_PAYER
            if (entry.status == DONE and not entry.happened) or (waiting and also_waiting):
                self._change(session, reference, status=CLOSED, at=self.clock.now())
                return self._read(session, reference) or entry
            return entry

    def listed(self, merchant: str | None = None) -> list[Entry]:
        """Every entry, in the order of time."""
        query = select(entries).order_by(entries.c.at, entries.c.reference)
        with self._transaction() as session:
            rows = session.execute(query if merchant is None else query.where(entries.c.merchant == merchant))
            return [self._entry(row) for row in rows]

    def _transaction(self):
        if not self._made:
            make_tables(self.database)
            self._made = True
        return self.database.transaction()

    def _book(
        self,
        session: Session,
        reference: str,
        kind: str,
        merchant: str,
        amount: int,
        currency: str,
        *,
        status: str,
        refusal: str | None = None,
        of_reference: str | None = None,
        after: timedelta = timedelta(0),
    ) -> Entry:
        row = dict(
            reference=reference, kind=kind, merchant=merchant, amount=amount, currency=currency, status=status,
            refusal=refusal, of_reference=of_reference, asked=int(kind != "cancel"), at=self.clock.now() + after,
        )  # fmt: skip
        try:
            with session.begin_nested():
                session.execute(insert(entries).values(**row))
        except IntegrityError:  # asked before, or closed: the first word stands, and the books count the asking
            self._change(session, reference, asked=entries.c.asked + row["asked"])
        entry = self._read(session, reference)
        assert entry is not None
        return entry

    def _read(self, session: Session, reference: str, *, lock: bool = False) -> Entry | None:
        query = select(entries).where(entries.c.reference == reference)
        row = session.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else self._entry(row)

    def _entry(self, row) -> Entry:
        known = {name: value for name, value in row._mapping.items() if name != "of_reference"}
        return Entry(**known, happened=row.at <= self.clock.now())

    @staticmethod
    def _change(session: Session, reference: str, **changes) -> None:
        session.execute(update(entries).where(entries.c.reference == reference).values(**changes))


def make_tables(database: Database) -> None:
    """The pretended processor brings its own tables; two processes that make them at once don't mind."""

    def make() -> None:
        with database.transaction() as session:
            metadata.create_all(session.connection())

    try:
        make()
    except (IntegrityError, OperationalError, ProgrammingError):
        log.info("the sandbox's tables were being made by another process")
        make()


def list_books(settings: Settings) -> list[dict]:
    """Money that moved in the sandbox: `{reference, kind, amount, currency, merchant, at, asked}`, in the order of time.

    `asked` counts how often the same reference was asked for: more than 1 means that something was sent twice.
    """
    books = SandboxBooks.of(settings)
    try:
        moved = [entry for entry in books.listed() if entry.status == DONE and entry.happened]
    finally:
        books.close()
    names = ("reference", "kind", "amount", "currency", "merchant", "asked")
    return [{**{name: getattr(entry, name) for name in names}, "at": rfc3339(entry.at)} for entry in moved]
