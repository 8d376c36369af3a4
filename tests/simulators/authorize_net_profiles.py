"""The cards that Authorize.net keeps for its merchants: customer profiles with payment profiles, as its schema and reference say.

A card is a duplicate where its customer has one with the same number and date, whatever else came with it. Guessed, the harder way
where nothing is written: only the field tells which card it is, only the text which customer.
"""

from dataclasses import dataclass, field

from tests.simulators.authorize_net_answers import TEXTS, messages

MOST = 10  # cards of one customer


@dataclass
class Customer:
    """One payer of one merchant, by the merchant's own name for them, with the cards by their ids."""

    login: str
    name: str
    cards: dict[str, dict] = field(default_factory=dict)


class Profiles:
    """All that is kept, of every merchant."""

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self._next_id = 31390000

    def carried_out(self, method: str, body: dict, login: str) -> dict:
        if method == "createCustomerProfileRequest":
            return self._create(body["profile"], login)
        customer = self._customer(body.get("customerProfileId"), login)
        if customer is None:
            return messages("E00040")
        if method == "getCustomerProfileRequest":
            return self._told(body, customer)
        if customer.cards.pop(str(body["customerPaymentProfileId"]), None) is None:
            return messages("E00040")
        return messages("I00001")

    def _create(self, profile: dict, login: str) -> dict:
        name = profile.get("merchantCustomerId")
        if not name or set(profile) != {"merchantCustomerId"}:
            return messages("E00013", "The simulator makes customers by merchantCustomerId, and their cards one by one.")
        nothing: dict = {
            f"{kind}List": [] for kind in ("customerPaymentProfileId", "customerShippingAddressId", "validationDirectResponse")
        }
        for its_id, customer in self.customers.items():
            if (customer.login, customer.name) == (login, name):
                return {**nothing, **messages("E00039", f"A duplicate record with ID {its_id} already exists.")}
        its_id = self._id()
        self.customers[its_id] = Customer(login, name)
        return {"customerProfileId": its_id, **nothing, **messages("I00001")}

    def keep(self, customer_id: str, login: str, card: dict, brand: str, problem: str | None) -> dict:
        """Keep a card; `problem` is the response code with which their check refuses it."""
        customer = self._customer(customer_id, login)
        if customer is None:
            return messages("E00040")
        for its_id, kept in customer.cards.items():
            if all(kept[name] == card[name] for name in ("cardNumber", "expirationDate")):
                return {"customerProfileId": customer_id, "customerPaymentProfileId": its_id, **messages("E00039")}
        if problem:
            return {"validationDirectResponse": _checked(card, brand, problem), **messages("E00027")}
        if len(customer.cards) >= MOST:
            return messages("E00042")
        its_id = self._id()
        customer.cards[its_id] = {name: card[name] for name in ("cardNumber", "expirationDate", "zip")} | {"cardType": brand}
        said = {"customerPaymentProfileId": its_id, "validationDirectResponse": _checked(card, brand, "1")}
        return {**said, **messages("I00001")}

    def card_of(self, profile: dict, login: str) -> dict | None:
        """The card that a charge names; None where it is not kept, or another merchant's."""
        customer = self._customer(profile.get("customerProfileId"), login)
        kept = customer.cards.get(profile.get("paymentProfile", {}).get("paymentProfileId")) if customer else None
        return {name: kept[name] for name in ("cardNumber", "expirationDate", "zip")} if kept else None

    def _told(self, body: dict, customer: Customer) -> dict:
        """A customer with the cards, masked; of their dates only if that was asked for."""
        shown = body.get("unmaskExpirationDate") in (True, "true")
        cards = [
            {
                "customerPaymentProfileId": its_id,
                "payment": {
                    "creditCard": {
                        "cardNumber": "XXXX" + card["cardNumber"][-4:],
                        "expirationDate": card["expirationDate"] if shown else "XXXX",
                        "cardType": card["cardType"],
                    }
                },
                "customerTypeSpecified": False,
            }
            for its_id, card in customer.cards.items()
        ]
        told = {"paymentProfiles": cards, "customerProfileId": body["customerProfileId"], "merchantCustomerId": customer.name}
        return {"profile": told, **messages("I00001")}

    def _customer(self, its_id: object, login: str) -> Customer | None:
        customer = self.customers.get(str(its_id))
        return customer if customer and customer.login == login else None

    def _id(self) -> str:
        self._next_id += 1
        return str(self._next_id)


def _checked(card: dict, brand: str, code: str) -> str:
    """The answer of their check in its old form: fields by their place, of which we fill what is known."""
    fields = [""] * 68
    fields[0:4] = ["1" if code == "1" else "3", "1", code, TEXTS.get(code, "This transaction has been approved.").replace(",", "")]
    fields[7:12] = ["none", "Test transaction for ValidateCustomerPaymentProfile.", "0.00", "CC", "auth_only"]
    fields[50:52] = ["XXXX" + card["cardNumber"][-4:], brand]
    return ",".join(fields)
