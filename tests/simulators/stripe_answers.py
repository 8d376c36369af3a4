"""What Stripe's objects look like in its answers, and what each test card brings about. Keeps nothing; no card number is in any answer."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """What a card number brings about: `code` and `decline_code` of a decline, the payer asked first, a refund's later fate.

    `attaches`: it declines only when it is charged.
    """

    code: str | None = None
    decline: str | None = None
    asks: bool = False
    refund: str = "succeeded"
    disputed: bool = False
    message: str = "Your card was declined."
    attaches: bool = False


_GOOD = Card()
CARDS = {
    "4242424242424242": _GOOD,
    "4000000000000077": _GOOD,
    "4000000000000002": Card("card_declined", "generic_decline"),
    "4000000000000341": Card("card_declined", "generic_decline", attaches=True),
    "4000000000009995": Card("card_declined", "insufficient_funds", message="Your card has insufficient funds."),
    "4000000000009987": Card("card_declined", "lost_card"),
    "4000000000009979": Card("card_declined", "stolen_card"),
    "4100000000000019": Card("card_declined", "fraudulent"),
    "4000000000006975": Card("card_declined", "card_velocity_exceeded"),
    "4000000000000069": Card("expired_card", message="Your card has expired."),
    "4000000000000127": Card("incorrect_cvc", message="Your card's security code is incorrect."),
    "4000000000000119": Card("processing_error", message="An error occurred while processing your card."),
    "4000002500003155": Card(asks=True),
    "4000000000003220": Card(asks=True),
    "4000002760003184": Card(asks=True),
    "4000008260003178": Card("card_declined", "insufficient_funds", asks=True),
    "4000000000000259": Card(disputed=True),
    "4000000000005126": Card(refund="pending"),
    "4000000000007726": Card(refund="fails"),
}


def card_of(number: str) -> Card:
    return CARDS.get(number, _GOOD)


def passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


def brand_of(number: str) -> str:
    heads = {"4": "visa", "5": "mastercard", "2": "mastercard", "3": "amex", "6": "discover"}
    return heads.get(number[:1], "unknown")


def billing(given: dict | None = None) -> dict:
    address = {name: None for name in ("city", "country", "line1", "line2", "postal_code", "state")}
    address |= (given or {}).get("address", {})
    return {"address": address, "email": None, "name": None, "phone": None}


def _card(number: str, month: int, year: int) -> dict:
    return {
        "brand": brand_of(number),
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": "US",
        "exp_month": month,
        "exp_year": year,
        "fingerprint": hashlib.sha256(number.encode()).hexdigest()[:16],
        "funding": "credit",
        "last4": number[-4:],
        "wallet": None,
    }


def payment_method(its_id: str, at: float, number: str, month: int, year: int, billing_details: dict | None) -> dict:
    networks = {"available": [brand_of(number)], "preferred": None}
    card = {**_card(number, month, year), "generated_from": None, "networks": networks, "three_d_secure_usage": {"supported": True}}
    return {
        "id": its_id, "object": "payment_method", "billing_details": billing(billing_details), "card": card, "created": int(at),
        "customer": None, "livemode": False, "metadata": {}, "type": "card",
    }  # fmt: skip


def payment_intent(its_id: str, at: float, given: dict, secret: str) -> dict:
    """One that is not confirmed yet."""
    types = given.get("payment_method_types") or given.get("allowed_payment_method_types") or ["card"]
    ready = "payment_method" in given
    return {
        "id": its_id, "object": "payment_intent", "amount": int(given["amount"]), "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": None, "application_fee_amount": None,
        "automatic_payment_methods": None, "canceled_at": None, "cancellation_reason": None, "capture_method": "automatic_async",
        "client_secret": f"{its_id}_secret_{secret}", "confirmation_method": "automatic", "created": int(at),
        "currency": given["currency"].lower(), "customer": given.get("customer"), "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None, "last_payment_error": None, "latest_charge": None, "livemode": False,
        "metadata": given.get("metadata", {}), "next_action": None, "on_behalf_of": None,
        "payment_method": given.get("payment_method"), "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"installments": None, "mandate_options": None, "network": None,
                                            "request_three_d_secure": "automatic"}},
        "payment_method_types": types, "processing": None, "receipt_email": None, "review": None, "setup_future_usage": None,
        "shipping": None, "source": None, "statement_descriptor": None, "statement_descriptor_suffix": None,
        "status": "requires_confirmation" if ready else "requires_payment_method", "transfer_data": None, "transfer_group": None,
    }  # fmt: skip


def charge(its_id: str, at: float, intent: dict, method: dict, no: dict | None) -> dict:
    """The charge that a confirmation made; `no` is the error of a declined one."""
    good = no is None
    card = {
        name: value for name, value in method["card"].items() if name not in ("generated_from", "networks", "three_d_secure_usage")
    }
    seller = "Payment complete." if good else "The bank did not return any further details with this decline."
    code = None if no is None else no["code"]
    return {
        "id": its_id, "object": "charge", "amount": intent["amount"], "amount_captured": intent["amount"] if good else 0,
        "amount_refunded": 0, "application": None, "application_fee": None, "application_fee_amount": None,
        "balance_transaction": its_id.replace("ch_", "txn_") if good else None, "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None, "captured": good, "created": int(at), "currency": intent["currency"],
        "customer": intent["customer"], "description": intent["description"], "disputed": False, "failure_balance_transaction": None,
        "failure_code": code, "failure_message": None if no is None else no["message"], "fraud_details": {}, "livemode": False,
        "metadata": dict(intent["metadata"]), "on_behalf_of": None,
        "outcome": {
            "advice_code": None, "network_advice_code": None, "network_decline_code": None,
            "network_status": "approved_by_network" if good else "declined_by_network",
            "reason": None if no is None else no.get("decline_code", code), "risk_level": "normal", "risk_score": 41,
            "seller_message": seller, "type": "authorized" if good else "issuer_declined",
        },
        "paid": good, "payment_intent": intent["id"], "payment_method": method["id"],
        "payment_method_details": {"card": {**card, "three_d_secure": None}, "type": "card"}, "receipt_email": None,
        "receipt_number": None, "receipt_url": None, "refunded": False,
        "refunds": {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": f"/v1/charges/{its_id}/refunds"},
        "review": None, "shipping": None, "source": None, "source_transfer": None, "statement_descriptor": None,
        "statement_descriptor_suffix": None, "status": "succeeded" if good else "failed", "transfer_data": None,
        "transfer_group": None,
    }  # fmt: skip


def refund(its_id: str, at: float, charged: dict, amount: int, given: dict, status: str) -> dict:
    return {
        "id": its_id, "object": "refund", "amount": amount, "balance_transaction": its_id.replace("re_", "txn_"),
        "charge": charged["id"], "created": int(at), "currency": charged["currency"], "customer": None, "customer_account": None,
        "destination_details": {"card": {"type": "reversal"}, "type": "card"}, "metadata": given.get("metadata", {}),
        "payment_intent": charged["payment_intent"], "payment_method": None, "reason": given.get("reason"), "receipt_number": None,
        "source_transfer_reversal": None, "status": status, "transfer_reversal": None,
    }  # fmt: skip


def checkout_session(its_id: str, at: float, given: dict, amount: int, currency: str, expires_at: int, url: str) -> dict:
    """An open page, with nothing paid on it."""
    return {
        "id": its_id, "object": "checkout.session", "adaptive_pricing": {"enabled": False}, "after_expiration": None,
        "allow_promotion_codes": None, "amount_subtotal": amount, "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None, "cancel_url": given.get("cancel_url"),
        "client_reference_id": given.get("client_reference_id"), "client_secret": None, "collected_information": None,
        "consent": None, "consent_collection": None, "created": int(at), "currency": currency, "currency_conversion": None,
        "custom_fields": [], "custom_text": {"after_submit": None, "shipping_address": None, "submit": None,
                                             "terms_of_service_acceptance": None},
        "customer": None, "customer_account": None, "customer_creation": "if_required", "customer_details": None,
        "customer_email": None, "discounts": None, "expires_at": expires_at, "integration_identifier": None, "invoice": None,
        "invoice_creation": {"enabled": False, "invoice_data": {"account_tax_ids": None, "custom_fields": None, "description": None,
                                                                "footer": None, "issuer": None, "metadata": None,
                                                                "rendering_options": None}},
        "livemode": False, "locale": None, "managed_payments": None, "metadata": given.get("metadata", {}), "mode": "payment",
        "origin_context": None, "payment_intent": None, "payment_link": None, "payment_method_collection": "if_required",
        "payment_method_configuration_details": None, "payment_method_options": {}, "payment_method_types": ["card"],
        "payment_status": "unpaid", "permissions": None, "phone_number_collection": {"enabled": False}, "recovered_from": None,
        "saved_payment_method_options": None, "setup_intent": None, "shipping_address_collection": None, "shipping_cost": None,
        "shipping_options": [], "status": "open", "submit_type": None, "subscription": None, "success_url": given["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted", "url": url,
        "wallet_options": None,
    }  # fmt: skip


def customer(its_id: str, at: float, given: dict) -> dict:
    return {
        "id": its_id, "object": "customer", "address": None, "balance": 0, "created": int(at), "currency": None,
        "default_source": None, "delinquent": False, "description": given.get("description"), "discount": None,
        "email": given.get("email"), "invoice_prefix": its_id[-8:].upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None}, "livemode": False,
        "metadata": given.get("metadata", {}), "name": given.get("name"), "next_invoice_sequence": 1, "phone": given.get("phone"),
        "preferred_locales": [], "shipping": None, "tax_exempt": "none",
    }  # fmt: skip


def setup_intent(its_id: str, at: float, given: dict, method: str, secret: str) -> dict:
    """One that is not confirmed yet."""
    return {
        "id": its_id, "object": "setup_intent", "application": None, "automatic_payment_methods": None, "cancellation_reason": None,
        "client_secret": f"{its_id}_secret_{secret}", "created": int(at), "customer": given.get("customer"),
        "description": given.get("description"), "excluded_payment_method_types": None, "flow_directions": None,
        "last_setup_error": None, "latest_attempt": None, "livemode": False, "mandate": None, "metadata": given.get("metadata", {}),
        "next_action": None, "on_behalf_of": None, "payment_method": method, "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}},
        "payment_method_types": given.get("payment_method_types", ["card"]), "single_use_mandate": None,
        "status": "requires_confirmation", "usage": given.get("usage", "off_session"),
    }  # fmt: skip


def balance() -> dict:
    money = [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
    return {"object": "balance", "available": money, "pending": money, "livemode": False, "refund_and_dispute_prefunding": None}


def declined(card: Card) -> dict:
    """The error of a decline, as it stands in the intent and, with the objects, in the answer."""
    named = {"decline_code": card.decline} if card.decline else {}
    page = f"https://stripe.com/docs/error-codes/{(card.code or '').replace('_', '-')}"
    return {"code": card.code, **named, "doc_url": page, "message": card.message, "type": "card_error"}


AUTHENTICATION_WANTED = Card(
    "authentication_required",
    "authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_FAILED = {
    "code": "payment_intent_authentication_failure",
    "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
    "message": "The provided PaymentMethod has failed authentication. Provide payment_method_data or a new PaymentMethod.",
    "type": "invalid_request_error",
}
