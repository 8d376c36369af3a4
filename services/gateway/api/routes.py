"""The table of all routes of the JSON API, in the order in which its document shows them."""

from flask import Flask

from services.gateway.api import alerts, cards, clients, colleagues, invoices, payments, people, processors, settings
from services.gateway.api.door import Route, view_of


def routes() -> list[Route]:
    """Every route, once."""
    subjects = (people, colleagues, clients, processors, settings, invoices, payments, cards, alerts)
    return [route for subject in subjects for route in subject.door.routes]


def register(app: Flask) -> None:
    for route in routes():
        app.add_url_rule(route.flask_path, endpoint=f"api.{route.name}", view_func=view_of(route), methods=[route.method])
