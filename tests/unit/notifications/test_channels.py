"""The email channel by itself: TLS, sign-in, servers that are away, and settings that can't be used."""

import ssl
from datetime import UTC, datetime

import pytest
from aiosmtpd.smtp import AuthResult

from services.notifications.channels.base import Mail, NotDelivered
from services.notifications.channels.email import KeptMail, Smtp

from .conftest import FROM, free_port


def trusting(server, any_name=False):
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.check_hostname = not any_name
    return context


MAIL = Mail("dlv_1", "cy@home.example", "Subject", "Text\n", "<p>Text</p>\n")


def test_smtps_takes_only_a_certificate_that_can_be_trusted(room, tls_server):
    """Over TLS a mail arrives when the certificate is known, and is not handed over when it isn't."""
    tls_server.start(ssl_context=tls_server.tls)
    url = f"smtps://localhost:{tls_server.port}"
    Smtp(url, FROM, trust=lambda: trusting(tls_server)).send(MAIL, room.clock.now())
    assert [["cy@home.example"]] == [to for to, _ in tls_server.received]
    with pytest.raises(NotDelivered) as failure:
        Smtp(url, FROM).send(MAIL, room.clock.now())
    assert ("The mail server's certificate can't be trusted.", False) == (failure.value.problem, failure.value.for_good)


def test_a_password_never_leaves_without_tls(room, tls_server):
    """A server elsewhere that offers no STARTTLS gets neither password nor mail; one that offers it gets both, inside TLS."""
    elsewhere = f"smtp://user:pass%40word@127.1:{tls_server.port}"  # loopback by another name, so not taken for this machine
    seen = []

    def authenticate(server, session, envelope, mechanism, data):
        seen.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=True)

    tls_server.start(authenticator=authenticate, auth_require_tls=False)
    with pytest.raises(NotDelivered, match="no TLS"):
        Smtp(elsewhere, FROM).send(MAIL, room.clock.now())
    assert [] == seen == tls_server.received
    tls_server.stop()
    tls_server.start(authenticator=authenticate, tls_context=tls_server.tls)
    with pytest.raises(NotDelivered, match="can't be trusted"):
        Smtp(elsewhere, FROM).send(MAIL, room.clock.now())
    Smtp(elsewhere, FROM, trust=lambda: trusting(tls_server, any_name=True)).send(MAIL, room.clock.now())
    assert [(True, b"user", b"pass@word")] == seen and 1 == len(tls_server.received)


def test_a_refused_sign_in_is_not_the_mail_s_fault(room, tls_server):
    """535 for our password: the mail waits, and the problem tells the code only."""
    tls_server.start(authenticator=lambda *asked: AuthResult(success=False, handled=False), auth_require_tls=False)
    with pytest.raises(NotDelivered) as failure:
        Smtp(f"smtp://user:secret@127.0.0.1:{tls_server.port}", FROM).send(MAIL, room.clock.now())
    assert ("The mail server refused our sign-in (535).", False) == (failure.value.problem, failure.value.for_good)


def test_a_server_without_sign_in_is_our_setting_s_fault_not_the_mail_s(room, server):
    """A password for a server that takes none is told as such, and the mail is kept for later."""
    with pytest.raises(NotDelivered) as failure:
        Smtp(f"smtp://user:pass%40word@127.0.0.1:{server.port}", FROM).send(MAIL, room.clock.now())
    assert "sign-in" in failure.value.problem and not failure.value.for_good and failure.value.nobody_there


def test_an_address_in_the_settings_that_is_no_server_is_refused(tmp_path):
    """A wrong CLIENTBILLING_SMTP_URL is refused by name; a folder that can't be written is a failed try."""
    for url in ("http://mail.example", "smtp://", "mail.example:25"):
        with pytest.raises(ValueError, match="CLIENTBILLING_SMTP_URL"):
            Smtp(url, FROM)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotDelivered):
        KeptMail(tmp_path / "file" / "mail", FROM).send(MAIL, datetime.now(UTC))


def test_a_server_that_hangs_up_is_tried_again(room):
    """A port where nobody listens is a failed try of the server, not of the mail."""
    with pytest.raises(NotDelivered) as failure:
        Smtp(f"smtp://127.0.0.1:{free_port()}", FROM).send(MAIL, room.clock.now())
    assert failure.value.nobody_there and not failure.value.for_good
