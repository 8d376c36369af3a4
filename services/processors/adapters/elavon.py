"""Elavon Converge (North America): its XML API, and the payment page that a token opens; our reference in two fields, looked up by both.

Converge has no key that makes a request safe to repeat, so nothing is ever sent again. Facts and codes: Elavon's developer
pages on the XML API, credit card transactions and the transaction query.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.processors.adapters import elavon_cards as cards
from services.processors.adapters import elavon_line, elavon_xml, transport
from services.processors.adapters import elavon_pages as pages
from services.processors.adapters import elavon_reading as reading
from services.processors.adapters.base import SIMULATOR, Adapter, Field, must_be_a_simulator, wrong
from services.processors.adapters.elavon_xml import Answer
from services.processors.orders import (
    APPROVED,
    CANCELED,
    DECLINED,
    NOT_KNOWN,
    NOT_SENT,
    NOT_SETTLED,
    PREPARED,
    REFUND,
    WAITING,
    Check,
    Listed,
    Order,
    Outcome,
    Saved,
    Saving,
)
from shared import money
from shared.settings import Settings

CONNECT_DEADLINE, READ_DEADLINE = 3.0, 60.0  # issuers answer slowly
QUERY_DEADLINE = 20.0  # a query asks no issuer
HOSTS = {"live": "https://api.convergepay.com/VirtualMerchant", "demo": "https://api.demo.convergepay.com/VirtualMerchantDemo"}
SPAN = timedelta(days=30)  # a query reaches over 31 days at most
RIGHTS = {"error:4014", "error:4016"}  # the user may not do this; the other refusals are of the credentials themselves


class Elavon(Adapter):
    """On Converge's page, in its Lightbox over ours, or direct. The terminal needs no partial approvals and no DCC.

    3-D Secure is the page's and the Lightbox's own; a card that is typed directly has none.
    """

    name, title = "elavon", "Elavon"
    card_entry = ("hosted_page", "hosted_fields", "direct")
    listed_as = "txn"
    saves_cards = True
    read_deadline = READ_DEADLINE

    def __init__(self, settings: Settings, clock: Any, deadlines: tuple[float, float] = (CONNECT_DEADLINE, READ_DEADLINE)):
        self.settings, self.clock, self.deadlines = settings, clock, deadlines

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]
        ours = (
            Field("mode", "Mode", "Which of Converge's two systems these belong to.", required=True, choices=tuple(HOSTS)),
            Field("merchant_id", "Account ID", "Six or seven digits, as Converge shows it.", required=True, most=15),
            Field("user_id", "User ID", "An API user with the right “Batches - View”.", required=True, most=15),
            Field("pin", "PIN", "The terminal's PIN; Converge, Employees, the API user.", True, True, 64),
            Field("vendor_id", "Vendor ID", "Only where Elavon gave you one.", most=20),
            Field("currency", "Currency of the terminal", "Three letters; USD where it is left empty.", most=3),
        )
        return (*ours, SIMULATOR) if self.settings.development else ours

    def is_test(self, credentials: dict) -> bool:
        return credentials.get("mode") != "live" or "api_base" in credentials

    def must_fit(self, credentials: dict) -> None:
        """An account ID is digits, nothing holds what Converge's loose XML breaks on, and a simulator is one that is allowed."""
        if not credentials["merchant_id"].isdigit():
            raise wrong("merchant_id", "An account ID is digits only.")
        for name in ("user_id", "pin", "vendor_id"):
            if set(credentials.get(name, "")) & set("&<>\"'"):
                raise wrong(name, "This holds a character that Converge does not take.")
        if not re.fullmatch("[A-Z]{3}", credentials.get("currency", "USD")):
            raise wrong("currency", "Three capital letters, such as USD or CAD.")
        must_be_a_simulator(credentials, self.settings, self.title)

    def hint(self, credentials: dict) -> str | None:
        return f"account …{credentials['merchant_id'][-4:]}"

    def check(self, credentials: dict) -> Check:
        """Asks for today's transactions: it moves nothing, and proves the right that every look-up needs."""
        today = self.clock.now()
        missed, _rows = self._query(credentials, _dates(today, today))
        if missed is None:
            return Check("ok")
        if missed.processor_code in RIGHTS:
            words = (
                "Elavon accepts these credentials, but the user may not look transactions up. "
                "In Converge, give the API user the right “Batches - View”; without it a lost answer could never be settled."
            )
            return Check("refused", words, "user_id")
        if missed.refusal == "processor_credentials_refused":
            return Check(
                "refused", "Elavon refuses this account ID, user ID and PIN together. Check all three, and the mode.", "pin"
            )
        return Check("unreachable", "Elavon could not be reached, so the credentials are not checked yet. Check them again later.")

    def content_sources(self, credentials: dict, card_entry: str) -> dict[str, list[str]]:
        return pages.sources(credentials, card_entry)

    def open_page(self, credentials: dict, order: Order) -> Outcome:
        """A token for one payment of this amount under our reference; it moves nothing, and nobody can pay with it before it is told."""
        named = {"ssl_transaction_type": "ccsale", **_amount(credentials, order), **_named(order)}
        back = {"ssl_partial_auth_indicator": "0", "ssl_callback_url": order.means.return_url or ""}
        form, deadline = {**_who(credentials), **named, **back}, min(self.deadlines[1], QUERY_DEADLINE)
        try:
            status, _header, body = elavon_line.send(pages.token_address(credentials), form, (self.deadlines[0], deadline))
            return pages.opened(status, body, credentials, order)
        except Exception as failure:
            return elavon_line.failed(failure)

    def save_card(self, credentials: dict, saving: Saving) -> Saved:
        """Only a card that was typed: Converge's own page and window give no token to us here."""
        card = saving.means.card
        if card is None:
            return Saved(DECLINED, refusal="invalid_request")
        failed, answer = self._ask(credentials, "ccgettoken", cards.to_keep(saving, card))
        return cards.not_kept(failed) if answer is None else cards.kept(answer, card)

    def remove_card(self, credentials: dict, ids: dict) -> bool:
        _failed, answer = self._ask(credentials, "ccdeletetoken", {"ssl_token": ids["token"]})
        return answer is not None and cards.is_gone(answer, ids["token"])

    def prepare(self, credentials: dict, order: Order) -> Outcome:
        """Asks nobody: Converge has nothing that could be prepared. The reference is what makes the charge findable."""
        card = order.means.on_file or order.card
        assert card is not None
        return Outcome(PREPARED, ids={"reference": order.reference}, brand=card.brand, last4=card.last4)

    def charge(self, credentials: dict, order: Order) -> Outcome:
        fields = {**_amount(credentials, order), **_named(order), **cards.paid_with(order.means)}
        said = self._carry_out(credentials, "ccsale", order, {**fields, "ssl_partial_auth_indicator": "0"})
        if said.refusal == "duplicate" or (said.status == NOT_SENT and not transport.was_not_sent(said.processor_code or "")):
            return self._looked_up_once(credentials, order, said)
        return said

    def _looked_up_once(self, credentials: dict, order: Order, said: Outcome) -> Outcome:
        """What Converge holds under our reference, where it said that one exists already or that its system tripped."""
        seen = self.find(credentials, order)
        if seen.status in (APPROVED, WAITING, CANCELED):
            return seen
        certain = seen.absent or seen.status in (DECLINED, NOT_SENT)
        return said if certain else replace(said, status=NOT_KNOWN)

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        """What was never sent is canceled, what Converge holds back is voided; what was approved has happened and stays.

        A page can't be closed, and what the payer paid there stays paid: of it this only tells how it stands.
        """
        seen = self.find(credentials, order)
        if seen.status == WAITING and not order.on_page:
            return self.void(credentials, order)
        return Outcome(CANCELED) if seen.absent and order.sent_at is None and not order.on_page else seen

    def void(self, credentials: dict, order: Order) -> Outcome:
        """Release what Converge holds under our reference; a settled one stays approved, and is given back by a refund."""
        seen = self.find(credentials, order)
        if seen.status not in (APPROVED, WAITING):
            return seen
        said = self._void(credentials, order, seen.ids["txn"])
        if said.status == APPROVED:
            return Outcome(CANCELED, ids=seen.ids)
        if said.status == NOT_KNOWN:
            return said
        now = self.find(credentials, order)  # refused for certain: settled meanwhile, or voided before
        return now if now.status in (APPROVED, WAITING, CANCELED) else Outcome(NOT_KNOWN, ids=seen.ids)

    def refund(self, credentials: dict, order: Order) -> Outcome:
        """The whole of a charge that has not settled is voided; anything else is a return, `not_settled` where it is too early."""
        missed, sale = self._sale(credentials, order)
        if sale is None:
            return _not_begun(missed)
        if reading.stands(sale, "OPN") and not reading.is_voided(sale) and reading.is_whole(sale, order, credentials):
            said = self._void(credentials, order, sale["ssl_txn_id"])
            if not reading.state_forbids(said):
                return said
            missed, sale = self._sale(credentials, order)
            if sale is None:
                return _not_begun(missed)
        if reading.is_voided(sale):
            return reading.given_back(sale, order, credentials) or Outcome(
                DECLINED, refusal="invalid_request", processor_code="voided"
            )
        given = {"ssl_txn_id": sale["ssl_txn_id"], **_amount(credentials, order, asks_currency=False), **_named(order)}
        said = self._carry_out(credentials, "ccreturn", order, given)
        if said.processor_code == "error:5040" and not reading.stands(sale, "STL"):
            return Outcome(NOT_SETTLED, processor_code=said.processor_code)
        return said

    def find(self, credentials: dict, order: Order) -> Outcome:
        """By our reference, then by date with our own eyes. Finding nothing proves nothing; on a page, neither does a decline."""
        missed, rows = self._search(credentials, order)
        if missed is not None:
            return missed
        ours = [row for row in rows if reading.is_ours(row, order)]
        if ours:
            return reading.judged(ours, order, credentials)
        if order.kind == REFUND:
            missed, sale = self._sale(credentials, order)
            if sale is None:
                return missed
            if done := reading.given_back(sale, order, credentials):
                return done
        return Outcome(NOT_KNOWN, absent=not any(reading.could_be(row, order) for row in rows))

    def list_between(self, credentials: dict, since: datetime, until: datetime) -> list[Listed] | None:
        lines: list[Listed] = []
        start = since - timedelta(hours=1)  # the hour that clocks repeat in autumn can't be told from the one before
        while start < until + timedelta(hours=1):
            end = min(start + timedelta(days=1), until + timedelta(hours=1))
            missed, rows = self._query(credentials, _times(start, end))
            if missed is not None:
                return None
            lines += [line for row in rows if (line := reading.listed(row, since, until, credentials)) and line not in lines]
            start = end
        return lines

    # what goes over the wire

    def _carry_out(self, credentials: dict, verb: str, order: Order, fields: dict[str, str]) -> Outcome:
        """One request that moves money, and what its answer says; never raises."""
        failed, answer = self._ask(credentials, verb, fields)
        return failed if answer is None else reading.outcome_of(answer, order, credentials)

    def _void(self, credentials: dict, order: Order, txn: str) -> Outcome:
        failed, answer = self._ask(credentials, "ccvoid", {"ssl_txn_id": txn})
        said = failed if answer is None else reading.outcome_of(answer, order, credentials, voids=True)
        return replace(said, amount=order.amount, currency=order.currency, ids={"txn": txn}) if said.status == APPROVED else said

    def _search(self, credentials: dict, order: Order) -> tuple[Outcome | None, list[dict[str, str]]]:
        """The rows among which the order is, if it is there: by id, by reference, else all of its days."""
        sent = order.sent_at or self.clock.now()
        first = sent - timedelta(days=1)
        queries = [{"ssl_merchant_txn_id": order.reference, **_dates(first)}, _dates(first, first + SPAN)]
        if "txn" in order.ids:
            queries.insert(0, {"ssl_txn_id": order.ids["txn"]})
        rows: list[dict[str, str]] = []
        for query in queries:
            missed, rows = self._query(credentials, query)
            if missed is not None or any(reading.is_ours(row, order) for row in rows):
                return missed, rows
        return None, rows

    def _sale(self, credentials: dict, order: Order) -> tuple[Outcome, dict[str, str] | None]:
        """The row of the charge that a refund gives back."""
        txn = order.charge_ids.get("txn")
        missed, rows = self._query(credentials, {"ssl_txn_id": txn}) if txn else (None, [])
        found = [row for row in rows if row.get("ssl_txn_id") == txn]
        return missed or Outcome(NOT_KNOWN), found[0] if len(found) == 1 else None

    def _query(self, credentials: dict, fields: dict[str, str]) -> tuple[Outcome | None, list[dict[str, str]]]:
        """What a query found, else why it was not answered (never `absent`)."""
        failed, answer = self._ask(credentials, "txnquery", fields)
        if answer is None:
            return replace(failed, status=NOT_KNOWN), []
        if answer.rows is not None:
            return None, answer.rows
        if "errorCode" in answer.fields:
            if reading.nothing_found(answer, fields):
                return None, []
            return replace(reading.error_of(answer.fields["errorCode"]), status=NOT_KNOWN), []
        return (None, [answer.fields]) if answer.fields.get("ssl_txn_id") else (reading.UNREADABLE, [])

    def _ask(self, credentials: dict, verb: str, fields: dict[str, str]) -> tuple[Outcome, Answer | None]:
        """The answer if it is one; else whether the request was certainly not sent, or nothing is known."""
        document = elavon_xml.write({**_who(credentials), "ssl_transaction_type": verb, **fields})
        try:
            deadline = min(self.deadlines[1], QUERY_DEADLINE) if verb == "txnquery" else self.deadlines[1]
            status, header, body = self._post(credentials, document, deadline)
            if status != 200:
                return Outcome(NOT_KNOWN, refusal="processor_unavailable", processor_code=f"http:{status}"), None
            return reading.UNREADABLE, elavon_xml.read(body, header)
        except elavon_xml.NotAnAnswer:
            return reading.UNREADABLE, None
        except Exception as failure:
            return elavon_line.failed(failure), None

    def _post(self, credentials: dict, document: str, deadline: float) -> tuple[int, str, bytes]:
        base = credentials["api_base"].rstrip("/") + "/VirtualMerchantDemo" if "api_base" in credentials else None
        url = (base or HOSTS[credentials["mode"]]) + "/processxml.do"
        return elavon_line.send(url, {"xmldata": document}, (self.deadlines[0], deadline))


def _not_begun(missed: Outcome) -> Outcome:
    """A refund whose charge could not be read first: nothing was asked for."""
    refused = missed.refusal == "processor_credentials_refused"
    return replace(missed, status=DECLINED if refused else NOT_SENT, refusal=missed.refusal or "processor_unavailable")


# what is written


def _who(credentials: dict) -> dict[str, str]:
    who = {"ssl_merchant_id": credentials["merchant_id"], "ssl_user_id": credentials["user_id"], "ssl_pin": credentials["pin"]}
    return {**who, "ssl_vendor_id": credentials["vendor_id"]} if "vendor_id" in credentials else who


def _amount(credentials: dict, order: Order, *, asks_currency: bool = True) -> dict[str, str]:
    """The amount, and its currency where it is not the terminal's own: one without multi-currency refuses it (5087)."""
    other = (
        {"ssl_transaction_currency": order.currency} if asks_currency and order.currency != reading.terminal(credentials) else {}
    )
    return {"ssl_amount": money.to_text(order.amount, order.currency), **other}


def _named(order: Order) -> dict[str, str]:
    """Our reference, in both of the fields that may come back."""
    return {"ssl_invoice_number": order.reference, "ssl_merchant_txn_id": order.reference}


def _dates(start: datetime, end: datetime | None = None) -> dict[str, str]:
    return _span(start, end, "%m/%d/%Y")


def _times(start: datetime, end: datetime) -> dict[str, str]:
    return _span(start, end, "%m/%d/%Y %I:%M:%S %p")


def _span(start: datetime, end: datetime | None, how: str) -> dict[str, str]:
    span = {"ssl_search_start_date": start.astimezone(reading.EASTERN).strftime(how)}
    return span if end is None else {**span, "ssl_search_end_date": end.astimezone(reading.EASTERN).strftime(how)}
