"""Alerts in the app: who is told what, once, and who may read it."""

import json

import pytest

from services.notifications.usecases import reading
from shared.caller import CLIENT, Caller
from shared.faults import Forbidden, Invalid, NotFound
from shared.fields import Record


def texts(page):
    return [alert.text for alert in page.data]


def test_a_sent_invoice_is_told_to_its_client_alone(room):
    """The client reads number and amount and the page's address; staff hear nothing."""
    room.everybody().hear("invoice_sent")
    alert = room.alerts(room.client).data[0]
    assert ("invoice_sent", "You have a new invoice INV-0042: $129.24.", "/invoices/inv_7") == (alert.kind, alert.text, alert.path)
    assert [] == room.alerts(room.admin).data == room.alerts(room.provider).data


@pytest.mark.parametrize("event", ["payment_received", "payment_failed"])
def test_money_is_told_to_client_provider_and_admins(room, event):
    """Whether it came or failed, the client and the staff each hear it once, an admin who is the provider too."""
    room.everybody().put_member("col_eve", "eve@staff.example", "admin", "provider")
    room.hear(event, provider_id="col_eve")
    assert [event] == [alert.kind for alert in room.alerts(room.client).data]
    told = [room.alerts(Caller("prc_one", "admin", "", member)).data for member in ("col_ada", "col_eve", "col_bob")]
    assert [[f"staff_{event}"], [f"staff_{event}"], []] == [[alert.kind for alert in alerts] for alerts in told]
    assert "$129.24 for invoice INV-0042" in told[0][0].text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("refund_made", "$129.24 of your payment for invoice INV-0042 was refunded."),
        ("invoice_voided", "Your invoice INV-0042 was voided. Nothing is to be paid for it."),
        ("invoice_forgiven", "The balance of your invoice INV-0042 was forgiven. Nothing more is to be paid for it."),
    ],
)
def test_other_news_of_an_invoice_is_told_to_the_client(room, event, words):
    """Refund, void and forgiveness are told to the client in plain words, and to nobody else."""
    room.everybody().hear(event)
    assert [words] == texts(room.alerts(room.client))
    assert [] == room.alerts(room.admin).data


def test_refused_credentials_are_told_to_every_admin(room):
    """Admins hear which processor refuses, with the way to the setup page; providers and clients don't."""
    room.everybody().hear_refusal()
    alert = room.alerts(room.admin).data[0]
    assert "Our Stripe" in alert.text and "/billing/setup" == alert.path
    assert [] == room.alerts(room.provider).data == room.alerts(room.client).data


def test_a_repeated_event_is_shown_and_sent_once(room, server):
    """The bus tells the same news three times: one alert each, one mail each."""
    room.everybody()
    for _ in range(3):
        room.hear("payment_received")
        room.send_due()
    assert [1, 1, 1] == [len(room.alerts(who).data) for who in (room.client, room.provider, room.admin)]
    assert ["ada@staff.example", "bob@staff.example", "cy@home.example"] == sorted(rcpt[0] for rcpt, _ in server.received)
    room.hear("payment_received", event_id="evt_2")
    assert 2 == len(room.alerts(room.client).data)


def test_who_has_left_is_told_nothing(room, server):
    """An inactive member gets neither alert nor mail."""
    room.everybody().put_member("cli_cy", "cy@home.example", "client", version=2, active=False)
    room.hear("invoice_sent")
    room.send_due()
    assert [] == room.alerts(room.client).data and [] == server.received


def test_alerts_are_the_reader_s_own(room):
    """Another member, or the same member id in another practice, neither sees nor marks them: NotFound."""
    room.everybody().hear("invoice_sent")
    alert = room.alerts(room.client).data[0]
    for stranger in (Caller("prc_one", CLIENT, "", "cli_dan"), Caller("prc_two", CLIENT, "", "cli_cy"), room.admin):
        assert [] == room.alerts(stranger).data
        with pytest.raises(NotFound):
            reading.read_alert(stranger, Record(alert_id=alert.id), room.db, room.clock)


def test_reading_counts_once(room):
    """Unread falls when an alert is marked; marking it again changes nothing, not even the time."""
    room.everybody().hear("invoice_sent")
    room.hear("refund_made", event_id="evt_2")
    assert {"unread": 2} == reading.count_unread(room.client, room.db)
    alert = room.alerts(room.client).data[0]
    first = reading.read_alert(room.client, Record(alert_id=alert.id), room.db, room.clock)
    again = reading.read_alert(room.client, Record(alert_id=alert.id), room.db, room.after(hours=1).clock)
    assert first.text == again.text and "2026-11-23T12:00:00.000Z" == json.loads(first.text)["read_at"]
    assert 1 == room.alerts(room.client).unread


def test_lists_come_in_pages(room):
    """Three alerts in pages of two: newest first, none twice, none lost; a cursor of another list is refused."""
    room.everybody()
    for number in range(3):
        room.hear("invoice_sent", event_id=f"evt_{number}", number=f"INV-{number}")
    first = room.alerts(room.client, limit=2)
    second = room.alerts(room.client, limit=2, cursor=first.next_cursor)
    assert 3 == len({alert.id for alert in first.data + second.data}) and second.next_cursor is None
    assert "INV-" in texts(second)[0]
    with pytest.raises(Invalid):
        room.alerts(room.client, cursor="x' or 1=1")


def test_who_wants_no_mail_gets_none(room, server):
    """With email off the alert is in the app and no mail goes out; one person's choice is nobody else's."""
    room.everybody()
    assert {"email": True} == reading.read_preferences(room.client, room.db)
    assert {"email": False} == room.prefer(room.client, False) == reading.read_preferences(room.client, room.db)
    room.hear("payment_received")
    room.send_due()
    assert 1 == len(room.alerts(room.client).data)
    assert ["ada@staff.example", "bob@staff.example"] == sorted(rcpt[0] for rcpt, _ in server.received)
    with pytest.raises(Forbidden):
        room.prefer(room.system, False)
