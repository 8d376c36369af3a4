"""Copies of practices and members, and letters: what is sealed stays sealed, what is old or forged is not taken."""

import pytest
from sqlalchemy import text

from services.notifications.model import ENVELOPES
from shared.faults import Forbidden, Invalid


def stored(room):
    """Everything in the database as text, as somebody who stole the file would read it."""
    with room.db.reading() as session:
        tables = ("practices", "members", "deliveries", "alerts", "inbox", "preferences", "idempotency")
        return "\n".join(str(row) for table in tables for row in session.execute(text(f"SELECT * FROM {table}")))


def test_a_forged_or_moved_seal_is_refused(room):
    """An address sealed for another member, or altered on the way, is Forbidden and changes nothing."""
    room.everybody()
    with pytest.raises(Forbidden):
        room.put_member("cli_cy", "eve@evil.example", "client", version=9, info="address|prc_one|cli_dan")
    with pytest.raises(Forbidden):
        room.send_letter(info="letter|prc_two|let_1")
    room.hear("invoice_sent")
    room.send_due()
    assert "cli_cy" in stored(room) and [] == room.deliveries(status="waiting").data


def test_only_the_system_writes_copies(room):
    """An admin's own call can't redirect anybody's mail."""
    with pytest.raises(Forbidden):
        room.put_member("cli_cy", "eve@evil.example", "client", caller=room.admin)


def test_what_is_sealed_but_no_address_is_refused(room):
    """A seal that opens to something else than an address, or a letter without a proper link, is Invalid."""
    with pytest.raises(Invalid):
        room.put_member("cli_cy", "no address\r\nBcc: all@evil.example", "client")
    for link in ("javascript:alert(1)", "https://billing.example/a b"):
        with pytest.raises(Invalid):
            room.send_letter(link=link)


def test_older_copies_are_ignored(room, server):
    """Copies arrive in any order: mail goes to the newest address under the newest name."""
    assert 3 == room.put_practice("New name", version=3) == room.put_practice("Old name", version=2)
    assert 3 == room.put_member("cli_cy", "new@home.example", "client", version=3)
    assert 3 == room.put_member("cli_cy", "old@home.example", "client", version=2, active=False)
    room.hear("invoice_sent")
    room.send_due()
    assert [["new@home.example"]] == [to for to, _ in server.received]
    assert server.mails[0]["Subject"].startswith("New name:")


def test_no_address_and_no_link_lies_open_in_the_database(room):
    """Addresses and links are stored in envelopes only, and nothing of a letter stays after it was sent."""
    room.everybody().send_letter()
    assert not [word for word in ("home.example", "staff.example", "tok-123", "/invitations/") if word in stored(room)]
    assert "v1.notifications-vault-1." in stored(room)
    room.send_due()
    with room.db.reading() as session:
        assert [(None,)] == [tuple(row) for row in session.execute(text("SELECT letter FROM deliveries"))]


def test_a_letter_goes_out_once(room, server):
    """The same letter_id three times is one mail, to the address inside, with the link inside, in one piece."""
    room.put_practice()
    for _ in range(3):
        assert {} == room.send_letter()
        room.send_due()
    assert [["cy@home.example"]] == [to for to, _ in server.received]
    body = server.mails[0].get_body(("plain",)).get_content()
    assert "https://billing.example/invitations/tok-123" in body.splitlines()
    assert "Oak & Ash Therapy invites you to your billing account" == server.mails[0]["Subject"]


@pytest.mark.parametrize("kind", ["client_invitation", "colleague_invitation", "password_reset", "confirm_address"])
def test_every_letter_has_its_words(room, server, kind):
    """Each kind of letter goes out with a subject, the link, and no placeholder left over."""
    room.put_practice()
    room.send_letter(kind)
    assert 1 == room.send_due()
    mail = server.mails[0]
    for part in (mail.get_body(("plain",)), mail.get_body(("html",))):
        assert "/invitations/tok-123" in part.get_content() and "{" not in part.get_content()
    assert mail["Subject"] and "{" not in mail["Subject"]


def test_every_envelope_is_read_with_the_place_that_it_is_bound_to(room):
    """Whoever seals them anew opens each: also that of a letter that is still to go out, whose key is its id alone."""
    room.everybody()
    room.send_letter()
    with room.db.reading() as session:
        found = [(one, row) for one in ENVELOPES for row in one.others(session, "another-key", 50)]
    assert {"addresses", "letters"} == {one.called for one, _ in found}
    for one, row in found:
        assert room.vault.open(row.envelope, *one.place(row))
