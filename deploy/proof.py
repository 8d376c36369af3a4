"""The proof of the books: invoicing's ledger, and its settled card payments against what processors knows of them."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from services.invoicing import ledger
from services.invoicing.model import ChainHead, Invoice, Payment, Practice, Refund
from services.processors.model import SUCCEEDED, Attempt
from shared.database import Database
from shared.settings import Settings


def prove(settings: Settings) -> Iterator[str]:
    """One line a finding (`WRONG …`) and a last line that sums up; nothing is changed."""
    books = Database(settings.database_url("invoicing"))
    findings = practices = entries = 0
    try:
        with books.reading() as session:
            known = set(session.scalars(select(Practice.practice_id))) | set(
                session.scalars(select(Invoice.practice_id).distinct())
            )
            for practice_id in sorted(known | set(session.scalars(select(ChainHead.practice_id)))):
                practices += 1
                for finding in ledger.verify(session, practice_id):
                    findings += 1
                    yield f"WRONG  {finding}"
            entries = sum(session.scalars(select(ChainHead.seq)))
        for finding in _against_processors(settings, books):
            findings += 1
            yield f"WRONG  {finding}"
    finally:
        books.dispose()
    yield f"{'not balanced' if findings else 'balanced'}: {entries} entries of {practices} practice(s), {findings} finding(s)"


def _against_processors(settings: Settings, books: Database) -> Iterator[str]:
    """Card payments and refunds that one side holds for done and the other does not, or with another amount."""
    attempts = Database(settings.database_url("processors"))
    try:
        with attempts.reading() as session:
            settled = select(Attempt.id, Attempt.amount).where(Attempt.status == SUCCEEDED)
            theirs = {row.id: row.amount for row in session.execute(settled)}
    finally:
        attempts.dispose()
    with books.reading() as session:
        ours = {
            row.id: row.amount
            for family in (Payment, Refund)
            for row in session.execute(select(family.id, family.amount).where(family.status == "succeeded", _by_card(family)))
        }
    for record in sorted(ours.keys() | theirs.keys()):
        if ours.get(record) != theirs.get(record):
            yield f"{record}: the ledger has {ours.get(record, 'nothing')}, the processors service has {theirs.get(record, 'nothing')}"


def _by_card(family: type[Payment] | type[Refund]) -> Any:
    if family is Payment:
        return Payment.method == "card"
    return Refund.payment_id.in_(select(Payment.id).where(Payment.method == "card"))


def sandbox_lines(settings: Settings, as_json: bool) -> Iterator[str]:
    """The sandbox's own books, a line each, oldest first."""
    from services.processors.sandbox_books import list_books

    for row in list_books(settings):
        if as_json:
            yield json.dumps(row)
        else:
            yield f"{row['reference']:<22} {row['kind']:<8} {row['amount']:>10} {row['currency']}  {row['at']}"
