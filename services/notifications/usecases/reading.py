"""What people see and choose: their own alerts and preferences; for admins, deliveries that got stuck."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from services.notifications import storage
from services.notifications.channels.email import KeptMail
from services.notifications.model import idempotency
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.clock import SystemClock
from shared.contract import Call
from shared.contracts.notifications import Notifications
from shared.database import Database
from shared.faults import NotFound, invalid
from shared.fields import Record
from shared.idempotency import keep, recall
from shared.ids import looks_like_id
from shared.told import Told


def list_alerts(caller: Caller, request: Record, db: Database) -> dict:
    """The acting member's alerts, newest first, and how many are unread. Raises Invalid for a cursor of another list."""
    before = _cursor(request, "alr")
    with db.reading() as session:
        rows = storage.list_alerts(session, caller.practice_id, caller.member_id, before, request.limit)
        return {**_page(rows, request.limit), "unread": storage.count_unread(session, caller.practice_id, caller.member_id)}


def count_unread(caller: Caller, db: Database) -> dict:
    """How many alerts the acting member has not read."""
    with db.reading() as session:
        return {"unread": storage.count_unread(session, caller.practice_id, caller.member_id)}


def read_alert(caller: Caller, request: Record, db: Database, clock: SystemClock) -> Told:
    """Mark one's own alert as read; the first time counts. Raises NotFound for anybody else's."""
    now = clock.now()

    def read(session):
        alert = storage.lock_alert(session, caller.practice_id, caller.member_id, request.alert_id)
        if alert is None:
            raise NotFound()
        alert.read_at = alert.read_at or now
        return alert

    return _once(caller, Notifications.read_alert, db, clock, read)


def read_preferences(caller: Caller, db: Database) -> dict:
    """Which channels the acting member wants besides the app."""
    with db.reading() as session:
        return {"email": storage.wants_email(session, caller.practice_id, caller.member_id)}


def change_preferences(caller: Caller, request: Record, db: Database) -> dict:
    """Choose for what happens from now on; what is on its way already still arrives. Raises Forbidden."""
    caller.must_be(ADMIN, PROVIDER, CLIENT)
    with db.transaction() as session:
        preference = storage.lock_preference(session, caller.practice_id, caller.member_id)
        preference.email = request.email
        return {"email": preference.email}


def list_deliveries(caller: Caller, request: Record, db: Database) -> dict:
    """The practice's mails, newest first, of one status where asked. Raises Forbidden, Invalid for a cursor of another list."""
    caller.must_be(ADMIN)
    before = _cursor(request, "dlv")
    with db.reading() as session:
        return _page(storage.list_deliveries(session, caller.practice_id, request.status, before, request.limit), request.limit)


def resend_delivery(caller: Caller, request: Record, db: Database, clock: SystemClock) -> Told:
    """Try a parked or waiting delivery again at once. Raises Forbidden, NotFound, Conflict for one that was sent."""
    caller.must_be(ADMIN)

    def begin_anew(session):
        delivery = storage.lock_delivery(session, caller.practice_id, request.delivery_id)
        if delivery is None:
            raise NotFound()
        delivery.send_again(clock.now())
        return delivery

    return _once(caller, Notifications.resend_delivery, db, clock, begin_anew)


def list_kept_mail(box: KeptMail | None) -> dict:
    """The newest mails that were kept as files. Raises NotFound outside development, where there is no such box."""
    if box is None:
        raise NotFound()
    return {"data": box.newest()}


def forget_old_keys(db: Database, clock: SystemClock) -> None:
    """Drop the idempotency keys that are older than anybody was promised."""
    with db.transaction() as session:
        storage.forget_old_keys(session, clock.now())


def _once(caller: Caller, call: Call, db: Database, clock: SystemClock, work: Callable[[Any], Any]) -> Told:
    """`work` and its answer under the caller's key in one transaction; a repeat is told the first answer word for word."""
    with db.transaction() as session:
        if told := recall(session, idempotency, caller, clock.now()):
            return told
        text = json.dumps(call.dump_answer(work(session)), ensure_ascii=False, separators=(",", ":"))
        keep(session, idempotency, caller, text, 200)
        return Told(text, status=200)


def _cursor(request: Record, prefix: str) -> str | None:
    if request.cursor is not None and not looks_like_id(request.cursor, prefix):
        raise invalid("cursor", "This is not a cursor of this list.")
    return request.cursor


def _page(rows: Sequence, limit: int) -> dict:
    shown = list(rows[:limit])
    return {"data": shown, "next_cursor": shown[-1].id if len(rows) > limit else None}
