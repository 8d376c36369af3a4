"""Cards on file at Stripe in the room, through the use cases, judged by the simulator's books."""

import json

import pytest

from services.processors.usecases import cards
from shared.contracts.processors import Processors
from shared.faults import Conflict, Refused, Unavailable
from shared.ids import new_id
from tests.integration.processors.test_stripe_pages import PUBLIC, typed
from tests.integration.processors.test_stripe_room import room_desk  # noqa: F401
from tests.integration.processors.test_stripe_simulator import ASKS_PAYER, KEYS, NUMBER, serving, simulator, taken  # noqa: F401
from tests.simulators.stripe_answers import Card as Behaviour
from tests.unit.processors.conftest import KEYS as RINGS
from tests.unit.processors.test_cards import CLEO, PAT, Wallet


class StripeWallet(Wallet):
    def takes(self, mode: str) -> None:
        keys = {**KEYS, "publishable_key": PUBLIC, "api_base": self.desk.simulator.url}
        self.desk.change(self.desk.account.id, keys, card_entry=mode)

    def gives(self, number: str = NUMBER):
        """By the form, whose token is all that comes here."""
        token, card_id = self.desk.simulator.create_token(PUBLIC, typed(number), "setup"), new_id("card")
        text = json.dumps({"token": token, "expires_at": self.desk.room.clock.now().timestamp() + 120})
        sealed = RINGS["gateway"].seal(text.encode(), "processors", f"save-card|prc_1|{self.client.member_id}|{card_id}")
        body = {"card_id": card_id, "sealed_card": sealed, "consent": "I allow it."}
        told = cards.save_card(self.client, Processors.save_card.load_request(body), self.desk.room)
        return Processors.save_card.load_answer(json.loads(told.text))

    def held(self) -> int:
        things = self.desk.simulator.things.values()
        return len([one for one in things if one["object"] == "payment_method" and one["customer"]])


@pytest.fixture
def wallet(room_desk):  # noqa: F811
    return StripeWallet(room_desk)


@pytest.mark.parametrize("mode", ["direct", "hosted_fields"])
def test_a_card_is_kept_charged_by_both_and_removed(wallet, mode):
    """Typed into either form: its owner and staff charge it, each an ordinary charge; removed it is gone at Stripe too."""
    wallet.takes(mode)
    assert wallet.listed().can_save
    saved = wallet.save(NUMBER) if mode == "direct" else wallet.gives()
    assert ("visa", "4242", 12, 2031) == (saved.brand, saved.last4, saved.exp_month, saved.exp_year)
    assert ["succeeded"] * 2 == [wallet.charge(saved.id, caller).status for caller in (CLEO, PAT)]
    assert ([12924, 12924], 1) == (taken(wallet.desk.simulator), wallet.held())
    wallet.remove(saved.id)
    assert (0, "") == (wallet.held(), wallet.row(saved.id).sealed)
    with pytest.raises(Conflict):
        wallet.charge(saved.id, PAT)


def test_where_cards_are_typed_on_stripes_page_none_is_kept_anew(wallet):
    """It is not offered, and refused if asked for; a card that was kept before is charged all the same."""
    saved = wallet.save(NUMBER)
    wallet.takes("hosted_page")
    assert not wallet.listed().can_save
    with pytest.raises(Conflict, match="cards_not_kept"):
        wallet.save(NUMBER)
    assert "succeeded" == wallet.charge(saved.id, PAT).status


def test_staff_get_a_decline_where_its_owner_is_asked(wallet):
    """The bank wants to hear the payer: who is there is asked, for who is away it is declined."""
    saved = wallet.save(NUMBER)
    for method in wallet.desk.simulator.cards:
        wallet.desk.simulator.cards[method] = Behaviour(asks=True)
    said = wallet.charge(saved.id, PAT)
    assert ("declined", "authentication_required") == (said.status, said.failure.code)
    assert "requires_action" == wallet.charge(saved.id).status
    with pytest.raises(Refused):
        wallet.save(ASKS_PAYER)


def test_a_lost_answer_is_found_and_not_sent_again(wallet):
    saved = wallet.save(NUMBER)
    wallet.desk.simulator.fail("charge", "lose_answer")
    said = wallet.charge(saved.id, PAT)
    wallet.desk.after(5)
    assert ("unknown", "succeeded", [12924]) == (
        said.status,
        wallet.desk.look(said.payment_id).status,
        taken(wallet.desk.simulator),
    )


def test_a_card_whose_keeping_is_not_known_is_not_on_file(wallet):
    """The answer is lost: nothing here; the same message again finds the card that Stripe made."""
    card_id = new_id("card")
    wallet.desk.simulator.fail("save", "lose_answer")
    with pytest.raises(Unavailable):
        wallet.save(NUMBER, card_id=card_id)
    assert [] == wallet.listed().data
    wallet.save(NUMBER, card_id=card_id)
    assert (1, [card_id]) == (wallet.held(), [card.id for card in wallet.listed().data])


def test_a_removal_that_stripe_did_not_hear_is_asked_again(wallet):
    saved = wallet.save(NUMBER)
    wallet.desk.simulator.fail("remove", "lose_request")
    wallet.remove(saved.id)
    assert (1, []) == (wallet.held(), wallet.listed().data)
    cards.tend_cards(wallet.desk.room)
    assert (0, "") == (wallet.held(), wallet.row(saved.id).sealed)
