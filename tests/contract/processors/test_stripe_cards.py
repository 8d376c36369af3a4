"""Cards on file at Stripe: what is asked for, what each answer means, and what stays there, by the simulator's books."""

import logging
from dataclasses import replace

import pytest

from services.processors.adapters.stripe import Stripe
from services.processors.orders import (
    APPROVED,
    CHARGE,
    DECLINED,
    NEEDS_PAYER,
    NOT_KNOWN,
    PREPARED,
    Card,
    Means,
    OnFile,
    Order,
    Saved,
    Saving,
    Secret,
)
from shared.settings import Settings
from tests.contract.processors.test_stripe import serving, simulator  # noqa: F401
from tests.leaks import leaked
from tests.simulators.stand import FAULTS
from tests.simulators.stripe_answers import Card as Behaviour

NUMBER, CVC, DECLINES, ASKS, DECLINES_LATER = "4242424242424242", "9173", "4000000000009995", "4000002760003184", "4000000000000341"
KEYS = {"secret_key": "sk_test_canary7Q2X9ZW", "publishable_key": "pk_test_canary7Q2X9ZW"}
PAYER = "payerpayerpayerpayer"


class Wallet:
    """A payer's cards at one merchant."""

    def __init__(self, simulator):  # noqa: F811
        self.simulator, self.keys = simulator, {**KEYS, "api_base": simulator.url}
        self.adapter = Stripe(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), deadlines=(2.0, 0.5))
        self.made = 0

    def saving(self, number: str = NUMBER, **means) -> Saving:
        self.made += 1
        card = Card(Secret(number), 12, 2031, Secret(CVC), "98004")
        return Saving(f"card{self.made:016}", PAYER, Means(**(means or {"card": card})))

    def saves(self, number: str = NUMBER) -> Saved:
        return self.adapter.save_card(self.keys, self.saving(number))

    def types(self, number: str = NUMBER, mode: str = "setup") -> Saved:
        return self.adapter.save_card(self.keys, self.saving(token=self.token(number, mode)))

    def token(self, number: str = NUMBER, mode: str = "setup") -> Secret:
        typed = {"number": number, "exp_month": "12", "exp_year": "2031", "cvc": CVC}
        return Secret(self.simulator.create_token(KEYS["publishable_key"], typed, mode))

    def removes(self, saved: Saved) -> bool:
        return self.adapter.remove_card(self.keys, saved.ids)

    def order(self, saved: Saved, off_session: bool) -> Order:
        self.made += 1
        kept = OnFile("pcr_1", saved.brand, saved.last4, saved.exp_month, saved.exp_year, saved.ids, off_session)
        return Order(CHARGE, "pay_1", f"r{self.made:019}", 12050, "USD", "pcr_1", means=Means(on_file=kept))

    def charges(self, saved: Saved, off_session: bool = False):
        order = self.order(saved, off_session)
        ready = self.adapter.prepare(self.keys, order)
        return self.adapter.charge(self.keys, order.with_ids(ready.ids)) if ready.status == PREPARED else ready

    def held(self) -> list[str]:
        """The last digits of the cards that customers hold at Stripe."""
        return [one["card"]["last4"] for one in self.things("payment_method") if one["customer"]]

    def things(self, what: str) -> list[dict]:
        return [one for one in self.simulator.things.values() if one["object"] == what]

    def asked(self, call: str) -> list[dict]:
        return [form for name, form in self.simulator.forms if name == call]

    def books(self) -> list[tuple[str, int, str]]:
        return [(entry["kind"], entry["amount"], entry["status"]) for entry in self.simulator.books()]


@pytest.fixture
def wallet(simulator):  # noqa: F811
    return Wallet(simulator)


def test_a_card_is_kept_with_a_customer_who_has_no_name(wallet):
    """Stripe is told our references only, and that the card is for charges when its owner is away; nothing is charged."""
    saved = wallet.saves()
    method, customer = wallet.things("payment_method")[0], wallet.things("customer")[0]
    assert Saved(APPROVED, {"customer": customer["id"], "method": method["id"]}, "visa", "4242", 12, 2031) == saved
    assert [{"metadata": {"reference": PAYER}}] == wallet.asked("customers.create")
    wanted = {
        "confirm": "true", "customer": customer["id"], "usage": "off_session", "payment_method_types": ["card"],
        "metadata": {"reference": "card0000000000000001"}, "expand": ["payment_method"], "payment_method": method["id"],
    }  # fmt: skip
    assert [wanted] == wallet.asked("setup_intents.create")
    assert (["4242"], []) == (wallet.held(), wallet.books())


def test_the_forms_token_is_kept_too(wallet):
    """What Stripe's form gave, made for keeping a card; one that was made for a payment is not taken."""
    saved = wallet.types()
    assert (APPROVED, "visa", "4242", 12, 2031) == (saved.status, saved.brand, saved.last4, saved.exp_month, saved.exp_year)
    assert (APPROVED, [("charge", 12050, "approved")]) == (wallet.charges(saved).status, wallet.books())
    assert (DECLINED, "invalid_request") == ((said := wallet.types(mode="payment")).status, said.refusal)


@pytest.mark.parametrize("way", ["saves", "types"])
@pytest.mark.parametrize(("number", "refusal"), [(DECLINES, "insufficient_funds"), (ASKS, "authentication_required")])
def test_a_card_whose_bank_says_no_is_not_kept(wallet, way, number, refusal):
    """A decline, and for now a bank that wants to hear its owner."""
    said = getattr(wallet, way)(number)
    assert (DECLINED, refusal, {}, []) == (said.status, said.refusal, said.ids, wallet.held())


def test_a_wrong_number_makes_no_customer(wallet):
    assert (DECLINED, "incorrect_number") == ((said := wallet.saves("4242424242424241")).status, said.refusal)
    assert [] == wallet.asked("customers.create")


def test_a_key_that_is_refused_is_no_decline_of_the_card(wallet):
    wallet.keys["secret_key"] = "sk_test_refused12345678"
    assert (DECLINED, "processor_credentials_refused") == ((said := wallet.saves()).status, said.refusal)
    assert not wallet.removes(Saved(APPROVED, {"customer": "cus_1", "method": "pm_1"}))


@pytest.mark.parametrize("way", ["card", "token"])
def test_the_same_saving_again_is_the_same_card(wallet, way):
    """A message that comes again finds what it made; another saving of the same card is another one, with ids of its own."""
    saving = wallet.saving(**({"token": wallet.token()} if way == "token" else {}))
    first, again = (wallet.adapter.save_card(wallet.keys, saving) for _ in range(2))
    assert (APPROVED, first, ["4242"]) == (first.status, again, wallet.held())
    other = wallet.saves()
    assert (APPROVED, ["4242", "4242"]) == (other.status, wallet.held()) and first.ids != other.ids


@pytest.mark.parametrize("step", ["prepare", "customers.create", "save"])
@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_saving_whose_line_is_bad_is_unknown(wallet, step, how):
    """Nothing is kept here that was not said; a new saving is not held up by what became of it, not even by a 500."""
    wallet.simulator.fail(step, how)
    said = wallet.saves()
    assert (NOT_KNOWN, {}) == (said.status, said.ids)
    assert APPROVED == wallet.saves().status
    wallet.simulator.release()


@pytest.mark.parametrize("off_session", [False, True])
def test_it_is_charged_for_its_owner_and_for_staff(wallet, off_session):
    """An ordinary charge in the books, with its customer; that the owner is away is said when it is confirmed, and only then."""
    saved = wallet.saves()
    said = wallet.charges(saved, off_session)
    assert (APPROVED, 12050, "USD") == (said.status, said.amount, said.currency)
    assert [("charge", 12050, "approved")] == wallet.books()
    assert [{"off_session": "true"} if off_session else {}] == wallet.asked("payment_intents.confirm")
    [wanted] = wallet.asked("payment_intents.create")
    assert (saved.ids["customer"], saved.ids["method"]) == (wanted["customer"], wanted["payment_method"])
    assert "off_session" not in wanted


def test_preparing_tells_the_card(wallet):
    ready = wallet.adapter.prepare(wallet.keys, wallet.order(wallet.saves(), True))
    assert (PREPARED, "visa", "4242", []) == (ready.status, ready.brand, ready.last4, wallet.books())


def test_a_bank_that_asks_when_nobody_is_there_declines(wallet):
    """Its owner is asked; staff get a decline, by the answer and by the look-up."""
    saved = wallet.saves()
    wallet.simulator.cards[saved.ids["method"]] = Behaviour(asks=True)
    assert NEEDS_PAYER == wallet.charges(saved).status
    said = wallet.charges(saved, off_session=True)
    assert (DECLINED, "authentication_required") == (said.status, said.refusal)
    wallet.simulator.fail("charge", "lose_answer")
    order = wallet.order(saved, True)
    order = order.with_ids(wallet.adapter.prepare(wallet.keys, order).ids)
    assert NOT_KNOWN == wallet.adapter.charge(wallet.keys, order).status
    found = wallet.adapter.find(wallet.keys, replace(order, means=Means()))
    assert (DECLINED, "authentication_required") == (found.status, found.refusal)
    assert [("charge", 12050, "declined")] * 2 == wallet.books()


def test_a_card_that_was_kept_can_decline_later(wallet):
    saved = wallet.saves(DECLINES_LATER)
    assert (APPROVED, DECLINED) == (saved.status, (said := wallet.charges(saved)).status) and "card_declined" == said.refusal
    assert [("charge", 12050, "declined")] == wallet.books()


def test_removed_it_is_gone_and_can_not_be_charged(wallet):
    """Taken off twice is taken off once; what was prepared before is refused as well, and another account's is not touched."""
    saved = wallet.saves()
    order = wallet.order(saved, True)
    ready = wallet.adapter.prepare(wallet.keys, order)
    assert [True, True] == [wallet.removes(saved) for _ in range(2)] and [] == wallet.held()
    assert (DECLINED, "invalid_request") == ((said := wallet.charges(saved)).status, said.refusal)
    assert (DECLINED, "invalid_request") == (
        (said := wallet.adapter.charge(wallet.keys, order.with_ids(ready.ids))).status,
        said.refusal,
    )
    assert [] == wallet.books()


def test_a_card_that_never_was_is_gone(wallet):
    assert wallet.removes(Saved(APPROVED, {"customer": "cus_1", "method": "pm_1"}))


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
def test_a_removal_whose_line_is_bad_is_not_called_done(wallet, how):
    """The timer asks again, and then it is gone."""
    saved = wallet.saves()
    wallet.simulator.fail("remove", how)
    assert not wallet.removes(saved)
    wallet.simulator.release()
    assert wallet.removes(saved) and [] == wallet.held()


def test_a_refusal_that_is_not_about_the_card_leaves_it(wallet):
    """Stripe says no to the detaching, and the look shows that its customer still holds it."""
    saved = wallet.saves()
    wallet.simulator.refuse("remove", 400, kind="invalid_request_error")
    assert not wallet.removes(saved) and ["4242"] == wallet.held()


def test_saving_is_offered_where_a_card_can_be_typed_for_it(wallet):
    """Stripe's own page takes payments only."""
    assert {"direct": True, "hosted_fields": True, "hosted_page": False} == {
        mode: wallet.adapter.keeps_cards_of(mode) for mode in wallet.adapter.card_entry
    }


def test_nothing_private_is_sent_or_told(wallet, caplog, capsys, monkeypatch):
    """The number goes to Stripe once, to make the method; keys, number and code are in no text of ours, at DEBUG either."""
    caplog.set_level(logging.DEBUG)
    asked, answer = [], wallet.simulator.answer
    monkeypatch.setattr(wallet.simulator, "answer", lambda one: (asked.append(one), answer(one))[1])
    told = [saving := wallet.saving(), saved := wallet.adapter.save_card(wallet.keys, saving), wallet.order(saved, True),
            wallet.charges(saved, True), wallet.types(), wallet.saves(DECLINES)]  # fmt: skip
    for how in FAULTS:
        wallet.simulator.fail("save", how, seconds=0.1)
        told.append(wallet.saves())
    wallet.removes(saved)
    text = "\n".join([*map(repr, told), caplog.text, *capsys.readouterr()])
    for canary in (NUMBER, CVC, KEYS["secret_key"]):
        assert not leaked(canary, text), canary
    assert not any(its_id in repr(told) for its_id in saved.ids.values())
    elsewhere = "\n".join(f"{one.path} {one.body.decode()}" for one in asked if one.path != "/v1/payment_methods")
    assert PAYER in elsewhere
    for canary in (NUMBER, CVC, "pay_1", "98004"):
        assert not leaked(canary, elsewhere), canary
