"""Invoicing's selects and locks; the practice is always the first word, and what another practice owns is simply not there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.invoicing.model import (
    LIVE,
    SETTLED,
    Client,
    ClientProvider,
    Colleague,
    Finding,
    Invoice,
    LedgerEntry,
    NumberCounter,
    Payment,
    Practice,
    Refund,
    Service,
    ServiceProvider,
    TimelineRow,
    idempotency,
)
from shared import idempotency as idempotent
from shared.caller import CLIENT, PROVIDER, Caller
from shared.database import Database
from shared.faults import NotFound, Unavailable
from shared.ids import new_id
from shared.told import Told

REFUND_SETTLED = Refund.status.in_(SETTLED)


class Storage:
    """Opens transactions on invoicing's own database."""

    def __init__(self, database: Database):
        self.database = database

    @contextmanager
    def transaction(self) -> Iterator["Tx"]:
        with self.database.transaction() as session:
            yield Tx(session)

    @contextmanager
    def reading(self) -> Iterator["Tx"]:
        with self.database.reading() as session:
            yield Tx(session)

    def close(self) -> None:
        self.database.dispose()


class Tx:
    """One transaction: rows are locked in the order invoice, client, number counter, chain head."""

    def __init__(self, session: Session):
        self.session = session

    def add(self, *rows: Any) -> None:
        self.session.add_all(rows)
        self.session.flush()

    # idempotency

    def recall(self, caller: Caller, now: datetime, subject_id: str | None = None) -> Told | None:
        return idempotent.recall(self.session, idempotency, caller, now, subject_id)

    def keep(self, caller: Caller, text: str, status: int | None = None) -> None:
        idempotent.keep(self.session, idempotency, caller, text, status)

    def keep_first(self, subject_id: str, text: str, status: int) -> Told:
        """Keep this answer for the request that began `subject_id` unless it has one; the answer that counts is returned."""
        idempotent.keep_for(self.session, idempotency, subject_id, text, status)
        kept = select(idempotency.c.answer, idempotency.c.status).where(idempotency.c.subject_id == subject_id)
        row = self.session.execute(kept).first()
        return Told(row.answer, status=row.status) if row else Told(text, status=status)

    def told_before(self, caller: Caller) -> Told | None:
        """The kept answer to this very request; unlike `recall` it leaves no row behind. Raises as `recall` does."""
        return idempotent.known(self.session, idempotency, caller)

    def forget_keys(self, before: datetime) -> None:
        """Delete every practice's idempotency rows that are older (for the timer)."""
        self.session.execute(delete(idempotency).where(idempotency.c.created_at < before))

    # parties

    def practice(self, practice_id: str) -> Practice:
        """The practice's copy; Unavailable until it has arrived."""
        found = self.session.get(Practice, practice_id)
        if found is None:
            raise Unavailable("practice_not_ready", "The practice is still being set up. Try again in a moment.")
        return found

    def client(self, caller: Caller, client_id: str, *, lock: bool = False) -> Client:
        """A client that the caller may see; NotFound else."""
        wanted = select(Client).where(Client.practice_id == caller.practice_id, Client.client_id == client_id)
        if caller.role == PROVIDER:
            wanted = wanted.where(_listed_on(Client.practice_id, Client.client_id, caller.member_id))
        if caller.role == CLIENT and caller.member_id != client_id:
            raise NotFound()
        return self._one(wanted, lock)

    def provider_ids(self, practice_id: str, client_id: str) -> list[str]:
        listed = select(ClientProvider.provider_id).where(
            ClientProvider.practice_id == practice_id, ClientProvider.client_id == client_id
        )
        return list(self.session.scalars(listed.order_by(ClientProvider.position)))

    def colleague(self, practice_id: str, colleague_id: str) -> Colleague | None:
        return self.session.get(Colleague, (practice_id, colleague_id))

    # the service

    def service(self, practice_id: str) -> tuple[bool, list[str]]:
        """Whether the service is on, and who is assigned."""
        row = self.session.get(Service, practice_id)
        assigned = select(ServiceProvider.provider_id).where(ServiceProvider.practice_id == practice_id)
        return bool(row and row.enabled), sorted(self.session.scalars(assigned))

    # invoices

    def invoice(self, caller: Caller, invoice_id: str, *, lock: bool = False) -> Invoice:
        """The invoice, held until commit with `lock`; NotFound for another practice's, as for none."""
        wanted = select(Invoice).where(Invoice.practice_id == caller.practice_id, Invoice.id == invoice_id)
        return self._one(wanted.where(*visible_to(caller)), lock)

    def payment(self, caller: Caller, payment_id: str) -> Payment:
        wanted = select(Payment).join(Invoice, Invoice.id == Payment.invoice_id)
        wanted = wanted.where(Payment.practice_id == caller.practice_id, Payment.id == payment_id, *visible_to(caller))
        return self._one(wanted)

    def refund(self, caller: Caller, refund_id: str) -> Refund:
        wanted = select(Refund).join(Invoice, Invoice.id == Refund.invoice_id)
        wanted = wanted.where(Refund.practice_id == caller.practice_id, Refund.id == refund_id, *visible_to(caller))
        return self._one(wanted)

    def payment_by_id(self, practice_id: str, payment_id: str) -> Payment | None:
        """The practice's payment as it stands in the database now, whoever asks: for settling, where no person is named."""
        wanted = select(Payment).where(Payment.practice_id == practice_id, Payment.id == payment_id)
        return self.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()

    def refund_by_id(self, practice_id: str, refund_id: str) -> Refund | None:
        wanted = select(Refund).where(Refund.practice_id == practice_id, Refund.id == refund_id)
        return self.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()

    def credit_to_spend(self, client: Client) -> int:
        """The client's credit less the late money that is on its way back; the client's row is locked where it is to be spent."""
        wanted = select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.practice_id == client.practice_id, Refund.client_id == client.client_id, Refund.of_credit, ~REFUND_SETTLED
        )
        return max(0, client.credit - int(self.session.scalar(wanted) or 0))

    def payments_of(self, invoice: Invoice) -> list[Payment]:
        wanted = select(Payment).where(Payment.practice_id == invoice.practice_id, Payment.invoice_id == invoice.id)
        return list(self.session.scalars(wanted.order_by(Payment.created_at, Payment.id)))

    def live_statuses(self, invoices: Sequence[Invoice]) -> dict[str, str]:
        """By invoice the status of its payment that is on its way; without those that have none."""
        ids = [invoice.live_payment_id for invoice in invoices if invoice.live_payment_id]
        if not ids:
            return {}
        wanted = select(Payment.invoice_id, Payment.status).where(
            Payment.practice_id == invoices[0].practice_id, Payment.id.in_(ids)
        )
        return {row.invoice_id: row.status for row in self.session.execute(wanted)}

    def has_refundable(self, invoice: Invoice) -> bool:
        """Whether any payment of the invoice still has something to refund."""
        return any(payment.refundable > 0 for payment in self.payments_of(invoice))

    def refunds_of(self, invoice: Invoice) -> list[Refund]:
        wanted = select(Refund).where(Refund.practice_id == invoice.practice_id, Refund.invoice_id == invoice.id)
        return list(self.session.scalars(wanted.order_by(Refund.created_at, Refund.id)))

    def timeline_of(self, invoice: Invoice) -> list[TimelineRow]:
        wanted = select(TimelineRow).where(TimelineRow.practice_id == invoice.practice_id, TimelineRow.invoice_id == invoice.id)
        return list(self.session.scalars(wanted.order_by(TimelineRow.id.desc())))

    def entries_of(self, invoice: Invoice) -> list[LedgerEntry]:
        wanted = select(LedgerEntry).where(LedgerEntry.practice_id == invoice.practice_id, LedgerEntry.invoice_id == invoice.id)
        return list(self.session.scalars(wanted.order_by(LedgerEntry.seq)))

    def list_invoices(self, caller: Caller, wanted: Any, today: date, zone: ZoneInfo) -> Sequence[Invoice]:
        """One more row than `wanted.limit`, so that the reader knows whether there is another page."""
        rows = select(Invoice).where(Invoice.practice_id == caller.practice_id, *visible_to(caller))
        rows = rows.where(*_filters(wanted, today, zone))
        newest = wanted.sort != "oldest"
        if wanted.cursor:
            rows = rows.where(Invoice.id < wanted.cursor if newest else Invoice.id > wanted.cursor)
        return self.session.scalars(rows.order_by(Invoice.id.desc() if newest else Invoice.id).limit(wanted.limit + 1)).all()

    def sum_open(self, caller: Caller, today: date) -> tuple[int, int, int]:
        """Open balances due later, overdue balances, and how many invoices are overdue."""
        late = and_(Invoice.due_date.is_not(None), Invoice.due_date < today)
        row = self.session.execute(
            select(
                func.coalesce(func.sum(Invoice.balance_due).filter(or_(Invoice.due_date.is_(None), Invoice.due_date >= today)), 0),
                func.coalesce(func.sum(Invoice.balance_due).filter(late), 0),
                func.count().filter(late),
            ).where(Invoice.practice_id == caller.practice_id, Invoice.status == "open", *visible_to(caller))
        ).one()
        return int(row[0]), int(row[1]), int(row[2])

    def sum_balance(self, practice_id: str, client_id: str) -> int:
        """What a client still owes, in minor units."""
        owed = select(func.coalesce(func.sum(Invoice.balance_due), 0))
        owed = owed.where(Invoice.practice_id == practice_id, Invoice.client_id == client_id, Invoice.status == "open")
        return int(self.session.scalar(owed) or 0)

    def sum_paid_since(self, caller: Caller, moment: datetime) -> int:
        paid = select(func.coalesce(func.sum(Payment.applied), 0)).join(Invoice, Invoice.id == Payment.invoice_id)
        return int(
            self.session.scalar(
                paid.where(
                    Payment.practice_id == caller.practice_id,
                    Payment.settled_at >= moment,
                    Payment.status == "succeeded",
                    *visible_to(caller),
                )
            )
            or 0
        )

    def count_invoices(self, caller: Caller) -> tuple[int, int]:
        """How many there are and how many of them were sent; counted to 100 at most, since only `some` matters."""
        mine = select(Invoice.id).where(Invoice.practice_id == caller.practice_id, *visible_to(caller))
        some = (mine.limit(100), mine.where(Invoice.sent_at.is_not(None)).limit(100))
        all_, sent = (self.session.scalar(select(func.count()).select_from(rows.subquery())) for rows in some)
        return int(all_ or 0), int(sent or 0)

    # what waits

    def payments_needing_a_look(self, caller: Caller) -> Sequence[Any]:
        """(payment, its invoice) where a person should look, oldest first."""
        wanted = select(Payment, Invoice).join(Invoice, Invoice.id == Payment.invoice_id)
        wanted = wanted.where(
            Payment.practice_id == caller.practice_id, Payment.status.in_(("unknown", "review")), *visible_to(caller)
        )
        return self.session.execute(wanted.order_by(Payment.created_at).limit(200)).all()

    def refunds_needing_a_look(self, caller: Caller) -> Sequence[Any]:
        """(refund, its invoice) where a person should look, late money that is not back yet among them; oldest first."""
        wanted = select(Refund, Invoice).join(Invoice, Invoice.id == Refund.invoice_id)
        needs = or_(Refund.status.in_(("unknown", "review")), and_(Refund.of_credit, ~REFUND_SETTLED))
        wanted = wanted.where(Refund.practice_id == caller.practice_id, needs, *visible_to(caller))
        return self.session.execute(wanted.order_by(Refund.created_at).limit(200)).all()

    def finding(self, practice_id: str, finding_id: str) -> Finding:
        return self._one(select(Finding).where(Finding.practice_id == practice_id, Finding.id == finding_id), lock=True)

    def open_findings(self, practice_id: str) -> Sequence[Finding]:
        """What was found and nobody has closed yet, oldest first."""
        wanted = select(Finding).where(Finding.practice_id == practice_id, Finding.closed_at.is_(None))
        return self.session.scalars(wanted.order_by(Finding.created_at).limit(200)).all()

    def findings(self, practice_id: str, kind: str) -> Sequence[Finding]:
        """What was found of one kind, closed or not."""
        return self.session.scalars(select(Finding).where(Finding.practice_id == practice_id, Finding.kind == kind)).all()

    def about_finding(self, finding: Finding) -> tuple[Payment | None, Invoice | None]:
        """The payment that a finding names, with its invoice."""
        payment = self.payment_by_id(finding.practice_id, finding.payment_id) if finding.payment_id else None
        return payment, self.session.get(Invoice, payment.invoice_id) if payment else None

    def claim_due_checks(self, family: type[Payment] | type[Refund], now: datetime, again: datetime) -> list[tuple[str, str]]:
        """(practice, id) of payments or refunds whose check is due, each claimed until `again`; what somebody holds is left out."""
        due = select(family.practice_id, family.id).where(family.check_at <= now).order_by(family.check_at).limit(50)
        claimed = self.session.execute(due.with_for_update(skip_locked=True)).all()
        mine = update(family).where(family.id.in_([row.id for row in claimed])).values(check_at=again)
        self.session.execute(mine, execution_options={"synchronize_session": False})
        return [(row.practice_id, row.id) for row in claimed]

    # writing

    def next_number(self, practice_id: str) -> int:
        """The practice's next invoice number; its row stays locked until commit, so that none is skipped."""
        take = (
            update(NumberCounter).where(NumberCounter.practice_id == practice_id)
            .values(last=NumberCounter.last + 1).returning(NumberCounter.last)
        )  # fmt: skip
        number = self.session.scalar(take)
        if number is None:
            try:
                with self.session.begin_nested():
                    self.session.execute(insert(NumberCounter).values(practice_id=practice_id, last=0))
            except IntegrityError:
                pass
            number = self.session.scalar(take)
        assert number is not None
        return int(number)

    def remember(self, invoice: Invoice, caller: Caller, now: datetime, what: str, text: str, amount: int | None = None) -> None:
        """Append to the invoice's timeline."""
        self.session.add(
            TimelineRow(
                id=new_id("tml"),
                practice_id=invoice.practice_id,
                invoice_id=invoice.id,
                at=now,
                who=caller.name,
                role=caller.role,
                what=what,
                text=text,
                amount=amount,
            )
        )

    def _one(self, wanted: Select, lock: bool = False) -> Any:
        if lock:
            wanted = wanted.with_for_update().execution_options(populate_existing=True)
        found = self.session.scalars(wanted).one_or_none()
        if found is None:
            raise NotFound()
        return found


def _listed_on(practice_id: Any, client_id: Any, provider_id: str) -> Any:
    return exists().where(
        ClientProvider.practice_id == practice_id,
        ClientProvider.client_id == client_id,
        ClientProvider.provider_id == provider_id,
    )


def visible_to(caller: Caller) -> list[Any]:
    """Conditions on Invoice for what the caller may see: a provider their clients', a client their own sent ones."""
    if caller.role == PROVIDER:
        return [_listed_on(Invoice.practice_id, Invoice.client_id, caller.member_id)]
    if caller.role == CLIENT:
        return [Invoice.client_id == caller.member_id, Invoice.status != "draft"]
    return []


def _filters(wanted: Any, today: date, zone: ZoneInfo) -> list[Any]:
    found: list[Any] = []
    if wanted.status:
        found.append(_shown(wanted.status, today))
    if wanted.client_id:
        found.append(Invoice.client_id == wanted.client_id)
    if wanted.provider_id:
        found.append(Invoice.provider_id == wanted.provider_id)
    if wanted.from_:
        found.append(Invoice.created_at >= datetime.combine(wanted.from_, datetime.min.time(), zone))
    if wanted.to:
        found.append(Invoice.created_at <= datetime.combine(wanted.to, datetime.max.time(), zone))
    if wanted.q:
        found.append(Invoice.search.contains(wanted.q.lower(), autoescape=True))
    return found


def _shown(status: str, today: date) -> Any:
    """The shown statuses as conditions; `Invoice.shown_status` is the same rule for one row (a test compares the two)."""
    is_open = and_(Invoice.status == "open", Invoice.live_payment_id.is_(None))
    late = and_(Invoice.due_date.is_not(None), Invoice.due_date < today)
    ended = Invoice.status.in_(("paid", "forgiven"))
    given_back, kept_some = Invoice.amount_refunded > 0, Invoice.amount_refunded < Invoice.amount_paid
    return {
        "processing": and_(Invoice.status == "open", Invoice.live_payment_id.is_not(None)),
        "overdue": and_(is_open, late),
        "partially_paid": and_(is_open, ~late, Invoice.amount_paid > 0),
        "open": and_(is_open, ~late, Invoice.amount_paid == 0),
        "paid": and_(Invoice.status == "paid", ~given_back),
        "forgiven": and_(Invoice.status == "forgiven", ~given_back),
        "partially_refunded": and_(ended, given_back, kept_some),
        "refunded": and_(ended, given_back, ~kept_some),
    }.get(status, Invoice.status == status)


__all__ = ["LIVE", "Storage", "Tx", "visible_to"]
