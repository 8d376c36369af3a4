"""Authorize.net's JSON API: the verbs, of which none is ever sent again. Its wire and its answers are in the files beside this one.

It has no idempotency key and no search by our reference: the reference goes out as the invoice number, and is looked for in the lists
of held, unsettled and settled transactions, in the order in which a transaction moves through them. Facts: the API's reference and
schema; the reference as invoice number and the duplicate window: its response code 11.
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.processors.adapters import authorize_net_cards as cards
from services.processors.adapters import authorize_net_pages as pages
from services.processors.adapters import authorize_net_reading as reading
from services.processors.adapters.authorize_net_line import HOSTS, LONGEST_SPAN, Line
from services.processors.adapters.authorize_net_reading import Heard, Silent
from services.processors.adapters.base import SIMULATOR, Adapter, Field, must_be_a_simulator, wrong
from services.processors.orders import (
    APPROVED,
    CANCELED,
    CHARGE,
    DECLINED,
    NOT_KNOWN,
    NOT_SENT,
    NOT_SETTLED,
    PREPARED,
    REFUND,
    WAITING,
    Check,
    Listed,
    Nudge,
    Order,
    Outcome,
    Saved,
    Saving,
)
from shared.faults import Forbidden
from shared.money import to_text
from shared.settings import Settings

CHARGED = "authCaptureTransaction"
CONNECT_DEADLINE, READ_DEADLINE = 3.0, 20.0
DUPLICATE_WINDOW = "28800"  # seconds, the longest there is; left out it would be two minutes
IN_ORDER = (
    "amount",
    "currencyCode",
    "payment",
    "profile",
    "refTransId",
    "order",
    "billTo",
    "transactionSettings",
    "processingOptions",
)
MARGIN = timedelta(days=1)  # their clock and ours may differ, and a batch bears the time of its settlement
NOT_REFUNDABLE_YET = ("54", "50")
VOIDED_BEFORE = "310"
TEXTS = {
    "details": "Authorize.net accepts the key but does not let it read transactions, without which a lost answer could never be "
    "settled. Enable it there: Account, Settings, Security Settings, Transaction Details API; then check again.",
    "test mode": "This Authorize.net account is in test mode, so nothing would be charged. Switch it to live mode there, then check again.",
    "refused": "Authorize.net refuses this API login ID and transaction key. Paste both again, and look whether they are of a live or a "
    "sandbox account.",
    "silent": "Authorize.net could not be reached, so the key is not checked yet. Check it again later.",
}


class AuthorizeNet(Adapter):
    """On its own page (Accept Hosted), in its own window over our page (AcceptUI), or typed here (direct)."""

    name, title = "authorize_net", "Authorize.net"
    card_entry = ("hosted_page", "hosted_fields", "direct")
    takes_tokens = True
    listed_as = "transId"
    saves_cards = True
    cannot = ("refund_unsettled_part", "3d_secure")
    sends_webhooks = True
    read_deadline = READ_DEADLINE
    absence_counts_after = 4  # 5 s, 30 s, 5 min, 1 h: how long the lists lag is not documented

    def __init__(self, settings: Settings, clock: Any, deadlines: tuple[float, float] = (CONNECT_DEADLINE, READ_DEADLINE)):
        self.settings, self.clock, self.deadlines = settings, clock, deadlines

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]
        where = "Account, Settings, API Credentials & Keys."
        keys = (
            Field("mode", "Account", "A sandbox account is for tests.", required=True, choices=tuple(HOSTS)),
            Field("api_login_id", "API login ID", where, required=True, most=25),
            Field("transaction_key", "Transaction key", f"16 characters. {where}", True, True, most=16),
            Field(
                "signature_key", "Signature key", f"128 characters, for notifications; not needed to take payments. {where}", True
            ),
        )
        return (*keys, SIMULATOR) if self.settings.development else keys

    def is_test(self, credentials: dict) -> bool:
        return credentials.get("mode") != "live"

    def must_fit(self, credentials: dict) -> None:
        """The signature key is one, and a simulator is one that is allowed."""
        key = credentials.get("signature_key")
        if key is not None and (len(key) != 128 or any(letter not in "0123456789abcdefABCDEF" for letter in key)):
            raise wrong("signature_key", "The signature key has 128 characters: digits and the letters A to F.")
        must_be_a_simulator(credentials, self.settings, self.title)

    def _line(self, credentials: dict) -> Line:
        return Line(credentials, self.clock, self.deadlines)

    # the verbs

    def check(self, credentials: dict) -> Check:
        """Whether the key works, and whether it may read transactions: without that right no unknown outcome can be settled."""
        line = self._line(credentials)
        answer = line.ask("authenticateTestRequest")
        if isinstance(answer, Silent):
            return Check("unreachable", TEXTS["silent"])
        if answer.refused:
            return _refusal(answer)
        listed = line.ask("getUnsettledTransactionListRequest", {"paging": {"limit": "1", "offset": "1"}})
        if isinstance(listed, Silent):
            return Check("unreachable", TEXTS["silent"])
        if listed.refused and listed.meaning.kind == "error_account" and listed.outer != "E00009":
            return Check("refused", TEXTS["details"], "transaction_key")
        return _refusal(listed) if listed.refused else Check("ok", learned=pages.learn(line))

    def card_form(self, credentials: dict, learned: dict, card_entry: str) -> dict | None:
        return pages.form_of(credentials, learned) if card_entry == "hosted_fields" else None

    def content_sources(self, credentials: dict, card_entry: str) -> dict[str, list[str]]:
        return pages.sources_of(credentials, card_entry)

    def open_page(self, credentials: dict, order: Order) -> Outcome:
        return pages.open_page(self._line(credentials), credentials, order, _transaction(order, CHARGED))

    def save_card(self, credentials: dict, saving: Saving) -> Saved:
        return cards.save_card(self._line(credentials), saving)

    def remove_card(self, credentials: dict, ids: dict) -> bool:
        return cards.remove_card(self._line(credentials), ids)

    def prepare(self, credentials: dict, order: Order) -> Outcome:
        """There is nothing to make there: the reference is what the charge will be found by."""
        ids, card = {"reference": order.reference}, order.means.on_file or order.card
        if card is None:  # what stands for a card tells nothing of it; the answer does
            return Outcome(PREPARED, ids=ids)
        return Outcome(PREPARED, ids={**ids, "last4": card.last4}, brand=card.brand, last4=card.last4)

    def charge(self, credentials: dict, order: Order) -> Outcome:
        line = self._line(credentials)
        return self._settled(line, order, _move(line, order, CHARGED, **_paid_with(order)))

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        """What was never sent does not exist there. What was sent is found first, and voided where it is held.

        Their page can't be closed: what was paid on it is found, else it waits for its end.
        """
        if order.sent_at is None:
            return Outcome(CANCELED)
        found = self.find(credentials, order)
        held = found.status == WAITING and not order.on_page
        return self.void(credentials, order.with_ids(found.ids)) if held else found

    def void(self, credentials: dict, order: Order) -> Outcome:
        """Release the whole of a charge that is not settled: `canceled`, or how it stands where it can't be."""
        line = self._line(credentials)
        if "transId" not in order.ids:
            found = self._find(line, order)
            if found.status not in (WAITING, APPROVED):
                return found
            order = order.with_ids(found.ids)
        trans_id = order.ids["transId"]
        answer = _void(line, trans_id)
        if isinstance(answer, Silent):
            return Outcome(NOT_KNOWN, refusal=answer.refusal, processor_code=answer.code)
        if _is_voided(answer, trans_id):
            return Outcome(CANCELED, ids={"transId": trans_id})
        stands = self._find(line, order)
        if stands.status != WAITING:
            return stands
        # Held before it was even authorised, so there is nothing to void: the review is ended instead.
        held = {"heldTransactionRequest": {"action": "decline", "refTransId": trans_id}}
        line.ask("updateHeldTransactionRequest", held)
        return self._find(line, order)

    def refund(self, credentials: dict, order: Order) -> Outcome:
        """Give back a part or all of a settled charge; of one not settled yet only all of it can be, as a void."""
        line = self._line(credentials)
        charge = self._charge_of(line, order)
        if isinstance(charge, Outcome):
            return charge
        card = {"creditCard": {"cardNumber": charge["last4"], "expirationDate": "XXXX"}}
        answer = _move(line, order, "refundTransaction", payment=card, refTransId=charge["transId"])
        if isinstance(answer, Heard) and answer.reason in NOT_REFUNDABLE_YET:
            return _before_settlement(line, order, charge["transId"], answer.reason)
        return self._settled(line, order, answer)

    def find(self, credentials: dict, order: Order) -> Outcome:
        return self._find(self._line(credentials), order)

    def _find(self, line: Line, order: Order) -> Outcome:
        """By the id that is known, else by our reference in the lists; what is in none of them is absent, which proves nothing."""
        if known := order.ids.get("transId"):
            found = line.read(known)
            if isinstance(found, Silent):
                return _unknown(found)
            if found is not None and reading.reference_in(found) == order.reference:
                outcome = reading.from_details(found, order)
                if not order.on_page or outcome.status not in (DECLINED, CANCELED):
                    return outcome
        listed = line.lines((order.sent_at or self.clock.now() - LONGEST_SPAN) - MARGIN)
        if isinstance(listed, Silent):
            return _unknown(listed)
        ours = [its_id for its_id, entry in listed.items() if entry.get("invoiceNumber") == order.reference]
        outcome = _best_of(line, order, ours) if ours else Outcome(NOT_KNOWN, absent=True)
        if order.kind == REFUND and (outcome.absent or outcome.status == DECLINED):
            void = _given_back_by_void(line, order)
            return outcome if void.absent else void
        return pages.as_of_a_page(outcome, order, self.clock.now()) if order.on_page else outcome

    def list_between(self, credentials: dict, since: datetime, until: datetime) -> list[Listed] | None:
        """By submission time. The lists name no kind: what was refunded is a refund, all else counts as a charge."""
        line = self._line(credentials)
        merchant = line.ask("getMerchantDetailsRequest")
        currencies = merchant.body.get("currencies") if isinstance(merchant, Heard) else None
        if not (isinstance(currencies, list) and len(currencies) == 1 and isinstance(currencies[0], str)):
            return None
        entries = line.lines(since - MARGIN)
        if isinstance(entries, Silent):
            return None
        listed = [reading.listed(entry, currencies[0]) for entry in entries.values()]
        return [entry for entry in listed if entry is not None and since <= entry.at < until]

    def read_webhook(self, credentials: dict, body: bytes, headers: dict[str, str], now: datetime) -> Nudge | None:
        """The signature is over the raw body, its key the signature key as text (not as the bytes it spells); it bears no time."""
        key, given = credentials.get("signature_key"), headers.get("x-anet-signature", "")
        if not key or not _signed(key, body, given):
            raise Forbidden("webhook_refused", "The signature is not Authorize.net's.")
        return reading.nudge(body)

    # the steps of the verbs

    def _settled(self, line: Line, order: Order, answer: Heard | Silent) -> Outcome:
        """What an answer to a charge or refund means, with the one look at their lists that some codes need."""
        if isinstance(answer, Silent):
            return Outcome(answer.status, refusal=answer.refusal, processor_code=answer.code)
        outcome = reading.from_answer(answer, order)
        if answer.meaning.kind == "duplicate" and outcome.status == NOT_KNOWN:
            first = order.with_ids({"transId": answer.trans_id}) if answer.trans_id else order
            found = self._find(line, first)
            return outcome if found.status == NOT_KNOWN else found
        if answer.network_trouble:
            # "Not approved", says the gateway, while behind it an authorisation may hang: failed, unless one look shows otherwise.
            found = self._find(line, order)
            return outcome if found.absent else found
        return outcome

    def _charge_of(self, line: Line, order: Order) -> dict | Outcome:
        """The transaction id and last four digits of the charge to give back, looked up where we never learned them."""
        ids = order.charge_ids
        if not ids.get("transId") and ids.get("reference"):
            sought = replace(order, kind=CHARGE, reference=ids["reference"], ids={}, charge_ids={}, sent_at=None)
            found = self._find(line, sought)
            if found.status == NOT_KNOWN and not found.absent:
                return Outcome(NOT_SENT, refusal=found.refusal or "processor_unavailable", processor_code=found.processor_code)
            ids = {**ids, **found.ids}
        if ids.get("transId") and ids.get("last4"):
            return ids
        return Outcome(DECLINED, refusal="invalid_request", processor_code="no_transaction")


def _paid_with(order: Order) -> dict[str, Any]:
    """What of a charge says whose money is taken: a card on file, else a card or what stands for it."""
    if order.means.on_file is not None:
        return cards.charge_of(order.means.on_file)
    zip_code = order.card.postal_code if order.card else None
    return {"payment": pages.payment_of(order.means), **({"billTo": {"zip": zip_code}} if zip_code else {})}


def _before_settlement(line: Line, order: Order, trans_id: str, code: str) -> Outcome:
    """The refund was refused (definitely): its charge is not settled, or it never can be given back."""
    details = line.read(trans_id)
    if isinstance(details, Silent):
        return Outcome(NOT_SENT, refusal="processor_unavailable", processor_code=code)
    refused = Outcome(DECLINED, refusal="invalid_request", processor_code=code)
    if details is None:
        return refused
    whole = reading.amount_in(details, order.currency, "authAmount") == order.amount
    if details.get("transactionStatus") == "voided":
        return _given_back(order, trans_id) if whole else refused
    if not reading.waits_for_settlement(details):
        return refused
    if not whole:
        return Outcome(NOT_SETTLED, processor_code=code)
    answer = _void(line, trans_id)
    if isinstance(answer, Silent):
        return Outcome(answer.status, refusal=answer.refusal, processor_code=answer.code)
    if _is_voided(answer, trans_id):
        return _given_back(order, trans_id)
    if answer.response_code in ("2", "3") and answer.meaning.refusal == "invalid_request":
        return Outcome(NOT_SETTLED, processor_code=answer.reason)  # it is just being settled: soon it can be refunded
    outcome = reading.from_answer(answer, order)
    return outcome if outcome.status in (DECLINED, NOT_SENT) else Outcome(NOT_KNOWN, processor_code=outcome.processor_code)


def _given_back_by_void(line: Line, order: Order) -> Outcome:
    """A refund that is in no list: the whole of a charge may have been given back by voiding it, which leaves no line of its own."""
    trans_id = order.charge_ids.get("transId")
    if not trans_id:
        return Outcome(NOT_KNOWN, absent=True)
    details = line.read(trans_id)
    if isinstance(details, Silent):
        return _unknown(details)
    voided = details is not None and details.get("transactionStatus") == "voided"
    if details is not None and voided and reading.amount_in(details, order.currency, "authAmount") == order.amount:
        return _given_back(order, trans_id)
    return Outcome(NOT_KNOWN, absent=True)


def _best_of(line: Line, order: Order, trans_ids: list[str]) -> Outcome:
    """Of all transactions with our reference the one that says most: money that moved before money that may yet."""
    outcomes = []
    for trans_id in trans_ids:
        details = line.read(trans_id)
        if isinstance(details, Silent):
            return _unknown(details)
        outcomes.append(Outcome(NOT_KNOWN) if details is None else reading.from_details(details, order))
    ranked = {APPROVED: 0, WAITING: 1, NOT_KNOWN: 2}
    return min(outcomes, key=lambda outcome: ranked.get(outcome.status, 3))


def _move(line: Line, order: Order, kind: str, **fields: Any) -> Heard | Silent:
    """A request that moves money."""
    return line.ask(
        "createTransactionRequest", {"refId": order.reference, "transactionRequest": _transaction(order, kind, **fields)}
    )


def _transaction(order: Order, kind: str, **fields: Any) -> dict:
    """What is to be moved. The JSON is held against an XML schema there: the order of the names counts."""
    given = {
        "amount": to_text(order.amount, order.currency),
        "currencyCode": order.currency,
        "order": {"invoiceNumber": order.reference},
        **fields,
        "transactionSettings": {"setting": [_setting("allowPartialAuth", "false"), _setting("duplicateWindow", DUPLICATE_WINDOW)]},
    }
    return {"transactionType": kind, **{name: given[name] for name in IN_ORDER if name in given}}


def _void(line: Line, trans_id: str) -> Heard | Silent:
    transaction = {"transactionType": "voidTransaction", "refTransId": trans_id}
    return line.ask("createTransactionRequest", {"transactionRequest": transaction})


def _unknown(silent: Silent) -> Outcome:
    """A look-up that was not answered, for whatever reason, says nothing about what it looked for."""
    return Outcome(NOT_KNOWN, refusal=silent.refusal, processor_code=silent.code)


def _refusal(answer: Heard) -> Check:
    if answer.meaning.kind == "error_account":
        return Check("refused", TEXTS["test mode" if answer.outer == "E00009" else "refused"], "transaction_key")
    return Check("unreachable", TEXTS["silent"])


def _is_voided(answer: Heard, trans_id: str) -> bool:
    return answer.reason == VOIDED_BEFORE or (answer.response_code == "1" and answer.trans_id == trans_id)


def _given_back(order: Order, trans_id: str) -> Outcome:
    return Outcome(APPROVED, amount=order.amount, currency=order.currency, ids={"transId": trans_id, "voided": trans_id})


def _setting(name: str, value: str) -> dict:
    return {"settingName": name, "settingValue": value}


def _signed(key: str, body: bytes, given: str) -> bool:
    expected = "sha512=" + hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), given.lower().encode(errors="replace"))
