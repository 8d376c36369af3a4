"""How rows are shown: invoices, payments and refunds as the contract words them, for the role that looks. Nothing is changed here."""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.invoicing.model import Invoice, Payment, Practice, Refund, TimelineRow
from services.invoicing.storage import Tx
from shared.caller import CLIENT, Caller
from shared.contract import Call


def today_of(practice: Practice, now: datetime) -> date:
    """The day it is where the practice is."""
    return now.astimezone(ZoneInfo(practice.time_zone)).date()


def row_of(invoice: Invoice, today: date, live: str | None) -> dict:
    """An invoice as lists show it; `live` is the status of its payment that is on its way."""
    return {
        "id": invoice.id,
        "number": invoice.number,
        "status": invoice.shown_status(today),
        "live_payment_status": live,
        "client": {"id": invoice.client_id, "name": invoice.client_name},
        "provider": {"id": invoice.provider_id, "name": invoice.provider_name},
        "provider_id": invoice.provider_id,
        "description": invoice.description,
        "currency": invoice.currency,
        "total": invoice.total,
        "amount_paid": invoice.amount_paid,
        "amount_refunded": invoice.amount_refunded,
        "amount_forgiven": invoice.amount_forgiven,
        "balance_due": invoice.balance_due,
        "created_at": invoice.created_at,
        "sent_at": invoice.sent_at,
        "due_date": invoice.due_date,
        "paid_at": invoice.paid_at,
    }


def invoice_of(tx: Tx, invoice: Invoice, caller: Caller, now: datetime) -> dict:
    """The invoice whole, as `caller` may see it: the memo is staff's own."""
    practice = tx.practice(invoice.practice_id)
    payments, refunds = tx.payments_of(invoice), tx.refunds_of(invoice)
    shown = {
        **row_of(invoice, today_of(practice, now), next((one.status for one in payments if one.is_live), None)),
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "unit_amount": line.unit_amount,
                "amount": line.amount,
                "taxable": line.taxable,
                "category": line.category,
                "tax": line.tax,
            }
            for line in invoice.lines
        ],
        "subtotal": invoice.subtotal,
        "discount": invoice.discount,
        "tax": invoice.tax,
        "tax_lines": [{"jurisdiction": t.jurisdiction, "rate": t.rate, "amount": t.amount} for t in invoice.tax_lines],
        "practice": (invoice.parties or {}).get("practice") or practice.party,
        "bill_to": (invoice.parties or {}).get("client"),
        "payments": [payment_of(payment, caller) for payment in payments],
        "refunds": [refund_of(refund, caller) for refund in refunds],
        "allowed_actions": invoice.allowed_actions(caller.role, any(payment.refundable > 0 for payment in payments)),
    }
    if caller.role != CLIENT:
        shown |= {"memo": invoice.memo, "discount_asked": invoice.discount_asked}
    return shown


def payment_of(payment: Payment, caller: Caller) -> dict:
    """A payment; what the payer is to do next is told to the payer alone: it opens the processor's page in the payer's name."""
    shown = {
        "id": payment.id,
        "invoice_id": payment.invoice_id,
        "status": payment.status,
        "amount": payment.amount,
        "amount_credited": payment.credited,
        "amount_refunded": payment.refunded,
        "currency": payment.currency,
        "method": payment.method,
        "processor_type": payment.processor_type,
        "card": payment.card,
        "failure": _told_to_payer(payment.failure) if caller.role == CLIENT else payment.failure,
        "next_action": payment.next_action if payment.status == "requires_action" and caller.role == CLIENT else None,
        "reference": payment.reference,
        "received_on": payment.received_on,
        "created_at": payment.created_at,
        "settled_at": payment.settled_at,
    }
    return shown if caller.role == CLIENT else {**shown, "refundable": payment.refundable}


def _told_to_payer(failure: dict | None) -> dict | None:
    """Suspicion and stolen cards read like any decline: a thief is not warned."""
    if failure is None or failure["code"] not in ("fraud_suspected", "lost_or_stolen"):
        return failure
    return {**failure, "code": "card_declined", "processor_code": None}


def refund_of(refund: Refund, caller: Caller) -> dict:
    """A refund; its reason is staff's own, as the memo is."""
    return {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "invoice_id": refund.invoice_id,
        "amount": refund.amount,
        "tax": refund.tax,
        "currency": refund.currency,
        "status": refund.status,
        "reason": None if caller.role == CLIENT else refund.reason,
        "failure": refund.failure,
        "created_at": refund.created_at,
        "settled_at": refund.settled_at,
    }


# What staff wrote themselves stands behind these in the timeline; the client reads what happened only.
_STAFFS_OWN_AFTER = {"refund": ": ", "settled_by_hand": ". "}


def entry_of(row: TimelineRow, caller: Caller) -> dict:
    """One row of the timeline, as `caller` may see it."""
    own = _STAFFS_OWN_AFTER.get(row.what)
    text = row.text.partition(own)[0] if own and caller.role == CLIENT else row.text
    return {"at": row.at, "who": row.who, "role": row.role, "what": row.what, "text": text, "amount": row.amount}


def text_of(call: Call, answer: dict) -> str:
    """The exact JSON text of an answer, as it is kept under an idempotency key."""
    return json.dumps(call.dump_answer(answer), ensure_ascii=False, separators=(",", ":"))
