"""A person at the HTTP API: what tests say instead of requests. Statuses are asserted, so that a test reads as a story."""

import itertools
import uuid

import requests

from tests.system import System

VISA = "4242424242424242"
_people = itertools.count(1)


def card(number: str = VISA) -> dict:
    return {"number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123"}


class Person:
    """Somebody with a token (or nobody yet)."""

    def __init__(self, system: System, token: str | None = None):
        self.system, self.token = system, token

    def ask(self, method: str, path: str, body: object = None, *, key: str | None = None, **options) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        url = self.system.url + path
        return requests.request(method, url, json=body, headers=headers, timeout=60, allow_redirects=False, **options)

    def must(self, status: int, method: str, path: str, body: object = None, **options):
        """The JSON of an answer that must have this status."""
        answer = self.ask(method, path, body, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content else None

    def sign_in(self, email: str, password: str) -> dict:
        session = self.must(200, "POST", "/api/v1/session", {"email": email, "password": password})
        self.token = session["token"]
        return session


class Practice:
    """A practice with its admin, one assigned provider and one client, ready to bill; made over HTTP as people would."""

    PASSWORD = "a long walk by the river"

    def __init__(self, system: System, processor: dict | None = None, rate: str | None = "0.0725"):
        self.system, self.mark = system, uuid.uuid4().hex[:8]
        self.admin = Person(system)
        self.admin_email = f"ada-{self.mark}@practice.example"
        signed_up = {
            "practice_name": f"Riverside {self.mark}",
            "name": "Ada Admin",
            "email": self.admin_email,
            "password": self.PASSWORD,
        }
        self.admin.must(201, "POST", "/api/v1/practices", signed_up)
        self.admin.sign_in(self.admin_email, self.PASSWORD)
        self.processor = self.add_processor(processor or {"type": "sandbox", "credentials": {}})
        tax = {"requirement": "flat", "name": "Sales tax", "rate": rate} if rate else {"requirement": "none"}
        self.admin.must(200, "PUT", "/api/v1/tax/settings", tax)
        self.provider, self.provider_id = self.invite_provider()
        self.admin.must(200, "PATCH", "/api/v1/services/client-billing", {"enabled": True, "provider_ids": [self.provider_id]})
        self.client, self.client_id = self.invite_client()

    def add_processor(self, wanted: dict) -> dict:
        body = {"description": "Main account", "card_entry": "direct", **wanted}
        made = self.admin.must(201, "POST", "/api/v1/processors", body)
        return self.admin.must(200, "POST", f"/api/v1/processors/{made['id']}/activate")

    def invite_provider(self) -> tuple[Person, str]:
        email = f"pat-{next(_people)}-{self.mark}@practice.example"
        made = self.admin.must(201, "POST", "/api/v1/colleagues", {"name": "Pat Provider", "email": email, "roles": ["provider"]})
        self.provider_email = email
        return self._accept(email), made["id"]

    def invite_client(self, by: Person | None = None) -> tuple[Person, str]:
        email = f"cleo-{next(_people)}-{self.mark}@people.example"
        made = (by or self.provider).must(201, "POST", "/api/v1/clients", {"name": "Cleo Client", "email": email})
        self.client_email = email
        return self._accept(email), made["id"]

    def _accept(self, email: str) -> Person:
        person = Person(self.system)
        token = self.system.token_for(email)
        answer = person.ask("POST", f"/api/v1/invitations/{token}", {"password": self.PASSWORD})
        assert answer.status_code in (200, 201), answer.text
        person.sign_in(email, self.PASSWORD)
        return person

    def invoice(self, amount: int = 12050, *, send: bool = True, **more) -> dict:
        body = {"client_id": self.client_id, "description": "Session on stress", "amount": amount, "send": send, **more}
        return self.provider.must(201, "POST", "/api/v1/invoices", body)

    def read(self, invoice: dict, who: Person | None = None) -> dict:
        return (who or self.admin).must(200, "GET", f"/api/v1/invoices/{invoice['id']}")

    def pay(self, invoice: dict, number: str = VISA, **options) -> requests.Response:
        return self.client.ask("POST", f"/api/v1/invoices/{invoice['id']}/payments", {"card": card(number)}, **options)
