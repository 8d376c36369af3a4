"""Which kind of canary may be where: the whole promise as one table. What is not in it is a leak.

Patterns are those of `fnmatch`. An answer, its cookies and its headers are named by who got them (`admin`, `provider`, `client`,
`nobody` who is signed in); somebody of another practice and another client of the same one are `stranger`, and nothing is for
strangers. Logs, commands and the arguments of processes are in no line: nothing at all may be there. A card number is nowhere but at
the processor that charges it: on the bus it is sealed; its last four digits and its brand are no card number.
"""

from fnmatch import fnmatchcase

STAFF = ("answer admin *", "answer provider *")
THERE = (*STAFF, "answer client *")  # in this practice, and clients: of their own
MESSAGE = ("cookie admin *", "cookie provider *")  # what was done, shown once on the next page: "… is invited"
KEPT_ANSWERS = ("database *.idempotency.answer",)
CALLER = ("bus caller",)  # who asks, signed, towards the service that keeps timelines
NEW_HERE = ("answer nobody GET /api/v1/invitations/*", "answer nobody GET /invitations/*")  # whoever holds the link
COMING_IN = ("answer nobody POST /api/v1/practices", "answer nobody POST /api/v1/session", "answer nobody POST /api/v1/invitations/*",
             "answer nobody POST /api/v1/confirmations/*")  # fmt: skip
DEMO_MAIL = ("answer nobody GET /demo/mail", "bus reply to notifications.list_kept_mail")  # in development only
FORM = ("answer client GET /invoices/<invoice_id>/pay", "bus reply to processors.read_card_entry")  # of the processor, on our page
TO_INVOICING = ("bus reply to invoicing.*",)

ALLOWED: dict[str, tuple[str, ...]] = {
    # secrets: told once to whom they belong, kept as hashes or sealed
    "password": (),
    "session": ("answer * POST /api/v1/session", "answer * PUT /api/v1/session/role", "cookie *"),
    "api_token": ("answer admin POST /api/v1/api-tokens", "answer admin POST /practice/api-tokens"),
    "link": ("mail text", *DEMO_MAIL),
    "smtp_password": (),
    "broker_password": (),
    "database_password": (),
    "vault key": ("file keys/*",),  # each in the file of its service
    # cards and credentials: sealed on the bus, in nobody's database but the vault's envelope, and at their own processor
    "card": (),
    "card of stripe": ("processor stripe",),
    "card of authorize_net": ("processor authorize_net",),
    "card of elavon": ("processor elavon",),
    "code": ("processor *",),
    "form token": ("processor *",),
    "page": (  # what opens a processor's page: for its payer, and in our rows until the payment has ended
        "answer client *", "headers client POST /invoices/<invoice_id>/pay", "processor *", *KEPT_ANSWERS,
        "database invoicing.payments.next_action", "database processors.attempts.next_action",
        "bus reply to invoicing.*", "bus reply to processors.*",
    ),
    "cardholder": (  # drawn again beside what was wrong
        "processor *", "answer client POST /invoices/<invoice_id>/pay", "answer client POST /cards",
    ),
    "credential sandbox": (),
    "credential stripe": ("processor stripe",),
    "credential authorize_net": ("processor authorize_net",),
    "credential elavon": ("processor elavon",),
    "account name": ("processor *", "answer admin POST /billing/setup/processors", *FORM),  # a login's name is no secret field
    "webhook_secret": (),
    "webhook": ("bus processors.receive_webhook",),  # what processors tell us, raw; nothing of it is kept
    "public_key": FORM,
    # people
    "practice_name": (
        *THERE, *MESSAGE, "cookie client *", *NEW_HERE, *COMING_IN, *DEMO_MAIL, *KEPT_ANSWERS, *TO_INVOICING, "mail headers", "mail text",
        "database gateway.practices.name", "database invoicing.practices.name", "database notifications.practices.name",
        "database processors.saved_cards.consent", "bus processors.save_card", "bus reply to processors.*_card*",
        "database gateway.due_calls.body", "database invoicing.invoices.parties", "bus *.put_practice",
    ),
    "practice_address": (
        *THERE, *KEPT_ANSWERS, *TO_INVOICING, "database gateway.practices.address", "database invoicing.practices.address",
        "database invoicing.invoices.parties", "bus *.put_practice",
    ),
    "staff_name": (
        *THERE, *MESSAGE, *NEW_HERE, *COMING_IN, *CALLER, *KEPT_ANSWERS, *TO_INVOICING, "database gateway.persons.name",
        "database gateway.colleagues.name", "database invoicing.colleagues.name", "database invoicing.invoices.provider_name",
        "database invoicing.payments.charged_by",
        "database invoicing.timeline.who", "database invoicing.findings.closed_by", "database gateway.due_calls.body",
        "bus invoicing.put_colleague",
    ),
    "staff_email": (
        *STAFF, *MESSAGE, *NEW_HERE, *COMING_IN, *DEMO_MAIL, *KEPT_ANSWERS, "answer nobody POST /sign-in", "mail to",
        "database gateway.persons.email", "database gateway.colleagues.email", "database gateway.links.email",
    ),
    "client_name": (
        *THERE, *MESSAGE, *NEW_HERE, *COMING_IN, *CALLER, *KEPT_ANSWERS, *TO_INVOICING, "database gateway.persons.name",
        "database gateway.clients.name", "database gateway.clients.sort_name", "database gateway.due_calls.body",
        "database invoicing.clients.name", "database invoicing.invoices.client_name", "database invoicing.invoices.search",
        "database invoicing.invoices.parties", "database invoicing.timeline.who", "bus invoicing.put_client",
    ),
    "client_email": (
        *THERE, *MESSAGE, *NEW_HERE, *COMING_IN, *DEMO_MAIL, *KEPT_ANSWERS, "mail to",
        "database gateway.persons.email", "database gateway.clients.email", "database gateway.links.email",
    ),
    "phone": (*STAFF, *KEPT_ANSWERS, "database gateway.clients.phone"),
    "address": (
        *THERE, *KEPT_ANSWERS, *TO_INVOICING, "database gateway.clients.address", "database gateway.due_calls.body",
        "database invoicing.clients.address", "database invoicing.invoices.parties", "bus invoicing.put_client",
    ),
    # invoices
    "description": (
        *THERE, *KEPT_ANSWERS, *TO_INVOICING, "database invoicing.invoices.description", "database invoicing.invoices.search",
        "database invoicing.invoice_lines.description", "bus invoicing.create_invoice", "bus invoicing.edit_invoice",
    ),
    "memo": (
        *STAFF, *KEPT_ANSWERS, *TO_INVOICING, "database invoicing.invoices.memo", "bus invoicing.create_invoice",
        "bus invoicing.edit_invoice",
    ),
    "reference": (
        *THERE, *KEPT_ANSWERS, *TO_INVOICING, "database invoicing.payments.reference", "bus invoicing.record_payment",
    ),
    "refund_reason": (
        *STAFF, *KEPT_ANSWERS, *TO_INVOICING, "database invoicing.refunds.reason", "database invoicing.timeline.text",
        "bus invoicing.refund_invoice", "bus invoicing.refund_credit",
    ),
    "charge_reason": (  # why staff charged a card on file: "the client can read it"
        *THERE,
        *KEPT_ANSWERS,
        *TO_INVOICING,
        "database invoicing.payments.charged_by",
        "database invoicing.timeline.text",
        "bus invoicing.pay_invoice",
    ),
    "settle_reason": (
        *STAFF, *KEPT_ANSWERS, *TO_INVOICING, "database invoicing.timeline.text", "database processors.attempts.settled_reason",
        "bus invoicing.settle_*", "bus processors.settle_*",
    ),
    # the practice's own words for things
    "account label": (
        "answer admin *", "cookie admin *", *KEPT_ANSWERS, "database processors.accounts.description", "bus processors.*",
        "bus reply to processors.*",
    ),
    "tax label": (
        *THERE, *KEPT_ANSWERS, *TO_INVOICING, "database tax.settings.name", "database invoicing.invoice_tax_lines.jurisdiction",
        "database invoicing.invoices.tax_rule", "bus tax.*", "bus reply to tax.*",
    ),
    "token label": ("answer admin *", *KEPT_ANSWERS, "database gateway.api_tokens.name"),
    # what has no place: nowhere at all, but for the name of a field in the answer that says that there is none such, a form that is
    # drawn again, and an id or a search word of an address, which goes on to be looked for
    "typed": (),
    "field name": ("answer *",),
    "retyped": ("answer admin POST *", "answer provider POST *"),
    "key": ("database *.idempotency.key", "bus caller"),
    "asked for": (*THERE, "bus invoicing.*", "bus processors.*", "bus caller"),
}  # fmt: skip


def is_allowed(kind: str, place: str) -> bool:
    """Whether the table has a line for it. The bytes of a database file may hold what one of its columns may."""
    patterns = ALLOWED.get(kind, ())
    if place.startswith("file ") and "/" not in place:
        service = place.removeprefix("file ")
        return any(pattern.startswith((f"database {service}.", "database *")) for pattern in patterns)
    return any(fnmatchcase(place, pattern) for pattern in patterns)
