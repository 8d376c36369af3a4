"""Payments that came by another way (cash, check, bank transfer), the use of a client's credit, and its paying out."""

from datetime import date, datetime
from typing import Any

from services.invoicing import ledger
from services.invoicing.model import Client, Invoice, Payment
from services.invoicing.storage import Storage, Tx
from services.invoicing.usecases import news, showing
from services.invoicing.usecases.sending import about
from shared.caller import ADMIN, PROVIDER, Caller
from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, invalid
from shared.fields import Record
from shared.told import Told

METHOD_WORDS = {
    "cash": "cash", "check": "check", "bank_transfer": "bank transfer", "other": "another way", "client_credit": "client credit",
}  # fmt: skip


def record_payment(caller: Caller, request: Record, storage: Storage, clock: Any) -> Told:
    """Record money that was received outside; without an amount, the whole balance. Never above the balance unless kept as credit."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.transaction() as tx:
        now = clock.now()
        invoice = tx.invoice(caller, request.invoice_id, lock=True)
        if told := tx.recall(caller, now, request.payment_id):
            return told
        invoice.must_allow("record_payment", caller.role, tx.has_refundable(invoice))
        today = showing.today_of(tx.practice(caller.practice_id), now)
        payment = _recorded(invoice, request, today, now)
        client = tx.client(Caller.system(caller.practice_id), invoice.client_id, lock=True)
        _use_credit(tx, client, payment)
        _apply(tx, invoice, client, payment, caller, now)
        told = Told(showing.text_of(Invoicing.record_payment, showing.payment_of(payment, caller)), status=201)
        tx.keep(caller, told.text, 201)
    return told


def _recorded(invoice: Invoice, request: Record, today: date, now: datetime) -> Payment:
    amount = invoice.balance_due if request.amount is None else request.amount
    if amount > invoice.balance_due and (request.method == "client_credit" or not request.keep_as_credit):
        raise invalid("amount", "This is more than the balance. Record the balance, or keep the rest as the client's credit.")
    if request.received_on and request.received_on > today:
        raise invalid("received_on", "That day has not come yet.")
    applied = min(amount, invoice.balance_due)
    return Payment(
        id=request.payment_id, practice_id=invoice.practice_id, invoice_id=invoice.id, client_id=invoice.client_id,
        status="succeeded", method=request.method, amount=amount, applied=applied, credited=amount - applied, refunded=0, held=0,
        currency=invoice.currency, reference=request.reference, received_on=request.received_on or today, created_at=now, settled_at=now,
    )  # fmt: skip


def _use_credit(tx: Tx, client: Client, payment: Payment) -> None:
    if payment.method == "client_credit":
        if payment.amount > tx.credit_to_spend(client):
            raise invalid("amount", "The client has less credit than that.")
        client.credit -= payment.amount
    else:
        client.credit += payment.credited


def _apply(tx: Tx, invoice: Invoice, client: Client, payment: Payment, caller: Caller, now: datetime) -> None:
    tx.add(payment)
    invoice.amount_paid += payment.applied
    invoice.rebalance(now)
    tx.session.flush()
    by_credit = payment.method == "client_credit"
    postings = [
        ("client_credit" if by_credit else "cash", payment.amount),
        ("receivable", -payment.applied),
        ("client_credit", -payment.credited),
    ]
    kind = "credit_applied" if by_credit else "recorded_payment"
    ledger.post(tx.session, kind, about(invoice, payment.id), postings, now)
    tx.remember(invoice, caller, now, "payment_recorded", f"Payment recorded: {METHOD_WORDS[payment.method]}", payment.amount)
    news.tell(tx, Invoicing.payment_received, invoice, payment.amount, now)


def read_client_account(caller: Caller, request: Record, storage: Storage) -> dict:
    """The client's credit that can be used (late money on its way back can't) and what is open, in minor units."""
    with storage.reading() as tx:
        return _account(tx, caller, tx.client(caller, request.client_id))


def refund_credit(caller: Caller, request: Record, storage: Storage, clock: Any) -> Told:
    """Pay kept credit out by hand (cash, bank transfer); never more than there is."""
    caller.must_be(ADMIN, PROVIDER)
    with storage.transaction() as tx:
        now = clock.now()
        client = tx.client(caller, request.client_id, lock=True)
        if told := tx.recall(caller, now, request.payout_id):
            return told
        spendable = tx.credit_to_spend(client)
        if request.amount > spendable:
            raise Conflict("credit_too_small", "The client has less credit than that.", credit=spendable)
        client.credit -= request.amount
        tx.session.flush()
        of_client = ledger.About(caller.practice_id, client.client_id, tx.practice(caller.practice_id).currency)
        ledger.post(tx.session, "credit_paid_out", of_client, [("client_credit", request.amount), ("cash", -request.amount)], now)
        told = Told(showing.text_of(Invoicing.refund_credit, _account(tx, caller, client)), status=201)
        tx.keep(caller, told.text, 201)
    return told


def _account(tx: Tx, caller: Caller, client: Client) -> dict:
    return {
        "client_id": client.client_id,
        "currency": tx.practice(caller.practice_id).currency,
        "credit": tx.credit_to_spend(client),
        "balance_due": tx.sum_balance(caller.practice_id, client.client_id),
    }
