"""What invoicing offers: its calls and its news. Both sides read this file; nothing else describes the wire."""

from shared.contract import Call, Contract, Event
from shared.contracts.parts import Address, Copied, Done, Paged, PracticeCopy
from shared.contracts.processors import Card
from shared.fields import Amount, Anything, Choice, Day, Flag, Id, Many, Moment, Number, Page, Part, Text, Whole, Words

SHOWN = (
    "draft", "open", "overdue", "partially_paid", "processing", "paid", "partially_refunded", "refunded", "void", "forgiven",
)  # fmt: skip
PAYMENT = ("pending", "requires_action", "unknown", "succeeded", "failed", "canceled", "review")
REFUND = ("pending", "waiting_for_settlement", "unknown", "succeeded", "failed", "review")
METHODS = ("cash", "check", "bank_transfer", "other", "client_credit")


class ClientCopy(Words):
    """What invoicing keeps of a client: for lists, search and the frozen parties of a sent invoice."""

    version = Whole(required=True, least=1)
    client_id = Id(required=True)
    name = Text(required=True, most=200)
    provider_ids = Many(Id(), required=True)
    address = Part(Address, allow_none=True, load_default=None)
    active = Flag(required=True)


class ColleagueCopy(Words):
    version = Whole(required=True, least=1)
    colleague_id = Id(required=True)
    name = Text(required=True, most=200)
    roles = Many(Choice("admin", "provider"), required=True)
    active = Flag(required=True)


class ServiceChange(Words):
    enabled = Flag()
    provider_ids = Many(Id(), most=500)


class ServiceRead(Words):
    """The Client Billing service of a practice; `may_create` answers for the caller, `why_not` says why not."""

    enabled = Flag(required=True)
    provider_ids = Many(Id(), required=True)
    may_create = Flag(required=True)
    why_not = Text(allow_none=True)


class NewLine(Words):
    description = Text(required=True, most=500)
    quantity = Number(load_default=None, allow_none=True, least="0.0001", most="100000", places=4)
    unit_amount = Amount(required=True)
    category = Text(allow_none=True, load_default=None, most=60)


class NewDiscount(Words):
    """Either `amount` or `percent`, taken before tax."""

    amount = Amount(least=1)
    percent = Number(least="0.0001", most="100", places=4)


class InvoiceFields(Words):
    description = Text(most=500)
    amount = Amount(least=1)
    lines = Many(NewLine, least=1, most=200)
    due_date = Day(allow_none=True)
    memo = Text(allow_none=True, most=5000, multiline=True, least=0)
    discount = Part(NewDiscount, allow_none=True)


class NewInvoice(InvoiceFields):
    """`{client_id, description, amount}` or `{client_id, lines}`; `send` sends it at once."""

    invoice_id = Id(required=True)
    client_id = Id(required=True)
    provider_id = Id()
    send = Flag(load_default=False)


class InvoiceChange(InvoiceFields):
    invoice_id = Id(required=True)


class InvoiceId(Words):
    invoice_id = Id(required=True)


class Person(Words):
    id = Text(required=True)
    name = Text(required=True)


class Line(Words):
    description = Text(required=True)
    quantity = Number(required=True)
    unit_amount = Amount(required=True)
    amount = Amount(required=True)
    taxable = Flag(required=True)
    category = Text(allow_none=True)
    tax = Amount(required=True)


class TaxShare(Words):
    jurisdiction = Text(required=True)
    rate = Number(required=True)
    amount = Amount(required=True)


class PaymentFailure(Words):
    code = Text(required=True)
    message = Text(required=True)
    processor_code = Text(allow_none=True)


class Payment(Words):
    """One payment of an invoice: by card, recorded, or out of client credit. Amounts in minor units.

    `amount_credited` of `amount` went to the client's credit instead of the invoice. `refundable` is what can still be refunded; it
    is absent from a client's answer.
    """

    id = Id(required=True)
    invoice_id = Id(required=True)
    status = Choice(*PAYMENT, required=True)
    amount = Amount(required=True)
    amount_credited = Amount()
    amount_refunded = Amount(required=True)
    refundable = Amount()
    currency = Text(required=True)
    method = Text(required=True)
    processor_type = Text(allow_none=True)
    card = Part(Card, allow_none=True)
    failure = Part(PaymentFailure, allow_none=True)
    next_action = Anything(allow_none=True)
    reference = Text(allow_none=True)
    received_on = Day(allow_none=True)
    created_at = Moment(required=True)
    settled_at = Moment(allow_none=True)


class Refund(Words):
    id = Id(required=True)
    payment_id = Id(required=True)
    invoice_id = Id(required=True)
    amount = Amount(required=True)
    tax = Amount(required=True)
    currency = Text(required=True)
    status = Choice(*REFUND, required=True)
    reason = Text(allow_none=True)
    failure = Part(PaymentFailure, allow_none=True)
    created_at = Moment(required=True)
    settled_at = Moment(allow_none=True)


class Party(Words):
    name = Text(required=True)
    address = Part(Address, allow_none=True)


class InvoiceRow(Words):
    """An invoice as lists show it; `live_payment_status` is that of a payment on its way, while it is `processing`."""

    id = Id(required=True)
    number = Text(allow_none=True)
    status = Choice(*SHOWN, required=True)
    live_payment_status = Choice(*PAYMENT, allow_none=True)
    client = Part(Person, required=True)
    provider = Part(Person, required=True)
    provider_id = Text(required=True)
    description = Text(required=True)
    currency = Text(required=True)
    total = Amount(required=True)
    amount_paid = Amount(required=True)
    amount_refunded = Amount(required=True)
    amount_forgiven = Amount(required=True)
    balance_due = Amount(required=True)
    created_at = Moment(required=True)
    sent_at = Moment(allow_none=True)
    due_date = Day(allow_none=True)
    paid_at = Moment(allow_none=True)


class Invoice(InvoiceRow):
    """An invoice whole. `memo` and `discount_asked` (as it was typed) are staff's own and absent from a client's answer."""

    lines = Many(Line, required=True)
    subtotal = Amount(required=True)
    discount = Amount(required=True)
    discount_asked = Part(NewDiscount, allow_none=True)
    tax = Amount(required=True)
    tax_lines = Many(TaxShare, required=True)
    memo = Text(allow_none=True, multiline=True, most=5000, least=0)
    practice = Part(Party, allow_none=True)
    bill_to = Part(Party, allow_none=True)
    payments = Many(Payment, required=True)
    refunds = Many(Refund, required=True)
    allowed_actions = Many(Text(), required=True)


class InvoiceFilter(Paged):
    status = Choice(*SHOWN, allow_none=True, load_default=None)
    client_id = Id(allow_none=True, load_default=None)
    provider_id = Id(allow_none=True, load_default=None)
    from_ = Day(allow_none=True, load_default=None, data_key="from", attribute="from_")
    to = Day(allow_none=True, load_default=None)
    q = Text(allow_none=True, load_default=None, most=100)
    sort = Choice("newest", "oldest", load_default="newest")


class Summary(Words):
    """The four figures above the list: sums in minor units, counts of invoices or payments."""

    currency = Text(required=True)
    paid_this_month = Amount(required=True)
    open_amount = Amount(required=True)
    overdue_amount = Amount(required=True)
    overdue_count = Whole(required=True)
    needs_a_look = Whole(required=True)
    invoices = Whole(required=True)
    sent = Whole(required=True)


class RecordedPayment(Words):
    payment_id = Id(required=True)
    invoice_id = Id(required=True)
    amount = Amount(least=1, allow_none=True, load_default=None)
    method = Choice(*METHODS, required=True)
    received_on = Day(allow_none=True, load_default=None)
    reference = Text(allow_none=True, load_default=None, most=100)
    keep_as_credit = Flag(load_default=False)


class NewPayment(Words):
    """One try to pay by card: `sealed_card` is for processors' eyes only, `card_id` one of the client's on file, `return_url` sends
    the payer to the processor's page. Staff may charge a card on file only, and may say why (`reason`)."""

    payment_id = Id(required=True)
    invoice_id = Id(required=True)
    amount = Amount(least=1, allow_none=True, load_default=None)
    sealed_card = Text(allow_none=True, load_default=None, most=8000)
    return_url = Text(allow_none=True, load_default=None, most=500)
    card_id = Id(allow_none=True, load_default=None)
    reason = Text(allow_none=True, load_default=None, most=200)


class PaymentId(Words):
    payment_id = Id(required=True)


class NewRefund(Words):
    refund_id = Id(required=True)
    invoice_id = Id(required=True)
    payment_id = Id(allow_none=True, load_default=None)
    amount = Amount(least=1, allow_none=True, load_default=None)
    reason = Text(allow_none=True, load_default=None, most=500)


class Refunds(Words):
    """What one refund request became: a refund, or `data` with one per payment that it was split over."""

    id = Id()
    payment_id = Id()
    invoice_id = Id()
    amount = Amount()
    tax = Amount()
    currency = Text()
    status = Choice(*REFUND)
    reason = Text(allow_none=True)
    failure = Part(PaymentFailure, allow_none=True)
    created_at = Moment()
    settled_at = Moment(allow_none=True)
    data = Many(Refund)


class RefundId(Words):
    refund_id = Id(required=True)


class TimelineEntry(Words):
    at = Moment(required=True)
    who = Text(required=True, least=0)
    role = Text(required=True)
    what = Text(required=True)
    text = Text(required=True)
    amount = Amount(allow_none=True)


class Timeline(Words):
    data = Many(TimelineEntry, required=True)
    next_cursor = Text(allow_none=True)


class ExplanationOf(Words):
    invoice_id = Id(required=True)
    of = Choice("total", "tax", "balance", "status", load_default="balance")


class ExplainedEntry(Words):
    id = Text(required=True)
    account = Text(required=True)
    amount = Amount(required=True, least=None)
    at = Moment(required=True)
    why = Text(required=True)


class Explanation(Words):
    of = Text(required=True)
    value = Anything(required=True)
    rule = Text(required=True, most=1000)
    entries = Many(ExplainedEntry, required=True)


class ClientId(Words):
    client_id = Id(required=True)


class ClientAccount(Words):
    """A client's standing: credit kept, and what is still open, in minor units."""

    client_id = Id(required=True)
    currency = Text(required=True)
    credit = Amount(required=True)
    balance_due = Amount(required=True)


class CreditRefund(Words):
    """Pay out kept credit by hand (`amount` in minor units)."""

    payout_id = Id(required=True)
    client_id = Id(required=True)
    amount = Amount(required=True, least=1)
    reason = Text(allow_none=True, load_default=None, most=500)


class PaymentSettlement(Words):
    """An admin's word on a payment in review."""

    payment_id = Id(required=True)
    outcome = Choice("happened", "did_not_happen", required=True)
    reason = Text(required=True, most=500)


class RefundSettlement(Words):
    refund_id = Id(required=True)
    outcome = Choice("happened", "did_not_happen", required=True)
    reason = Text(required=True, most=500)


class FindingId(Words):
    finding_id = Id(required=True)


class WorkItem(Words):
    """A payment or refund that needs a person, or something that was found, with what is known of it."""

    kind = Choice("payment", "refund", "finding", required=True)
    id = Id(required=True)
    invoice_id = Text(allow_none=True)
    payment_id = Text(allow_none=True)
    refund_id = Text(allow_none=True)
    number = Text(allow_none=True)
    client = Part(Person, allow_none=True)
    amount = Amount(required=True)
    currency = Text(required=True)
    status = Text(required=True)
    reference = Text(allow_none=True)
    since = Moment(required=True)
    advice = Text(required=True)


class WorkList(Words):
    data = Many(WorkItem, required=True)
    next_cursor = Text(allow_none=True)


class InvoiceNews(Words):
    """News of one invoice: ids, the number and an amount for readers inside; nothing of what it is for."""

    invoice_id = Id(required=True)
    number = Text(allow_none=True)
    client_id = Id(required=True)
    provider_id = Text(required=True)
    amount = Amount(required=True)
    currency = Text(required=True)


class Invoicing(Contract):
    service = "invoicing"

    put_practice = Call(takes=PracticeCopy, gives=Copied)
    put_client = Call(takes=ClientCopy, gives=Copied)
    put_colleague = Call(takes=ColleagueCopy, gives=Copied)

    read_service = Call(gives=ServiceRead)
    change_service = Call(takes=ServiceChange, gives=ServiceRead)

    create_invoice = Call(takes=NewInvoice, gives=Invoice, within=10)
    edit_invoice = Call(takes=InvoiceChange, gives=Invoice, within=10)
    delete_invoice = Call(takes=InvoiceId, gives=Done)
    send_invoice = Call(takes=InvoiceId, gives=Invoice, within=10)
    void_invoice = Call(takes=InvoiceId, gives=Invoice)
    forgive_invoice = Call(takes=InvoiceId, gives=Invoice)
    read_invoice = Call(takes=InvoiceId, gives=Invoice)
    list_invoices = Call(takes=InvoiceFilter, gives=Page(InvoiceRow))
    read_summary = Call(gives=Summary)
    read_timeline = Call(takes=InvoiceId, gives=Timeline)
    explain = Call(takes=ExplanationOf, gives=Explanation)

    record_payment = Call(takes=RecordedPayment, gives=Payment, moves_money=True)
    pay_invoice = Call(takes=NewPayment, gives=Payment, moves_money=True, within=25)
    read_payment = Call(takes=PaymentId, gives=Payment)
    check_payment = Call(takes=PaymentId, gives=Payment, within=25)
    cancel_payment = Call(takes=PaymentId, gives=Payment, within=25)
    refund_invoice = Call(takes=NewRefund, gives=Refunds, moves_money=True, within=25)
    read_refund = Call(takes=RefundId, gives=Refund)
    check_refund = Call(takes=RefundId, gives=Refund, within=25)
    cancel_refund = Call(takes=RefundId, gives=Refund, within=25)
    read_client_account = Call(takes=ClientId, gives=ClientAccount)
    refund_credit = Call(takes=CreditRefund, gives=ClientAccount, moves_money=True)
    settle_payment = Call(takes=PaymentSettlement, gives=Payment, moves_money=True, within=25)
    settle_refund = Call(takes=RefundSettlement, gives=Refund, moves_money=True, within=25)
    list_work = Call(takes=Paged, gives=WorkList)
    close_finding = Call(takes=FindingId, gives=Done)

    invoice_sent = Event(carries=InvoiceNews)
    payment_received = Event(carries=InvoiceNews)
    payment_failed = Event(carries=InvoiceNews)
    refund_made = Event(carries=InvoiceNews)
    invoice_voided = Event(carries=InvoiceNews)
    invoice_forgiven = Event(carries=InvoiceNews)
