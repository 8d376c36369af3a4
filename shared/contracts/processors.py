"""What processors offers: accounts and their credentials, charges and refunds that happen once, and the news of how they ended."""

from shared.contract import Call, Contract, Event
from shared.contracts.parts import Done
from shared.fields import Amount, Anything, Choice, Flag, Id, Many, Moment, Part, Text, Whole, Words

TYPES = ("stripe", "authorize_net", "elavon", "sandbox")
CARD_ENTRY = ("direct", "hosted_fields", "hosted_page")
# The sixteen reasons that every processor's codes are told in (the facts' table of refusals).
REFUSALS = (
    "card_declined", "insufficient_funds", "expired_card", "incorrect_cvc", "incorrect_number", "incorrect_address",
    "fraud_suspected", "lost_or_stolen", "limit_exceeded", "card_not_supported", "authentication_required",
    "processor_credentials_refused", "processor_unavailable", "duplicate", "invalid_request", "unknown",
)  # fmt: skip
# How a charge or refund stands, as seen from outside processors. `not_sent` and `canceled` are certain: no money moved.
OUTCOMES = (
    "pending",
    "succeeded",
    "declined",
    "requires_action",
    "unknown",
    "not_sent",
    "canceled",
    "review",
    "waiting_for_settlement",
)


class TypeField(Words):
    name = Text(required=True)
    label = Text(required=True)
    help = Text(allow_none=True)
    secret = Flag(required=True)
    required = Flag(required=True)
    choices = Many(Text(), allow_none=True)


class CardEntryWords(Words):
    """A way of taking cards, for the admin who chooses it: its name, what clients see, and the card industry's demands."""

    mode = Choice(*CARD_ENTRY, required=True)
    title = Text(required=True)
    client_sees = Text(required=True)
    scope = Text(required=True)


class TestCard(Words):
    number = Text(required=True)
    outcome = Text(required=True)


class ProcessorType(Words):
    """One entry of the pulldown, and what its form needs."""

    type = Text(required=True)
    title = Text(required=True)
    fields_ = Many(TypeField, required=True, data_key="fields", attribute="fields")
    card_entry = Many(Text(), required=True)
    card_entry_words = Many(CardEntryWords, required=True)
    cannot = Many(Text(), required=True)
    test_cards = Many(TestCard, allow_none=True)


class ProcessorTypes(Words):
    data = Many(ProcessorType, required=True)


class NewProcessor(Words):
    """`credentials` travels sealed: JSON of the fields that the type declares (info: `credentials|practice|processor_id`)."""

    processor_id = Id(required=True)
    description = Text(required=True, most=200)
    type = Choice(*TYPES, required=True)
    sealed_credentials = Text(required=True, most=40000)
    card_entry = Choice(*CARD_ENTRY, allow_none=True, load_default=None)


class ProcessorChange(Words):
    processor_id = Id(required=True)
    description = Text(most=200)
    sealed_credentials = Text(most=40000)
    card_entry = Choice(*CARD_ENTRY)


class ProcessorId(Words):
    processor_id = Id(required=True)


class Processor(Words):
    """A practice's account at a processor; never a credential, only a hint such as `sk_test_…4242`.

    `closed_at`: since then nothing is charged or given back, because our records were restored to `restored_to`; `is_read`: the
    processor's own list has been read since. An account with `restored_to` waits for that, and for an admin where it did not agree or
    can't be had: with `can_open` it can be opened now.
    """

    id = Id(required=True)
    description = Text(required=True)
    type = Text(required=True)
    title = Text(required=True)
    status = Choice("ready", "unchecked", "refused", required=True)
    problem = Text(allow_none=True)
    active = Flag(required=True)
    test_mode = Flag(required=True)
    card_entry = Text(required=True)
    credentials_hint = Text(allow_none=True)
    checked_at = Moment(allow_none=True)
    compared_at = Moment(allow_none=True)
    differences = Whole(allow_none=True)
    closed_at = Moment(allow_none=True)
    restored_to = Moment(allow_none=True)
    is_read = Flag(load_default=True)
    can_open = Flag(load_default=False)
    webhook_path = Text(allow_none=True)
    created_at = Moment(required=True)


class ProcessorList(Words):
    data = Many(Processor, required=True)
    next_cursor = Text(allow_none=True)


class CardEntry(Words):
    """What the pay page must draw: whether cards can be taken now, how, and by which kind of account.

    `form` is what the processor's own form on our page needs (`kind`, `script`, public values); `page`: whether the payer can
    be sent to the processor's own page; `sources` is what the page's content security policy must allow, by directive;
    `closed`: not available because our records were restored and are being compared.
    """

    available = Flag(required=True)
    closed = Flag(allow_none=True)
    processor_id = Text(allow_none=True)
    type = Text(allow_none=True)
    title = Text(allow_none=True)
    card_entry = Text(allow_none=True)
    page = Flag(allow_none=True)
    form = Anything(allow_none=True)
    sources = Anything(allow_none=True)
    test_cards = Many(TestCard, allow_none=True)


class FailoverChange(Words):
    """`processor_ids` in the order in which they are tried; the active account is always the first."""

    enabled = Flag(required=True)
    processor_ids = Many(Id(), required=True, most=20)


class FailoverCase(Words):
    """One row of the table that decides whether the next account is tried."""

    case = Text(required=True)
    title = Text(required=True)
    goes_on = Flag(required=True)
    why = Text(required=True)


class Failover(Words):
    enabled = Flag(required=True)
    processor_ids = Many(Text(), required=True)
    table = Many(FailoverCase, required=True)


class Card(Words):
    brand = Text(required=True)
    last4 = Text(required=True)


class Failure(Words):
    """Why it did not happen: `code` is one of the sixteen refusals, `processor_code` the processor's own."""

    code = Choice(*REFUSALS, required=True)
    message = Text(required=True)
    processor_code = Text(allow_none=True)


class NewCharge(Words):
    """One charge: by `sealed_card`, which opens to JSON of a card or a token (info: `card|practice|invoice|payment`) and never
    repeats, by `card_id` of the client's on file, or on the processor's page, from which the payer comes back to `return_url`."""

    payment_id = Id(required=True)
    invoice_id = Id(required=True)
    amount = Amount(required=True, least=1)
    currency = Text(required=True, most=3)
    sealed_card = Text(allow_none=True, load_default=None, most=8000)
    return_url = Text(allow_none=True, load_default=None, most=500)
    card_id = Id(allow_none=True, load_default=None)
    client_id = Id(allow_none=True, load_default=None)


class NewSavedCard(Words):
    """A card that its owner allows to be kept: `sealed_card` as of a charge (info: `save-card|practice|client|card_id`)."""

    card_id = Id(required=True)
    sealed_card = Text(required=True, most=8000)
    consent = Text(required=True, most=500)


class CardsOf(Words):
    """Whose cards; a client asks for their own only."""

    client_id = Id(required=True)


class SavedCardId(Words):
    card_id = Id(required=True)
    client_id = Id(required=True)


class Consent(Words):
    text = Text(required=True)
    at = Moment(required=True)


class SavedCard(Words):
    """A card on file. `usable`: the account that keeps it takes payments now; `expiry` is `soon` in its last two months."""

    id = Id(required=True)
    brand = Text(required=True)
    last4 = Text(required=True)
    exp_month = Whole(required=True)
    exp_year = Whole(required=True)
    expiry = Choice("valid", "soon", "expired", required=True)
    default = Flag(required=True)
    usable = Flag(required=True)
    consent = Part(Consent, required=True)


class SavedCards(Words):
    """A client's cards on file; `can_save`: the account that takes payments now keeps cards."""

    data = Many(SavedCard, required=True)
    next_cursor = Text(allow_none=True, load_default=None)
    can_save = Flag(required=True)


class CardNews(Words):
    client_id = Id(required=True)
    card_id = Id(required=True)


class PaymentId(Words):
    payment_id = Id(required=True)


class ChargeOutcome(Words):
    """How a charge stands; `next_look_at` is when processors itself looks again."""

    payment_id = Id(required=True)
    status = Choice(*OUTCOMES, required=True)
    amount = Amount(allow_none=True)
    currency = Text(allow_none=True)
    reference = Text(allow_none=True)
    processor_id = Text(allow_none=True)
    processor_type = Text(allow_none=True)
    card = Part(Card, allow_none=True)
    failure = Part(Failure, allow_none=True)
    next_action = Anything(allow_none=True)
    next_look_at = Moment(allow_none=True)


class NewRefund(Words):
    """Give back `amount` of the charge of `payment_id`."""

    refund_id = Id(required=True)
    payment_id = Id(required=True)
    amount = Amount(required=True, least=1)
    currency = Text(required=True, most=3)


class RefundId(Words):
    refund_id = Id(required=True)


class RefundOutcome(Words):
    refund_id = Id(required=True)
    payment_id = Text(allow_none=True)
    status = Choice(*OUTCOMES, required=True)
    amount = Amount(allow_none=True)
    currency = Text(allow_none=True)
    reference = Text(allow_none=True)
    failure = Part(Failure, allow_none=True)
    next_look_at = Moment(allow_none=True)


class Webhook(Words):
    """A processor's delivery as it came in: `body` is base64 of the raw bytes, `headers` those that may sign it."""

    processor_id = Id(required=True)
    type = Choice(*TYPES, required=True)
    body = Text(required=True, most=400000, least=0)
    headers = Anything(required=True)


class DifferenceNews(Words):
    """Where the processor's own list and ours don't agree and only a person can say why; `amount` is theirs, in minor units."""

    processor_id = Id(required=True)
    kind = Choice("orphan", "orphan_refund", "missing", "amount", "undone", required=True)
    reference = Text(required=True)
    payment_id = Text(allow_none=True)
    refund_id = Text(allow_none=True)
    amount = Amount(required=True)
    currency = Text(required=True)


class ChargeSettlement(Words):
    """An admin's word on a payment in review."""

    payment_id = Id(required=True)
    happened = Flag(required=True)
    reason = Text(required=True, most=500)


class RefundSettlement(Words):
    refund_id = Id(required=True)
    happened = Flag(required=True)
    reason = Text(required=True, most=500)


class EvidenceOf(Words):
    ids = Many(Id(), required=True)


class EvidenceRow(Words):
    """What is known of one payment or refund towards its processor; counts are look-ups since it was last sent."""

    id = Id(required=True)
    status = Choice(*OUTCOMES, required=True)
    processor = Text(allow_none=True)
    account = Text(allow_none=True)
    reference = Text(allow_none=True)
    sent_at = Moment(allow_none=True)
    look_ups = Whole(required=True)
    not_found = Whole(required=True)
    processor_code = Text(allow_none=True)
    next_look_at = Moment(allow_none=True)


class Evidence(Words):
    data = Many(EvidenceRow, required=True)


class SandboxAnswer(Words):
    """What the payer told the sandbox's pretended bank."""

    payment_id = Id(required=True)
    approve = Flag(required=True)


class SealingKey(Words):
    """The key that cards and credentials are sealed to now, with its id and its end: a token that processors signed."""

    signed = Text(required=True, most=2000)


class ProcessorNews(Words):
    processor_id = Id(required=True)
    description = Text(required=True)


class Processors(Contract):
    service = "processors"

    list_types = Call(gives=ProcessorTypes)
    add_processor = Call(takes=NewProcessor, gives=Processor, within=20)
    list_processors = Call(gives=ProcessorList)
    read_processor = Call(takes=ProcessorId, gives=Processor)
    change_processor = Call(takes=ProcessorChange, gives=Processor, within=20)
    remove_processor = Call(takes=ProcessorId, gives=Done)
    check_processor = Call(takes=ProcessorId, gives=Processor, within=20)
    activate_processor = Call(takes=ProcessorId, gives=Processor)
    open_payments = Call(takes=ProcessorId, gives=Processor)
    read_card_entry = Call(gives=CardEntry)
    read_sealing_key = Call(gives=SealingKey, within=3)
    read_failover = Call(gives=Failover)
    change_failover = Call(takes=FailoverChange, gives=Failover)

    save_card = Call(takes=NewSavedCard, gives=SavedCard, within=20)
    list_cards = Call(takes=CardsOf, gives=SavedCards)
    read_card = Call(takes=SavedCardId, gives=SavedCard)
    choose_card = Call(takes=SavedCardId, gives=SavedCard)
    remove_card = Call(takes=SavedCardId, gives=Done)

    charge = Call(takes=NewCharge, gives=ChargeOutcome, moves_money=True, within=20)
    read_charge = Call(takes=PaymentId, gives=ChargeOutcome, within=20)
    check_charge = Call(takes=PaymentId, gives=ChargeOutcome, within=20)
    cancel_charge = Call(takes=PaymentId, gives=ChargeOutcome, within=20)
    refund = Call(takes=NewRefund, gives=RefundOutcome, moves_money=True, within=20)
    read_refund = Call(takes=RefundId, gives=RefundOutcome, within=20)
    check_refund = Call(takes=RefundId, gives=RefundOutcome, within=20)
    receive_webhook = Call(takes=Webhook, gives=Done)
    cancel_refund = Call(takes=RefundId, gives=RefundOutcome, within=20)
    settle_charge = Call(takes=ChargeSettlement, gives=ChargeOutcome, moves_money=True)
    settle_refund = Call(takes=RefundSettlement, gives=RefundOutcome, moves_money=True)
    read_evidence = Call(takes=EvidenceOf, gives=Evidence)
    answer_sandbox = Call(takes=SandboxAnswer, gives=ChargeOutcome)

    charge_settled = Event(carries=ChargeOutcome)
    refund_settled = Event(carries=RefundOutcome)
    difference_found = Event(carries=DifferenceNews)
    card_expiring = Event(carries=CardNews)
    credentials_refused = Event(carries=ProcessorNews)
