"""Which page each form stands on that has an address only to be sent to: where to go back to, and what opening that address shows."""

from collections.abc import Mapping
from typing import Any

from flask import current_app, request, url_for
from werkzeug.exceptions import HTTPException

STANDS_ON = {
    "change_password": "account",
    "change_preferences": "account",
    "confirmation_again": "account",
    "switch_role": "account",
    "read_alert": "alerts",
    "choose_card": "own_cards",
    "invite_client_again": "client",
    "refund_credit": "client_billing",
    "invite_colleague_again": "colleague",
    "make_token": "practice",
    "remove_token": "practice",
    "add_processor": "setup",
    "choose_tax": "setup",
    "replace_credentials": "processor",
    "check_processor": "processor",
    "activate_processor": "processor",
    "open_payments": "processor",
    "close_finding": "worklist",
    "resend_delivery": "worklist",
    "check_payment": "front_door",
    "check_refund": "front_door",
    "cancel_payment": "front_door",
    "sign_out": "front_door",
}


def page_of_form() -> str:
    """The page that holds the form of this request's address; empty where there is none, or a link's token would be told."""
    adapter = current_app.create_url_adapter(request)
    try:
        rule, values = adapter.match(method="POST", return_rule=True)  # type: ignore[union-attr]
    except HTTPException:
        return ""
    blueprint, _, view = rule.endpoint.rpartition(".")
    if blueprint != "pages" or "token" in values:
        return ""
    if adapter is not None and adapter.test(method="GET"):
        return request.path
    return _address(STANDS_ON[view], values) if view in STANDS_ON else ""


def _address(view: str, values: Mapping[str, Any]) -> str:
    wanted = next(current_app.url_map.iter_rules(f"pages.{view}")).arguments
    return url_for(f"pages.{view}", **{name: value for name, value in values.items() if name in wanted})
