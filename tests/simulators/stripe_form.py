"""What requests Stripe takes: the form that is posted, the parameters that each call knows, and the refusal of any other."""

from urllib.parse import parse_qsl

# The last version that lets a PaymentIntent name its payment method types (Stripe's changelog of 2026-09-30.endive).
TYPES_REMOVED_IN = "2026-09-30"
MOST_METADATA, LONGEST_NAME, LONGEST_VALUE = 50, 40, 500

_COMMON = ("expand",)
_INTENT = (
    "allowed_payment_method_types", "amount_details", "capture_method", "confirmation_token", "error_on_requires_action",
    "excluded_payment_method_types", "hooks", "mandate", "mandate_data", "off_session", "payment_details", "payment_method",
    "payment_method_data", "payment_method_options", "payment_method_types", "radar_options", "receipt_email", "return_url",
    "setup_future_usage", "shipping", "use_stripe_sdk",
)  # fmt: skip
KNOWN = {
    "balance": _COMMON,
    "payment_methods.create": ("type", "card", "billing_details", "metadata", "allow_redisplay", "radar_options", "customer",
                               "payment_method", *_COMMON),
    "payment_methods.retrieve": _COMMON,
    "payment_methods.detach": _COMMON,
    "customers.create": (
        "address", "balance", "business_name", "cash_balance", "description", "email", "individual_name", "invoice_prefix",
        "invoice_settings", "metadata", "name", "next_invoice_sequence", "payment_method", "phone", "preferred_locales", "shipping",
        "source", "tax", "tax_exempt", "tax_id_data", "test_clock", "validate", *_COMMON,
    ),
    "setup_intents.create": (
        "allowed_payment_method_types", "attach_to_self", "automatic_payment_methods", "confirm", "confirmation_token", "customer",
        "customer_account", "description", "excluded_payment_method_types", "flow_directions", "mandate_data", "metadata",
        "on_behalf_of", "payment_method", "payment_method_configuration", "payment_method_data", "payment_method_options",
        "payment_method_types", "return_url", "single_use", "usage", "use_stripe_sdk", *_COMMON,
    ),
    "payment_intents.create": (
        *_INTENT, *_COMMON, "amount", "application_fee_amount", "automatic_payment_methods", "confirm", "confirmation_method",
        "currency", "customer", "customer_account", "description", "metadata", "on_behalf_of", "payment_method_configuration",
        "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
    ),
    "payment_intents.confirm": (*_INTENT, *_COMMON, "amount_to_confirm"),
    "payment_intents.cancel": ("cancellation_reason", *_COMMON),
    "payment_intents.retrieve": ("client_secret", *_COMMON),
    "payment_intents.list": ("created", "customer", "customer_account", "ending_before", "limit", "starting_after", *_COMMON),
    "payment_intents.search": ("limit", "page", "query", *_COMMON),
    "refunds.create": ("amount", "charge", "currency", "customer", "instructions_email", "metadata", "origin", "payment_intent",
                       "reason", "refund_application_fee", "reverse_transfer", *_COMMON),
    "checkout.sessions.create": (
        "adaptive_pricing", "after_expiration", "allow_promotion_codes", "allowed_payment_method_types", "automatic_tax",
        "billing_address_collection", "branding_settings", "cancel_url", "client_reference_id", "consent_collection", "currency",
        "custom_fields", "custom_text", "customer", "customer_account", "customer_creation", "customer_email", "customer_update",
        "discounts", "excluded_payment_method_types", "expires_at", "integration_identifier", "invoice_creation", "line_items",
        "locale", "managed_payments", "metadata", "mode", "name_collection", "optional_items", "origin_context",
        "payment_intent_data", "payment_method_collection", "payment_method_configuration", "payment_method_data",
        "payment_method_options", "payment_method_types", "permissions", "phone_number_collection", "redirect_on_completion",
        "return_url", "saved_payment_method_options", "setup_intent_data", "shipping_address_collection", "shipping_options",
        "submit_type", "subscription_data", "success_url", "tax_id_collection", "ui_mode", "wallet_options", *_COMMON,
    ),
    "checkout.sessions.retrieve": _COMMON,
    "checkout.sessions.expire": _COMMON,
    "refunds.retrieve": _COMMON,
    "refunds.list": ("charge", "created", "ending_before", "limit", "payment_intent", "starting_after", *_COMMON),
}  # fmt: skip
KNOWN_CARD = ("number", "exp_month", "exp_year", "cvc", "networks", "token")
NEEDED = {
    "payment_methods.create": ("type",),
    "payment_intents.create": ("amount", "currency"),
    "payment_intents.search": ("query",),
    "checkout.sessions.create": ("mode", "line_items"),
}
# What is inside a session's parameters, as far as it concerns one payment by card.
KNOWN_INSIDE = {
    "payment_intent_data": ("application_fee_amount", "capture_method", "description", "metadata", "on_behalf_of", "receipt_email",
                            "setup_future_usage", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
                            "transfer_group"),
    "line_items": ("adjustable_quantity", "metadata", "price", "price_data", "quantity", "tax_rates"),
    "price_data": ("currency", "product", "product_data", "recurring", "tax_behavior", "unit_amount", "unit_amount_decimal"),
    "product_data": ("description", "images", "metadata", "name", "tax_code", "tax_details", "unit_label"),
    "adaptive_pricing": ("enabled",),
}  # fmt: skip
_INTEGERS = ("amount", "limit", "expires_at")


class Refused(Exception):
    """An answer that says no: `stored` where Stripe keeps it under the request's key, because carrying it out had begun."""

    def __init__(self, status: int, kind: str, message: str, *, stored: bool = False, **more):
        super().__init__(message)
        self.status, self.stored = status, stored
        self.error = {**more, "message": message, "type": kind}


def invalid(message: str, status: int = 400, **more) -> Refused:
    return Refused(status, "invalid_request_error", message, **more)


def read_form(text: str) -> dict:
    """`card[number]=4&expand[0]=a` as nested dictionaries; what is numbered becomes a list."""
    form: dict = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        place = form
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return _with_lists(form)


def _with_lists(value):
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() or key == "" for key in value):
        return [_with_lists(inner) for _, inner in sorted(value.items())]
    return {key: _with_lists(inner) for key, inner in value.items()}


def must_be_known(call: str, given: dict, version: str) -> None:
    """Refuse parameters that the call doesn't know, that are missing, or that are no numbers."""
    if "payment_method_types" in given and version[:10] >= TYPES_REMOVED_IN:
        raise invalid("This API version no longer supports `payment_method_types`.", param="payment_method_types",
                      code="payment_method_types_no_longer_supported")  # fmt: skip
    card = given.get("card", {}) if call == "payment_methods.create" else {}
    unknown = [name for name in given if name not in KNOWN[call]] + [f"card[{name}]" for name in card if name not in KNOWN_CARD]
    unknown += _unknown_inside(given) if call == "checkout.sessions.create" else []
    if unknown:
        raise invalid(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    for name in NEEDED.get(call, ()):
        if name not in given:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    for name in _INTEGERS:
        if name in given and not str(given[name]).isdecimal():
            raise invalid(f"Invalid integer: {given[name]}", code="parameter_invalid_integer", param=name)
    for metadata in (given.get("metadata", {}), given.get("payment_intent_data", {}).get("metadata", {})):
        _metadata_fits(metadata)


def _unknown_inside(given: object) -> list[str]:
    """Parameters inside parameters that are not known, wherever they stand."""
    if isinstance(given, list):
        return [wrong for one in given for wrong in _unknown_inside(one)]
    if not isinstance(given, dict):
        return []
    found = []
    for name, inner in given.items():
        for one in inner if isinstance(inner, list) else [inner]:
            if name in KNOWN_INSIDE and isinstance(one, dict):
                found += [f"{name}[{word}]" for word in one if word not in KNOWN_INSIDE[name]]
        found += _unknown_inside(inner)
    return found


def _metadata_fits(metadata: dict) -> None:
    if len(metadata) > MOST_METADATA:
        raise invalid("You can have up to 50 metadata keys.", param="metadata")
    for name, value in metadata.items():
        if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
            raise invalid("This metadata is too long.", param=f"metadata[{name}]")
