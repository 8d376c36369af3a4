"""A processor that can't prove absence, as Authorize.net and Converge can't: its lists lag, and nobody can close a reference there.

It tells of what happens in the account by itself, of others' sales too, some of it late, twice or never; that only ever wakes a look-up.
"""

import json
from datetime import datetime, timedelta

from services.processors.adapters.sandbox import Sandbox
from services.processors.orders import CANCELED, DECLINED, NOT_KNOWN, Nudge, Order, Outcome
from shared.faults import Forbidden
from tests.simulation.people import House
from tests.simulation.world import Run

KIND = "authorize_net"
LISTS_LAG = timedelta(seconds=90)
EVERY = (2.0, 9.0)  # seconds between its deliveries while the stories go on
OF_OTHERS = 0.7  # of the deliveries: sales of the practice's shop, at the same account
TWICE = 200  # event ids, so that some come again
SIGNED = {"X-Anet-Signature": "genuine", "Content-Type": "application/json"}


class Lagging(Sandbox):
    """The sandbox's books behind another door: what is younger than the lag is not found, and nothing is ever closed."""

    name, title = KIND, "Lagging"
    sends_webhooks = True

    def charge(self, credentials: dict, order: Order) -> Outcome:
        asks_the_bank = order.card is not None and order.card.number.reveal() == "4000002500003155"
        if asks_the_bank:  # there is nobody at this door who could be sent to the bank
            return Outcome(DECLINED, refusal="authentication_required", processor_code="authentication_required")
        return super().charge(credentials, order)

    def find(self, credentials: dict, order: Order) -> Outcome:
        entry = self.books.look(order.reference)
        if entry is None or not entry.happened or self.books.clock.now() - entry.at < LISTS_LAG:
            return Outcome(NOT_KNOWN, absent=True)
        return super().find(credentials, order)  # it is there, so the books close nothing

    def cancel(self, credentials: dict, order: Order) -> Outcome:
        return Outcome(CANCELED) if order.sent_at is None else self.find(credentials, order)

    void = cancel

    def read_webhook(self, credentials: dict, body: bytes, headers: dict, now: datetime) -> Nudge | None:
        if headers.get("x-anet-signature") != "genuine":
            raise Forbidden("webhook_refused")
        told = json.loads(body)
        return Nudge(told["event"], told["reference"], {"transaction": told["transaction"]})


def send_deliveries(run: Run, houses: list[House], until: datetime) -> None:
    """From now on the processor tells of what happens in these houses' accounts, now and then, until then."""
    scheduler = run.scheduler
    accounts = [its_id for house in houses if house.kind == KIND for its_id in house.processors]

    def tick() -> None:
        if scheduler.now >= until or not accounts:
            return
        scheduler.count("webhooks")
        body = json.dumps(_delivery(run))
        path = f"/webhooks/{KIND}/{scheduler.random.choice(accounts)}"
        if run.processes["gateway"].up and not scheduler.happens("lose_http"):
            scheduler.spawn(run.processes["gateway"], "webhook", lambda: _deliver(run, path, body) and None)
        scheduler.after(scheduler.random.uniform(*EVERY), tick)

    scheduler.after(scheduler.random.uniform(*EVERY), tick)


def _delivery(run: Run) -> dict:
    random = run.scheduler.random
    event, reference = f"event-{random.randrange(TWICE)}", None
    known = run.rows("sandbox_books", "select reference from entries order by reference") if random.random() > OF_OTHERS else []
    if known:
        reference = random.choice(known)["reference"]
    return {"event": event, "reference": reference, "transaction": f"t{random.getrandbits(30)}"}


def _deliver(run: Run, path: str, body: str) -> int:
    answer = run.world.app.test_client(use_cookies=False).post(path, data=body, headers=SIGNED)
    run.scheduler.note("webhook", answer.status_code)
    return answer.status_code
