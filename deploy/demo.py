"""The demo practice: people, and six months of invoices in every status, made by the product's own stories with the clock set back."""

import email
import email.policy
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.direct import Direct
from shared.caller import Caller
from shared.clock import SetClock
from shared.contracts.invoicing import Invoicing
from shared.faults import Refused
from shared.ids import new_id
from shared.settings import Settings

PASSWORD = "riverside-demo"
ADMIN = ("Ada Reyes", "ada@demo.example")
PROVIDERS = (("Noor Amari", "amari@demo.example"), ("Lin Chen", "chen@demo.example"))
CLIENTS = (  # name, mailbox, which provider
    ("Jordan Lee", "jordan@demo.example", 0),
    ("Sam Ortiz", "sam@demo.example", 0),
    ("Robin Diaz", "robin@demo.example", 0),
    ("Priya Nair", "priya@demo.example", 1),
    ("Alex Kim", "alex@demo.example", 1),
    ("Casey Webb", "casey@demo.example", 1),
)
SESSION, INTAKE, WORKBOOK = ("Individual session, 50 min", 12000), ("First consultation", 18000), ("Workbook", 6527)
# days ago, client, lines as (what, quantity), and what became of it
STORY: tuple[tuple[int, int, tuple, str], ...] = (
    (178, 0, ((INTAKE, "1"),), "paid"),
    (171, 3, ((INTAKE, "1"),), "check"),
    (164, 1, ((INTAKE, "1"), (WORKBOOK, "1")), "paid"),
    (150, 4, ((INTAKE, "1"),), "declined, then paid"),
    (143, 0, ((SESSION, "2"),), "paid"),
    (129, 5, ((INTAKE, "1"),), "forgiven"),
    (120, 2, ((INTAKE, "1"), (WORKBOOK, "1")), "paid"),
    (112, 3, ((SESSION, "2"),), "paid"),
    (98, 1, ((SESSION, "2"),), "void"),
    (97, 1, ((SESSION, "1"),), "paid"),
    (84, 4, ((SESSION, "2"),), "transfer"),
    (77, 0, ((SESSION, "2"),), "paid"),
    (61, 2, ((SESSION, "2"), (WORKBOOK, "1")), "refunded in part"),
    (49, 5, ((SESSION, "1"),), "paid"),
    (42, 3, ((SESSION, "2"),), "refunded"),
    (30, 4, ((SESSION, "1"), (WORKBOOK, "1")), "overdue"),
    (12, 5, ((SESSION, "2"),), "paid in part"),
    (9, 0, ((SESSION, "2"),), "paid"),
    (6, 3, ((SESSION, "1"),), "open"),
    (3, 1, ((SESSION, "2"),), "open"),
    (1, 2, ((SESSION, "1"),), "authenticating"),
    (0, 5, ((SESSION, "1"),), "draft"),
)
APPROVED, DECLINED, AUTHENTICATE = "4242424242424242", "4000000000000002", "4000002500003155"


def sign_ins() -> list[tuple[str, str, str]]:
    """(role, address, password) of everybody in the demo."""
    people = [("admin", ADMIN[1]), *(("provider", one[1]) for one in PROVIDERS), *(("client", one[1]) for one in CLIENTS)]
    return [(role, mailbox, PASSWORD) for role, mailbox in people]


def make_demo(settings: Settings) -> None:
    """Make the demo practice unless this data folder has it already. Runs before anything serves."""
    done = settings.data / "demo-made"
    if not done.exists():
        _Story(settings).tell()
        done.touch()


class _Story:
    def __init__(self, settings: Settings):
        from services.gateway.app import create_app

        self.settings, self.now = settings, datetime.now(UTC)
        self.clock = SetClock(self._days_ago(190))
        self.direct = Direct(settings, self.clock)
        self.app = create_app(settings, self.direct, clock=self.clock)
        self.tokens: dict[str, str] = {}

    def _days_ago(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def tell(self) -> None:
        self._people()
        for days, who, lines, end in STORY:
            self.clock.at = self._days_ago(days) - timedelta(hours=2)
            self.direct.forget_news()
            self._invoice(who, lines, end)
            if days <= 6:  # what is recent is still news
                self.direct.deliver()
        self.direct.deliver()
        self.direct.close()
        self.app.extensions["gateway"].database.dispose()

    def _api(self, method: str, path: str, body: dict, who: str = "") -> Any:
        headers = {"Authorization": "Bearer " + self.tokens[who]} if who else {}
        answer = self.app.test_client().open("/api/v1" + path, method=method, json=body, headers=headers)
        if answer.status_code >= 300:
            raise RuntimeError(
                f"the demo could not be made: {method} {path} answered {answer.status_code}: {answer.get_data(as_text=True)}"
            )
        return answer.get_json()

    def _sign_in(self, address: str) -> dict:
        session = self._api("POST", "/session", {"email": address, "password": PASSWORD})
        self.tokens[address] = session["token"]
        return session

    def _people(self) -> None:
        name, admin = ADMIN
        self._api("POST", "/practices", {"practice_name": "Riverside Therapy", "name": name, "email": admin, "password": PASSWORD})
        session = self._sign_in(admin)
        self.practice_id, self.admin_id = session["acting_as"]["practice_id"], session["acting_as"]["member_id"]
        address = {"line1": "12 River Street", "city": "Sacramento", "state": "CA", "postal_code": "95814", "country": "US"}
        self._api("PATCH", "/practice", {"address": address, "time_zone": "America/Los_Angeles"}, admin)
        account = {"description": "Main account", "type": "sandbox", "credentials": {}, "card_entry": "direct"}
        self._api("POST", "/processors", account, admin)
        self._api("PUT", "/tax/settings", {"requirement": "flat", "name": "Sales tax", "rate": "0.0725"}, admin)
        self.provider_ids = [
            self._api("POST", "/colleagues", {"name": name, "email": mailbox, "roles": ["provider"]}, admin)["id"]
            for name, mailbox in PROVIDERS
        ]
        self.client_ids = [
            self._api("POST", "/clients", {"name": name, "email": address, "provider_ids": [self.provider_ids[number]]}, admin)[
                "id"
            ]
            for name, address, number in CLIENTS
        ]
        self.direct.tick("notifications", "send_due")
        self._api("POST", f"/confirmations/{self._token(admin, 'confirmations')}", {}, admin)
        for _, mailbox, _ in sign_ins()[1:]:
            self._api("POST", f"/invitations/{self._token(mailbox)}", {"password": PASSWORD})
        self._api("PATCH", "/services/client-billing", {"enabled": True, "provider_ids": self.provider_ids}, admin)
        self._api("PATCH", f"/colleagues/{self.admin_id}", {"roles": ["admin", "provider"]}, admin)

    def _token(self, address: str, kind: str = "invitations") -> str:
        for path in (self.settings.data / "mail").glob("[!.]*.eml"):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",))
            found = re.search(rf"/{kind}/([\w.~-]+)", body.get_content()) if body else None
            if found and address in str(mail["To"]):
                return found.group(1)
        raise RuntimeError(f"the demo could not be made: no mail for {address}")

    def _invoice(self, who: int, lines: tuple, end: str) -> None:
        name, _, provider = CLIENTS[who]
        pat = Caller(self.practice_id, "provider", "per_demo", self.provider_ids[provider], PROVIDERS[provider][0])
        payer = Caller(self.practice_id, "client", "per_demo", self.client_ids[who], name)
        asked = [
            {
                "description": what,
                "quantity": count,
                "unit_amount": price,
                "category": "taxable" if what == "Workbook" else "exempt",
            }
            for (what, price), count in lines
        ]
        body = {"invoice_id": new_id("inv"), "client_id": payer.member_id, "lines": asked, "send": end != "draft"}
        invoice = json.loads(self.direct.ask(Invoicing.create_invoice, body, pat).text)
        self.clock.at += timedelta(hours=1)
        getattr(self, "_" + end.replace(",", "").replace(" ", "_"))(invoice, pat, payer)

    def _pay(self, invoice: dict, payer: Caller, number: str = APPROVED) -> None:
        payment_id = new_id("pay")
        card = {"number": number, "exp_month": 12, "exp_year": self.now.year + 3, "cvc": "123"}
        sealed = self.settings.keys("gateway").seal(
            json.dumps({"card": card, "expires_at": self.clock.at.timestamp() + 120}).encode(),
            "processors",
            f"card|{self.practice_id}|{invoice['id']}|{payment_id}",
        )
        body = {"payment_id": payment_id, "invoice_id": invoice["id"], "sealed_card": sealed}
        self.direct.ask(Invoicing.pay_invoice, body, payer)

    def _record(self, invoice: dict, pat: Caller, **how: Any) -> None:
        self.direct.ask(Invoicing.record_payment, {"payment_id": new_id("pay"), "invoice_id": invoice["id"], **how}, pat)

    def _refund(self, invoice: dict, pat: Caller, **how: Any) -> None:
        self.clock.at += timedelta(hours=20)
        self.direct.ask(Invoicing.refund_invoice, {"refund_id": new_id("rfd"), "invoice_id": invoice["id"], **how}, pat)

    # what becomes of an invoice, by the words of the story

    def _draft(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        pass

    _open = _overdue = _draft

    def _paid(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._pay(invoice, payer)

    def _declined_then_paid(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        try:
            self._pay(invoice, payer, DECLINED)
        except Refused:
            self.clock.at += timedelta(minutes=3)
        self._pay(invoice, payer)

    def _authenticating(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self.clock.at = self.now
        self._pay(invoice, payer, AUTHENTICATE)

    def _check(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._record(invoice, pat, method="check", reference="1044")

    def _transfer(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._record(invoice, pat, method="bank_transfer")

    def _paid_in_part(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._record(invoice, pat, method="cash", amount=10000)

    def _refunded(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._pay(invoice, payer)
        self._refund(invoice, pat, reason="The sessions were canceled")

    def _refunded_in_part(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self._pay(invoice, payer)
        self._refund(invoice, pat, amount=6000, reason="One session was shorter")

    def _forgiven(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self.direct.ask(Invoicing.forgive_invoice, {"invoice_id": invoice["id"]}, pat)

    def _void(self, invoice: dict, pat: Caller, payer: Caller) -> None:
        self.direct.ask(Invoicing.void_invoice, {"invoice_id": invoice["id"]}, pat)
