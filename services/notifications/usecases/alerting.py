"""News becomes alerts: who is told, once each, in the app and by mail. Sending the mail is `delivering`'s story."""

from collections.abc import Iterable
from datetime import datetime

from services.notifications import storage
from services.notifications.channels import in_app
from services.notifications.model import EMAIL, WAITING, Alert, Delivery
from shared.clock import SystemClock
from shared.database import Database
from shared.fields import Record
from shared.ids import new_id
from shared.outbox import heard_before

STAFF_HEAR = frozenset({"payment_received", "payment_failed"})
SETUP = "/billing/setup"
CARDS = "/cards"


def tell_of_invoice(event: str, news: Record, db: Database, clock: SystemClock) -> None:
    """Tell the client, and where it is about money that came or didn't, the provider and every admin. Twice is once."""
    now = clock.now()
    with db.transaction() as session:
        if heard_before(session, news, event, now):
            return
        path = f"/invoices/{news.invoice_id}"
        _tell(session, news, event, [news.client_id], in_app.text_of(event, news), path, now)
        if event in STAFF_HEAR:
            staff = {news.provider_id, *storage.active_admins(session, news.practice_id)} - {""}
            _tell(session, news, f"staff_{event}", staff, in_app.text_of(f"staff_{event}", news), path, now)


def tell_of_refused_credentials(news: Record, db: Database, clock: SystemClock) -> None:
    """Tell every admin that a processor refuses the practice's credentials. Twice is once."""
    now = clock.now()
    with db.transaction() as session:
        if heard_before(session, news, "credentials_refused", now):
            return
        admins = storage.active_admins(session, news.practice_id)
        _tell(session, news, "credentials_refused", admins, in_app.text_of_refusal(news), SETUP, now)


def tell_of_expiring_card(news: Record, db: Database, clock: SystemClock) -> None:
    """Tell a client that a card on file expires soon; which one is shown after signing in. Twice is once."""
    now = clock.now()
    with db.transaction() as session:
        if not heard_before(session, news, "card_expiring", now):
            _tell(session, news, "card_expiring", [news.client_id], in_app.EXPIRING, CARDS, now)


def _tell(session, news: Record, kind: str, readers: Iterable[str], text: str, path: str, now: datetime) -> None:
    """An alert for each reader who has not left, and a mail on its way unless they chose none.

    A reader whose copy has not arrived yet is told as well: the mail waits until there is an address.
    """
    chosen = sorted(set(readers) - storage.inactive_among(session, news.practice_id, list(readers)))
    no_mail = storage.without_email(session, news.practice_id, chosen)
    for member_id in chosen:
        about = {"practice_id": news.practice_id, "member_id": member_id, "event_id": news.event_id, "kind": kind}
        session.add(Alert(id=new_id("alr"), **about, text=text, path=path, created_at=now))
        if member_id not in no_mail:
            mail = {"channel": EMAIL, "status": WAITING, "tries": 0, "created_at": now, "due_at": now}
            session.add(Delivery(id=new_id("dlv"), **about, **mail, path=path))
