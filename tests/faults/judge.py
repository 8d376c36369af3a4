"""The judge: the processor's own books against ours, invoice by invoice, and the proof of the ledger. It changes nothing."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from deploy.proof import prove
from services.invoicing.model import LIVE, SETTLED, Payment, Refund
from services.processors.model import Attempt
from shared.database import Database
from shared.settings import Settings
from shared.tenancy import acting_for_all

WERE_APPROVED = ("approved", "voided", "held", "requires_capture")


@dataclass
class Verdict:
    """What was found: each a list of sentences, empty where all is well."""

    double: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        for name in vars(self):
            getattr(self, name).extend(getattr(other, name))

    @property
    def is_clean(self) -> bool:
        return not any(vars(self).values())


def _for_all(look: Callable) -> Callable:
    """The judge looks at every practice."""

    @functools.wraps(look)
    def looking(*given: Any) -> Any:
        with acting_for_all():
            return look(*given)

    return looking


@_for_all
def still_open(settings: Settings) -> list[str]:
    """Payments and refunds that have not ended."""
    with _reading(settings, "invoicing") as session:
        payments = session.scalars(select(Payment.id).where(Payment.status.in_(LIVE))).all()
        refunds = session.scalars(select(Refund.id).where(Refund.status.not_in(SETTLED))).all()
    return [*payments, *refunds]


@_for_all
def judge(settings: Settings, books: Iterable[dict]) -> Verdict:
    """`books` are the simulators' entries. A second approved charge of an invoice is double even if it was given back."""
    found = Verdict(unknown=still_open(settings), unbalanced=[line for line in prove(settings) if line.startswith("WRONG")])
    with _reading(settings, "processors") as session:
        attempts = {row.reference: (row.id, row.kind, row.invoice_id) for row in session.scalars(select(Attempt))}
    with _reading(settings, "invoicing") as session:
        paid = {row.id: row.amount for row in session.scalars(select(Payment).where(Payment.status == "succeeded"))}
        returned = {row.id: row.amount for row in session.scalars(select(Refund).where(Refund.status == "succeeded"))}
        refund_of = {row.id: row.payment_id for row in session.scalars(select(Refund))}
    approved: dict[str, list[str]] = defaultdict(list)
    charged: set[str] = set()
    voided: set[str] = set()
    for entry in books:
        its_id, kind, invoice_id = attempts.get(entry["reference"], ("", entry["kind"], ""))
        if entry["status"] not in WERE_APPROVED:
            continue
        if not its_id:
            found.lost.append(f"{entry['kind']} {entry['reference']} of {entry['amount']} is not known to us")
        elif kind == "charge":
            approved[invoice_id].append(entry["reference"])
            charged.add(its_id)
            voided |= {its_id} if entry["status"] == "voided" else set()
            if entry["status"] != "voided" and paid.get(its_id) != entry["amount"]:
                found.lost.append(f"charge of payment {its_id}: {entry['amount']} there, {paid.get(its_id)} here")
        elif returned.pop(its_id, None) != entry["amount"]:
            found.lost.append(f"refund {its_id}: {entry['amount']} there, not so here")
    found.double = [f"invoice {invoice}: {len(refs)} approved charges" for invoice, refs in approved.items() if len(refs) > 1]
    found.lost += [f"payment {its_id} is paid here and was never charged" for its_id in paid.keys() - charged]
    found.lost += [f"refund {its_id} is given here, not there" for its_id in returned if refund_of[its_id] not in voided]
    undone = {refund_of[its_id] for its_id in refund_of if refund_of[its_id] in voided}
    found.lost += [f"payment {its_id} was voided there and not given back here" for its_id in (voided & paid.keys()) - undone]
    return found


def _reading(settings: Settings, service: str):
    return Database(settings.database_url(service)).reading()
