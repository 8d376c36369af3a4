"""The simulator of Stripe held against the recorded answers, the official schema and the official SDK's parameters.

The same request gets an answer of the same shape; what may differ is listed here, so that it is not merely what our adapter expects.
"""

import json
from operator import attrgetter

import pytest
import requests
import stripe
import stripe.params as documented

from services.processors.adapters.stripe import API_VERSION
from tests.contract.processors.test_stripe import FOLDER, recorded, serving, simulator  # noqa: F401
from tests.simulators import stripe_form
from tests.simulators.stripe_answers import CARDS

# Of the API of 2019, and what the recording's project put into a charge besides.
OLDER = {"invoice", "order", "destination", "dispute", "has_more", "total_count", "url", "three_d_secure", "account_balance",
         "sources", "subscriptions", "tax_ids", "tax_info", "tax_info_verification"}  # fmt: skip
# Of today's schema: names that only come with other means of payment, or with what an account has enabled.
NOT_HERE = {"managed_payments", "amount_authorized", "extended_authorization", "incremental_authorization", "installments", "mandate",
            "multicapture", "network", "network_token", "overcapture", "authorization_code", "regulated_status",
            "network_transaction_id", "transaction_link_id", "tax_id", "dynamic_last4"}  # fmt: skip
# Objects that the schema's fixture fills to show their form, where a card's charge has null; what is in them is not compared.
FILLED = {"last_payment_error", "last_setup_error", "next_action", "processing", "shipping", "transfer_data",
          "automatic_payment_methods", "source", "payment_method_configuration_details", "payment_method_options",
          "canceled_at", "wallet", "three_d_secure", "metadata"}  # fmt: skip
# The same of a page, and its intent, which is not there before the payer tries a card.
FILLED_PAGE = {"after_expiration", "after_submit", "consent", "consent_collection", "collected_information", "currency_conversion",
               "custom_text", "customer_details", "expires_at", "invoice_data", "liability", "managed_payments", "payment_intent",
               "payment_method_configuration_details", "permissions", "saved_payment_method_options", "shipping_address_collection",
               "shipping_cost", "total_details", "wallet_options"}  # fmt: skip
FROM_FIXTURES = {"402_insufficient_funds", "402_authentication_required", "payment_intent_requires_action", "object_payment_intent",
                 "object_charge", "object_setup_intent", "search_one"}  # fmt: skip
# Texts that those requests gave and ours don't: null then.
NOT_GIVEN = {"customer", "description", "name", "receipt_url"}
# In the recordings the charge stands where an answer that was not asked to expand it has its id; what they cancel was authorised before.
ALLOWED = {".error.payment_intent.latest_charge: dict is str", ".latest_charge: dict is NoneType"}


def differences(expected, said, filled: set[str], place: str = "") -> list[str]:
    """Where two answers differ in names, nesting or types; null fits anything that may be null."""
    if isinstance(expected, dict) and isinstance(said, dict):
        missing = [f"{place}.{name} is missing" for name in expected if name not in said and name not in OLDER | NOT_HERE]
        both = [name for name in expected if name in said and name not in filled]
        return missing + [line for name in both for line in differences(expected[name], said[name], filled, f"{place}.{name}")]
    if isinstance(expected, list) and isinstance(said, list):
        return differences(expected[0], said[0], filled, f"{place}[]") if expected and said else []
    if said is None and isinstance(expected, str) and place.rpartition(".")[2] in NOT_GIVEN:
        return []
    if type(expected) is type(said) or (expected is None and not isinstance(said, (dict, list))):
        return []
    return [f"{place}: {type(expected).__name__} is {type(said).__name__}"]


def more_than(known: list[dict], said: dict) -> set[str]:
    """Names at the top that none of the known answers has."""
    return set(said) - {name for one in known for name in one}


class Counter:
    """The simulator asked in Stripe's words, without our adapter."""

    def __init__(self, url: str):
        self.url, self.auth = url, {"Authorization": "Bearer sk_test_acme", "Stripe-Version": API_VERSION}

    def ask(self, method: str, path: str, key: str | None = None, **form) -> requests.Response:
        headers = {**self.auth, **({"Idempotency-Key": key} if key else {})}
        sent = {"params": form} if method == "GET" else {"data": form}
        return requests.request(method, f"{self.url}/v1/{path}", headers=headers, timeout=5, **sent)

    def method(self, number: str = "4242424242424242", **card) -> requests.Response:
        typed = {"number": number, "exp_month": "7", "exp_year": "2031", **card}
        return self.ask("POST", "payment_methods", type="card", **{f"card[{name}]": value for name, value in typed.items()})

    def intent(self, number: str = "4242424242424242", key: str | None = None, amount: str = "2020", **more) -> requests.Response:
        wanted = {"amount": amount, "currency": "gbp", "payment_method_types[0]": "card", "metadata[payment_id]": "pay-1", **more}
        return self.ask("POST", "payment_intents", key, payment_method=self.method(number).json()["id"], **wanted)

    def confirm(self, number: str = "4242424242424242", **more) -> requests.Response:
        return self.ask("POST", f"payment_intents/{self.intent(number).json()['id']}/confirm", **more)

    def paid(self) -> str:
        return self.confirm().json()["id"]

    def customer(self, **more) -> requests.Response:
        return self.ask("POST", "customers", **more)

    def setup(self, number: str = "4242424242424242", **more) -> requests.Response:
        wanted = {
            "confirm": "true",
            "usage": "off_session",
            "payment_method_types[0]": "card",
            "customer": self.customer().json()["id"],
        }
        return self.ask("POST", "setup_intents", payment_method=self.method(number).json()["id"], **{**wanted, **more})

    def session(self, **more) -> requests.Response:
        price = {"currency": "gbp", "unit_amount": "2020", "product_data][name": "Invoice"}
        items = {f"line_items[0][price_data][{name}]": value for name, value in price.items()}
        wanted = {"mode": "payment", "line_items[0][quantity]": "1", "success_url": "https://example.com/success",
                  "cancel_url": "https://example.com/cancel", "client_reference_id": "pay-1", **items, **more}  # fmt: skip
        return self.ask("POST", "checkout/sessions", **wanted)

    def cancel(self, intent: str) -> requests.Response:
        return self.ask("POST", f"payment_intents/{intent}/cancel", cancellation_reason="requested_by_customer")

    def refund(self, intent: str, **more) -> requests.Response:
        return self.ask("POST", "refunds", payment_intent=intent, **more)


@pytest.fixture
def counter(simulator):  # noqa: F811
    return Counter(simulator.url)


def _refused_account(counter, account: str, path: str = "payment_methods") -> requests.Response:
    counter.auth["Authorization"] = f"Bearer sk_test_{account}"
    return counter.method()


def _twice_with_another_body(counter) -> requests.Response:
    method = counter.method().json()["id"]
    send = {"currency": "usd", "payment_method": method}
    counter.ask("POST", "payment_intents", "k1", amount="100", **send)
    return counter.ask("POST", "payment_intents", "k1", amount="200", **send)


def _on_command(counter, verb: str, **refusal) -> requests.Response:
    requests.post(f"{counter.url}/_simulator/refuse", json={"verb": verb, **refusal}, timeout=5)
    return counter.confirm()


def _searched(counter) -> requests.Response:
    counter.paid()
    requests.post(f"{counter.url}/_simulator/clock", json={"ahead": 61}, timeout=5)
    return counter.ask("GET", "payment_intents/search", query="metadata['payment_id']:'pay-1'")


def _charge(counter) -> requests.Response:
    answer = counter.confirm(**{"expand[0]": "latest_charge"})
    answer._content = json.dumps(answer.json()["latest_charge"]).encode()
    return answer


def _wanted_authentication(counter) -> requests.Response:
    more = {"code": "authentication_required", "decline_code": "authentication_required"}
    return _on_command(counter, "charge", status=402, **more)


_SAME_REQUEST = {
    "400_payment_intent_unexpected_state": lambda counter: counter.cancel(counter.paid()),
    "400_raw_card_not_allowed": lambda counter: _refused_account(counter, "noraw"),
    "400_charge_already_refunded": lambda counter: (counter.refund(paid := counter.paid()), counter.refund(paid))[1],
    "400_idempotency_mismatch": _twice_with_another_body,
    "401_bad_key": lambda counter: _refused_account(counter, "refused"),
    "402_card_declined_with_payment_intent": lambda counter: counter.confirm("4000000000000002"),
    "402_incorrect_number": lambda counter: counter.method("4242424242424241"),
    "402_pickup_card": lambda counter: _on_command(counter, "charge", status=402, code="card_declined", decline_code="pickup_card"),
    "402_insufficient_funds": lambda counter: counter.confirm("4000000000009995"),
    "402_authentication_required": _wanted_authentication,
    "409_idempotency_in_use": lambda counter: _on_command(
        counter, "charge", status=409, code="idempotency_key_in_use", kind="idempotency_error"
    ),
    "429_rate_limit": lambda counter: _on_command(counter, "charge", status=429, code="rate_limit", kind="invalid_request_error"),
    "500_api_error": lambda counter: (
        requests.post(f"{counter.url}/_simulator/fail", json={"verb": "charge", "how": "500"}, timeout=5),
        counter.confirm(),
    )[1],
    "object_checkout.session": lambda counter: counter.session(),
    "payment_intent_succeeded": lambda counter: counter.confirm(**{"expand[0]": "latest_charge"}),
    "payment_intent_canceled": lambda counter: counter.cancel(counter.intent().json()["id"]),
    "payment_intent_requires_action": lambda counter: counter.confirm("4000002500003155"),
    "object_payment_intent": lambda counter: counter.intent(),
    "payment_method": lambda counter: counter.method(),
    "object_charge": _charge,
    "object_setup_intent": lambda counter: counter.setup(),
    "customer": lambda counter: counter.customer(),
    "object_refund": lambda counter: counter.refund(counter.paid(), amount="100"),
    "search_empty": lambda counter: counter.ask("GET", "payment_intents/search", query="metadata['payment_id']:'none'"),
    "search_one": _searched,
}
# Cards are never left in processing by Stripe; the answer is only read (above), never made.
_NOT_MADE_ANEW = {"payment_intent_processing"}
# A decline that names its charge only where the bank was asked.
_WHERE_A_BANK_WAS_ASKED = {"402_pickup_card": {".error.charge is missing"}}


def test_every_recorded_answer_is_made_anew():
    """No recording is left out of the comparison but those that are named."""
    answers = {path.stem for path in FOLDER.glob("*.json") if not path.name.startswith("webhook_")}
    assert answers - _NOT_MADE_ANEW == set(_SAME_REQUEST)


@pytest.mark.parametrize("name", _SAME_REQUEST)
def test_the_simulator_answers_in_the_recorded_shape(counter, name):
    """The same request gets an answer with the same status, names, nesting and types; of errors the same type and codes."""
    expected, answer = recorded(name), _SAME_REQUEST[name](counter)
    said = answer.json()
    filled = FILLED if name in FROM_FIXTURES else FILLED_PAGE if "session" in name else set()
    found = set(differences(expected, said, filled)) - ALLOWED
    assert _WHERE_A_BANK_WAS_ASKED.get(name, set()) == found
    assert (int(name[:3]) if name[:3].isdecimal() else 200) == answer.status_code
    assert answer.headers["Request-Id"].startswith("req_")
    if "error" in expected:
        named = ("type", "code", "decline_code", "param")
        assert {word: expected["error"].get(word) for word in named} == {word: said["error"].get(word) for word in named}
    elif name.startswith("payment_intent"):
        assert expected["status"] == said["status"]


@pytest.mark.parametrize(("name", "made"), [("object_payment_intent", "payment_intent_succeeded"), ("object_refund", "object_refund"),
                                            ("object_charge", "object_charge"), ("payment_method", "payment_method"),
                                            ("customer", "customer"), ("object_setup_intent", "object_setup_intent"),
                                            ("object_checkout.session", "object_checkout.session")])  # fmt: skip
def test_the_simulator_invents_no_names(counter, name, made):
    """Every name of an object is one of the schema's fixture or of a recording."""
    known = [recorded(name), recorded(made)]
    if name == "object_charge":
        known.append(recorded("payment_intent_succeeded")["latest_charge"])
    assert set() == more_than(known, _SAME_REQUEST[made](counter).json())


def test_events_have_the_documented_shape(counter, simulator):  # noqa: F811
    """An event of the simulator has the written events' names and types, around the same object."""
    counter.confirm("4000000000009995")
    [told] = [event for event in map(json.loads, simulator.endpoint.waiting) if event["type"] == "payment_intent.payment_failed"]
    expected = json.loads((FOLDER / "webhook_payment_intent_failed.body.json").read_bytes())
    assert [".request.idempotency_key: str is NoneType"] == differences(expected, told, FILLED)
    assert set(expected) == set(told)


# What it takes

# The SDK's own parameters of a request's options, which are no parameters of Stripe's.
OPTIONS = {"api_key", "content_type", "headers", "idempotency_key", "max_network_retries", "stripe_account", "stripe_context",
           "stripe_version"}  # fmt: skip
TYPES = {
    "payment_intents.create": "PaymentIntentCreateParams", "payment_intents.confirm": "PaymentIntentConfirmParams",
    "payment_intents.cancel": "PaymentIntentCancelParams", "payment_intents.retrieve": "PaymentIntentRetrieveParams",
    "payment_intents.list": "PaymentIntentListParams", "payment_intents.search": "PaymentIntentSearchParams",
    "refunds.create": "RefundCreateParams", "refunds.list": "RefundListParams", "refunds.retrieve": "RefundRetrieveParams",
    "customers.create": "CustomerCreateParams", "setup_intents.create": "SetupIntentCreateParams",
    "payment_methods.retrieve": "PaymentMethodRetrieveParams", "payment_methods.detach": "PaymentMethodDetachParams",
    "balance": "BalanceRetrieveParams", "checkout.sessions.create": "checkout.SessionCreateParams",
    "checkout.sessions.retrieve": "checkout.SessionRetrieveParams", "checkout.sessions.expire": "checkout.SessionExpireParams",
}  # fmt: skip


def _documented(name: str) -> set[str]:
    kind = attrgetter(name)(documented)
    return {word for base in kind.__mro__ for word in getattr(base, "__annotations__", {})} - OPTIONS


@pytest.mark.parametrize("call", TYPES)
def test_the_simulator_knows_the_parameters_of_the_official_sdk(call):
    """Neither more nor fewer; `payment_method_types` besides, which older versions than the SDK's take."""
    assert _documented(TYPES[call]) == set(stripe_form.KNOWN[call]) - {"payment_method_types"}


def test_a_card_has_the_parameters_of_the_official_sdk():
    """The same for what is inside `card`, and of a method for those that concern cards."""
    assert _documented("PaymentMethodCreateParamsCard") == set(stripe_form.KNOWN_CARD)
    assert set(stripe_form.KNOWN["payment_methods.create"]) <= _documented("PaymentMethodCreateParams")


@pytest.mark.parametrize("name", sorted(stripe_form.KNOWN_INSIDE))
def test_a_page_has_the_parameters_of_the_official_sdk(name):
    """The same for what is inside a session's parameters."""
    inside = {"payment_intent_data": "PaymentIntentData", "line_items": "LineItem", "price_data": "LineItemPriceData",
              "product_data": "LineItemPriceDataProductData", "adaptive_pricing": "AdaptivePricing"}  # fmt: skip
    assert _documented(f"checkout.SessionCreateParams{inside[name]}") == set(stripe_form.KNOWN_INSIDE[name])


@pytest.mark.parametrize(("more", "param"), [
    ({"expires_at": "1"}, "expires_at"), ({"success_url": "somewhere"}, "success_url"), ({"mode": "setup"}, "mode"),
    ({"line_items[0][price_data][color]": "red"}, "price_data[color]"), ({"color": "red"}, "color"),
])  # fmt: skip
def test_a_page_that_stripe_would_refuse_is_refused(counter, more, param):
    """Times that are too near, addresses that are none, parameters that don't exist, wherever they stand."""
    answer = counter.session(**more)
    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])


@pytest.mark.parametrize(("form", "code", "param"), [
    ({"color": "red"}, "parameter_unknown", "color"), ({"amount": "12.50"}, "parameter_invalid_integer", "amount"),
    ({"amount": "49", "currency": "usd"}, "amount_too_small", "amount"), ({"amount": "100000000"}, "amount_too_large", "amount"),
])  # fmt: skip
def test_what_is_wrong_is_refused_as_documented(counter, form, code, param):
    """A request that Stripe would refuse names the parameter, and makes nothing."""
    answer = counter.intent(**form)
    assert (400, code, param) == (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"])
    assert [] == counter.ask("GET", "payment_intents").json()["data"]


@pytest.mark.parametrize(("version", "status"), [(API_VERSION, 200), ("2026-09-30.endive", 400)])
def test_newer_versions_refuse_types_of_payment_methods(counter, version, status):
    """From 2026-09-30 on (Stripe's changelog): whoever names the types must say an older version, as our adapter does."""
    counter.auth["Stripe-Version"] = version
    answer = counter.intent()
    assert status == answer.status_code
    assert ("payment_method_types_no_longer_supported" in answer.text) == (status == 400)


@pytest.mark.parametrize(("card", "code"), [({"exp_year": "2020"}, "invalid_expiry_year"), ({"exp_month": "13"}, "invalid_expiry_month"),
                                            ({"cvc": "12"}, "invalid_cvc"), ({"number": "4242"}, "incorrect_number")])  # fmt: skip
def test_cards_are_checked(counter, card, code):
    """Check digit, expiry and security code, before anything is charged."""
    assert (402, code) == ((answer := counter.method(**card)).status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("number", [number for number, card in CARDS.items() if card.code and not card.asks])
def test_a_declining_card_declines(counter, simulator, number):  # noqa: F811
    """Each declining test card says its code, leaves the intent without a method, and is booked as declined."""
    answer = counter.confirm(number)
    card, said = CARDS[number], answer.json()["error"]
    assert (402, card.code, card.decline) == (answer.status_code, said["code"], said.get("decline_code"))
    assert ("requires_payment_method", None) == (said["payment_intent"]["status"], said["payment_intent"]["payment_method"])
    assert ["declined"] == [entry["status"] for entry in simulator.books()]
    assert number not in answer.text


# Cards on file


@pytest.mark.parametrize(("more", "param"), [({"color": "red"}, "color"), ({"usage": "often"}, "usage"),
                                             ({"customer": "cus_1"}, "customer"),
                                             ({"payment_method": "pm_1"}, "payment_method")])  # fmt: skip
def test_a_setup_that_stripe_would_refuse_is_refused(counter, more, param):
    """Parameters that don't exist, customers and methods that are not there."""
    wanted = {
        "confirm": "true",
        "customer": counter.customer().json()["id"],
        "payment_method": counter.method().json()["id"],
        **more,
    }
    assert param == counter.ask("POST", "setup_intents", **wanted).json()["error"]["param"]


def test_what_a_customer_holds_is_used_with_the_customer_until_it_is_detached(counter):
    """Without its customer a method is refused, with it an intent may be made; once detached it is nobody's, and refused for good."""
    held = counter.setup().json()
    customer, method = held["customer"], held["payment_method"]
    order = {"amount": "100", "currency": "usd", "payment_method": method}
    assert [400, 200] == [
        counter.ask("POST", "payment_intents", **order, **more).status_code for more in ({}, {"customer": customer})
    ]
    intent = counter.ask("POST", "payment_intents", **order, customer=customer).json()["id"]
    answers = [counter.ask("POST", f"payment_methods/{method}/detach") for _ in range(2)]
    assert [200, 400] == [answer.status_code for answer in answers]
    assert (None, None) == (answers[0].json()["customer"], answers[1].json()["error"].get("code"))
    assert 400 == counter.ask("POST", "payment_intents", **order, customer=customer).status_code
    assert 400 == counter.ask("POST", f"payment_intents/{intent}/confirm").status_code


def test_off_session_belongs_to_a_confirmation(counter):
    """An intent that is only made can't say it."""
    assert 400 == counter.intent(off_session="true").status_code


# Keys


def test_a_key_answers_once_and_then_the_same(counter, simulator):  # noqa: F811
    """The same key and body: the first answer word for word, marked as replayed, declines too; after a day it is a new request."""
    intent = counter.intent("4000000000000002").json()["id"]
    first, again = (counter.ask("POST", f"payment_intents/{intent}/confirm", "k") for _ in range(2))
    assert (402, first.text, "true") == (again.status_code, again.text, again.headers["Idempotent-Replayed"])
    assert 1 == len(simulator.books())
    simulator.ahead += 86_400
    assert (
        "payment_intent_unexpected_state" == counter.ask("POST", f"payment_intents/{intent}/confirm", "k").json()["error"]["code"]
    )


def test_a_500_is_kept_under_its_key(counter, simulator):  # noqa: F811
    """Repeating the request with the same key gets the same 500, although the charge was made."""
    intent = counter.intent().json()["id"]
    simulator.fail("charge", "500_after")
    answers = [counter.ask("POST", f"payment_intents/{intent}/confirm", "k") for _ in range(2)]
    assert ([500, 500], 1) == ([answer.status_code for answer in answers], len(simulator.books()))


def test_a_validation_error_is_not_kept(counter):
    """A request that was refused before it began may be mended under the same key."""
    method = counter.method().json()["id"]
    send = {"currency": "usd", "payment_method": method}
    statuses = [counter.ask("POST", "payment_intents", "k", amount=amount, **send).status_code for amount in ("x", "100")]
    assert [400, 200] == statuses


@pytest.mark.parametrize("how", ["late", "late_hang"])
def test_a_key_in_use_is_refused(counter, simulator, how):  # noqa: F811
    """While the first request is under way the same key is 409, and nothing is done."""
    intent = counter.intent().json()["id"]
    simulator.fail("charge", how)
    with pytest.raises(requests.RequestException):
        requests.post(
            f"{counter.url}/v1/payment_intents/{intent}/confirm", headers={**counter.auth, "Idempotency-Key": "k"}, timeout=0.3
        )
    answer = counter.ask("POST", f"payment_intents/{intent}/confirm", "k")
    assert (409, "idempotency_key_in_use", []) == (answer.status_code, answer.json()["error"]["code"], simulator.books())
    simulator.release()
    assert ("true", 1) == (
        counter.ask("POST", f"payment_intents/{intent}/confirm", "k").headers["Idempotent-Replayed"],
        len(simulator.books()),
    )


def test_accounts_do_not_see_each_other(counter):
    """What is another account's is not there; a new key of the same account sees it."""
    intent = counter.paid()
    for account, status in (("acme.2", 200), ("other", 404)):
        counter.auth["Authorization"] = f"Bearer sk_test_{account}"
        assert status == counter.ask("GET", f"payment_intents/{intent}").status_code


def test_the_sdk_hears_its_own_errors(simulator):  # noqa: F811
    """The official SDK raises its own classes on the simulator's answers."""
    client = stripe.StripeClient("sk_test_refused", base_addresses={"api": simulator.url}, max_network_retries=0)
    with pytest.raises(stripe.AuthenticationError):
        client.v1.balance.retrieve()
    client = stripe.StripeClient("sk_test_restricted", base_addresses={"api": simulator.url}, max_network_retries=0)
    with pytest.raises(stripe.PermissionError):
        client.v1.balance.retrieve()
