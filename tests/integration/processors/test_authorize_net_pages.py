"""Authorize.net's own page and its window's tokens, against their stand-ins: whatever a payer does there, one charge at most is ours."""

import json
from datetime import timedelta

import pytest
import requests

from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.model import LOOK_UPS
from services.processors.orders import CHARGE, REFUND, Means, Order, Secret
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden
from shared.ids import new_id
from shared.settings import Settings
from tests.integration.processors.test_authorize_net import KEYS, NUMBER, SIGNATURE
from tests.leaks import leaked
from tests.simulators.authorize_net import AuthorizeNetSimulator, card_for
from tests.simulators.stand import FAULTS
from tests.unit.processors.conftest import KEYS as RINGS
from tests.unit.processors.conftest import Desk
from tests.unit.processors.test_webhooks import deliver

BACK = "https://practice.example/returns/inv_1"
AN_HOUR_AND_MORE = sum((pause.total_seconds() + 1 for pause in LOOK_UPS[:4]), 0.0)


class Payer:
    """Somebody's browser at what Authorize.net shows: it sends the form that it was given, and nothing else."""

    def __init__(self, action: dict):
        self.url, self.token = action["url"].removesuffix("/payment/payment"), action["fields"]["token"]

    def opens(self) -> str:
        return requests.post(f"{self.url}/payment/payment", data={"token": self.token}, timeout=5).text

    def pays(self, number: str = NUMBER) -> requests.Response:
        typed = {"token": self.token, "cardNum": number, "expiryDate": "12/31", "cvv": "123"}
        return requests.post(f"{self.url}/payment/submit", data=typed, allow_redirects=False, timeout=5)


class PagedDesk(Desk):
    """A practice whose Authorize.net account takes cards in one of the ways of its own."""

    def opens(self, payment_id: str = "") -> object:
        body = {"payment_id": payment_id or new_id("pay"), "invoice_id": "inv_1", "amount": 12924, "currency": "USD"}
        return self.send(Processors.charge.load_request({**body, "return_url": BACK}))

    def sends_token(self, token: str) -> object:
        payment_id = new_id("pay")
        secret = {"token": token, "expires_at": self.room.clock.now().timestamp() + 120}
        info = f"card|{self.practice_id}|inv_1|{payment_id}"
        sealed = RINGS["gateway"].seal(json.dumps(secret).encode(), "processors", info)
        body = {"payment_id": payment_id, "invoice_id": "inv_1", "amount": 12924, "currency": "USD", "sealed_card": sealed}
        return self.send(Processors.charge.load_request(body))

    def types(self, number: str = NUMBER, login: str = KEYS["api_login_id"]) -> str:
        """A card typed into the window: the token that it gives."""
        key = self.simulator.merchants[login].client_key
        typed = {"apiLoginID": login, "clientKey": key, "cardNum": number, "expiryDate": "12/31", "cvv": "123"}
        answer = requests.post(f"{self.simulator.url}/v3/acceptMain/token", data=typed, timeout=5).json()
        return answer["opaqueData"]["dataValue"]

    def turns(self, seconds: float) -> None:
        """The time passes in steps of a minute, as the timer has it."""
        while seconds > 0:
            self.after(min(seconds, 60))
            seconds -= 60

    def taken(self, kind: str = CHARGE) -> list[int]:
        return [entry["amount"] for entry in self.simulator.books() if (entry["kind"], entry["status"]) == (kind, "approved")]


@pytest.fixture
def net(room):
    with AuthorizeNetSimulator().serving() as simulator:
        simulator.now = lambda: room.clock.now().timestamp()
        room.adapters["authorize_net"] = AuthorizeNet(
            Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), room.clock, deadlines=(2.0, 1.5)
        )
        desk = PagedDesk(room)
        desk.simulator = simulator
        desk.account = desk.add("authorize_net", {**KEYS, "api_base": simulator.url})
        yield desk


# the page


def test_a_new_account_begins_with_the_page(net):
    """The way that costs the practice least is what a new account has; the other two can be chosen."""
    assert "hosted_page" == net.account.card_entry
    assert ("hosted_page", "hosted_fields", "direct") == net.room.adapters["authorize_net"].card_entry


def test_what_is_paid_on_the_page_is_found(net):
    """The payer is sent there by a form for 15 minutes, comes back with nothing, and the look-up tells how it ended and by which card."""
    opened = net.opens()
    action = opened.next_action
    assert ("requires_action", "redirect", "POST", True) == (opened.status, action["type"], action["method"], action["page"])
    row = net.row(opened.payment_id)
    assert timedelta(minutes=15) == row.expires_at - row.sent_at and [] == net.taken()
    back = Payer(action).pays()
    assert (303, BACK) == (back.status_code, back.headers["Location"])
    found = net.check(opened.payment_id)
    assert ("succeeded", {"brand": "visa", "last4": "1111"}) == (found.status, found.card)
    assert [12924] == net.taken() and Payer(action).token not in str(net.news())


def test_a_decline_ends_nothing_before_the_page(net):
    """Declined there twice, the payment waits; another card is taken, and found."""
    opened = net.opens()
    payer = Payer(opened.next_action)
    for card in (card_for(2), card_for(8)):
        assert "alert" in payer.pays(card).text
        assert "requires_action" == net.check(opened.payment_id).status
    payer.pays()
    net.after(21)
    assert "succeeded" == net.look(opened.payment_id).status and [12924] == net.taken()


def test_the_page_takes_one_payment(net):
    """Paid on it, or when its time is over, it shows nothing to pay on any more."""
    paid, late = net.opens(), net.opens()
    Payer(paid.next_action).pays()
    assert "expired or was used" in Payer(paid.next_action).pays().text
    net.room.clock.at += timedelta(minutes=15)
    assert "expired or was used" in Payer(late.next_action).opens()
    assert [12924] == net.taken()


def test_an_abandoned_page_ends_by_itself(net):
    """Given up or left, it waits for its end, then for the horizon, and then the invoice is payable again: nothing moved."""
    opened = net.opens()
    assert "requires_action" == net.cancel(opened.payment_id).status
    net.turns(16 * 60)
    assert "unknown" == net.look(opened.payment_id).status
    net.turns(AN_HOUR_AND_MORE + 3600)
    said = net.look(opened.payment_id)
    assert ("canceled", None, []) == (said.status, said.failure, net.taken())


def test_a_page_on_which_all_was_declined_ends_so_too(net):
    """Declines there are no word on the payment, before its end or after."""
    opened = net.opens()
    Payer(opened.next_action).pays(card_for(2))
    net.turns(16 * 60 + AN_HOUR_AND_MORE + 3600)
    assert ("canceled", []) == (net.look(opened.payment_id).status, net.taken())


def test_paid_in_the_last_second_and_seen_late_it_is_found(net):
    """The lists show it only at the third look after the page's end."""
    opened = net.opens()
    net.turns(14 * 60 + 59)
    net.simulator.hide(3)
    Payer(opened.next_action).pays()
    for _ in range(3):
        assert "succeeded" != net.look(opened.payment_id).status
        net.after(31)
    net.turns(600)
    assert ("succeeded", [12924]) == (net.look(opened.payment_id).status, net.taken())


def test_back_before_the_money_can_be_seen(net):
    """The payer is back at once: the payment still waits, and a little later it is paid; asking often is no proof of absence."""
    opened = net.opens()
    net.simulator.hide(4)
    Payer(opened.next_action).pays()
    assert {"requires_action"} == {net.check(opened.payment_id).status for _ in range(4)}
    assert "succeeded" == net.check(opened.payment_id).status


def test_the_notification_is_first(net):
    """It wakes the look-up before the payer is back; a forged one wakes nothing."""
    net.simulator.merchants[KEYS["api_login_id"]].signature_key = SIGNATURE
    opened = net.opens()
    Payer(opened.next_action).pays()
    body, headers = net.simulator.webhooks[-1]
    forged = {**headers, "X-ANET-Signature": "sha512=" + "0" * 128}
    with pytest.raises(Forbidden):
        deliver(net, body, forged, kind="authorize_net")
    net.after(1)
    assert "requires_action" == net.look(opened.payment_id).status
    deliver(net, body, headers, kind="authorize_net")
    net.after(1)
    assert "succeeded" == net.look(opened.payment_id).status


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_page_whose_opening_was_lost_moved_nothing(net, how):
    """Whatever the line does while the page is opened, either its address is committed and told, or the payment is over."""
    net.simulator.fail("open", how, seconds=0.1)
    opened = net.opens()
    if how == "slow":
        assert "requires_action" == opened.status
    else:
        assert ("not_sent", None, []) == (opened.status, opened.next_action, net.taken())


def test_held_on_the_page_it_is_pending_until_its_review(net):
    """Held ends the page; refused in its review it ends once the page's time is over, approved at once."""
    for approve, ends in ((True, "succeeded"), (False, "declined")):
        opened = net.opens()
        assert 303 == Payer(opened.next_action).pays(card_for(253)).status_code
        assert "pending" == net.check(opened.payment_id).status
        net.simulator.review(approve)
        assert ("succeeded" if approve else "pending") == net.check(opened.payment_id).status
        net.room.clock.at += timedelta(minutes=15)
        assert ends == net.check(opened.payment_id).status


def test_held_at_the_pages_end_it_is_not_voided_unasked(net):
    """The timer that ends the page only looks; a person who gives the payment up voids it."""
    opened = net.opens()
    net.turns(14 * 60 + 59)
    Payer(opened.next_action).pays(card_for(253))
    net.turns(60)
    assert "pending" == net.look(opened.payment_id).status
    net.cancel(opened.payment_id)
    assert ["voided"] == [entry["status"] for entry in net.simulator.books()]


def test_another_amount_is_never_taken_for_paid(net):
    """More than was asked is shown to a person; less is given back, and the payment has failed."""
    more, less = net.opens(), net.opens()
    for opened, amount in ((more, "129.25"), (less, "100.00")):
        net.simulator.pages.pages[Payer(opened.next_action).token].transaction["amount"] = amount
        Payer(opened.next_action).pays()
    assert "declined" == net.check(less.payment_id).status
    assert "requires_action" == net.check(more.payment_id).status
    net.turns(16 * 60)
    assert "unknown" == net.look(more.payment_id).status
    for pause in LOOK_UPS:
        net.after(pause.total_seconds() + 1)
    assert "review" == net.look(more.payment_id).status
    assert [12925] == net.taken()


@pytest.mark.parametrize("settled", [True, False])
def test_what_was_paid_there_can_be_given_back(net, settled):
    """The transaction is known from the look-up: a part after settlement, the whole before it."""
    opened = net.opens()
    Payer(opened.next_action).pays()
    net.check(opened.payment_id)
    if settled:
        net.simulator.settle()
        assert ("succeeded", [2050]) == (net.refund(opened.payment_id, 2050).status, net.taken(REFUND))
    else:
        assert ("succeeded", []) == (net.refund(opened.payment_id, 12924).status, net.taken())


def test_a_card_typed_here_is_refused_while_the_page_is_chosen(net):
    """An old form of ours charges nothing."""
    with pytest.raises(Conflict):
        net.charge(NUMBER)
    assert [] == net.simulator.books()


def test_the_request_holds_what_the_page_needs_and_nothing_private(net):
    """Cards only, back to us, the amount and our reference; no id of ours, no name, no description."""
    bodies = []
    answer = net.simulator.answer
    net.simulator.answer = lambda asked: (bodies.append(asked.body), answer(asked))[1]
    opened = net.opens()
    asked = json.loads(bodies[0])["getHostedPaymentPageRequest"]
    settings = {one["settingName"]: json.loads(one["settingValue"]) for one in asked["hostedPaymentSettings"]["setting"]}
    assert (BACK, BACK, False) == tuple(
        settings["hostedPaymentReturnOptions"][name] for name in ("url", "cancelUrl", "showReceipt")
    )
    assert not settings["hostedPaymentPaymentOptions"]["showBankAccount"]
    transaction = asked["transactionRequest"]
    assert {"invoiceNumber": net.row(opened.payment_id).reference} == transaction["order"]
    assert {"transactionType", "amount", "currencyCode", "order", "transactionSettings"} == set(transaction)
    assert opened.payment_id.encode() not in bodies[0]


def test_a_refused_key_opens_no_page_and_is_told(net):
    """The account is marked as refused; a page that they don't want to open for another reason is declined, and moved nothing."""
    net.simulator.fail("open", "garbage")
    assert "not_sent" == net.opens().status
    net.simulator.merchants[KEYS["api_login_id"]].key = "ANOTHERKEY000000"
    said = net.opens()
    assert ("declined", "processor_credentials_refused") == (said.status, said.failure["code"])
    assert "refused" == net.listed()[0].status


# the window


@pytest.fixture
def window(net):
    net.change(net.account.id, card_entry="hosted_fields")
    return net


def test_a_token_is_charged_once(window):
    """What the window gave pays as a card does, and the answer names the card; used again it is refused, nobody is charged twice."""
    token = window.types()
    said = window.sends_token(token)
    assert ("succeeded", {"brand": "visa", "last4": "1111"}) == (said.status, said.card)
    again = window.sends_token(token)
    assert ("declined", "invalid_request", [12924]) == (again.status, again.failure["code"], window.taken())


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_a_token_on_a_bad_line_is_never_charged_twice(window, how):
    """As with a card: unknown is found or proven absent, and it was sent once."""
    window.simulator.fail("charge", how, seconds=None if how.startswith("late") else 0.1)
    said = window.sends_token(window.types())
    window.simulator.release()
    for seconds in (5, 30, 300, 3600):
        window.after(seconds)
    ends = "succeeded" if window.taken() else "not_sent"
    assert ends == window.look(said.payment_id).status
    assert 1 == [verb for verb, _ in window.simulator.seen].count("charge")


@pytest.mark.parametrize("spoil", ["made up", "too old", "another merchant's"])
def test_a_bad_token_is_refused_and_the_account_stays(window, spoil):
    """Whoever sends rubbish is declined; it is not read as a word on the practice's credentials."""
    token = "x" * 40
    if spoil == "too old":
        token = window.types()
        window.room.clock.at += timedelta(minutes=16)
    if spoil == "another merchant's":
        keys = {**KEYS, "api_login_id": "other", "transaction_key": "OTHERKEY00000000", "api_base": window.simulator.url}
        window.room.adapters["authorize_net"].check(keys)
        token = window.types(login="other")
    said = window.sends_token(token)
    assert ("declined", "invalid_request", []) == (said.status, said.failure["code"], window.taken())
    assert "ready" == window.listed()[0].status


def test_a_declined_token_says_why(window):
    """The bank's no to a card behind a token is the payer's to read."""
    said = window.sends_token(window.types(card_for(8)))
    assert ("declined", "expired_card") == (said.status, said.failure["code"])


def test_the_page_is_offered_beside_the_window(window):
    """Without script the payer goes to the page, whatever window was chosen."""
    opened = window.opens()
    Payer(opened.next_action).pays()
    assert "succeeded" == window.check(opened.payment_id).status


# what our page is told


def test_our_page_is_told_public_values_only():
    """Their script and its place, the login and the public key; nothing where the key is not known, or another way was chosen."""
    adapter = AuthorizeNet(Settings({}), None)
    live = {**KEYS, "mode": "live"}
    form = adapter.card_form(live, {"client_key": "pub1"}, "hosted_fields")
    assert "https://js.authorize.net/v3/AcceptUI.js" == form["script"]
    assert not leaked(KEYS["transaction_key"], repr(form)) and not leaked(SIGNATURE, repr(form))
    assert "https://jstest.authorize.net/v3/AcceptUI.js" == adapter.card_form(KEYS, {"client_key": "p"}, "hosted_fields")["script"]
    assert adapter.card_form(live, {}, "hosted_fields") is None
    assert adapter.card_form(live, {"client_key": "pub1"}, "hosted_page") is None


def test_our_page_allows_what_the_window_needs_and_no_more():
    """Theirs for scripts and frames; for the page and for cards typed here nothing."""
    adapter = AuthorizeNet(Settings({}), None)
    theirs = ["https://js.authorize.net"]
    assert {"script-src": theirs, "frame-src": theirs} == adapter.content_sources({**KEYS, "mode": "live"}, "hosted_fields")
    assert {} == adapter.content_sources(KEYS, "hosted_page") == adapter.content_sources(KEYS, "direct")


def test_the_pages_address_is_theirs(monkeypatch):
    """A live account's page is at accept.authorize.net, a sandbox account's at test.authorize.net."""
    token = b'\xef\xbb\xbf{"token":"t1","messages":{"resultCode":"Ok","message":[{"code":"I00001","text":"Successful."}]}}'
    answer = requests.Response()
    answer.status_code, answer._content = 200, token
    monkeypatch.setattr(requests, "post", lambda *_, **__: answer)
    order = Order(CHARGE, "pay_1", "ref1", 12050, "USD", "pcr_1", means=Means(return_url=BACK), on_page=True)
    for mode, host in (("live", "accept"), ("test", "test")):
        opened = AuthorizeNet(Settings({}), None).open_page({**KEYS, "mode": mode}, order)
        assert f"https://{host}.authorize.net/payment/payment" == opened.next_action["url"]
        assert "t1" == opened.next_action["fields"]["token"] and "t1" not in repr(opened)


def test_a_token_is_not_printed():
    """It is a secret while it is in memory."""
    assert "nonce" not in repr(Means(token=Secret("nonce")))
