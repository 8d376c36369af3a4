"""Finding out how live payments and refunds stand: a person's check or cancel, the news from processors, and the sweeper."""

import logging
from datetime import timedelta
from typing import Any

from services.invoicing.config import Pace
from services.invoicing.model import Payment, Refund
from services.invoicing.storage import Storage
from services.invoicing.usecases import adopting, paying, refunding, showing
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Conflict, Fault
from shared.fields import Record
from shared.mishap import log_mishap
from shared.outbox import heard_before
from shared.told import Told

log = logging.getLogger(__name__)
KEYS_KEPT = timedelta(hours=48)  # at least the 24 hours that callers are promised
ASK_AGAIN = timedelta(seconds=30)  # a claimed check that nobody finished (a crash) is due again after this


def read_payment(caller: Caller, request: Record, storage: Storage) -> dict:
    with storage.reading() as tx:
        return showing.payment_of(tx.payment(caller, request.payment_id), caller)


def check_payment(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Ask the processor now how a live payment stands; a settled one is simply shown."""
    return _ask_about(caller, request.payment_id, Processors.check_charge, storage, bus, clock, pace)


def cancel_payment(caller: Caller, request: Record, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    """Give up a live payment: the processor is looked at before anything is believed. Raises Conflict once it is settled."""
    caller.must_be(ADMIN, PROVIDER, CLIENT)
    with storage.reading() as tx:
        payment = tx.payment(caller, request.payment_id)
        if told := tx.told_before(caller):
            return told
        if not payment.is_live:
            raise Conflict(
                "payment_settled", f"This payment is {payment.status}; it can't be canceled any more.", allowed_actions=[]
            )
    return _ask_about(caller, request.payment_id, Processors.cancel_charge, storage, bus, clock, pace)


def _ask_about(caller: Caller, payment_id: str, call: Call, storage: Storage, bus: Any, clock: Any, pace: Pace) -> Told:
    with storage.reading() as tx:
        live = tx.payment(caller, payment_id).is_live
        if told := tx.told_before(caller):
            return told
    outcome = bus.ask(call, {"payment_id": payment_id}, caller.with_key(None)).data if live else None
    with storage.transaction() as tx:
        now = clock.now()
        if outcome is not None:
            paying.settle(tx, outcome, caller.practice_id, now, pace)
        if told := tx.recall(caller, now):
            return told
        told = Told(showing.text_of(Invoicing.read_payment, showing.payment_of(tx.payment(caller, payment_id), caller)))
        tx.keep(caller, told.text)
    return told


def charge_settled(news: Record, storage: Storage, clock: Any, pace: Pace) -> None:
    with storage.transaction() as tx:
        if not heard_before(tx.session, news, "charge_settled", clock.now()):
            paying.settle(tx, news, news.practice_id, clock.now(), pace)
            if _is_lost(news) and tx.payment_by_id(news.practice_id, news.payment_id) is None:
                adopting.tell_a_person(tx, news.practice_id, news, clock.now())


def refund_settled(news: Record, storage: Storage, clock: Any, pace: Pace) -> None:
    with storage.transaction() as tx:
        if not heard_before(tx.session, news, "refund_settled", clock.now()):
            refunding.hear(tx, news, clock.now(), pace)
            if _is_lost(news) and tx.refund_by_id(news.practice_id, news.refund_id) is None:
                adopting.tell_a_person(tx, news.practice_id, news, clock.now())


def _is_lost(news: Record) -> bool:
    """Whether money moved that these books should know of; where they don't, a restore has lost it, and a person is told."""
    return news.status == "succeeded" and news.get("reference") is not None


def sweep(storage: Storage, bus: Any, clock: Any, pace: Pace) -> None:
    """Ask processors about every live payment and refund whose check is due; what it has never seen it closes with a tombstone."""
    with storage.transaction() as tx:
        now = clock.now()
        payments = tx.claim_due_checks(Payment, now, now + ASK_AGAIN)
        refunds = tx.claim_due_checks(Refund, now, now + ASK_AGAIN)
    for sweep_one, claimed in ((_sweep_payment, payments), (_sweep_refund, refunds)):
        for practice_id, its_id in claimed:
            try:
                sweep_one(Caller.system(practice_id), its_id, storage, bus, clock, pace)
            except Exception as trouble:  # the others have their turn all the same; this one is due again in a while
                log_mishap(log, f"sweeping {its_id}", trouble)


def _sweep_payment(caller: Caller, payment_id: str, storage: Storage, bus: Any, clock: Any, pace: Pace) -> None:
    outcome = _asked(bus, Processors.read_charge, {"payment_id": payment_id}, caller)
    with storage.transaction() as tx:
        if outcome is not None:
            paying.settle(tx, outcome, caller.practice_id, clock.now(), pace)
        payment = tx.payment_by_id(caller.practice_id, payment_id)
        if payment is not None and payment.is_live:  # its first request may have died: its key gets an answer now
            tx.keep_first(payment_id, *paying.kept_answer(payment))


def _sweep_refund(caller: Caller, refund_id: str, storage: Storage, bus: Any, clock: Any, pace: Pace) -> None:
    with storage.reading() as tx:
        refund = tx.refund(caller, refund_id)
        to_begin = refunding.is_to_begin(tx, refund)
        order = refunding.order_of(refund)
    if to_begin:  # nobody has asked for it yet; asking twice is once
        outcome = _asked(bus, Processors.refund, order, caller)
    else:
        outcome = _asked(bus, Processors.read_refund, {"refund_id": refund_id}, caller)
    with storage.transaction() as tx:
        if outcome is not None:
            refunding.settle(tx, outcome, caller.practice_id, clock.now(), pace)
        refunding.answer_a_crashed_request(tx, caller.practice_id, refund_id)


def _asked(bus: Any, call: Call, body: dict, caller: Caller) -> Record | None:
    """Processors' word; None where it can't be had now, and then the next sweep asks again."""
    try:
        return bus.ask(call, body, caller).data
    except Fault as fault:
        log.warning("%s %s was not answered: %s", call.name, body.get("refund_id") or body["payment_id"], fault.code)
        return None


def forget_old_keys(storage: Storage, clock: Any) -> None:
    """Delete idempotency rows that nobody can ask for any more."""
    with storage.transaction() as tx:
        tx.forget_keys(clock.now() - KEYS_KEPT)
