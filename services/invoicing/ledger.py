"""The double-entry ledger: the postings of each action, the chain they are added to, and the proof of the whole.

Debits are positive and credits negative; every transaction sums to zero. Postings as the decisions' table has them.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.invoicing.model import SETTLED, ChainHead, Client, Invoice, LedgerEntry, NumberCounter, Payment, Refund
from shared.ids import new_id

ACCOUNTS = (
    "receivable", "revenue", "sales_tax_payable", "processor_clearing", "cash", "refunds", "write_offs", "client_credit",
)  # fmt: skip
FIRST = "0" * 64
WHY = {
    "send": "The invoice was sent",
    "void": "The invoice was voided",
    "forgive": "The balance was forgiven",
    "card_payment": "A card payment succeeded",
    "recorded_payment": "A payment was recorded",
    "credit_applied": "The client's credit was used",
    "credit_paid_out": "The client's credit was paid out",
    "refund": "A refund was given",
    "refund_reopened": "A payment was refunded and the balance is due again",
    "late_money": "Money arrived that the invoice could no longer take",
    "late_money_returned": "Money that arrived late was given back",
    "refund_failed": "A refund failed afterwards: the money came back to the practice",
    "late_money_kept": "Money that was given back came back: it is the client's credit again",
}


@dataclass(frozen=True)
class About:
    """What a ledger transaction is about; every entry names it."""

    practice_id: str
    client_id: str
    currency: str
    invoice_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None


def post(session: Session, kind: str, about: About, postings: Iterable[tuple[str, int]], now: datetime) -> None:
    """Add one transaction of (account, amount) postings to the practice's chain; zero amounts are left out.

    Raises ValueError where it does not sum to zero or names an account that is not ours: nothing is written then.
    """
    lines = [(account, amount) for account, amount in postings if amount]
    if sum(amount for _, amount in lines) or any(account not in ACCOUNTS for account, _ in lines):
        raise ValueError(f"a {kind} that does not balance")
    if not lines:
        return
    head = _lock_head(session, about.practice_id)
    transaction_id, rows = new_id("txn"), []
    for account, amount in lines:
        head.seq += 1
        row = {
            "id": new_id("ent"), "practice_id": about.practice_id, "seq": head.seq, "transaction_id": transaction_id, "kind": kind,
            "account": account, "amount": amount, "currency": about.currency, "invoice_id": about.invoice_id,
            "client_id": about.client_id, "payment_id": about.payment_id, "refund_id": about.refund_id, "at": now,
            "previous_hash": head.hash,
        }  # fmt: skip
        head.hash = row["hash"] = entry_hash(row)
        rows.append(row)
    session.execute(insert(LedgerEntry), rows)


def _lock_head(session: Session, practice_id: str) -> ChainHead:
    wanted = select(ChainHead).where(ChainHead.practice_id == practice_id).with_for_update()
    head = session.execute(wanted.execution_options(populate_existing=True)).scalar_one_or_none()
    if head is None:
        try:
            with session.begin_nested():
                session.add(ChainHead(practice_id=practice_id, seq=0, hash=FIRST))
        except IntegrityError:  # somebody else's first entry came between
            pass
        head = session.execute(wanted.execution_options(populate_existing=True)).scalar_one()
    return head


_HASHED = (
    "id", "practice_id", "seq", "transaction_id", "kind", "account", "amount", "currency", "invoice_id", "client_id", "payment_id",
    "refund_id", "previous_hash",
)  # fmt: skip


def entry_hash(row: dict) -> str:
    """SHA-256 over the entry's fields in a fixed order, the time included and the hash before it."""
    content = [row[name] for name in _HASHED] + [row["at"].astimezone(UTC).isoformat(timespec="microseconds")]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


@dataclass
class Figures:
    """What the entries say of one invoice or of one payment, in minor units."""

    by_kind: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def of(self, account: str, *kinds: str) -> int:
        return sum(amount for (kind, named), amount in self.by_kind.items() if named == account and (not kinds or kind in kinds))

    @property
    def total(self) -> int:
        return self.of("receivable", "send")

    @property
    def tax(self) -> int:
        return -self.of("sales_tax_payable", "send")

    @property
    def balance(self) -> int:
        return self.of("receivable")

    @property
    def paid(self) -> int:
        return -self.of("receivable", "card_payment", "recorded_payment", "credit_applied", "refund_reopened", "refund_failed")

    @property
    def refunded(self) -> int:
        given = ("refund", "refund_failed")
        return self.of("refunds", *given) + self.of("sales_tax_payable", *given)

    @property
    def forgiven(self) -> int:
        return self.of("write_offs", "forgive")

    @property
    def status(self) -> str:
        """The stored status of an invoice that was sent."""
        if self.of("receivable", "void"):
            return "void"
        return "forgiven" if self.forgiven else "open" if self.balance else "paid"

    @property
    def credited(self) -> int:
        """What of a payment became the client's credit."""
        return -self.of("client_credit", "card_payment", "late_money", "recorded_payment", "refund_failed")

    @property
    def given_back(self) -> int:
        """What of a payment's applied part was refunded and stayed so, whether it reopened the balance or not."""
        reopened = self.of("receivable", "refund_reopened", "refund_failed") + self.of("client_credit", "refund_failed")
        return self.refunded + reopened

    @property
    def applied(self) -> int:
        """What of a payment went to its invoice; of a refund that failed too late for that, the rest became credit."""
        came_in = -self.of("receivable", "card_payment", "recorded_payment", "credit_applied")
        return came_in + self.of("client_credit", "refund_failed")


def verify(session: Session, practice_id: str) -> Iterator[str]:
    """Every way in which a practice's ledger does not add up, in words that name the entry, invoice or client; nothing if it does."""
    invoices: dict[str, Figures] = defaultdict(Figures)
    payments: dict[str, Figures] = defaultdict(Figures)
    credit: dict[str, int] = defaultdict(int)
    transactions: dict[str, int] = defaultdict(int)
    previous, seq = FIRST, 0
    entries = session.execute(
        select(LedgerEntry.__table__).where(LedgerEntry.practice_id == practice_id).order_by(LedgerEntry.seq)
        .execution_options(yield_per=2000)
    )  # fmt: skip
    for entry in entries.mappings():
        seq += 1
        if entry["seq"] != seq or entry["previous_hash"] != previous or entry_hash(dict(entry)) != entry["hash"]:
            yield f"entry {entry['id']} (number {entry['seq']} of practice {practice_id}) was altered, or one before it is missing"
            return
        previous = entry["hash"]
        transactions[entry["transaction_id"]] += entry["amount"]
        if not transactions[entry["transaction_id"]]:
            del transactions[entry["transaction_id"]]
        if entry["invoice_id"]:
            invoices[entry["invoice_id"]].by_kind[entry["kind"], entry["account"]] += entry["amount"]
        if entry["payment_id"]:
            payments[entry["payment_id"]].by_kind[entry["kind"], entry["account"]] += entry["amount"]
        if entry["account"] == "client_credit":
            credit[entry["client_id"]] -= entry["amount"]
    yield from (f"transaction {transaction} does not sum to zero, but to {rest}" for transaction, rest in transactions.items())
    yield from _verify_head(session, practice_id, seq, previous)
    yield from _verify_invoices(session, practice_id, invoices)
    yield from _verify_payments(session, practice_id, payments)
    yield from _verify_credit(session, practice_id, credit)
    yield from _verify_numbers(session, practice_id)


def _verify_head(session: Session, practice_id: str, seq: int, last: str) -> Iterator[str]:
    head = session.execute(select(ChainHead).where(ChainHead.practice_id == practice_id)).scalar_one_or_none()
    if (head.seq, head.hash) != (seq, last) if head else seq:
        said = head.seq if head else "nothing"
        yield f"the chain of practice {practice_id} ends at entry {seq}, its head says {said}: entries were taken off or added"


def _verify_invoices(session: Session, practice_id: str, invoices: dict[str, Figures]) -> Iterator[str]:
    stored = session.execute(
        select(
            Invoice.id, Invoice.status, Invoice.total, Invoice.tax, Invoice.amount_paid, Invoice.amount_refunded,
            Invoice.amount_forgiven, Invoice.balance_due,
        ).where(Invoice.practice_id == practice_id, Invoice.status != "draft").execution_options(yield_per=2000)
    )  # fmt: skip
    for row in stored:
        entries = invoices.pop(row.id, Figures())
        figures: list[tuple[str, object, object]] = [
            ("status", row.status, entries.status),
            ("total", row.total, entries.total),
            ("tax", row.tax, entries.tax),
            ("amount_paid", row.amount_paid, entries.paid),
            ("amount_refunded", row.amount_refunded, entries.refunded),
            ("amount_forgiven", row.amount_forgiven, entries.forgiven),
            ("balance_due", row.balance_due, entries.balance),
        ]
        for name, said, proved in figures:
            if said != proved:
                yield f"invoice {row.id}: {name} is stored as {said}, its entries say {proved}"
    yield from (f"invoice {invoice} has entries but is not there" for invoice in invoices)


def _verify_credit(session: Session, practice_id: str, credit: dict[str, int]) -> Iterator[str]:
    for row in session.execute(select(Client.client_id, Client.credit).where(Client.practice_id == practice_id)):
        if row.credit != credit.pop(row.client_id, 0):
            yield f"client {row.client_id}: credit is stored as {row.credit}, its entries say otherwise"
    yield from (f"client {client} has credit entries but is not there" for client, amount in credit.items() if amount)


def _verify_payments(session: Session, practice_id: str, payments: dict[str, Figures]) -> Iterator[str]:
    """What each payment says was applied, kept as credit and given back; and what unsettled refunds hold of it."""
    waiting = select(Refund.payment_id, func.sum(Refund.amount)).where(
        Refund.practice_id == practice_id, Refund.status.not_in(SETTLED), ~Refund.of_credit
    )
    held = {row[0]: int(row[1]) for row in session.execute(waiting.group_by(Refund.payment_id))}
    stored = session.execute(
        select(Payment.id, Payment.applied, Payment.credited, Payment.refunded, Payment.held)
        .where(Payment.practice_id == practice_id).execution_options(yield_per=2000)
    )  # fmt: skip
    for row in stored:
        entries = payments.pop(row.id, Figures())
        proofs = {
            "applied": entries.applied,
            "credited": entries.credited,
            "refunded": entries.given_back,
            "held": held.get(row.id, 0),
        }
        for name, proved in proofs.items():
            if getattr(row, name) != proved:
                yield f"payment {row.id}: {name} is stored as {getattr(row, name)}, its entries and refunds say {proved}"
    yield from (f"payment {payment} has entries but is not there" for payment in payments)


def _verify_numbers(session: Session, practice_id: str) -> Iterator[str]:
    last = session.scalar(select(NumberCounter.last).where(NumberCounter.practice_id == practice_id)) or 0
    numbered = select(func.count()).where(Invoice.practice_id == practice_id, Invoice.number.is_not(None))
    if (count := session.scalar(numbered)) != last:
        yield f"the numbers of practice {practice_id} have gaps: {last} were given, {count} invoices have one"
