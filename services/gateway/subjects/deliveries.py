"""Alerts and letters on their way out, and those that could not be delivered."""

from services.gateway.asker import Answer, Asker
from services.gateway.reading import known_id, query
from shared.contracts.notifications import DeliveryFilter, Notifications


def list_deliveries(asker: Asker, given: dict | None = None) -> Answer:
    return asker.ask(Notifications.list_deliveries, query(DeliveryFilter, given or {})[0])


def resend_delivery(asker: Asker, delivery_id: str) -> Answer:
    return asker.ask(Notifications.resend_delivery, {"delivery_id": known_id(delivery_id)})
