"""What operators ask: is the process there, does everything work that a payment needs, and the figures."""

from typing import Any

from services.gateway.asker import Gateway
from shared.caller import Caller
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.contracts.tax import Tax
from shared.faults import Fault, Unavailable

_PATIENCE = 3.0  # seconds for each service
_CHEAP: dict[str, Call] = {
    "invoicing": Invoicing.read_service,
    "processors": Processors.read_card_entry,  # the list of types is no look into its database
    "tax": Tax.read_settings,
    "notifications": Notifications.count_unread,
}


def what_is_missing(gateway: Gateway) -> dict[str, str]:
    """For each part that doesn't work, why; empty when a payment could be taken."""
    missing = {}
    try:
        gateway.database.ping()
    except Exception as wrong:
        missing["database"] = type(wrong).__name__
    for service, call in _CHEAP.items():
        if reason := _why_not(gateway.rpc, call):
            missing[service] = reason
    return missing


def _why_not(rpc: Any, call: Call) -> str | None:
    """None where the service answered; a refusal is an answer too."""
    try:
        rpc.ask(call, {}, Caller.system("prac_ready"), within=_PATIENCE)
    except Unavailable as fault:
        return fault.code
    except Fault:
        return None
    return None
