"""Protections patched away, one at a time: a simulation that does not see them missing sees nothing. Never a setting of the product."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from sqlalchemy import select

from services.invoicing.model import Invoice, idempotency
from services.invoicing.storage import Tx
from services.notifications.usecases import alerting
from services.processors import orders, storage
from services.processors.model import Attempt, attempts
from services.processors.usecases import charging, looking_up
from shared.answering import Asked
from shared.outbox import Relay
from tests.simulation.seeds import ground


@contextmanager
def _patched(*patches: tuple[Any, str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for where, name, ours in patches:
            stack.enter_context(mock.patch.object(where, name, ours))
        yield


def attempt_after_the_call() -> Any:
    """The attempt is written when the processor has answered, not before it is asked."""
    begin, settle = charging._begin, charging.settle

    def not_committed(*given: Any) -> Any:
        row, ours = begin(*given)
        *_, practice_id, room = given
        if ours:
            with room.database.transaction() as session:
                session.delete(session.get(Attempt, (practice_id, row.id, row.number)))
        return row, ours

    def in_memory(_room: Any, row: Any, **changes: Any) -> Any:
        for name, value in changes.items():
            setattr(row, name, value)
        return row

    def written_now(room: Any, row: Any, outcome: Any, **how: Any) -> Any:
        columns = {column.name: getattr(row, column.name) for column in Attempt.__table__.columns}
        with room.database.transaction() as session:
            if storage.attempt(session, row.practice_id, row.id) is None:
                session.add(Attempt(**columns))
        return settle(room, row, outcome, **how)

    return _patched((charging, "_begin", not_committed), (charging, "advance", in_memory), (charging, "settle", written_now))


def unknown_is_sent_again() -> Any:
    """A charge whose answer is lost is simply asked for again."""
    ask = charging.ask

    def twice(room: Any, verb: str, row: Any, card: Any = None) -> Any:
        outcome = ask(room, verb, row, card)
        return ask(room, verb, row, card) if outcome.status == orders.NOT_KNOWN else outcome

    return _patched((charging, "ask", twice))


def unknown_counts_as_failed() -> Any:
    """What the processor did not answer is taken for not done."""
    return _patched((attempts, "_BECOMES", {**attempts._BECOMES, orders.NOT_KNOWN: attempts.NOT_SENT}))


def no_tombstone() -> Any:
    """An id that was never seen is answered as not sent, and nothing keeps it from being charged later."""

    def not_buried(room: Any, practice_id: str, subject_id: str, kind: str) -> Attempt:
        return Attempt(
            practice_id=practice_id, id=subject_id, number=1, kind=kind, status=attempts.TOMBSTONE, failure_code="processor_unavailable",
            processor_ids={}, created_at=room.clock.now(),
        )  # fmt: skip

    return _patched((looking_up, "bury", not_buried))


@contextmanager
def no_live_payment_lock() -> Iterator[None]:
    """Neither the check nor the index keeps a second payment of an invoice from beginning."""
    permits = Invoice._permits
    kept = ground()[0].snapshot["invoicing"]
    (made,) = kept.execute("select sql from sqlite_master where name='one_live_payment'").fetchone()

    def whatever_is_live(invoice: Invoice, action: str, refundable: bool) -> bool:
        live, invoice.__dict__["live_payment_id"] = invoice.live_payment_id, None
        try:
            return permits(invoice, action, refundable)
        finally:
            invoice.__dict__["live_payment_id"] = live

    kept.execute("drop index one_live_payment")
    kept.commit()
    try:
        with _patched((Invoice, "_permits", whatever_is_live)):
            yield
    finally:
        kept.execute(made)
        kept.commit()


def no_inbox() -> Any:
    """What was heard is heard again as if it were new."""
    return _patched((alerting, "heard_before", lambda *given: False))


def no_expiry() -> Any:
    """A call is run however late it comes."""
    return _patched((Asked, "seconds_left", property(lambda asked: 60.0)))


def no_keys() -> Any:
    """An idempotency key is not looked at."""
    return _patched((Tx, "recall", lambda *given: None), (Tx, "told_before", lambda *given: None))


def news_marked_unconfirmed() -> Any:
    """News counts as told although the broker did not take it."""
    mark = Relay._mark
    return _patched((Relay, "_mark", lambda relay, published, returned, unsent: mark(relay, [*published, *unsent], returned, [])))


def nobody_looks_up() -> Any:
    """The timer that ends leases and looks up what is open does nothing."""
    return _patched((looking_up, "settle_due", lambda room: 0))


def no_tenancy() -> Any:
    """An invoice is found by its id alone, whoever's it is."""

    def anybodys(tx: Tx, _caller: Any, invoice_id: str, *, lock: bool = False) -> Invoice:
        return tx._one(select(Invoice).where(Invoice.id == invoice_id), lock)

    return _patched((Tx, "invoice", anybodys))


def answer_kept_anew() -> Any:
    """A key's answer is written over whenever its payment moves on."""
    keep_first = Tx.keep_first

    def now(tx: Tx, subject_id: str, text: str, status: int) -> Any:
        mine = idempotency.update().where(idempotency.c.subject_id == subject_id)
        tx.session.execute(mine.values(answer=text, status=status))
        return keep_first(tx, subject_id, text, status)

    return _patched((Tx, "keep_first", now))


def woken_looks_count() -> Any:
    """A look-up that a delivery woke counts towards absence like one whose time has come."""

    def brought_forward(session: Any, rows: list[Attempt], now: Any) -> None:
        for row in rows:
            if row.status not in attempts.IN_FLIGHT:
                storage.move(session, row, {"next_look_up_at": now})

    return _patched((storage, "wake", brought_forward))


CONTROLS: tuple[Callable[[], Any], ...] = (
    attempt_after_the_call, unknown_is_sent_again, unknown_counts_as_failed, no_tombstone, no_live_payment_lock, no_inbox, no_expiry,
    no_keys, news_marked_unconfirmed, nobody_looks_up, no_tenancy, answer_kept_anew, woken_looks_count,
)  # fmt: skip
