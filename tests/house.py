"""A house for unit tests: all four services' use cases in one thread at a time that stands still, and a practice ready to bill."""

import json
from datetime import datetime
from typing import Any

from deploy.databases import migrate_one
from deploy.direct import Direct
from deploy.services import DOORS
from shared.asking import Answer
from shared.caller import Caller
from shared.clock import SetClock
from shared.contract import Call
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.contracts.tax import Tax
from shared.ids import new_id
from shared.keys import write_keys
from shared.settings import Settings

CARD = {"exp_month": 12, "exp_year": 2031, "cvc": "123"}


class House(Direct):
    """The services in a folder of their own; `meddle[call]` may lose, delay or repeat what is asked."""

    def __init__(self, folder: Any, start: datetime):
        settings = Settings({"CLIENTBILLING_DATA": str(folder), "CLIENTBILLING_DEVELOPMENT": "1"})
        write_keys(settings.keys_folder)
        for service in DOORS:
            migrate_one(settings, service)
        self.meddle: dict[str, Any] = {}
        super().__init__(settings, SetClock(start))

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        """One call; a meddler gets it as a function that really asks."""
        meddler = self.meddle.get(call.name)
        if meddler is not None:
            return meddler(lambda: super(House, self).ask(call, body, caller))
        return super().ask(call, body, caller)


class Practice:
    """A practice ready to bill: `ada` the admin, `pat` the assigned provider, `cleo` the client, a sandbox account, 7.25 % tax."""

    def __init__(self, house: House, mark: str = "1", rate: str | None = "0.0725", **settings: Any):
        self.house, self.id = house, f"prc_{mark}"
        self.ada = Caller(self.id, "admin", f"per_a{mark}", f"col_a{mark}", "Ada")
        self.pat = Caller(self.id, "provider", f"per_p{mark}", f"col_p{mark}", "Pat")
        self.cleo = Caller(self.id, "client", f"per_c{mark}", f"cli_c{mark}", "Cleo")
        system = Caller.system(self.id)
        ask = house.ask
        ask(Invoicing.put_practice, {"version": 1, "name": "Riverside", "currency": "USD", "time_zone": "UTC", **settings}, system)
        for who, roles in ((self.ada, ["admin"]), (self.pat, ["provider"])):
            copy = {"version": 1, "colleague_id": who.member_id, "name": who.name, "roles": roles, "active": True}
            ask(Invoicing.put_colleague, copy, system)
        client = {"version": 1, "client_id": self.cleo.member_id, "name": "Cleo Client", "provider_ids": [self.pat.member_id]}
        ask(Invoicing.put_client, {**client, "active": True}, system)
        ask(Invoicing.change_service, {"enabled": True, "provider_ids": [self.pat.member_id]}, self.ada)
        if rate:
            ask(Tax.change_settings, {"requirement": "flat", "rate": rate}, self.ada)
        processor_id = new_id("pcr")
        sealed = house.settings.keys("gateway").seal(b"{}", "processors", f"credentials|{self.id}|{processor_id}")
        account = {"processor_id": processor_id, "description": "Main", "type": "sandbox", "sealed_credentials": sealed}
        ask(Processors.add_processor, account, self.ada)

    def invoice(self, amount: int = 12050, send: bool = True, **more: Any) -> dict:
        body = {"invoice_id": new_id("inv"), "client_id": self.cleo.member_id, "send": send, **more}
        if "lines" not in body:
            body.update(description="Session", amount=amount)
        return json.loads(self.house.ask(Invoicing.create_invoice, body, self.pat).text)

    def pay(
        self, invoice: dict, number: str = "4242424242424242", payment_id: str | None = None, key: Any = None, **more: Any
    ) -> dict:
        """One try to pay; the payment as answered, or the fault raised."""
        payment_id = payment_id or new_id("pay")
        expires = self.house.clock.now().timestamp() + 120
        card = json.dumps({"card": {"number": number, **CARD}, "expires_at": expires}).encode()
        sealed = self.house.settings.keys("gateway").seal(card, "processors", f"card|{self.id}|{invoice['id']}|{payment_id}")
        body = {"payment_id": payment_id, "invoice_id": invoice["id"], "sealed_card": sealed, **more}
        return json.loads(self.house.ask(Invoicing.pay_invoice, body, self.cleo.with_key(key)).text)

    def do(self, call: Call, who: Caller | None = None, **body: Any) -> dict:
        return json.loads(self.house.ask(call, body, who or self.ada).text)

    def read(self, invoice: dict, who: Caller | None = None) -> dict:
        return self.do(Invoicing.read_invoice, who, invoice_id=invoice["id"])

    def refund(self, invoice: dict, amount: int | None = None, **more: Any) -> dict:
        return self.do(Invoicing.refund_invoice, refund_id=new_id("ref"), invoice_id=invoice["id"], amount=amount, **more)

    def record(self, invoice: dict, amount: int | None = None, method: str = "cash", **more: Any) -> dict:
        body = {"payment_id": new_id("pay"), "invoice_id": invoice["id"], "amount": amount, "method": method, **more}
        return self.do(Invoicing.record_payment, self.pat, **body)

    def proof(self) -> list[str]:
        """What is wrong with this practice's books: nothing, one hopes."""
        from services.invoicing import ledger

        with self.house.services["invoicing"].storage.reading() as tx:
            return list(ledger.verify(tx.session, self.id))

    def charges(self) -> list[int]:
        """The amounts that the sandbox's own books hold as charged."""
        from services.processors.sandbox_books import list_books

        return [row["amount"] for row in list_books(self.house.settings) if row["kind"] == "charge"]
