"""Mail on its way: what arrives holds nothing private; what fails is tried again, later and later, then parked."""

import base64
import logging
import quopri
import re
import threading
from datetime import timedelta

import pytest

from services.notifications import texts
from services.notifications.channels.base import NotDelivered
from services.notifications.channels.email import Smtp
from services.notifications.model import MOST_TRIES, PAUSES
from services.notifications.usecases import delivering, reading
from shared.faults import Conflict, Forbidden, NotFound

from .conftest import FROM, PUBLIC

ADDED_BY_THE_SERVER = {"X-Peer", "X-MailFrom", "X-RcptTo"}
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type", *ADDED_BY_THE_SERVER}
EVENTS = ("invoice_sent", "payment_received", "payment_failed", "refund_made", "invoice_voided", "invoice_forgiven")


def test_what_arrives_holds_nothing_private(room, server):
    """Every alert's raw mail, decoded every way, names no number, amount, person, processor or id but the invoice's in the link."""
    room.everybody()
    for event in EVENTS:
        room.hear(event, event_id=f"evt_{event}")
    room.hear_refusal("evt_refused")
    while room.send_due():
        pass
    assert 11 == len(server.received)
    for _, raw in server.received:
        read = raw + quopri.decodestring(raw) + b"".join(_decoded(raw))
        canaries = [b"INV-0042", b"129.24", b"129,24", b"cli_cy", b"col_", b"prc_one", b"evt_", b"Our Stripe", b"pcr_1"]
        assert [] == [canary for canary in canaries if canary in read]
        assert not re.search(rb"(?<!\d)12924(?!\d)", read)  # boundaries between parts are long numbers by chance
    for (to, _), mail in zip(server.received, server.mails, strict=True):
        assert to == [mail["To"]] and mail["To"] in ("ada@staff.example", "bob@staff.example", "cy@home.example")
        link = PUBLIC + ("/billing/setup" if "setup" in mail["Subject"] else "/invoices/inv_7")
        assert link in mail.get_body(("plain",)).get_content() and link in mail.get_body(("html",)).get_content()
        assert mail["Subject"].startswith("Oak & Ash Therapy: ") and FROM == mail["From"]
        assert HEADERS >= set(mail.keys())
        assert "Oak &amp; Ash Therapy" in mail.get_body(("html",)).get_content()


def _decoded(raw):
    for block in raw.split(b"\r\n\r\n"):
        try:
            yield base64.b64decode(block, validate=True)
        except ValueError:
            continue


def test_a_failed_try_is_repeated_after_five_seconds_first(room, server):
    """The server is away, then back: waiting with a problem in plain words, nothing at 4 s, delivered at 5 s, once."""
    room.everybody().hear("invoice_sent")
    server.stop()
    assert 0 == room.send_due()
    stuck = room.deliveries().data[0]
    assert ("waiting", 1, "The mail server could not be reached.") == (stuck.status, stuck.tries, stuck.problem)
    server.start()
    assert 0 == room.after(seconds=4).send_due()
    assert 1 == room.after(seconds=1).send_due()
    assert 0 == room.after(days=9).send_due()
    sent = room.deliveries().data[0]
    assert ("sent", 2, None) == (sent.status, sent.tries, sent.problem) and sent.sent_at is not None
    assert 1 == len(server.received)


def test_pauses_grow_then_it_is_parked_and_an_admin_sends_it_again(room, server):
    """Eight tries with growing pauses, then parked for good where admins see it; after a resend it arrives."""
    room.everybody().hear("invoice_sent")
    server.refuse_address = "451 try later"
    for pause in (*PAUSES, timedelta(days=30)):
        room.send_due()
        room.clock.at += pause
    parked = room.deliveries(status="parked").data[0]
    assert (MOST_TRIES, "The mail server refused this address (451).") == (parked.tries, parked.problem)
    assert sorted(PAUSES) == list(PAUSES) and timedelta(seconds=5) == PAUSES[0]
    server.refuse_address = None
    assert 0 == room.send_due()
    room.resend(parked.id)
    assert 1 == room.send_due() and ["cy@home.example"] == server.received[0][0]
    with pytest.raises(Conflict):
        room.resend(parked.id)


def test_sent_again_while_it_is_just_being_sent_it_arrives_once(room, server, monkeypatch):
    """An admin presses the button while the mail server is talking: that try counts, and no other follows."""
    room.everybody().hear("invoice_sent")
    waiting = room.deliveries().data[0]
    really = server.handle_RCPT

    async def meanwhile(*given):
        room.resend(waiting.id)
        return await really(*given)

    monkeypatch.setattr(server, "handle_RCPT", meanwhile)
    assert 1 == room.send_due()
    assert 0 == room.after(minutes=3).send_due()
    assert 1 == len(server.received) and "sent" == room.deliveries().data[0].status


def test_a_server_that_does_not_take_our_own_address_parks_nothing(room, server, monkeypatch):
    """A 5xx about the sender is about every mail: they wait until somebody has mended the setting."""

    async def refuse(*_given):
        return "553 sender not allowed"

    monkeypatch.setattr(server, "handle_MAIL", refuse, raising=False)
    room.everybody().hear("invoice_sent")
    assert 0 == room.send_due()
    stuck = room.deliveries().data[0]
    assert ("waiting", "The mail server refuses our address (553).") == (stuck.status, stuck.problem)
    monkeypatch.undo()
    assert 1 == room.after(minutes=1).send_due()


@pytest.mark.parametrize("refusal", ["refuse_address", "refuse_mail"])
def test_a_permanent_refusal_is_parked_at_once(room, server, refusal):
    """A 5xx for the address or the mail is not tried again; the problem names the code, never the address."""
    room.everybody().hear("invoice_sent")
    setattr(server, refusal, "550 no such user cy@home.example")
    room.send_due()
    parked = room.deliveries(status="parked").data[0]
    assert 1 == parked.tries and "550" in parked.problem and "home.example" not in parked.problem


def test_one_refused_address_does_not_hold_up_the_others(room, server):
    """Of three mails due, the one whose address the server refuses waits; the other two arrive in the same round."""
    room.everybody().hear("payment_received")
    answers = iter(["451 later", "250 OK", "250 OK"])

    async def handle_RCPT(server_, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return next(answers)

    server.handle_RCPT = handle_RCPT
    assert 2 == room.send_due() == len(server.received)


def test_while_the_server_is_away_only_one_mail_is_tried(room, server):
    """Of three mails due, one finds the server away and waits; the others lose no try and leave as soon as it is back."""
    room.everybody().hear("payment_received")
    server.stop()
    room.send_due()
    assert [0, 0, 1] == sorted(delivery.tries for delivery in room.deliveries().data)
    server.start()
    assert 2 == room.send_due()
    assert 1 == room.after(seconds=5).send_due()


def test_time_scale_shortens_the_pauses(room, server):
    """With a time scale of 60 the first pause of 5 s is a twelfth of a second."""
    room.everybody().hear("invoice_sent")
    server.refuse_address = "451 later"
    room.post = delivering.Post(room.post.channels, room.post.texts, room.vault, PUBLIC, time_scale=60)
    room.send_due()
    server.refuse_address = None
    assert 0 == room.after(milliseconds=80).send_due()
    assert 1 == room.after(milliseconds=10).send_due()


def test_two_senders_at_once_send_each_mail_once(room, server):
    """While one process is in the middle of sending, another finds nothing to do; the mail arrives once."""
    room.everybody().hear("invoice_sent")
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Smtp):
        def send(self, mail, now):
            inside.set()
            assert go_on.wait(20)
            super().send(mail, now)

    room.use(Slow(server.url, FROM))
    first = threading.Thread(target=room.send_due)
    first.start()
    assert inside.wait(20)
    fast = delivering.Post({"email": Smtp(server.url, FROM)}, texts.load(), room.vault, PUBLIC)
    assert 0 == delivering.send_due(room.db, room.clock, fast)
    go_on.set()
    first.join(20)
    assert 1 == len(server.received)


def test_a_sender_that_died_is_taken_over_when_its_lease_has_run_out(room, server):
    """A process that claims a mail and dies leaves it to others after two minutes, under the same Message-ID."""
    room.everybody().hear("invoice_sent")

    class Dying:
        def send(self, mail, now):
            raise KeyboardInterrupt

    room.use(Dying())
    with pytest.raises(KeyboardInterrupt):
        room.send_due()
    room.use(Smtp(server.url, FROM))
    assert 0 == room.after(seconds=119).send_due()
    assert 1 == room.after(seconds=1).send_due()
    assert f"<{room.deliveries().data[0].id}@sender.example>" == server.mails[0]["Message-ID"]


def test_a_late_answer_does_not_undo_what_another_process_recorded(room, server):
    """A sender that outlives its lease and then fails changes nothing about the mail that another has sent meanwhile."""
    room.everybody().hear("invoice_sent")

    class Overtaken:
        def send(self, mail, now):
            room.use(Smtp(server.url, FROM))
            assert 1 == room.after(minutes=3).send_due()
            raise NotDelivered("Too late.")

    room.use(Overtaken())
    room.send_due()
    assert ("sent", None) == (room.deliveries().data[0].status, room.deliveries().data[0].problem)


def test_mail_waits_for_an_address_that_comes_late(room, server):
    """News that overtakes the member's copy is kept: the mail goes out once the address is there."""
    room.put_practice()
    room.hear("invoice_sent")
    assert 0 == room.send_due()
    assert "No address is known for this person yet." == room.deliveries().data[0].problem
    room.put_member("cli_cy", "cy@home.example", "client")
    assert 1 == room.after(seconds=5).send_due()


def test_something_unexpected_is_a_failed_try_without_a_word_of_it(room, caplog):
    """A channel that breaks in an unforeseen way neither stops the round nor puts an address into the log."""
    room.everybody().hear("payment_received")

    class Broken:
        def send(self, mail, now):
            raise RuntimeError(f"cannot send to {mail.to}")

    room.use(Broken())
    with caplog.at_level(logging.DEBUG):
        room.send_due()
    assert {"Something unexpected went wrong while sending."} == {delivery.problem for delivery in room.deliveries().data}
    assert "RuntimeError" in caplog.text and "example" not in caplog.text


def test_only_admins_see_and_resend_and_only_their_own_practice_s(room):
    """Providers and clients are Forbidden; another practice's admin sees nothing and finds nothing."""
    room.everybody().hear("invoice_sent")
    delivery = room.deliveries().data[0]
    for caller in (room.provider, room.client, room.system):
        with pytest.raises(Forbidden):
            room.deliveries(caller)
        with pytest.raises(Forbidden):
            room.resend(delivery.id, caller)
    stranger = type(room.admin)("prc_two", "admin", "per_eve", "col_eve")
    assert [] == room.deliveries(stranger).data
    with pytest.raises(NotFound):
        room.resend(delivery.id, stranger)


def test_without_a_server_mail_is_kept_as_files(room, tmp_path):
    """The .eml folder holds what would have gone out, readable by the owner only, newest first, at most a hundred."""
    room.use(room.kept)
    room.everybody().hear("invoice_sent")
    room.send_due()
    room.after(minutes=1).send_letter()
    room.send_due()
    letter, alert = reading.list_kept_mail(room.kept)["data"]
    assert "cy@home.example" == alert["to"] and PUBLIC + "/invoices/inv_7" in alert["body"]
    assert room.clock.now() == letter["at"] and PUBLIC + "/invitations/tok-123" in letter["body"].splitlines()
    files = sorted((tmp_path / "mail").iterdir())
    assert [".eml", ".eml"] == [file.suffix for file in files] and {0o600} == {file.stat().st_mode & 0o777 for file in files}
    assert (PUBLIC + "/invitations/tok-123").encode() in files[1].read_bytes()


def test_kept_mail_exists_in_development_only(room):
    """Where there is no such box the answer is NotFound."""
    with pytest.raises(NotFound):
        reading.list_kept_mail(None)
