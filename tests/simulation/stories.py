"""What people do in a run: each story is one thread of requests by somebody, told as requests. What must hold is the judge's."""

from collections.abc import Callable
from typing import Any

from tests.simulation.people import UNSURE, House, People, Reply, Someone

CARDS = (
    "4242424242424242", "4000000000000002", "4000000000009995", "4000000000000069", "4000000000000127", "4000002500003155",
    "4000000000000077", "4000000000000119", "4000000000000259", "4000000000000341", "5555555555554444",
)  # fmt: skip
GOOD, ASKS_THE_BANK, SLOW, LOST, NEVER, LATE = CARDS[0], CARDS[5], CARDS[6], CARDS[7], CARDS[8], CARDS[9]


class Told:
    """A story's hands: its people, its practice and another one, and the seed's chance."""

    def __init__(self, people: People, house: House, other: House):
        self.people, self.house, self.other = people, house, other
        self.random, self.ask = people.scheduler.random, people.ask
        self.client = self.random.choice(house.clients)
        self.staff = self.random.choice((house.admin, house.provider))

    def pause(self, most: float = 6.0) -> None:
        self.people.scheduler.sleep(self.random.uniform(0.01, most))

    def bill(self, send: bool = True, **more: Any) -> str:
        """The id of an invoice: one that is open since the beginning, or a new one, or "" where it could not be made."""
        waiting = self.people.open_invoices[self.house.mark][self.client.member_id]
        if send and not more and waiting and self.random.random() < 0.6:
            return waiting.pop()
        amount = self.random.randrange(100, 40_000)
        body = {"client_id": self.client.member_id, "description": "Session", "amount": amount, "send": send, **more}
        if "lines" in body:
            del body["amount"], body["description"]
        reply = self.ask(self.staff, "POST", "/invoices", body)
        return reply.data["id"] if reply.status == 201 else ""

    def pay(self, invoice: str, number: str = GOOD, key: str | None = None, tries: int = 4, **more: Any) -> Reply:
        card = {"number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123"}
        return self.ask(self.client, "POST", f"/invoices/{invoice}/payments", {"card": card, **more}, key, tries)

    def refund(self, invoice: str, **body: Any) -> Reply:
        return self.ask(self.staff, "POST", f"/invoices/{invoice}/refunds", body)

    def read(self, invoice: str, who: Someone | None = None) -> dict:
        return self.people.read(who or self.house.admin, f"/invoices/{invoice}")

    def do(self, invoice: str, what: str, who: Someone | None = None) -> Reply:
        return self.ask(who or self.staff, "POST", f"/invoices/{invoice}/{what}")

    def payment_of(self, invoice: str, reply: Reply) -> str:
        """The id of the payment that was asked for, however it was answered."""
        if reply.status in (201, 202):
            return reply.data["id"]
        payments = self.read(invoice).get("payments") or [{"id": ""}]
        return payments[-1]["id"]

    def at_once(self, *works: Callable[[], Any]) -> None:
        """Have all of these go on beside each other."""
        scheduler, people = self.people.scheduler, self.people.run.processes["people"]
        for work in works:
            scheduler.spawn(people, "at once", work)


def bills_and_is_paid(told: Told) -> None:
    invoice = told.bill()
    if invoice:
        told.pause()
        told.pay(invoice, told.random.choice(CARDS))


def pays_again_after_trouble(told: Told) -> None:
    """Whatever the first card says, another is tried, with keys of their own: what somebody does who is not sure."""
    if invoice := told.bill():
        for number in (told.random.choice(CARDS[7:10]), told.random.choice(CARDS), GOOD):
            told.pay(invoice, number, tries=1)
            told.pause(30)


def drafts_edits_and_sends(told: Told) -> None:
    lines = [{"description": "Hour", "quantity": "1.5", "unit_amount": 9000}, {"description": "Book", "unit_amount": 1333}]
    invoice = told.bill(send=False, lines=lines, discount={"percent": "10"})
    if not invoice:
        return
    told.ask(told.staff, "PATCH", f"/invoices/{invoice}", {"memo": "by hand", "due_date": "2026-04-01"})
    if told.random.random() < 0.3:
        told.at_once(lambda: told.ask(told.staff, "PATCH", f"/invoices/{invoice}", {"description": "Long hour"}))
    told.at_once(lambda: told.do(invoice, "send"), lambda: told.do(invoice, "send"))
    told.pause()
    told.pay(invoice, told.random.choice(CARDS))


def drafts_and_throws_away(told: Told) -> None:
    if invoice := told.bill(send=False):
        told.at_once(lambda: told.do(invoice, "send"))
        told.ask(told.staff, "DELETE", f"/invoices/{invoice}")


def pays_twice_with_one_key(told: Told) -> None:
    if invoice := told.bill():
        key, number = f"double-{told.random.getrandbits(40):x}", told.random.choice(CARDS)
        told.at_once(*[lambda: told.pay(invoice, number, key)] * 2)


def pays_with_two_keys_at_once(told: Told) -> None:
    if invoice := told.bill():
        numbers = [told.random.choice(CARDS) for _ in range(3)]
        told.at_once(*[lambda number=number: told.pay(invoice, number) for number in numbers])


def pays_and_cancels(told: Told) -> None:
    if invoice := told.bill():
        number = told.random.choice((ASKS_THE_BANK, SLOW, LOST, NEVER, LATE))
        told.at_once(lambda: told.pay(invoice, number, tries=2))
        told.pause(12)
        for payment in told.read(invoice).get("payments", []):
            who = told.random.choice((told.client, told.house.admin))
            told.ask(who, "POST", f"/payments/{payment['id']}/cancel")
        told.pause(30)
        told.pay(invoice, GOOD)


def pays_and_checks(told: Told) -> None:
    if invoice := told.bill():
        reply = told.pay(invoice, told.random.choice((SLOW, LOST, NEVER, LATE)), tries=2)
        for _ in range(3):
            told.pause(8)
            if payment := told.payment_of(invoice, reply):
                told.ask(told.client, "POST", f"/payments/{payment}/check")
                word = {"outcome": "did_not_happen", "reason": "Not in the list"}  # refused: the processor can still answer
                told.ask(told.house.admin, "POST", f"/payments/{payment}/settle", word)


def answers_the_bank(told: Told) -> None:
    if invoice := told.bill():
        payment = told.payment_of(invoice, told.pay(invoice, ASKS_THE_BANK))
        told.pause(20)
        if payment and told.random.random() < 0.8:
            approve = told.random.random() < 0.7
            answers = [lambda: told.ask(told.client, "POST", f"/payments/{payment}/sandbox-answer", {"approve": approve})]
            if told.random.random() < 0.4:
                answers.append(lambda: told.ask(told.client, "POST", f"/payments/{payment}/cancel"))
            told.at_once(*answers)


def is_paid_and_refunded_in_parts(told: Told) -> None:
    if (invoice := told.bill()) and told.pay(invoice, told.random.choice((GOOD, SLOW, LOST))).status in (201, 202, 409):
        told.pause(20)
        part = told.random.randrange(1, 60)
        for amount in (part, told.random.randrange(1, 20_000), None):
            reply = told.refund(invoice, **({"amount": amount} if amount else {}))
            told.pause()
            if reply.status == 202 and "id" in reply.data:
                told.ask(told.staff, "POST", f"/refunds/{reply.data['id']}/{told.random.choice(('check', 'cancel'))}")


def is_refunded_by_several_at_once(told: Told) -> None:
    if (invoice := told.bill()) and told.pay(invoice).status in (201, 202):
        total = told.read(invoice).get("total") or 100
        share = max(1, total * 2 // 3)
        told.at_once(*[lambda: told.refund(invoice, amount=share)] * 3, lambda: told.refund(invoice))


def pays_in_parts_by_many_ways(told: Told) -> None:
    """A part by card, a part in cash, the rest forgiven or paid; then everything is given back."""
    if not (invoice := told.bill()):
        return
    told.pay(invoice, told.random.choice((GOOD, LOST)), amount=told.random.randrange(1, 90))
    body = {"method": told.random.choice(("cash", "check", "bank_transfer")), "amount": told.random.randrange(1, 50)}
    told.ask(told.staff, "POST", f"/invoices/{invoice}/recorded-payments", body)
    told.at_once(lambda: told.do(invoice, "forgive"), lambda: told.pay(invoice, GOOD))
    told.pause(15)
    told.refund(invoice)


def keeps_credit_and_spends_it(told: Told) -> None:
    first, second = told.bill(), told.bill()
    if not (first and second):
        return
    owed = told.read(first).get("balance_due") or 1
    body = {"method": "cash", "amount": owed + 5000, "keep_as_credit": True}
    told.ask(told.staff, "POST", f"/invoices/{first}/recorded-payments", body)
    spend = {"method": "client_credit", "amount": told.random.randrange(1, 99)}
    told.at_once(
        lambda: told.ask(told.staff, "POST", f"/invoices/{second}/recorded-payments", spend),
        lambda: told.ask(told.staff, "POST", f"/clients/{told.client.member_id}/credit-refunds", {"amount": 4000}),
        lambda: told.ask(told.staff, "POST", f"/clients/{told.client.member_id}/credit-refunds", {"amount": 4000}),
        lambda: told.refund(second),
    )


def voids_while_it_is_paid(told: Told) -> None:
    if invoice := told.bill():
        number = told.random.choice(CARDS)
        works = [lambda: told.do(invoice, "void"), lambda: told.pay(invoice, number), lambda: told.do(invoice, "forgive")]
        told.random.shuffle(works)
        told.at_once(*works[:2])


def changes_people(told: Told) -> None:
    """Files change while their invoices are on the way; copies must follow."""
    client = told.client.member_id
    for turn in range(2):
        address = {"line1": f"{turn} Elm Street", "city": "Salem", "region": "OR", "postal_code": "97301", "country": "US"}
        told.at_once(lambda address=address: told.ask(told.house.admin, "PATCH", f"/clients/{client}", {"address": address}))
        told.ask(told.house.admin, "PATCH", f"/colleagues/{told.house.provider.member_id}", {"name": f"Pat {turn}"})
    email = f"nell-{told.random.getrandbits(30):x}@{told.house.mark}.example"
    told.ask(told.house.admin, "POST", "/colleagues", {"name": "Nell", "email": email, "roles": ["provider"]})
    told.ask(told.staff, "POST", "/clients", {"name": "Noor", "email": "cli" + email})


def changes_the_account(told: Told) -> None:
    """Another account becomes the active one while cards are being charged through the first."""
    if invoice := told.bill():
        first, second = told.house.processors
        told.at_once(lambda: told.ask(told.house.admin, "POST", f"/processors/{second}/activate"))
        told.pay(invoice, told.random.choice(CARDS))
        told.ask(told.house.admin, "POST", f"/processors/{first}/activate")
        told.refund(invoice)


def reads_everything(told: Told) -> None:
    for who in (told.house.admin, told.house.provider, told.client):
        seen = told.people.read(who, "/invoices?limit=5")
        for row in seen.get("data", [])[:1]:
            told.people.read(who, f"/invoices/{row['id']}")
            told.people.read(who, f"/invoices/{row['id']}/explanation?of=balance")
            told.people.read(who, f"/invoices/{row['id']}/timeline")
    told.people.read(told.house.admin, "/reports/summary")
    told.people.read(told.house.admin, "/worklist")


def tries_another_practices(told: Told) -> None:
    """Another practice's ids answer exactly as ids of nothing, whatever is asked of them."""
    theirs = Told(told.people, told.other, told.house)
    invoice = theirs.bill()
    if not invoice:
        return
    payment = theirs.payment_of(invoice, theirs.pay(invoice))
    nothing = {invoice: "inv_" + "0" * 26, payment: "pay_" + "0" * 26}
    admin, client = told.house.admin, told.client
    card = {"card": {"number": GOOD, "exp_month": 12, "exp_year": 2031, "cvc": "123"}}
    asked: list[tuple[Someone, str, str, Any]] = [
        (admin, "GET", f"/invoices/{invoice}", None), (client, "GET", f"/invoices/{invoice}", None),
        (client, "POST", f"/invoices/{invoice}/payments", card), (admin, "POST", f"/invoices/{invoice}/refunds", {}),
        (admin, "POST", f"/invoices/{invoice}/void", {}), (admin, "GET", f"/payments/{payment or 'pay_' + '1' * 26}", None),
        (admin, "POST", f"/invoices/{invoice}/recorded-payments", {"method": "cash"}),
        (admin, "POST", "/invoices", {"client_id": told.other.clients[0].member_id, "description": "x", "amount": 5}),
    ]  # fmt: skip
    for who, method, path, body in told.random.sample(asked, 4):
        reply = told.people.send(who, method, path, body)
        if reply.status not in (404, 422, 429, *UNSURE):
            told.people.crossings.append(f"{method} {path} of another practice was answered {reply.status}")
        for real, none in nothing.items():
            if real and real in path and reply.status not in UNSURE:
                other = told.people.send(who, method, path.replace(real, none), body)
                if other.status not in UNSURE and (other.status, other.text) != (reply.status, reply.text):
                    told.people.crossings.append(f"{method} {path} differs from nothing: {reply.text} / {other.text}")


STORIES: tuple[Callable[[Told], None], ...] = (
    bills_and_is_paid, bills_and_is_paid, bills_and_is_paid, pays_again_after_trouble, drafts_edits_and_sends, drafts_and_throws_away,
    pays_twice_with_one_key, pays_with_two_keys_at_once, pays_and_cancels, pays_and_checks, answers_the_bank,
    is_paid_and_refunded_in_parts, is_refunded_by_several_at_once, pays_in_parts_by_many_ways, keeps_credit_and_spends_it,
    voids_while_it_is_paid, changes_people, changes_the_account, reads_everything, tries_another_practices,
)  # fmt: skip
