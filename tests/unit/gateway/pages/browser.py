"""Somebody in front of the pages, and an invoice for them to look at."""

import re

from shared.contracts.invoicing import Invoicing
from shared.ids import new_id
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import PASSWORD


class Browser:
    """Somebody in front of the pages: keeps cookies, fills forms with the hidden fields that were drawn."""

    def __init__(self, world, email: str = ""):
        self.world, self.page = world, ""
        self._client = world.app.test_client()
        if email:
            assert 303 == self.fills("/sign-in", email=email, password=PASSWORD).status_code

    def opens(self, path: str, **more):
        answer = self._client.get(path, **more)
        self.page = answer.get_data(as_text=True)
        return answer

    def fills(self, path: str, at: str = "", **fields):
        """Opens `at` (or `path`) and sends what was typed to `path` with the page's own hidden fields."""
        self.opens(at or path)
        token = re.search(r'name="csrf_token" value="([^"]*)"', self.page)
        key = re.search(r'name="idempotency_key" value="([^"]*)"', self.page)
        hidden = {"csrf_token": token[1] if token else "", "idempotency_key": key[1] if key else ""}
        answer = self._client.post(path, data={**hidden, **fields})
        self.page = answer.get_data(as_text=True)
        return answer

    def sends(self, path: str, headers=None, **fields):
        answer = self._client.post(path, data=fields, headers=headers)
        self.page = answer.get_data(as_text=True)
        return answer


def invoice(world, browser, **more) -> str:
    """An invoice that the scripted invoicing knows in the browser's practice."""
    invoice_id = new_id("inv")
    world.bus.knows(browser.practice_id, invoice_id)
    bare = {"id": invoice_id, "payments": [], "refunds": [], "allowed_actions": ["pay"]}
    read = {**sample(Invoicing.read_invoice.gives), **bare, **more}
    world.bus.script(Invoicing.read_invoice, read)
    return invoice_id
