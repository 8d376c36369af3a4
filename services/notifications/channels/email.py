"""Mail: by SMTP, or kept as files where no server is set. What it says comes from `texts`; nothing is remembered here."""

import os
import smtplib
import ssl
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.notifications.channels.base import Mail, NotDelivered

SECONDS = 10  # each step of the conversation; green, so other work goes on meanwhile
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_AWAY = "The mail server could not be reached."


class Smtp:
    """Mail through a server: `smtp://[user:password@]host:port`, `smtps://` for TLS from the first byte.

    On `smtp://` a server that offers STARTTLS is taken at its word, and a password never leaves without TLS, except to
    this very machine. Raises ValueError for an address that can't be used.
    """

    def __init__(self, url: str, mail_from: str, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context):
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("CLIENTBILLING_SMTP_URL must look like smtp://host:port or smtps://user:password@host:port.")
        self._tls = parts.scheme == "smtps"
        self._host, self._port = parts.hostname, parts.port or (465 if self._tls else 25)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._from, self._trust = mail_from, trust

    def send(self, mail: Mail, now: datetime) -> None:
        message = written(mail, self._from, now)
        with _plain_problems(), self._server() as server:
            server.send_message(message, from_addr=self._from, to_addrs=[mail.to])

    @contextmanager
    def _server(self):
        name = _domain(self._from)  # said in HELO, instead of this machine's own name
        try:
            server = self._connected(name)
        except smtplib.SMTPResponseException as refused:  # whatever the code: not this mail's fault
            raise NotDelivered(f"The mail server refused our sign-in ({refused.smtp_code}).", nobody_there=True) from None
        except smtplib.SMTPNotSupportedError:
            raise NotDelivered("The mail server takes no sign-in, but one is set.", nobody_there=True) from None
        try:
            yield server
            _say_goodbye(server)
        finally:
            server.close()

    def _connected(self, name: str) -> smtplib.SMTP:
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, name, timeout=SECONDS, context=self._trust())
        else:
            server = smtplib.SMTP(self._host, self._port, name, timeout=SECONDS)
        try:
            server.ehlo_or_helo_if_needed()
            secure = self._tls or self._host in _LOOPBACK or self._secured(server)
            if self._user and not secure:
                raise NotDelivered("The mail server offers no TLS, so our password was not sent to it.", nobody_there=True)
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _secured(self, server: smtplib.SMTP) -> bool:
        if not server.has_extn("starttls"):
            return False
        server.starttls(context=self._trust())
        return True


class KeptMail:
    """Mail as `.eml` files in a folder, readable by the owner only: for trying things out without a mail server."""

    def __init__(self, folder: Path, mail_from: str):
        self._folder, self._from = folder, mail_from

    def send(self, mail: Mail, now: datetime) -> None:
        name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}-{mail.id}.eml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = self._folder / f".{name}"
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(written(mail, self._from, now).as_bytes(policy=SMTP))
            beside.rename(self._folder / name)
        except OSError:
            raise NotDelivered("The folder for undelivered mail can't be written to.", nobody_there=True) from None

    def newest(self, most: int = 100) -> Sequence[dict]:
        """The newest kept mails first: name, at, to, subject and the text body of each."""
        paths = sorted(self._folder.glob("*.eml"), key=lambda path: path.name, reverse=True) if self._folder.is_dir() else []
        return [_read(path) for path in paths[:most]]


def written(mail: Mail, sender: str, now: datetime) -> EmailMessage:
    """The message with its headers: `To` is the bare address, and no header tells more than the text does."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
    except (ValueError, IndexError):  # the library's parser gives up on some odd addresses in its own ways
        raise NotDelivered("Mail can't be sent to this address as it is written.", for_good=True) from None
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = f"<{mail.id}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office should answer
    message.set_content(mail.text, cte=_encoding(mail.text))
    message.add_alternative(mail.html, subtype="html", cte=_encoding(mail.html))
    return message


@contextmanager
def _plain_problems():
    """Whatever goes wrong on the way, told as NotDelivered; only a 5xx about this very mail is for good."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        code = next(iter(refused.recipients.values()))[0]
        raise NotDelivered(f"The mail server refused this address ({code}).", for_good=_permanent(code)) from None
    except smtplib.SMTPSenderRefused as refused:  # it is we who are refused, and so would every other mail be
        raise NotDelivered(f"The mail server refuses our address ({refused.smtp_code}).", nobody_there=True) from None
    except smtplib.SMTPDataError as refused:
        code = refused.smtp_code
        raise NotDelivered(f"The mail server refused this mail ({code}).", for_good=_permanent(code)) from None
    except smtplib.SMTPNotSupportedError:
        raise NotDelivered("The mail server can't take addresses with letters such as these.", for_good=True) from None
    except ssl.SSLCertVerificationError:
        raise NotDelivered("The mail server's certificate can't be trusted.", nobody_there=True) from None
    except (OSError, smtplib.SMTPException):
        raise NotDelivered(_AWAY, nobody_there=True) from None


def _say_goodbye(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        return  # the mail was accepted; how the line went down no longer matters


def _permanent(code: int) -> bool:
    return 500 <= code < 600


def _domain(address: str) -> str:
    return address.rpartition("@")[2] or "localhost"


def _encoding(text: str) -> str:
    """ASCII travels as it is, so that a link stays in one piece for whoever looks at the raw mail."""
    return "7bit" if text.isascii() else "quoted-printable"


def _read(path: Path) -> dict:
    message = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    return {
        "name": path.name,
        "at": parsedate_to_datetime(message["Date"]),
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "body": body.get_content().strip() if body else "",
    }
