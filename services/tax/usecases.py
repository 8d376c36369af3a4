"""The stories of tax: choose the requirement, quote, keep copies of clients. Whoever calls brings database and clock."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

from services.tax import storage
from services.tax.calculators import calculator_for
from services.tax.calculators.base import Line, Quote, untaxed
from services.tax.model import Settings, idempotency
from shared.caller import ADMIN, PROVIDER, SYSTEM, Caller
from shared.clock import SystemClock
from shared.contracts.tax import Tax
from shared.database import Database
from shared.faults import invalid
from shared.fields import Record
from shared.idempotency import keep, recall
from shared.money import MOST, rounded
from shared.told import Told

# The one route whose key counts here: invoicing passes its callers on with the keys of its own routes, and a quote that
# is asked again for a changed invoice must be a new quote.
_OWN_ROUTE = "/tax/quotes"


def read_settings(caller: Caller, db: Database) -> Settings:
    """The requirement as it stands; `chosen` is false until an admin has picked one. Raises Forbidden."""
    caller.must_be(ADMIN, SYSTEM)
    with db.reading() as session:
        return storage.read_settings(session, caller.practice_id)


def change_settings(caller: Caller, request: Record, db: Database, clock: SystemClock) -> Settings:
    """Select the requirement for everything quoted from now on. Raises Forbidden, or Invalid naming `rate`."""
    caller.must_be(ADMIN)
    with db.transaction() as session:
        settings = storage.lock_settings(session, caller.practice_id)
        settings.choose(request, caller.member_id, clock.now())
        return settings


def quote(caller: Caller, request: Record, db: Database, clock: SystemClock) -> dict | Told:
    """The tax of an amount or of lines, with the shares that sum to it. Raises Forbidden, or Invalid naming the field."""
    caller.must_be(ADMIN, PROVIDER, SYSTEM)
    if caller.key is None or not caller.key.route.endswith(_OWN_ROUTE):
        with db.reading() as session:
            return _answer(_quoted(session, caller.practice_id, request))
    with db.transaction() as session:
        if told := recall(session, idempotency, caller, clock.now()):
            return told
        answer = Tax.quote.dump_answer(_answer(_quoted(session, caller.practice_id, request)))
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        keep(session, idempotency, caller, text, 200)
        return Told(text, status=200)


def put_client(caller: Caller, request: Record, db: Database) -> dict:
    """Keep what a client's exemption is now; the answer is the version that is held. Raises Forbidden."""
    caller.must_be(SYSTEM)
    with db.transaction() as session:
        copy = storage.lock_client(session, caller.practice_id, request.client_id)
        copy.follow(request)
        return {"version": copy.version}


def forget_old_keys(db: Database, clock: SystemClock) -> None:
    """Drop the idempotency keys that are older than anybody was promised."""
    with db.transaction() as session:
        storage.forget_old_keys(session, clock.now())


def _quoted(session, practice_id: str, request: Record) -> Quote:
    settings = storage.read_settings(session, practice_id)
    lines = _lines(request, settings.default_category)
    if storage.is_exempt(session, practice_id, request.client_id):
        return untaxed(lines, "No tax: this client is exempt.")
    worked = calculator_for(settings).quote(lines, request.currency)
    _refuse_too_much(worked.total, request)
    return worked


def _lines(request: Record, usual: str) -> Sequence[Line]:
    """What is to be taxed; a line without a category is of the practice's usual one."""
    if (request.amount is None) == (request.lines is None):
        raise invalid("amount", "Send either an amount or lines.")
    if request.lines is None:
        lines = [Line(request.amount, usual)]
    else:
        lines = [Line(_amount(line, f"lines.{at}"), line.category or usual) for at, line in enumerate(request.lines)]
    _refuse_too_much(sum(line.amount for line in lines), request)
    return lines


def _amount(line: Record, field: str) -> int:
    """What a line comes to; raises Invalid unless it has either an `amount` or a `unit_amount`."""
    if (line.amount is None) == (line.unit_amount is None):
        raise invalid(f"{field}.unit_amount", "Send a unit_amount with its quantity, or an amount.")
    if line.amount is None:
        return rounded((Decimal(1) if line.quantity is None else line.quantity) * line.unit_amount)
    if line.quantity is not None:
        raise invalid(f"{field}.quantity", "A quantity goes with a unit_amount.")
    return int(line.amount)


def _refuse_too_much(total: int, request: Record) -> None:
    if total > MOST:
        raise invalid("amount" if request.lines is None else "lines", "Together this is more than one invoice can hold.")


def _answer(worked: Quote) -> dict:
    return {**asdict(worked), "subtotal": worked.subtotal, "tax": worked.tax, "total": worked.total}
