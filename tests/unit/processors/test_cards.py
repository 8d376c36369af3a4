"""Cards on file: kept once with consent, charged by their owner or by staff, gone when they are taken off."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.adapters.base import Adapter
from services.processors.model import SavedCard
from services.processors.orders import Saved
from services.processors.usecases import accounts, cards, charging
from shared.caller import CLIENT, PROVIDER, Caller, IdempotencyKey
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden, NotFound, Refused, Rejected, Unavailable
from shared.ids import new_id
from tests.unit.processors.conftest import APPROVED, ASKS_PAYER, DECLINED, KEYS, Desk

CLEO = Caller("prc_1", CLIENT, "per_2", "cli_1", "Cleo")
PAT = Caller("prc_1", PROVIDER, "per_3", "col_2", "Pat")


class Wallet:
    """What a client does with the cards on file."""

    def __init__(self, desk: Desk, client: Caller = CLEO):
        self.desk, self.client = desk, client

    def save(self, number: str = APPROVED, year: int = 2031, month: int = 12, card_id: str = "", caller: Caller | None = None):
        card_id, now = card_id or new_id("card"), self.desk.room.clock.now().timestamp()
        card = {"number": number, "exp_month": month, "exp_year": year, "cvc": "123"}
        info = f"save-card|prc_1|{self.client.member_id}|{card_id}"
        sealed = KEYS["gateway"].seal(json.dumps({"card": card, "expires_at": now + 120}).encode(), "processors", info)
        body = {"card_id": card_id, "sealed_card": sealed, "consent": "I allow it."}
        told = cards.save_card(caller or self.client, Processors.save_card.load_request(body), self.desk.room)
        return Processors.save_card.load_answer(json.loads(told.text))

    def listed(self, caller: Caller | None = None):
        request = Processors.list_cards.load_request({"client_id": self.client.member_id})
        return self.desk.answer(Processors.list_cards, cards.list_cards(caller or self.client, request, self.desk.room))

    def _ask(self, call, use_case, card_id: str, caller: Caller | None = None):
        request = call.load_request({"card_id": card_id, "client_id": self.client.member_id})
        return self.desk.answer(call, use_case(caller or self.client, request, self.desk.room))

    def choose(self, card_id: str, caller: Caller | None = None):
        return self._ask(Processors.choose_card, cards.choose_card, card_id, caller)

    def remove(self, card_id: str, caller: Caller | None = None):
        return self._ask(Processors.remove_card, cards.remove_card, card_id, caller)

    def charge(self, card_id: str, caller: Caller | None = None, client_id: str = "", payment_id: str = ""):
        body = {"payment_id": payment_id or new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD",
                "card_id": card_id, "client_id": client_id or self.client.member_id}  # fmt: skip
        said = charging.charge(caller or self.client, Processors.charge.load_request(body), self.desk.room)
        return self.desk.answer(Processors.charge, said)

    def row(self, card_id: str) -> SavedCard:
        with self.desk.room.database.reading() as session:
            found = session.get(SavedCard, ("prc_1", card_id))
            session.expunge_all()
            return found


@pytest.fixture
def wallet(open_desk):
    return Wallet(open_desk)


def test_a_card_is_kept_with_its_owners_words_and_without_its_number(wallet):
    """Brand, ending, date, consent with its moment; the first one is the default; nothing of the number is in the database."""
    saved = wallet.save()
    assert ("visa", "4242", 12, 2031, "valid", True, True) == tuple(
        saved[name] for name in ("brand", "last4", "exp_month", "exp_year", "expiry", "default", "usable")
    )
    assert ("I allow it.", wallet.desk.room.clock.now()) == (saved.consent.text, saved.consent.at)
    assert APPROVED not in str(vars(wallet.row(saved.id)))
    assert [saved.id] == [card.id for card in wallet.listed().data] and wallet.listed().can_save


def test_a_key_keeps_a_card_once(wallet):
    """The same request again is told the same card, whatever id came with it."""
    keyed = CLEO.with_key(IdempotencyKey("k", "POST /cards", "f"))
    first, again = wallet.save(caller=keyed), wallet.save(caller=keyed)
    assert first == again and 1 == len(wallet.listed().data)


def test_a_message_that_comes_again_keeps_it_once(wallet):
    """The card's own id is what a redelivered message is known by."""
    saved = wallet.save()
    wallet.save(card_id=saved.id)
    assert 1 == len(wallet.listed().data)


@pytest.mark.parametrize(
    ("saved", "fault"),
    [
        (Saved("declined", refusal="card_declined"), Refused),
        (Saved("declined", refusal="processor_credentials_refused"), Rejected),
        (Saved("unknown"), Unavailable),
        (Saved("not_sent", refusal="processor_unavailable"), Unavailable),
    ],
)
def test_a_card_that_is_not_kept_says_why(wallet, saved, fault):
    """A card's no, the account's no, no answer: nothing is on file."""
    wallet.desk.room.adapters["sandbox"].save_card = lambda credentials, saving: saved
    with pytest.raises(fault):
        wallet.save()
    assert [] == wallet.listed().data


def test_what_an_adapter_trips_over_is_not_told(wallet, caplog):
    """An exception that holds the card reaches nobody, log included."""

    def trips(credentials, saving):
        raise ValueError(saving.means.card.number.reveal())

    wallet.desk.room.adapters["sandbox"].save_card = trips
    with pytest.raises(Unavailable):
        wallet.save()
    assert APPROVED not in caplog.text


def test_a_practice_that_keeps_none_says_so(wallet):
    """Before a card is asked for, and if it is sent all the same."""
    wallet.desk.room.adapters["sandbox"].saves_cards = False
    assert not wallet.listed().can_save
    with pytest.raises(Conflict):
        wallet.save()


@pytest.mark.parametrize(
    ("card_entry", "takes_tokens", "kept"),
    [("direct", False, True), ("hosted_fields", True, True), ("hosted_fields", False, False), ("hosted_page", True, False)],
)
def test_cards_are_kept_from_ways_that_bring_one(wallet, card_entry, takes_tokens, kept):
    """Our own form brings a card, the processor's form a token where it has one; a page that the payer leaves for brings neither."""
    adapter = wallet.desk.room.adapters["sandbox"]
    adapter.takes_tokens, adapter.card_entry = takes_tokens, (card_entry,)
    with wallet.desk.room.database.transaction() as session:
        storage.active_account(session, "prc_1").card_entry = card_entry
    assert kept == wallet.listed().can_save
    assert not Adapter().keeps_cards_of(card_entry)


def test_ten_cards_are_enough(wallet):
    """Some processors keep no more for one person."""
    for number in range(cards.MOST):
        wallet.save(year=2030 + number)
    with pytest.raises(Conflict):
        wallet.save(year=2029)


def test_a_card_that_is_kept_again_takes_the_older_ones_place(wallet):
    """One row to choose from, with the newest consent, the default as before; the processor forgets what it kept for the older one."""
    first, other = wallet.save(), wallet.save(year=2032)
    again = wallet.save()
    assert [(again.id, True), (other.id, False)] == [(card.id, card.default) for card in wallet.listed().data]
    with pytest.raises(Conflict):
        wallet.charge(first.id)
    assert wallet.row(first.id).sealed
    cards.tend_cards(wallet.desk.room)
    assert "" == wallet.row(first.id).sealed and wallet.row(again.id).sealed
    assert "succeeded" == wallet.charge(again.id).status


def test_its_owner_pays_with_it(wallet):
    """One charge, by the account that keeps it, and the payment shows the card."""
    saved = wallet.save()
    said = wallet.charge(saved.id)
    assert ("succeeded", {"brand": "visa", "last4": "4242"}) == (said.status, said.card)
    assert 1 == len(wallet.desk.books()) and "on_file" == wallet.desk.row(said.payment_id).card_entry


def test_staff_charge_it_when_its_owner_is_away(wallet):
    """Off session; a bank that wants to hear the payer says no instead of waiting."""
    assert "succeeded" == wallet.charge(wallet.save().id, PAT).status
    asks = wallet.save(ASKS_PAYER)
    assert ("declined", "authentication_required") == ((said := wallet.charge(asks.id, PAT)).status, said.failure.code)
    assert "requires_action" == wallet.charge(asks.id).status


def test_a_decline_of_a_card_on_file_is_a_decline(wallet):
    assert "declined" == wallet.charge(wallet.save(DECLINED).id).status


@pytest.mark.parametrize("whose", ["cli_2", "cli_1"])
def test_another_clients_card_is_not_there(wallet, whose):
    """For another client it is like one that never was; staff charge it for its owner's invoices only."""
    saved, other = wallet.save(), replace(CLEO, member_id="cli_2")
    with pytest.raises((NotFound, Conflict)):
        wallet.charge(saved.id, other, client_id=whose)
    with pytest.raises(Conflict):
        wallet.charge(saved.id, PAT, client_id="cli_2")
    for act in (wallet.choose, wallet.remove, lambda card_id, caller: wallet.listed(caller)):
        with pytest.raises(NotFound):
            act(saved.id, other)
    assert [] == wallet.desk.books()


def test_another_practices_card_is_not_there(wallet):
    saved = wallet.save()
    with pytest.raises(Conflict):
        wallet.charge(saved.id, replace(PAT, practice_id="prc_2"))


def test_only_its_owner_saves_one(wallet):
    with pytest.raises(Forbidden):
        wallet.save(caller=PAT)


def test_a_card_of_another_account_can_not_be_used(wallet):
    """Each card belongs to one account: with another one active it is shown, not used, and a charge of it moves nothing."""
    saved = wallet.save()
    second = wallet.desk.add()
    accounts.activate_processor(
        wallet.desk.admin, Processors.activate_processor.load_request({"processor_id": second.id}), wallet.desk.room
    )
    assert [False] == [card.usable for card in wallet.listed().data]
    with pytest.raises(Conflict):
        wallet.charge(saved.id)
    assert [] == wallet.desk.books()


def test_another_one_is_offered_first(wallet):
    """There is one default; the newest of the others follows it when it goes."""
    first, second = wallet.save(), wallet.save(year=2032)
    assert [True, False] == [card.default for card in wallet.listed().data]
    wallet.choose(second.id)
    assert [second.id, first.id] == [card.id for card in wallet.listed().data]
    wallet.remove(second.id)
    assert [(first.id, True)] == [(card.id, card.default) for card in wallet.listed().data]


def test_off_file_it_is_gone_here_and_there(wallet):
    """It can't be charged any more, by a message on its way neither; removed twice is removed once; the processor's id is gone."""
    saved = wallet.save()
    wallet.remove(saved.id, PAT)
    wallet.remove(saved.id)
    assert [] == wallet.listed().data and "" == wallet.row(saved.id).sealed
    with pytest.raises(Conflict):
        wallet.charge(saved.id)


def test_a_processor_that_does_not_answer_forgets_it_later(wallet):
    """Here it is off file at once; the timer asks until the processor has forgotten it."""
    saved, adapter = wallet.save(), wallet.desk.room.adapters["sandbox"]
    adapter.remove_card = lambda credentials, ids: False
    wallet.remove(saved.id)
    assert [] == wallet.listed().data and wallet.row(saved.id).sealed
    del adapter.remove_card
    cards.tend_cards(wallet.desk.room)
    assert "" == wallet.row(saved.id).sealed


def test_an_account_that_keeps_a_card_is_hidden_and_not_deleted(wallet):
    """Its credentials stay, so that the processor can be asked to forget the card."""
    saved, desk = wallet.save(), wallet.desk
    request = Processors.remove_processor.load_request({"processor_id": desk.listed()[0].id})
    accounts.remove_processor(desk.admin, request, desk.room)
    assert [] == desk.listed()
    wallet.remove(saved.id)
    assert "" == wallet.row(saved.id).sealed
    accounts.remove_processor(desk.admin, Processors.remove_processor.load_request({"processor_id": desk.add().id}), desk.room)


def test_a_card_that_is_on_file_twice_is_forgotten_with_the_last(wallet):
    """A processor that knows a card by the same ids each time must not lose it for the other one, whosever that is."""
    adapter, asked = wallet.desk.room.adapters["sandbox"], []
    adapter.save_card = lambda credentials, saving: Saved(
        "approved", {"token": "same", "ending": "approved"}, "visa", "4242", 12, 2031
    )
    adapter.remove_card = lambda credentials, ids: asked.append(ids) or True
    mine, again = wallet.save(), wallet.save()
    theirs = Wallet(wallet.desk, replace(CLEO, member_id="cli_2"))
    shared = theirs.save()
    wallet.remove(mine.id)
    wallet.remove(again.id)
    assert [] == asked and {""} == {wallet.row(card.id).sealed for card in (mine, again)}
    assert "succeeded" == theirs.charge(shared.id).status
    theirs.remove(shared.id)
    assert [{"token": "same", "ending": "approved"}] == asked


@pytest.mark.parametrize(("year", "month", "expiry"), [(2026, 11, "soon"), (2026, 12, "soon"), (2027, 1, "valid")])
def test_its_owner_is_told_once_before_it_expires(wallet, year, month, expiry):
    """In its last two months, by news that names the card by its id only."""
    saved = wallet.save(year=year, month=month)
    assert expiry == saved.expiry
    for _ in range(2):
        cards.tend_cards(wallet.desk.room)
    told = [body for event, body in wallet.desk.news() if event == "card_expiring"]
    assert ([saved.id] if expiry == "soon" else []) == [one["card_id"] for one in told]
    assert "4242" not in str(told)


def test_past_its_month_it_is_refused(wallet):
    """A card is good to the end of its month."""
    saved = wallet.save(year=2026, month=11)
    wallet.desk.room.clock.at += timedelta(days=31)
    assert ["expired"] == [card.expiry for card in wallet.listed().data]
    assert ("declined", "expired_card") == ((said := wallet.charge(saved.id)).status, said.failure.code)
