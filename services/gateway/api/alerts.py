"""Routes of alerts, their preferences and their deliveries."""

from typing import Any

from services.gateway.api.door import ADMIN, SIGNED_IN, Door
from services.gateway.subjects import alerts, deliveries
from shared.contracts.notifications import Alert, AlertPage, Delivery, DeliveryFilter, Notifications, Preferences
from shared.contracts.parts import Paged

door = Door("Alerts")


@door.get("/alerts", SIGNED_IN, query=Paged, gives=AlertPage)
def list_alerts(asker: Any, query: dict) -> Any:
    """Alerts of the membership that the person acts in, newest first."""
    return alerts.list_alerts(asker, query)


@door.post("/alerts/{alert_id}/read", SIGNED_IN, gives=Alert, faults=(404,))
def read_alert(asker: Any, alert_id: str) -> Any:
    """Mark an alert read."""
    return alerts.read_alert(asker, alert_id)


@door.get("/alert-preferences", SIGNED_IN, gives=Preferences)
def read_preferences(asker: Any) -> Any:
    """Which alerts go out by mail."""
    return alerts.read_preferences(asker)


@door.route("PUT", "/alert-preferences", SIGNED_IN, takes=Preferences, gives=Preferences)
def change_preferences(asker: Any, body: dict) -> Any:
    """Choose which alerts go out by mail."""
    return alerts.change_preferences(asker, body)


@door.get("/deliveries", ADMIN, query=DeliveryFilter, gives=Notifications.list_deliveries.gives)
def list_deliveries(asker: Any, query: dict) -> Any:
    """Alerts and letters on their way out; `status=parked` for those that could not be delivered."""
    return deliveries.list_deliveries(asker, query)


@door.post("/deliveries/{delivery_id}/resend", ADMIN, gives=Delivery, faults=(404, 409))
def resend_delivery(asker: Any, delivery_id: str) -> Any:
    """Try a parked delivery again."""
    return deliveries.resend_delivery(asker, delivery_id)
