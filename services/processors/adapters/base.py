"""What every processor's adapter looks like: data first, then the verbs. Nothing here or in an adapter remembers anything."""

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from services.processors.orders import CHARGE, Check, Listed, Nudge, Order, Outcome, Saved, Saving
from shared.contracts.processors import REFUSALS
from shared.faults import Forbidden, Invalid
from shared.settings import Settings

# What a payer reads. Suspicion and stolen cards read like any decline: the words must not warn a thief.
_DECLINED = "The card was declined. Try another card, or ask your bank."
# How cards are taken, for the admin who chooses: its name, what the client sees, and what the card industry's rules (PCI DSS) ask.
CARD_ENTRY_WORDS = {
    "hosted_page": (
        "On the processor's page",
        "Clients leave for a page of the processor, pay there and come back. It works without script.",
        "Card numbers never reach this system: the shortest questionnaire (SAQ A).",
    ),
    "hosted_fields": (
        "In the processor's form on our page",
        "Clients stay on the invoice's page; the form in it, or a window over it, is the processor's own. It needs script.",
        "Card numbers go from the browser to the processor, never through this system: the shortest questionnaire (SAQ A).",
    ),
    "direct": (
        "In a form of our own",
        "Clients type the card into a form of this system.",
        "Card numbers pass through this system, encrypted, and are not kept: the longest questionnaire (SAQ D), yearly. "
        "Some processors have to allow it first.",
    ),
}
WORDS = {
    "card_declined": _DECLINED,
    "insufficient_funds": "The card has not enough funds for this payment. Try another card.",
    "expired_card": "The card has expired. Check the date, or use another card.",
    "incorrect_cvc": "The security code is not right. Check the digits on the card and try again.",
    "incorrect_number": "The card number is not right. Check it and try again.",
    "incorrect_address": "The postal code or address does not match the card. Check it and try again.",
    "fraud_suspected": _DECLINED,
    "lost_or_stolen": _DECLINED,
    "limit_exceeded": "This is over a limit of the card. Try another card, or ask your bank.",
    "card_not_supported": "This kind of card can't be used here. Try another card.",
    "authentication_required": "Your bank needs you to confirm the payment, and that did not happen. Try again.",
    "processor_credentials_refused": "The practice's card processor can't take payments right now. Nothing was charged.",
    "processor_unavailable": "The card processor could not be reached. Nothing was charged; try again shortly.",
    "duplicate": "The same payment was made a moment ago. Look at the invoice before paying again.",
    "invalid_request": "The processor did not accept this request. Nothing was moved.",
    "unknown": "The processor gave no reason that is known here.",
}

REFUND_WORDS = {
    "processor_credentials_refused": "The practice's card processor refuses the practice's key. Nothing was given back.",
    "processor_unavailable": "The card processor could not be reached. Nothing was given back; try again shortly.",
    "invalid_request": "The processor did not accept the refund: the payment may be given back already, or be disputed.",
}


def words_for(kind: str, refusal: str) -> str:
    """The sentence that a person reads for a refusal of a charge or a refund."""
    if kind == CHARGE:
        return WORDS[refusal]
    return REFUND_WORDS.get(refusal, "The processor did not accept the refund. Nothing was given back.")


@dataclass(frozen=True)
class Field:
    """One credential that an admin pastes: it draws the form's field and checks what was typed."""

    name: str
    label: str
    help: str = ""
    secret: bool = False
    required: bool = False
    most: int = 255
    choices: tuple[str, ...] = ()

    def described(self) -> dict:
        return {
            "name": self.name,
            "label": self.label,
            "help": self.help or None,
            "secret": self.secret,
            "required": self.required,
            "choices": list(self.choices) or None,
        }


SIMULATOR = Field("api_base", "API address (development only)", "Where a simulator stands in for the processor, on this machine.")


def must_be_a_simulator(credentials: dict, settings: Settings, title: str) -> None:
    """Raise Invalid naming `credentials.api_base` unless it is left out or points at a simulator that is allowed."""
    if "api_base" in credentials and not settings.simulator_allowed(credentials["api_base"]):
        raise wrong("api_base", f"Only an address on this machine can stand in for {title}, and only in development.")


def wrong(name: str, message: str) -> Invalid:
    """A credential that can't be used."""
    return Invalid(errors=[{"field": f"credentials.{name}", "message": message}])


@dataclass(frozen=True)
class Refusal:
    """What one of a processor's codes means: its class (the facts' words) and one of the sixteen refusals."""

    kind: str
    refusal: str


@cache
def refusals(name: str) -> dict[str, Refusal]:
    """The table `<name>_codes.csv` beside the adapters: the processor's code -> class and refusal."""
    with open(Path(__file__).with_name(f"{name}_codes.csv"), newline="") as file:
        table = {row["code"]: Refusal(row["class"], row["refusal"]) for row in csv.DictReader(file)}
    odd = {entry.refusal for entry in table.values()} - {"", *REFUSALS}
    if odd:
        raise ValueError(f"{name}_codes.csv names refusals that do not exist: {sorted(odd)}")
    return table


class Adapter:
    """One processor. Credentials come with each call; what is returned is the processor's word or `unknown`.

    `read_deadline` is how long (seconds) one answer is waited for: the lease of a call is made from it.
    `absence_counts_after` is the number of look-ups after which "found nothing" counts, for orders whose absence the
    processor can't prove; the verbs never raise, whatever the network does.
    """

    name: str
    title: str
    fields: tuple[Field, ...] = ()
    card_entry: tuple[str, ...] = ("direct",)  # the first is what a new account begins with
    takes_tokens = False  # whether its own form on our page gives a token in place of a card
    listed_as = "reference"  # the name in `Order.ids` of what a charge's line in its list calls `id`
    refunds_fail_within: timedelta | None = None  # so long after it had succeeded a refund may fail, and nobody may tell us
    saves_cards = False  # whether it keeps cards on file; `order.means.on_file` then stands for the card in `prepare` and `charge`
    cannot: tuple[str, ...] = ()
    sends_webhooks = False
    test_cards: tuple[tuple[str, str], ...] = ()
    read_deadline: float = 20.0
    absence_counts_after: int = 4

    def is_test(self, credentials: dict) -> bool:
        """Whether these credentials move no real money."""
        raise NotImplementedError

    def must_fit(self, credentials: dict) -> None:
        """Raise Invalid naming `credentials.<field>` where the values can't belong together."""

    def check(self, credentials: dict) -> Check:
        """Whether the credentials work now; moves nothing."""
        raise NotImplementedError

    def must_offer(self, card_entry: str, credentials: dict) -> None:
        """Raise Invalid where this way of taking cards needs what the credentials lack."""

    def card_form(self, credentials: dict, learned: dict, card_entry: str) -> dict | None:
        """What our page needs to draw the processor's own form: `{kind, script, ...}`, public values only; None where it is ours.

        `kind` names the script of ours under the gateway's `static/cards/` that knows this form.
        """
        return None

    def content_sources(self, credentials: dict, card_entry: str) -> dict[str, list[str]]:
        """What the pay page's content security policy must allow for this way besides our own: `{directive: [origin]}`."""
        return {}

    def open_page(self, credentials: dict, order: Order) -> Outcome:
        """Open the processor's own page for the payer of the order: `requires_action` with `next_action` and how long it `lasts`.

        `next_action` is `{type: redirect, url}`, with `method: POST` and `fields` where a form has to be sent there, or with
        `window` where a script can open it over our page. Nobody has the address before it is committed, so that a page
        whose opening was not recorded can't be paid on. `cancel` closes it where the processor can; else `find` waits for its end.
        """
        raise NotImplementedError

    def prepare(self, credentials: dict, order: Order) -> Outcome:
        """Everything that moves no money: `prepared` with the ids that make the charge findable, else why not."""
        raise NotImplementedError

    def charge(self, credentials: dict, order: Order) -> Outcome:
        """Take the prepared order's money; called once in an attempt's life."""
        raise NotImplementedError

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        """Close a charge that was prepared or waits for the payer: `canceled`, or how it ended before that."""
        raise NotImplementedError

    def refund(self, credentials: dict, order: Order) -> Outcome:
        """Give back `order.amount` of the charge in `order.charge_ids`; called once in an attempt's life."""
        raise NotImplementedError

    def void(self, credentials: dict, order: Order) -> Outcome:
        """Release a charge that is held and not yet captured: `canceled`, or how it ended before that."""
        raise NotImplementedError

    def keeps_cards_of(self, card_entry: str) -> bool:
        """Whether a card can be saved where cards are taken this way: typed into our own form, or the processor's on our page."""
        return self.saves_cards and (card_entry == "direct" or (card_entry == "hosted_fields" and self.takes_tokens))

    def save_card(self, credentials: dict, saving: Saving) -> Saved:
        """Keep a card at the processor for later charges; moves no money. Asked twice it may be kept twice, which does no harm."""
        raise NotImplementedError

    def remove_card(self, credentials: dict, ids: dict) -> bool:
        """Whether the processor no longer keeps the card, now or already before."""
        raise NotImplementedError

    def find(self, credentials: dict, order: Order) -> Outcome:
        """How an order stands, asked of the processor. Where it proves absence it also closes the reference: `not_sent`."""
        raise NotImplementedError

    def list_between(self, credentials: dict, since: datetime, until: datetime) -> list[Listed] | None:
        """The processor's own list of charges and refunds of a span of time, for the comparison with ours; None if it can't be had."""
        raise NotImplementedError

    def ids_of(self, line: Listed, last4: str | None) -> dict:
        """What `Order.ids` of a charge must hold, by its line in the list: enough to find it and to give it back."""
        return {"reference": line.reference, self.listed_as: line.id, **({"last4": last4} if last4 else {})}

    def read_webhook(self, credentials: dict, body: bytes, headers: dict[str, str], now: datetime) -> Nudge | None:
        """What a delivery asks to look at, None where it concerns no order; header names are lower case, `body` is raw.

        Raises Forbidden where its signature is not right or too old. A processor that sends none refuses all.
        """
        raise Forbidden("webhook_refused", "This processor sends no notifications that can be trusted.")

    def described(self) -> dict:
        """This type's entry of the pulldown."""
        cards = [{"number": number, "outcome": outcome} for number, outcome in self.test_cards]
        return {
            "type": self.name,
            "title": self.title,
            "fields": [field.described() for field in self.fields],
            "card_entry": list(self.card_entry),
            "card_entry_words": [
                {"mode": mode, "title": title, "client_sees": sees, "scope": scope}
                for mode, (title, sees, scope) in CARD_ENTRY_WORDS.items()
                if mode in self.card_entry
            ],
            "cannot": list(self.cannot),
            "test_cards": cards or None,
        }

    def read_credentials(self, given: dict) -> dict[str, str]:
        """The credentials as they are kept; raises Invalid naming `credentials.<field>` for each that is wrong."""
        known = {field.name: field for field in self.fields}
        wrong = [(name, "This field is not known here.") for name in given if name not in known]
        kept: dict[str, str] = {}
        for name, field in known.items():
            value = given.get(name)
            problem = _problem(field, value)
            if problem:
                wrong.append((name, problem))
            elif value:
                kept[name] = value.strip()
        if wrong:
            raise Invalid(errors=[{"field": f"credentials.{name}", "message": message} for name, message in wrong])
        self.must_fit(kept)
        return kept

    def hint(self, credentials: dict) -> str | None:
        """Enough of the first secret to recognise it by: its kind and its last four characters."""
        secret = next((credentials[field.name] for field in self.fields if field.secret and field.name in credentials), "")
        if len(secret) < 12:
            return "…" if secret else None
        head, underscore, _ = secret[:8].rpartition("_")
        return f"{head}{underscore}…{secret[-4:]}"


def _problem(field: Field, value: object) -> str | None:
    if value is None or value == "":
        return "This is needed." if field.required else None
    if not isinstance(value, str):
        return "This must be text."
    text = value.strip()
    if not text:
        return "This is needed."
    if len(text) > field.most:
        return f"This is too long: {field.most} characters at most."
    if field.choices and text not in field.choices:
        return "Choose one of: " + ", ".join(field.choices) + "."
    if any(letter.isspace() or not letter.isprintable() or not letter.isascii() for letter in text):
        return "This holds a space or a character that does not belong here."
    return None
