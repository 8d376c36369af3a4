"""Cards on file at Authorize.net, against its simulator: kept, charged by their owner and by staff, removed, and through a bad line."""

import json
import logging
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.processors.adapters import authorize_net_cards as cards
from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.adapters.authorize_net_reading import hear
from services.processors.orders import (
    APPROVED,
    CHARGE,
    DECLINED,
    NOT_KNOWN,
    NOT_SENT,
    PREPARED,
    REFUND,
    Card,
    Means,
    OnFile,
    Order,
    Outcome,
    Saved,
    Saving,
    Secret,
)
from shared.clock import SystemClock
from shared.ids import base32, new_id
from shared.settings import Settings
from tests.leaks import leaked
from tests.simulators.authorize_net import AuthorizeNetSimulator, card_for
from tests.simulators.stand import FAULTS

VISA, CVC, ZIP = "4111111111111111", "9173", "98004"
PAYER = "PAYERPAYERPAYERPAYER"
KEYS = {"mode": "test", "api_login_id": "login1", "transaction_key": "key0123456789abc"}
FOLDER = Path(__file__).with_name("authorize_net")


class Shelf:
    """A merchant whose payers keep cards."""

    def __init__(self, simulator: AuthorizeNetSimulator):
        self.simulator, self.credentials = simulator, {**KEYS, "api_base": simulator.url}
        self.adapter = AuthorizeNet(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), SystemClock(), deadlines=(2.0, 1.0))
        self.asked: list[dict] = []
        answer = simulator.answer
        simulator.answer = lambda one: (self.asked.append(json.loads(one.body)), answer(one))[1]  # type: ignore[method-assign]

    def save(self, number: str = VISA, year: int = 2031, payer: str = PAYER, token: str | None = None) -> Saved:
        card = None if token else Card(Secret(number), 12, year, Secret(CVC), ZIP)
        means = Means(card=card, token=Secret(token) if token else None)
        return self.adapter.save_card(self.credentials, Saving(_reference(), payer, means))

    def kept(self, number: str = VISA, **how) -> OnFile:
        saved = self.save(number, **how)
        assert APPROVED == saved.status, saved
        return OnFile("pcr_1", saved.brand, saved.last4, saved.exp_month, saved.exp_year, saved.ids)

    def token(self, number: str = VISA) -> str:
        """What their window gives for a card."""
        self.adapter.check(self.credentials)  # or the merchant is not known there yet
        return self.simulator.pages.keep(
            {"cardNumber": number, "expirationDate": "2032-03", "cardCode": CVC}, "login1", self.simulator.now()
        )

    def prepared(self, kept: OnFile, off_session: bool = False) -> Order:
        means = Means(on_file=replace(kept, off_session=off_session))
        order = Order(CHARGE, new_id("pay"), _reference(), 12050, "USD", "pcr_1", means=means)
        ready = self.adapter.prepare(self.credentials, order)
        assert (PREPARED, kept.brand, kept.last4) == (ready.status, ready.brand, ready.last4)
        return replace(order.with_ids(ready.ids), sent_at=datetime.now(UTC))

    def charge(self, kept: OnFile, off_session: bool = False) -> Outcome:
        return self.adapter.charge(self.credentials, self.prepared(kept, off_session))

    def remove(self, kept: OnFile) -> bool:
        return self.adapter.remove_card(self.credentials, kept.ids)

    def requests(self, method: str) -> list[dict]:
        return [one[method] for one in self.asked if method in one]

    def cards(self) -> list[str]:
        return [card["cardNumber"] for customer in self.simulator.profiles.customers.values() for card in customer.cards.values()]

    def moved(self, kind: str = CHARGE) -> list[int]:
        return [entry["amount"] for entry in self.simulator.books() if (entry["kind"], entry["status"]) == (kind, APPROVED)]


def _reference() -> str:
    return base32(random.getrandbits(99), 20)


@pytest.fixture
def shelf():
    with AuthorizeNetSimulator().serving() as simulator:
        yield Shelf(simulator)


def test_a_card_is_kept_under_its_payer(shelf):
    """What was typed is told back, without a number; two payers are two customers, each by our opaque name."""
    saved = shelf.save()
    assert (APPROVED, "visa", "1111", 12, 2031) == (saved.status, saved.brand, saved.last4, saved.exp_month, saved.exp_year)
    other = shelf.save(payer="PAYER2PAYER2PAYER2PA")
    assert saved.ids["customerProfileId"] != other.ids["customerProfileId"]
    assert [VISA, VISA] == shelf.cards() and [] == shelf.moved()


def test_a_card_typed_at_theirs_is_kept_too(shelf):
    """A token stands for the card, once; what card it is we learn from them."""
    token = shelf.token("5424000000000015")
    saved = shelf.save(token=token)
    assert (APPROVED, "mastercard", "0015", 3, 2032) == (saved.status, saved.brand, saved.last4, saved.exp_month, saved.exp_year)
    again = shelf.save(token=token)
    assert (DECLINED, "E00114") == (again.status, again.processor_code)


@pytest.mark.parametrize("by_token", [False, True])
def test_a_card_kept_twice_is_one(shelf, by_token):
    """The same card of the same payer is answered with the ids it has, and with the date that is kept there; another card is another."""
    first = shelf.save(year=2032) if not by_token else shelf.save(token=shelf.token())
    again = shelf.save(year=2032) if not by_token else shelf.save(token=shelf.token())
    assert first == again and APPROVED == again.status
    assert first.ids != shelf.save("4012888888881881").ids
    assert 1 == len(shelf.simulator.profiles.customers) and 2 == len(shelf.cards())


@pytest.mark.parametrize(
    ("number", "year", "refusal", "code"), [("4111111111111112", 2031, "incorrect_number", "6"), (VISA, 2020, "expired_card", "8")]
)
def test_a_card_that_their_check_refuses_is_not_kept(shelf, number, year, refusal, code):
    """The reason is the check's own, not that of the answer around it."""
    saved = shelf.save(number, year)
    assert (DECLINED, refusal, code, {}) == (saved.status, saved.refusal, saved.processor_code, saved.ids)
    assert [] == shelf.cards()


def test_refused_keys_and_too_many_cards_are_told(shelf):
    """The account's no is told from the card's."""
    shelf.credentials["api_login_id"] = "refused1"
    assert (DECLINED, "processor_credentials_refused") == (lambda saved: (saved.status, saved.refusal))(shelf.save())
    shelf.credentials["api_login_id"] = "login1"
    saved = [shelf.save(card_for(code)) for code in (2, 4, 6, 8, 13, 17, 19, 20, 27, 36, 41)]
    assert [APPROVED] * 10 + [DECLINED] == [one.status for one in saved] and "E00042" == saved[-1].processor_code


@pytest.mark.parametrize(("off_session", "option"), [(False, "isStoredCredentials"), (True, "isSubsequentAuth")])
def test_a_card_on_file_is_charged_by_its_owner_and_by_staff(shelf, off_session, option):
    """One ordinary charge, found by its reference; the bank is told who asks, no address comes along, and it can be given back."""
    order = shelf.prepared(shelf.kept(), off_session)
    done = shelf.adapter.charge(shelf.credentials, order)
    assert (APPROVED, 12050, "USD", "visa", "1111") == (done.status, done.amount, done.currency, done.brand, done.last4)
    [entry] = shelf.simulator.books()
    assert (CHARGE, order.reference, {option: "true"}) == (entry["kind"], entry["reference"], entry["more"]["options"])
    [asked] = shelf.requests("createTransactionRequest")
    assert not {"payment", "billTo", "customer"} & set(asked["transactionRequest"])
    assert (APPROVED, 12050) == (lambda found: (found.status, found.amount))(shelf.adapter.find(shelf.credentials, order))
    shelf.simulator.settle()
    back = Order(REFUND, new_id("ref"), _reference(), 2050, "USD", "pcr_1", charge_ids=order.with_ids(done.ids).ids)
    assert APPROVED == shelf.adapter.refund(shelf.credentials, back).status


def test_a_lost_answer_is_found_again_with_what_a_refund_needs(shelf):
    """Charged there, unknown here, found by the reference; asked for once."""
    order = shelf.prepared(shelf.kept(), off_session=True)
    shelf.simulator.fail("charge", "lose_answer")
    assert NOT_KNOWN == shelf.adapter.charge(shelf.credentials, order).status
    found = shelf.adapter.find(shelf.credentials, order)
    assert (APPROVED, 12050, "1111") == (found.status, found.amount, found.ids["last4"])
    assert [12050] == shelf.moved() and 1 == len(shelf.requests("createTransactionRequest"))


@pytest.mark.parametrize(("code", "refusal"), [(2, "card_declined"), (8, "expired_card"), (4, "lost_or_stolen")])
def test_a_kept_card_can_be_declined(shelf, code, refusal):
    """Nobody's bank is asked when a card is kept, so it may say no when it is charged."""
    said = shelf.charge(shelf.kept(card_for(code)), off_session=True)
    assert (DECLINED, refusal) == (said.status, said.refusal) and [] == shelf.moved()


def test_a_card_whose_date_has_passed_meanwhile_is_expired(shelf):
    """Kept while it was good, charged six years on."""
    kept = shelf.kept()
    shelf.simulator.ahead = 6 * 366 * 86400.0
    assert "expired_card" == shelf.charge(kept).refusal


def test_a_removed_card_is_gone_and_cannot_be_charged(shelf):
    """Removed twice is gone both times; the charge is refused for certain; the payer's other card stays."""
    kept, other = shelf.kept(), shelf.kept("4012888888881881")
    assert shelf.remove(kept) and shelf.remove(kept)
    said = shelf.charge(kept)
    assert (DECLINED, "E00040", []) == (said.status, said.processor_code, shelf.moved())
    assert APPROVED == shelf.charge(other).status
    assert APPROVED == shelf.save().status  # and it can be kept anew


def test_another_merchants_card_is_nobodys(shelf):
    """Ids of one merchant charge and remove nothing at another, and the card stays."""
    kept = shelf.kept()
    shelf.credentials["api_login_id"] = "login2"
    assert DECLINED == shelf.charge(kept).status
    assert shelf.remove(kept) and [VISA] == shelf.cards()


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
@pytest.mark.parametrize("verb", ["save_customer", "save_card", "kept_cards"])
def test_a_bad_line_keeps_nothing_for_certain(shelf, verb, how):
    """Wherever the line fails nothing is said to be on file, and the same card again is kept once."""
    if verb == "kept_cards":  # asked for only where the card is kept already
        shelf.save()
    shelf.simulator.fail(verb, how)
    said = shelf.save()
    assert (NOT_KNOWN, {}) == (said.status, said.ids)
    assert APPROVED == shelf.save().status
    shelf.simulator.release()
    assert [VISA] == shelf.cards()


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_bad_line_removes_nothing_for_certain(shelf, how):
    """Not known to be gone; asked again it is."""
    kept = shelf.kept()
    shelf.simulator.fail("remove_card", how)
    assert shelf.remove(kept) is False
    assert shelf.remove(kept) is True and [] == shelf.cards()


def test_nobody_there_is_not_sent_and_not_removed(shelf):
    """A closed port is neither a yes nor a card's no."""
    kept = shelf.kept()
    shelf.credentials["api_base"] = "http://127.0.0.1:9"
    assert NOT_SENT == shelf.save().status and shelf.remove(kept) is False


def test_the_recorded_duplicate_names_its_customer(shelf):
    """The id is taken from the text of a recorded answer; where none is named, nothing is known."""
    recorded = hear(200, (FOLDER / "profile_duplicate.json").read_bytes())
    nameless = hear(200, b'{"messages":{"resultCode":"Error","message":[{"code":"E00039","text":"A duplicate exists."}]}}')

    class Line:
        def __init__(self, answer):
            self.answer, self.asked = answer, []

        def ask(self, method, fields=None):
            self.asked.append(fields)
            return self.answer

    saving = Saving(_reference(), PAYER, Means(card=Card(Secret(VISA), 12, 2031, Secret(CVC), ZIP)))
    line = Line(recorded)
    cards.save_card(line, saving)
    assert "20382791" == line.asked[1]["customerProfileId"]
    assert NOT_KNOWN == cards.save_card(Line(nameless), saving).status


def test_nothing_private_goes_there_or_comes_out(shelf, caplog, capsys):
    """Of the payer our opaque name and the postal code typed with the card; no card's code; no number, key or id in a log or a repr."""
    caplog.set_level(logging.DEBUG)
    token, told, ids = shelf.token("5424000000000015"), [], set()
    for how in (None, *sorted(set(FAULTS) - {"hang", "hang_after", "late_hang", "slow"})):
        for verb in ("save_card", "charge", "remove_card"):
            if how:
                shelf.simulator.fail(verb, how)
        saved, kept = shelf.save(), shelf.kept(payer=_reference()) if not how else None
        told += [repr(saved), repr(shelf.save(token=token))]
        if kept:
            order = shelf.prepared(kept)
            ids |= set(kept.ids.values())
            told += [repr(order), repr(shelf.adapter.charge(shelf.credentials, order)), repr(kept), str(shelf.remove(kept))]
        shelf.simulator.mend()
    [profile, *_] = shelf.requests("createCustomerProfileRequest")
    assert {"merchantCustomerId": PAYER} == profile["profile"]
    [card, *_] = shelf.requests("createCustomerPaymentProfileRequest")
    assert {"cardNumber": VISA, "expirationDate": "2031-12"} == card["paymentProfile"]["payment"]["creditCard"]
    assert {"billTo", "payment"} == set(card["paymentProfile"]) and {"zip": ZIP} == card["paymentProfile"]["billTo"]
    assert not leaked(CVC, json.dumps(shelf.asked))
    text = "\n".join([*told, caplog.text, *capsys.readouterr()])
    assert 2 == len(ids)
    for canary in (VISA, CVC, KEYS["transaction_key"], token, PAYER, *ids):
        assert not leaked(canary, text)
