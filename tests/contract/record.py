"""Writes `examples/<service>.json`: one real request and answer of every call, and one of every event, as they cross the bus.

`python -m tests.contract.record` after a contract has changed on purpose; the difference in the examples is what changes on the wire.
"""

import json
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from services.processors.orders import Listed, Nudge, Outcome
from shared.asking import Answer
from shared.caller import Caller
from shared.contract import Call, Contract
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.contracts.tax import Tax
from shared.database import Database
from shared.faults import Refused
from shared.ids import new_id
from tests.house import House, Practice

EXAMPLES = Path(__file__).parent / "examples"
CONTRACTS: tuple[type[Contract], ...] = (Invoicing, Processors, Tax, Notifications)


class Recorder(House):
    """A house that keeps the first request and answer of every call."""

    def __init__(self, folder: Any):
        self.kept: dict[tuple[str, str], dict] = {}
        super().__init__(folder, datetime(2026, 6, 15, 12, tzinfo=UTC))

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        answer = super().ask(call, body, caller, within)
        example = {"request": json.loads(json.dumps(body, default=str)), "answer": json.loads(answer.text)}
        self.kept.setdefault((call.service, call.name), example)
        return answer

    def events(self, contract: type[Contract]) -> dict[str, dict]:
        if not contract.events():
            return {}
        database = Database(self.settings.database_url(contract.service))
        with database.reading() as session:
            rows = session.execute(text("select event, body from outbox order by id desc")).all()
        return {row.event: json.loads(row.body) for row in rows}


def tell(house: Recorder) -> None:
    """A story in which every call is made once."""
    ask, practice = house.ask, Practice(house)
    ada, pat, cleo, system = practice.ada, practice.pat, practice.cleo, Caller.system(practice.id)
    gateway = house.settings.keys("gateway")
    copy = {"version": 1, "name": "Riverside", "currency": "USD", "time_zone": "UTC"}
    ask(Notifications.put_practice, copy, system)
    for who in (ada, pat, cleo):
        sealed = gateway.seal(f"{who.name}@people.example".encode(), "notifications", f"address|{practice.id}|{who.member_id}")
        member = {"version": 1, "member_id": who.member_id, "roles": [who.role], "sealed_address": sealed, "active": True}
        ask(Notifications.put_member, member, system)
    ask(Tax.put_client, {"version": 1, "client_id": cleo.member_id, "tax_exempt": False}, system)
    ask(Tax.read_settings, {}, ada)
    for call in (Invoicing.read_service, Invoicing.read_summary, Invoicing.list_invoices, Processors.list_types):
        ask(call, {}, ada)
    _accounts(house, practice)
    _cards(house, practice)
    invoice = practice.invoice(send=False)
    named = {"invoice_id": invoice["id"]}
    ask(Invoicing.edit_invoice, {**named, "memo": "Sliding scale"}, pat)
    ask(Invoicing.send_invoice, named, pat)
    paid = practice.pay(invoice)
    refund = practice.refund(invoice, 100)
    for call in (Invoicing.read_invoice, Invoicing.read_timeline, Invoicing.explain):
        ask(call, named, cleo)
    for call in (Invoicing.read_payment, Invoicing.check_payment, Processors.read_charge, Processors.check_charge):
        ask(call, {"payment_id": paid["id"]}, ada)
    for call in (Invoicing.read_refund, Invoicing.check_refund, Processors.read_refund, Processors.check_refund):
        ask(call, {"refund_id": refund["id"]}, ada)
    _other_ends(practice)
    _by_hand(house, practice)
    house.deliver()
    _alerts(house, practice)


def _accounts(house: Recorder, practice: Practice) -> None:
    account = house.ask(Processors.list_processors, {}, practice.ada).data["data"][0]
    named = {"processor_id": account["id"]}
    for call in (Processors.read_processor, Processors.check_processor, Processors.activate_processor):
        house.ask(call, named, practice.ada)
    house.ask(Processors.change_processor, {**named, "description": "First account"}, practice.ada)
    house.ask(Processors.read_card_entry, {}, practice.cleo)
    house.ask(Processors.read_sealing_key, {}, practice.cleo)
    spare = new_id("pcr")
    sealed = house.settings.keys("gateway").seal(b"{}", "processors", f"credentials|{practice.id}|{spare}")
    body = {"processor_id": spare, "description": "Spare", "type": "sandbox", "sealed_credentials": sealed}
    house.ask(Processors.add_processor, body, practice.ada)
    house.ask(Processors.remove_processor, {"processor_id": spare}, practice.ada)


def _cards(house: Recorder, practice: Practice) -> None:
    """Failover is read and set; a card is kept, chosen, charged by staff, warned of and taken off file."""
    ada, cleo = practice.ada, practice.cleo
    house.ask(Processors.read_failover, {}, ada)
    house.ask(Processors.change_failover, {"enabled": True, "processor_ids": []}, ada)
    card_id, day = new_id("card"), house.clock.now()
    card = {"number": "4242424242424242", "exp_month": day.month, "exp_year": day.year, "cvc": "123"}
    secret = json.dumps({"card": card, "expires_at": day.timestamp() + 120}).encode()
    info = f"save-card|{practice.id}|{cleo.member_id}|{card_id}"
    sealed = house.settings.keys("gateway").seal(secret, "processors", info)
    house.ask(Processors.save_card, {"card_id": card_id, "sealed_card": sealed, "consent": "I allow it."}, cleo)
    house.ask(Processors.list_cards, {"client_id": cleo.member_id}, ada)
    house.tick("processors", "tend_cards")
    house.deliver()
    named = {"card_id": card_id, "client_id": cleo.member_id}
    for call in (Processors.read_card, Processors.choose_card, Processors.remove_card):
        house.ask(call, named, cleo)


def _other_ends(practice: Practice) -> None:
    house, pat, ada = practice.house, practice.pat, practice.ada
    practice.record(practice.invoice(), 20000, keep_as_credit=True)
    client = {"client_id": practice.cleo.member_id}
    house.ask(Invoicing.read_client_account, client, ada)
    house.ask(Invoicing.refund_credit, {**client, "payout_id": new_id("out"), "amount": 1}, ada)
    house.ask(Invoicing.void_invoice, {"invoice_id": practice.invoice()["id"]}, pat)
    house.ask(Invoicing.forgive_invoice, {"invoice_id": practice.invoice()["id"]}, pat)
    house.ask(Invoicing.delete_invoice, {"invoice_id": practice.invoice(send=False)["id"]}, pat)
    authenticated = practice.pay(practice.invoice(), "4000002500003155")
    house.ask(Processors.answer_sandbox, {"payment_id": authenticated["id"], "approve": True}, practice.cleo)
    waiting = practice.pay(practice.invoice(), "4000002500003155")
    house.ask(Invoicing.cancel_payment, {"payment_id": waiting["id"]}, practice.cleo)
    practice.pay(practice.invoice(), "4000000000000119")
    house.ask(Invoicing.list_work, {}, ada)
    with suppress(Refused):
        practice.pay(practice.invoice(), "4000000000000002")


def _by_hand(house: Recorder, practice: Practice) -> None:
    """A payment and a refund that end in review, one that waits for settlement, a genuine delivery, and lists that differ."""
    ada, adapter = practice.ada, house.services["processors"].room.adapters["sandbox"]
    invoice = practice.invoice()
    adapter.find = lambda credentials, order: Outcome("unknown")
    adapter.refund = lambda credentials, order: Outcome("unknown")
    payment, lost = practice.pay(practice.invoice(), "4000000000000119"), practice.pay(invoice)
    refund = practice.refund(invoice, 100)
    adapter.refund = lambda credentials, order: Outcome("not_settled")
    waiting = practice.refund(invoice, 200)
    for _ in range(30):
        house.after(86400)
    word = {"outcome": "happened", "reason": "Seen in its own pages"}
    house.ask(Processors.read_evidence, {"ids": [payment["id"], refund["id"]]}, ada)
    house.ask(Invoicing.settle_payment, {"payment_id": payment["id"], **word}, ada)
    house.ask(Invoicing.settle_refund, {"refund_id": refund["id"], **word}, ada)
    house.ask(Invoicing.settle_refund, {"refund_id": waiting["id"], **word, "outcome": "did_not_happen"}, ada)
    house.ask(Invoicing.cancel_refund, {"refund_id": practice.refund(invoice, 300)["id"]}, ada)
    adapter.read_webhook = lambda *given: Nudge("evt_1")
    account = house.ask(Processors.list_processors, {}, ada).data["data"][0]
    delivery = {"processor_id": account["id"], "type": "sandbox", "body": "e30=", "headers": {}}
    house.ask(Processors.receive_webhook, delivery, Caller.system(""))
    house.ask(Processors.open_payments, {"processor_id": account["id"]}, ada)
    adapter.list_between = lambda *given: [Listed("0" * 20, "charge", 500, "USD", house.clock.now(), "approved")]
    house.tick("processors", "compare_due")
    house.deliver()
    finding = next(item for item in house.ask(Invoicing.list_work, {}, ada).data["data"] if item["kind"] == "finding")
    house.ask(Invoicing.close_finding, {"finding_id": finding["id"]}, ada)
    assert lost["status"] == "succeeded"
    for name in ("find", "refund", "read_webhook", "list_between"):
        delattr(adapter, name)


def _alerts(house: Recorder, practice: Practice) -> None:
    alert = house.ask(Notifications.list_alerts, {}, practice.cleo).data["data"][0]
    house.ask(Notifications.read_alert, {"alert_id": alert["id"]}, practice.cleo)
    house.ask(Notifications.count_unread, {}, practice.cleo)
    house.ask(Notifications.read_preferences, {}, practice.cleo)
    house.ask(Notifications.change_preferences, {"email": False}, practice.cleo)
    letter_id = new_id("let")
    secret = json.dumps({"to": "noor@people.example", "link": "http://localhost/invitations/x"}).encode()
    sealed = house.settings.keys("gateway").seal(secret, "notifications", f"letter|{practice.id}|{letter_id}")
    letter = {"letter_id": letter_id, "kind": "client_invitation", "sealed": sealed}
    house.ask(Notifications.send_letter, letter, Caller.system(practice.id))
    delivery = house.ask(Notifications.list_deliveries, {}, practice.ada).data["data"][0]
    _park(house, delivery["id"])
    house.ask(Notifications.resend_delivery, {"delivery_id": delivery["id"]}, practice.ada)
    house.tick("notifications", "send_due")
    house.ask(Notifications.list_kept_mail, {}, practice.ada)


def _park(house: Recorder, delivery_id: str) -> None:
    with Database(house.settings.database_url("notifications")).transaction() as session:
        session.execute(text("update deliveries set status = 'parked' where id = :id"), {"id": delivery_id})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = Recorder(folder)
        tell(house)
        EXAMPLES.mkdir(exist_ok=True)
        for contract in CONTRACTS:
            calls = {name: example for (service, name), example in sorted(house.kept.items()) if service == contract.service}
            content = {"calls": calls, "events": dict(sorted(house.events(contract).items()))}
            (EXAMPLES / f"{contract.service}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            print(f"{contract.service}: {len(calls)} calls, {len(content['events'])} events")


if __name__ == "__main__":
    main()
