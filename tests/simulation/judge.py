"""The judge of a finished run: the sandbox's own books against the ledger, and what must hold of every table. It changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from services.invoicing import ledger
from tests.simulation.people import House, People
from tests.simulation.world import Run

LIVE = ("pending", "requires_action", "unknown", "review", "waiting_for_settlement")


def judge(run: Run, people: People, houses: list[House]) -> Iterator[str]:
    """Everything that is wrong; nothing, one hopes. A line names the promise first."""
    yield from (f"crossing: {line}" for line in people.crossings)
    yield from (f"answers: {line}" for line in people.wrong)
    yield from (f"parked: {line}" for line in run.network.parked)
    yield from (f"ran late: {line}" for line in run.network.run_late)
    yield from (f"mishap: {line}" for line in run.mishaps)
    yield from _charges(run)
    yield from _settled(run)
    yield from _figures(run)
    yield from _people(run)
    for house in houses:
        with run.world.databases["invoicing"].reading() as session:
            yield from (f"ledger: {finding}" for finding in ledger.verify(session, house.id))
        yield from _numbers(run, house)


def _charges(run: Run) -> Iterator[str]:
    """What the bank took and gave back is what the ledger says, reference by reference, and nothing was asked twice."""
    entries = {row["reference"]: row for row in run.rows("sandbox_books", "select * from entries")}
    yield from (f"sent twice: {row['reference']} was asked {row['asked']} times" for row in entries.values() if row["asked"] > 1)
    attempts = run.rows("processors", "select * from attempts")
    moved = {name: row for name, row in entries.items() if row["status"] == "done"}
    known = {row["reference"]: row for row in attempts if row["status"] == "succeeded"}
    yield from (f"lost: the bank has {name}, processors does not" for name in moved.keys() - known.keys())
    yield from (f"invented: processors has {name}, the bank does not" for name in known.keys() - moved.keys())
    booked = {row["id"] for row in run.rows("invoicing", "select id from payments where status='succeeded' and method='card'")}
    given = {
        row["id"]
        for row in run.rows(
            "invoicing",
            "select r.id from refunds r join payments p on p.id=r.payment_id where r.status='succeeded' and p.method='card'",
        )
    }
    succeeded = {row["id"] for row in known.values()}
    yield from (f"lost: {its_id} succeeded, the ledger does not have it" for its_id in succeeded - booked - given)
    yield from (f"invented: the ledger has {its_id}, processors does not" for its_id in (booked | given) - succeeded)
    yield from _doubles(run, moved, known)
    refused = "select subject_id from idempotency where status in (402, 502) and subject_id is not null"
    told = {row["subject_id"] for row in run.rows("invoicing", refused)}
    yield from (f"told wrong: {its_id} was answered as refused, and money moved" for its_id in sorted(told & succeeded))


def _doubles(run: Run, moved: dict, known: dict) -> Iterator[str]:
    """No invoice was charged more than it came to, not even for a moment: a charge given back counts as one all the same."""
    taken: dict[str, int] = defaultdict(int)
    back: dict[str, int] = defaultdict(int)
    for name, row in moved.items():
        if name in known:
            (taken if row["kind"] == "charge" else back)[known[name]["invoice_id"]] += row["amount"]
    rows = {row["id"]: row for row in run.rows("invoicing", "select * from invoices")}
    reopened: dict[str, int] = defaultdict(int)
    for row in run.rows("invoicing", "select invoice_id, amount from refunds where status='succeeded' and posted_to='receivable'"):
        reopened[row["invoice_id"]] += row["amount"]
    for invoice_id, amount in taken.items():
        if amount > rows[invoice_id]["total"] + reopened[invoice_id]:
            yield f"charged twice: invoice {invoice_id} of {rows[invoice_id]['total']} was charged {amount}"
        if back[invoice_id] > amount:
            yield f"refunded more than paid: invoice {invoice_id} was charged {amount}, {back[invoice_id]} was given back"


def _settled(run: Run) -> Iterator[str]:
    """After the horizon nothing is under way, and every key that took money has its answer."""
    for table in ("payments", "refunds"):
        for row in run.rows("invoicing", f"select id, status from {table}"):
            if row["status"] in LIVE:
                yield f"unsettled: {row['id']} is {row['status']}"
    for row in run.rows("processors", "select id, status from attempts"):
        if row["status"] not in ("succeeded", "declined", "not_sent", "canceled", "tombstone"):
            yield f"unsettled: the attempt {row['id']} is {row['status']}"
    for row in run.rows("invoicing", "select id, live_payment_id from invoices where live_payment_id is not null"):
        yield f"unsettled: invoice {row['id']} still waits for {row['live_payment_id']}"
    for row in run.rows("invoicing", "select kind, reference from findings"):
        yield f"finding: the comparison told a person of {row['reference']}: {row['kind']}"
    for name in ("invoicing", "processors"):
        for row in run.rows(name, "select event from outbox where published_at is null"):
            yield f"untold: {name} still holds {row['event']}"


def _figures(run: Run) -> Iterator[str]:
    cash: Counter[str] = Counter()
    for row in run.rows("invoicing", "select currency, amount from ledger_entries where account='processor_clearing'"):
        cash["ledger"] += row["amount"]
    for row in run.rows("sandbox_books", "select kind, amount from entries where status='done'"):
        cash["bank"] += row["amount"] if row["kind"] == "charge" else -row["amount"]
    if cash["ledger"] != cash["bank"]:
        yield f"cash: the ledger says {cash['ledger']}, the bank {cash['bank']}"
    for row in run.rows("invoicing", "select * from payments"):
        if row["status"] == "succeeded" and row["applied"] + row["credited"] != row["amount"]:
            yield f"figures: payment {row['id']} of {row['amount']} was applied {row['applied']} and credited {row['credited']}"
        if row["refunded"] > row["applied"]:
            yield f"refunded more than paid: payment {row['id']}"
    for row in run.rows("invoicing", "select * from invoices where status != 'draft'"):
        if row["amount_paid"] > row["total"]:
            yield f"figures: invoice {row['id']} of {row['total']} was paid {row['amount_paid']}"
    for row in run.rows("invoicing", "select client_id, credit from clients where credit < 0"):
        yield f"figures: client {row['client_id']} has a credit of {row['credit']}"


def _numbers(run: Run, house: House) -> Iterator[str]:
    rows = run.rows("invoicing", "select practice_id, number from invoices where number is not null")
    mine = sorted(int(row["number"].rpartition("-")[2]) for row in rows if row["practice_id"] == house.id)
    if mine != list(range(1, len(mine) + 1)):
        yield f"numbers: practice {house.mark} has {mine}"


def _people(run: Run) -> Iterator[str]:
    """Copies follow: what invoicing keeps of people is what the gateway says; every piece of news became one alert a reader."""
    ours = {row["id"]: row["version"] for row in run.rows("gateway", "select id, version from clients")}
    theirs = {row["client_id"]: row["version"] for row in run.rows("invoicing", "select client_id, version from clients")}
    if ours != theirs:
        yield f"copies: clients are {ours}, invoicing has {theirs}"
    ours = {row["id"]: row["version"] for row in run.rows("gateway", "select id, version from colleagues")}
    theirs = {row["colleague_id"]: row["version"] for row in run.rows("invoicing", "select colleague_id, version from colleagues")}
    if ours != theirs:
        yield f"copies: colleagues are {ours}, invoicing has {theirs}"
    told = Counter(
        (row["event_id"], row["member_id"]) for row in run.rows("notifications", "select event_id, member_id from alerts")
    )
    yield from (f"alerts: {member} was told {event} {count} times" for (event, member), count in told.items() if count > 1)
    news = {row["id"] for row in run.rows("invoicing", "select id from outbox")}
    heard = {event for event, _ in told}
    yield from (f"alerts: nobody was told {event}" for event in sorted(news - heard))
