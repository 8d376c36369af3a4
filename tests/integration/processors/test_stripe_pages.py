"""Stripe's page and its form in the room, through the use cases, judged by the simulator's books: nobody pays twice."""

import json
from datetime import timedelta

import pytest

from services.processors.model import Account
from services.processors.orders import CHARGE, REFUND
from services.processors.usecases import comparing
from shared.contracts.processors import Processors
from shared.faults import Invalid
from shared.fields import Record
from shared.ids import new_id
from tests.integration.processors.test_stripe_room import deliver_body, listening, room_desk  # noqa: F401
from tests.integration.processors.test_stripe_simulator import (  # noqa: F401
    ASKS_PAYER,
    ASKS_THEN_DECLINES,
    KEYS,
    NO_FUNDS,
    NUMBER,
    fault,
    serving,
    simulator,
    taken,
)
from tests.simulators.stand import FAULTS
from tests.simulators.stripe_form import Refused
from tests.unit.processors.conftest import KEYS as RINGS

BACK = "https://practice.example/returns/inv_1"
PUBLIC = "pk_test_canaryKEY7Q2X9ZW"  # of the account that the tests' secret key belongs to
PAGE = 31 * 60  # seconds that a page is open
BEFORE_IT_IS_DONE = {how for how, (done, _) in FAULTS.items() if not done}


class Counter:
    """A practice that takes cards on Stripe's page or in its form, and its payer there."""

    def __init__(self, desk, mode: str):
        self.desk, self.simulator = desk, desk.simulator
        keys = {**KEYS, "publishable_key": PUBLIC, "api_base": desk.simulator.url}
        desk.change(desk.account.id, keys, card_entry=mode)

    def opens(self) -> Record:
        body = {"payment_id": new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD", "return_url": BACK}
        return self.desk.send(Processors.charge.load_request(body))

    def session(self, said: Record) -> str:
        return self.desk.row(said.payment_id).processor_ids["session"]

    def pays(self, said: Record, number: str = NUMBER) -> None:
        self.simulator.pay_on_page(self.session(said), typed(number))

    def types(self, number: str = NUMBER, key: str = PUBLIC) -> str:
        """In Stripe's form: the token."""
        return self.simulator.create_token(key, typed(number))

    def gives(self, token: str) -> Record:
        payment_id, at = new_id("pay"), self.desk.room.clock.now().timestamp() + 120
        info = f"card|{self.desk.practice_id}|inv_1|{payment_id}"
        sealed = RINGS["gateway"].seal(json.dumps({"token": token, "expires_at": at}).encode(), "processors", info)
        body = {"payment_id": payment_id, "invoice_id": "inv_1", "amount": 12924, "currency": "USD", "sealed_card": sealed}
        return self.desk.send(Processors.charge.load_request(body))

    def stands(self, said: Record) -> str:
        return self.desk.look(said.payment_id).status

    def checked(self, said: Record) -> str:
        return self.desk.check(said.payment_id).status

    def over(self) -> None:
        """The time of every page passes, and the timer with it."""
        for _ in range(PAGE // 60 + 2):
            self.desk.after(60)

    def taken(self, kind: str = CHARGE) -> list[int]:
        return taken(self.simulator, kind)


def typed(number: str) -> dict:
    return {"number": number, "exp_month": "12", "exp_year": "2031", "cvc": "123"}


@pytest.fixture
def page(room_desk):  # noqa: F811
    return Counter(room_desk, "hosted_page")


@pytest.fixture
def form(room_desk):  # noqa: F811
    return Counter(room_desk, "hosted_fields")


# the page


def test_stripe_is_asked_for_a_page_and_told_nothing_private(page):
    """An amount, our reference, where to come back, an end; the words on the page are neutral."""
    said = page.opens()
    [(_, sent)] = [form for form in page.simulator.forms if form[0] == "checkout.sessions.create"]
    expires_at = int((page.desk.row(said.payment_id).sent_at + timedelta(seconds=PAGE)).timestamp())
    price = {"currency": "usd", "unit_amount": "12924", "product_data": {"name": "Invoice"}}
    assert {
        "mode": "payment", "line_items": [{"price_data": price, "quantity": "1"}], "payment_method_types": ["card"],
        "adaptive_pricing": {"enabled": "false"}, "client_reference_id": said.reference, "success_url": BACK, "cancel_url": BACK,
        "payment_intent_data": {"metadata": {"reference": said.reference}}, "expires_at": str(expires_at),
    } == sent  # fmt: skip
    assert said.next_action["url"].startswith(page.simulator.url) and said.next_action["page"]


def test_what_is_paid_on_the_page_is_found_and_can_be_given_back(page):
    """The look-up tells the card and keeps what a refund needs."""
    said = page.opens()
    assert ("requires_action", []) == (page.checked(said), page.taken())
    page.pays(said)
    found = page.desk.check(said.payment_id)
    assert ("succeeded", "visa", "4242") == (found.status, found.card.brand, found.card.last4)
    assert "succeeded" == page.desk.refund(said.payment_id, 2050).status
    assert ([12924], [2050]) == (page.taken(), page.taken(REFUND))


def test_a_decline_on_the_page_ends_nothing(page):
    """The payer tries another card; the payment is not failed in between, and is paid once."""
    said = page.opens()
    with pytest.raises(Refused):
        page.pays(said, NO_FUNDS)
    page.desk.after(20)
    found = page.desk.look(said.payment_id)
    assert ("requires_action", None) == (found.status, found.failure)
    page.pays(said)
    page.desk.after(60)
    assert ("succeeded", [12924]) == (page.stands(said), page.taken())


def test_an_abandoned_page_closes_by_itself(page):
    """After its time it is canceled, and nobody can pay on it any more; after a decline on it as well."""
    left, declined = page.opens(), page.opens()
    with pytest.raises(Refused):
        page.pays(declined, NO_FUNDS)
    page.over()
    assert ["canceled", "canceled"] == [page.stands(left), page.stands(declined)]
    assert page.desk.row(declined.payment_id).failure_code is None
    with pytest.raises(Refused):
        page.pays(left)
    assert [] == page.taken()


def test_a_page_is_closed_by_the_payers_wish(page):
    """Canceled at once; what was paid a moment before is paid."""
    given_up, paid = page.opens(), page.opens()
    page.pays(paid)
    assert ["canceled", "succeeded"] == [page.desk.cancel(said.payment_id).status for said in (given_up, paid)]
    with pytest.raises(Refused):
        page.pays(given_up)
    assert [12924] == page.taken()


def test_paid_in_the_last_second(page):
    """The timer that closes the page is told that it was paid."""
    said = page.opens()
    page.desk.room.clock.at += timedelta(seconds=PAGE - 1)
    page.pays(said)
    page.desk.after(2)
    assert ("succeeded", [12924]) == (page.stands(said), page.taken())


@pytest.mark.parametrize("paid", [True, False])
def test_stripe_is_silent_when_the_page_ends(page, paid):
    """Neither closing nor looking is answered: it blocks as unknown, and ends as the books have it when Stripe is back."""
    said = page.opens()
    page.desk.room.clock.at += timedelta(seconds=PAGE - 1)
    if paid:
        page.pays(said)
    for verb in ("cancel", "find"):
        page.simulator.fail(verb, "500", times=3)
    page.desk.after(2)
    page.desk.after(5)
    assert "unknown" == page.stands(said)
    page.simulator.mend()
    page.desk.after(31)
    assert ("succeeded" if paid else "canceled", [12924] * paid) == (page.stands(said), page.taken())


def test_a_charge_that_shows_late_is_waited_for(page):
    """Paid, but three look-ups don't see it: neither those nor giving up end the payment before it is seen."""
    said = page.opens()
    page.simulator.hide(3)
    page.pays(said)
    assert ["requires_action"] * 3 == [page.checked(said), page.desk.cancel(said.payment_id).status, page.checked(said)]
    page.desk.after(60)
    assert ("succeeded", [12924]) == (page.stands(said), page.taken())


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_page_whose_opening_was_not_heard_is_nobodys(page, how):
    """Nothing moved, the invoice is payable again at once, and the address of a page that may be open is told to nobody."""
    page.simulator.fail("open", **fault(how))
    said = page.opens()
    page.simulator.release()
    expected = ("requires_action", True) if how == "slow" else ("not_sent", False)
    assert expected == (said.status, said.next_action is not None)
    if how != "slow":
        page.pays(again := page.opens())
        assert ("succeeded", [12924]) == (page.checked(again), page.taken())


@pytest.mark.parametrize("how", sorted(set(FAULTS) - {"slow"}))
@pytest.mark.parametrize("paid", [True, False])
def test_a_look_on_a_bad_line_ends_nothing(page, how, paid):
    """Whatever happens to the look-up the payment waits, and is then found as the books have it."""
    said = page.opens()
    if paid:
        page.pays(said)
    page.simulator.fail("find", **fault(how))
    assert "requires_action" == page.checked(said)
    page.simulator.mend()
    assert ("succeeded" if paid else "requires_action") == page.checked(said)


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_closing_on_a_bad_line_is_believed_when_it_is_seen(page, how):
    """It ends canceled or is still open; where it says canceled nobody can pay any more."""
    said = page.opens()
    page.simulator.fail("cancel", **fault(how))
    status = page.desk.cancel(said.payment_id).status
    assert status == ("requires_action" if how in BEFORE_IT_IS_DONE else "canceled")
    page.simulator.mend()
    page.simulator.release()
    assert "canceled" == page.desk.cancel(said.payment_id).status
    with pytest.raises(Refused):
        page.pays(said)


@pytest.mark.parametrize(("approve", "ends"), [(True, "succeeded"), (False, "requires_action")])
def test_the_bank_asks_on_the_page(page, approve, ends):
    """3-D Secure happens there, before anything is taken; refused, the page stays open for another card."""
    said = page.opens()
    page.pays(said, ASKS_PAYER)
    assert ("requires_action", []) == (page.checked(said), page.taken())
    page.simulator.answer_bank(page.session(said), approve)
    assert (ends, [12924] * approve) == (page.checked(said), page.taken())


@pytest.mark.parametrize("amount", [12923, 13000])
def test_another_amount_than_was_asked_is_for_a_person(page, amount):
    """More or less than asked is not this payment: never paid, never payable again by itself, at last in review."""
    said = page.opens()
    page.simulator.session(page.session(said))["amount_total"] = amount
    page.pays(said)
    page.desk.after(60)
    assert "unknown" == page.stands(said)
    for seconds in (5, 30, 300, 3600, *[86400] * 5):
        page.desk.after(seconds + 1)
    assert ("review", [amount]) == (page.stands(said), page.taken())


def test_the_delivery_comes_first(listening):  # noqa: F811
    """Before anybody asks: the page's own event wakes the look-up, however often it comes, and says nothing that is believed."""
    page = Counter(listening, "hosted_page")
    said = page.opens()
    page.pays(said)
    [body] = [body for body in listening.simulator.endpoint.waiting if b'"checkout.session.completed"' in body]
    listening.simulator.fail("find", "500")
    for _ in range(2):
        deliver_body(listening, body)
    listening.after(0)
    assert "requires_action" == page.stands(said)
    listening.after(60)
    assert ("succeeded", [12924]) == (page.stands(said), page.taken())


@pytest.mark.parametrize("kind", ["completed", "expired"])
def test_each_event_of_a_page_wakes_its_payment(listening, kind):  # noqa: F811
    """Paid or closed at Stripe: known at the next turn of the timer."""
    page = Counter(listening, "hosted_page")
    said, other = page.opens(), page.opens()
    before = listening.row(other.payment_id).version
    if kind == "completed":
        page.pays(said)
    else:
        page.simulator.expire_session(page.session(said), {}, "canaryKEY7Q2X9ZW")
    for body in listening.simulator.endpoint.waiting:
        if f'"checkout.session.{kind}"'.encode() in body:
            deliver_body(listening, body)
    listening.after(0)
    assert ("succeeded" if kind == "completed" else "canceled") == page.stands(said)
    assert before == listening.row(other.payment_id).version


def test_the_comparison_knows_pages(page):
    """Paid late, declined and left, closed: all of a day's pages agree with Stripe's list."""
    page.desk.after(3600)
    paid, declined, closed = page.opens(), page.opens(), page.opens()
    with pytest.raises(Refused):
        page.pays(declined, NO_FUNDS)
    page.desk.cancel(closed.payment_id)
    page.desk.room.clock.at += timedelta(seconds=PAGE - 60)
    page.pays(paid)
    page.over()
    assert ["succeeded", "canceled", "canceled"] == [page.stands(said) for said in (paid, declined, closed)]
    for _ in range(2):
        page.desk.room.clock.at += timedelta(days=1)
        assert 1 == comparing.compare_due(page.desk.room)
    assert [] == [body for event, body in page.desk.news() if event == "difference_found"]


# the form


def test_the_form_needs_its_key_and_a_new_account_begins_with_the_page(room_desk):  # noqa: F811
    """Without the publishable key the form is not offered, by adding or by changing; nobody begins with typed cards."""
    keys = {"secret_key": KEYS["secret_key"], "api_base": room_desk.simulator.url}
    account = room_desk.add("stripe", keys)
    assert "hosted_page" == account.card_entry
    for refused in (lambda: room_desk.add("stripe", keys, card_entry="hosted_fields"),
                    lambda: room_desk.change(account.id, card_entry="hosted_fields")):  # fmt: skip
        with pytest.raises(Invalid) as wrong:
            refused()
        assert ["credentials.publishable_key"] == [error["field"] for error in wrong.value.errors]
    changed = room_desk.change(account.id, {**keys, "publishable_key": PUBLIC}, card_entry="hosted_fields")
    assert "hosted_fields" == changed.card_entry


def test_our_page_is_told_what_the_form_needs(form):
    """Public values only; in earnest the scripts and frames are Stripe's own, and nothing of them for typed cards."""
    adapter, real = form.desk.room.adapters["stripe"], {"secret_key": "sk_live_1", "publishable_key": "pk_live_1"}
    drawn = {"kind": "stripe", "script": "https://js.stripe.com/dahlia/stripe.js", "publishable_key": "pk_live_1"}
    assert drawn == adapter.card_form(real, {}, "hosted_fields")
    scripts = ["https://js.stripe.com", "https://*.js.stripe.com"]
    page = {"form-action": ["https://checkout.stripe.com"]}
    own = {"script-src": scripts, "frame-src": [*scripts, "https://hooks.stripe.com"], "connect-src": ["https://api.stripe.com"]}
    assert ({**own, **page}, page, {}) == tuple(
        adapter.content_sources(real, mode) for mode in ("hosted_fields", "hosted_page", "direct")
    )


def test_a_token_pays_once(form):
    """The token of Stripe's form is charged like a card, tells the card, and is not taken a second time."""
    token = form.types()
    said = form.gives(token)
    assert ("succeeded", "visa", "4242") == (said.status, said.card.brand, said.card.last4)
    again = form.gives(token)
    assert ("declined", "invalid_request") == (again.status, again.failure.code)
    assert [12924] == form.taken()
    assert "succeeded" == form.desk.refund(said.payment_id, 2050).status


def test_stripe_is_sent_only_the_token(form):
    """An intent without a method, and its confirmation by the token."""
    token = form.types()
    said = form.gives(token)
    sent = dict(form.simulator.forms)
    reference = {"metadata": {"reference": said.reference}}
    assert {"amount": "12924", "currency": "usd", "payment_method_types": ["card"], **reference} == sent["payment_intents.create"]
    assert {"confirmation_token": token, "expand": ["payment_method"]} == sent["payment_intents.confirm"]
    assert "payment_methods.create" not in sent


def test_a_token_of_another_account_or_none_is_refused(form):
    """Definitely nothing: the payer can try again."""
    for token in (form.types(key="pk_test_somebody"), "ctoken_invented", "pm_card_visa", "4242424242424242"):
        assert "declined" == form.gives(token).status
    old = form.types()
    form.desk.room.clock.at += timedelta(hours=12)
    assert ("declined", []) == (form.gives(old).status, form.taken())


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_token_through_every_fault_is_charged_at_most_once(form, how):
    """Unknown, then found or proven absent, as the books have it; the card is told though its answer was lost."""
    token = form.types()
    form.simulator.fail("charge", **fault(how))
    said = form.gives(token)
    assert ("succeeded" if how == "slow" else "unknown") == said.status
    form.simulator.release()
    form.desk.after(5)
    found = form.desk.look(said.payment_id)
    ends = ("succeeded", [12924]) if form.taken() else ("not_sent", [])
    assert ends == (found.status, form.taken())
    assert found.card is None or "4242" == found.card.last4
    assert bool(form.taken()) == (found.card is not None)


@pytest.mark.parametrize(("number", "approve", "ends"), [
    (ASKS_PAYER, True, ("succeeded", [12924])), (ASKS_PAYER, False, ("declined", [])), (ASKS_THEN_DECLINES, True, ("declined", [])),
])  # fmt: skip
def test_the_bank_asks_in_a_window(form, number, approve, ends):
    """What our page needs to open it; afterwards the look-up decides, and the intent can't be used again."""
    said = form.gives(form.types(number))
    action = said.next_action
    assert "use_stripe_sdk" == action["type"]
    url, secret = form.simulator.url, action["client_secret"]
    drawn = {"kind": "stripe", "script": f"{url}/stripe.js", "publishable_key": PUBLIC, "client_secret": secret}
    assert (drawn, {"script-src": [url], "frame-src": [url], "connect-src": [url]}) == (action["form"], action["sources"])
    form.simulator.answer_bank_in_window(secret, approve)
    assert ends == (form.checked(said), form.taken())
    if ends[0] == "declined":
        assert "canceled" == form.simulator.by_secret(secret)["status"]


# after a restore


def test_a_page_whose_record_was_lost_is_found_by_what_was_paid_on_it(page):
    """Nothing is kept of it but our reference: canceling it is certain of nothing, and the list leads to what was paid."""
    said = page.opens()
    page.pays(said)
    page.desk.stand(said.payment_id, status="unknown", processor_ids={}, next_action=None, expires_at=None, next_look_up_at=None)
    assert "unknown" == page.desk.cancel(said.payment_id).status
    now = page.desk.room.clock.now()
    with page.desk.room.database.transaction() as session:
        session.get(Account, (page.desk.practice_id, page.desk.account.id)).close(now, now)
    page.desk.room.clock.at += timedelta(hours=1)
    assert 1 == comparing.compare_due(page.desk.room)
    page.desk.after(0)
    assert ("succeeded", [12924]) == (page.stands(said), page.taken())


def test_a_charge_whose_ids_were_lost_is_not_called_canceled(room_desk):  # noqa: F811
    """Without an id Stripe can't be asked to give it up; that it was ever sent is all that is known."""
    said = room_desk.charge(NUMBER)
    room_desk.stand(said.payment_id, status="unknown", processor_ids={}, settled_at=None)
    assert "unknown" == room_desk.cancel(said.payment_id).status
