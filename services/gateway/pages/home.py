"""The front door: everybody is led to the page that they come for."""

from flask import Response, g

from services.gateway.pages.page import go, home, pages


@pages.get("/")
def front_door() -> Response:
    return go(home(g.asker.role) if g.asker else "/sign-in")
