"""Failover: when a payment may go on to the practice's next account, and that it goes there only then.

The table below is the rule: the admin's page shows it, the code reads it, and the test plays each of its cases.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.config import Room
from services.processors.model import CREATED, IN_FLIGHT, READY, Account, Attempt, Failover, Try, reference_of
from services.processors.orders import APPROVED, CANCELED, DECLINED, NEEDS_PAYER, NOT_SENT, WAITING, Outcome
from services.processors.usecases.attempting import credentials_are_refused, lease, practice_of
from shared.caller import ADMIN, Caller
from shared.faults import Invalid
from shared.fields import Record

log = logging.getLogger(__name__)

NO_NEW_TRY_AFTER = timedelta(seconds=60)  # of the payment's beginning: nobody waits for it any longer


@dataclass(frozen=True)
class Case:
    """One way for a try to end, whether the next account is tried then, and why."""

    name: str
    title: str
    goes_on: bool
    why: str


TABLE = (
    Case("not_reached", "The processor could not be reached, or said that it did nothing", True,
         "It certainly has not charged the card, and another processor may be up."),
    Case("account_refused", "The processor refuses the account or its key", True,
         "It certainly has not charged the card; the admins are alerted."),
    Case("card_declined", "The card was declined", False,
         "The card's bank said no. Asking again elsewhere would be asking the same bank twice."),
    Case("request_refused", "The processor did not accept the payment as it was asked for", False,
         "The same payment asked for elsewhere would hide what has to be mended."),
    Case("not_known", "No answer, or one that says nothing", False,
         "The card may have been charged. It is looked up until that is certain, and never charged again before."),
    Case("waiting", "The payer's bank or the processor wants a closer look", False, "The payment is on its way."),
    Case("approved", "The card was charged", False, "Paid."),
)  # fmt: skip
CASES = {case.name: case for case in TABLE}
_ACCOUNTS_FAULT, _NOBODYS_FAULT = "processor_credentials_refused", "processor_unavailable"
_REQUESTS_FAULT = ("invalid_request", "duplicate", "unknown")


def case_of(outcome: Outcome) -> Case:
    """The case of the table that an adapter's answer is, whatever the verb."""
    if outcome.status == APPROVED:
        return CASES["approved"]
    if outcome.status in (WAITING, NEEDS_PAYER):
        return CASES["waiting"]
    if outcome.status in (DECLINED, NOT_SENT) and outcome.refusal == _ACCOUNTS_FAULT:
        return CASES["account_refused"]
    if outcome.status == NOT_SENT and outcome.refusal == _NOBODYS_FAULT:
        return CASES["not_reached"]
    if outcome.status in (DECLINED, NOT_SENT, CANCELED):
        asked_wrongly = outcome.refusal in (*_REQUESTS_FAULT, None)
        return CASES["request_refused" if asked_wrongly else "card_declined"]
    return CASES["not_known"]


def next_try(room: Room, row: Attempt, outcome: Outcome) -> Attempt | None:
    """The attempt at the practice's next account, committed with what it was before; None where it ends here.

    `outcome` is the adapter's own word on `row`, before anybody interpreted it.
    """
    now = room.clock.now()
    if not case_of(outcome).goes_on or now > row.created_at + NO_NEW_TRY_AFTER:
        return None
    with room.database.transaction() as session:
        current = storage.attempt(session, row.practice_id, row.id, lock=True)
        if current is None or current.status not in IN_FLIGHT or current.version != row.version:
            return None
        account = _next_account(session, room, current)
        if account is None:
            return None
        if case_of(outcome) is CASES["account_refused"]:
            credentials_are_refused(session, room, current, now)
        session.add(_what_it_was(current, outcome, now))
        storage.move(session, current, _at(room, current, account))
        session.refresh(current)
        log.info("%s goes on to account %s", current.reference, account.id)
        return storage.taken_out(session, current)


def _next_account(session: Session, room: Room, row: Attempt) -> Account | None:
    """The next in the practice's order that was not tried, is ready, and takes cards the same way."""
    chosen = storage.failover(session, row.practice_id)
    if chosen is None or not chosen.enabled:
        return None
    tried = {row.account_id, *storage.accounts_tried(session, row.practice_id, row.id)}
    for account_id in chosen.account_ids:
        account = storage.any_account(session, row.practice_id, account_id, hold=True)
        if account is None or account_id in tried or account.hidden_at or account.closed_at or account.type not in room.adapters:
            continue
        if account.status == READY and account.card_entry == row.card_entry == "direct":
            return account
    return None


def _what_it_was(row: Attempt, outcome: Outcome, now) -> Try:
    return Try(
        practice_id=row.practice_id, attempt_id=row.id, number=row.tries, account_id=row.account_id, reference=row.reference,
        processor_ids={**row.processor_ids, **outcome.ids}, failure_code=outcome.refusal, processor_code=outcome.processor_code,
        ended_at=now,
    )  # fmt: skip


def _at(room: Room, row: Attempt, account: Account) -> dict:
    """The columns of the attempt as it begins anew at an account: a reference of its own, so that each try can be told apart."""
    return {
        "account_id": account.id, "processor_type": account.type, "credentials_version": account.credentials_version,
        "tries": row.tries + 1, "reference": reference_of(room.keys.hmac_key, row.id, account.id, row.tries + 1),
        "status": CREATED, "lease_until": lease(room, room.adapters[account.type]), "sent_at": None, "processor_ids": {},
        "card_brand": None, "card_last4": None,
    }  # fmt: skip


def read_failover(caller: Caller, room: Room) -> dict:
    """Whether it is on, the order, and the table that decides."""
    caller.must_be(ADMIN)
    with room.database.reading() as session:
        return _described(storage.failover(session, practice_of(caller)))


def change_failover(caller: Caller, request: Record, room: Room) -> dict:
    """Turn it on or off and set the order; raises Invalid naming an account that is not there, twice, or not typed into our form."""
    caller.must_be(ADMIN)
    practice_id = practice_of(caller)
    with room.database.transaction() as session:
        wrong = _wrong_ones(storage.accounts(session, practice_id), request.processor_ids)
        if wrong:
            raise Invalid(errors=wrong)
        row = storage.failover(session, practice_id) or Failover(practice_id=practice_id)
        row.enabled, row.account_ids = request.enabled, request.processor_ids
        session.add(row)
        session.flush()
        return _described(row)


def _wrong_ones(accounts: list[Account], wanted: list[str]) -> list[dict]:
    known = {account.id: account for account in accounts}
    wrong = []
    for place, account_id in enumerate(wanted):
        if account_id not in known:
            message = "There is no such account."
        elif account_id in wanted[:place]:
            message = "This account is named twice."
        elif known[account_id].card_entry != "direct":
            message = (
                "Only an account whose cards are typed into our own form can take over: elsewhere the card is not ours to pass on."
            )
        else:
            continue
        wrong.append({"field": f"processor_ids.{place}", "message": message})
    return wrong


def _described(row: Failover | None) -> dict:
    table = [{"case": case.name, "title": case.title, "goes_on": case.goes_on, "why": case.why} for case in TABLE]
    return {"enabled": bool(row and row.enabled), "processor_ids": list(row.account_ids) if row else [], "table": table}
