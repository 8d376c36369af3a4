"""Alerts of the acting membership, and what of them goes out by mail."""

from services.gateway.asker import Answer, Asker
from services.gateway.reading import checked, known_id, query
from shared.contracts.notifications import Notifications, Preferences
from shared.contracts.parts import Paged


def list_alerts(asker: Asker, given: dict | None = None) -> Answer:
    return asker.ask(Notifications.list_alerts, query(Paged, given or {})[0])


def read_alert(asker: Asker, alert_id: str) -> Answer:
    """Mark it read."""
    return asker.ask(Notifications.read_alert, {"alert_id": known_id(alert_id)})


def count_unread(asker: Asker) -> Answer:
    return asker.ask(Notifications.count_unread)


def read_preferences(asker: Asker) -> Answer:
    return asker.ask(Notifications.read_preferences)


def change_preferences(asker: Asker, body: dict) -> Answer:
    return asker.ask(Notifications.change_preferences, checked(Preferences, body))
