"""A notifications database of its own for each test, real keys, and a real SMTP server on loopback."""

import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notifications import texts
from services.notifications.channels.email import KeptMail, Smtp
from services.notifications.model import Base
from services.notifications.usecases import alerting, copying, delivering, letters, reading
from services.notifications.usecases.delivering import Post
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.clock import SetClock
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.database import Database
from shared.fields import Record
from shared.keys import KeyRing, make_keys
from shared.vault import Vault

PRACTICE = "prc_one"
PUBLIC = "https://billing.example"
FROM = "billing@sender.example"


class MailServer:
    """A real SMTP server that can be told to refuse; keeps what it accepted as it came over the wire."""

    def __init__(self):
        self.received: list[tuple[list[str], bytes]] = []
        self.refuse_address = self.refuse_mail = None
        self.port = free_port()
        self._controller = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuse_address:
            return self.refuse_address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse_mail:
            return self.refuse_mail
        self.received.append((envelope.rcpt_tos, envelope.original_content))
        return "250 OK"

    def start(self, **more):
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **more)
        self._controller.start()

    def stop(self):
        if self._controller:
            self._controller.stop()
            self._controller = None

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def mails(self):
        return [message_from_bytes(raw, policy=default) for _, raw in self.received]


class Room:
    """The stories of notifications as the bus would tell them, through the contract's own words."""

    def __init__(self, folder, url):
        made = make_keys()
        self.keys, self.gateway_keys = KeyRing(made["notifications"]), KeyRing(made["gateway"])
        self.db = Database(f"sqlite:///{folder / 'notifications.db'}")
        Base.metadata.create_all(self.db.engine)
        self.clock = SetClock(datetime(2026, 11, 23, 12, tzinfo=UTC))
        self.vault = Vault(self.keys)
        self.kept = KeptMail(folder / "mail", FROM)
        self.use(Smtp(url, FROM))
        self.admin, self.provider = Caller(PRACTICE, ADMIN, "per_ada", "col_ada"), Caller(PRACTICE, PROVIDER, "per_bob", "col_bob")
        self.client = Caller(PRACTICE, CLIENT, "per_cy", "cli_cy")
        self.system = Caller.system(PRACTICE)

    def use(self, channel):
        self.post = Post({"email": channel}, texts.load(), self.vault, PUBLIC)

    def after(self, **time):
        self.clock.at += timedelta(**time)
        return self

    def put_practice(self, name="Oak & Ash Therapy", version=1, practice=PRACTICE):
        request = Notifications.put_practice.load_request(
            {"version": version, "name": name, "currency": "USD", "time_zone": "America/New_York"}
        )
        return copying.put_practice(Caller.system(practice), request, self.db)["version"]

    def put_member(self, member_id, address, *roles, version=1, active=True, practice=PRACTICE, info=None, caller=None):
        sealed = self.gateway_keys.seal(address.encode(), "notifications", info or f"address|{practice}|{member_id}")
        body = {"version": version, "member_id": member_id, "roles": list(roles), "sealed_address": sealed, "active": active}
        request = Notifications.put_member.load_request(body)
        return copying.put_member(caller or Caller.system(practice), request, self.db, self.keys, self.vault)["version"]

    def everybody(self):
        """A practice with an admin, a provider and a client."""
        self.put_practice()
        self.put_member("col_ada", "ada@staff.example", "admin")
        self.put_member("col_bob", "bob@staff.example", "provider")
        self.put_member("cli_cy", "cy@home.example", "client")
        return self

    def hear(self, event, event_id="evt_1", **more):
        body = {
            "invoice_id": "inv_7",
            "number": "INV-0042",
            "client_id": "cli_cy",
            "provider_id": "col_bob",
            "amount": 12924,
            "currency": "USD",
        }
        news = self._news(getattr(Invoicing, event), {**body, **more}, event_id)
        alerting.tell_of_invoice(event, news, self.db, self.clock)

    def hear_refusal(self, event_id="evt_1"):
        news = self._news(Processors.credentials_refused, {"processor_id": "pcr_1", "description": "Our Stripe"}, event_id)
        alerting.tell_of_refused_credentials(news, self.db, self.clock)

    def _news(self, event, body, event_id):
        return Record({**event.load(body), "event_id": event_id, "practice_id": PRACTICE, "at": self.clock.now()})

    def send_letter(
        self, kind="client_invitation", letter_id="let_1", to="cy@home.example", link=PUBLIC + "/invitations/tok-123", info=None
    ):
        content = json.dumps({"to": to, "link": link}).encode()
        sealed = self.gateway_keys.seal(content, "notifications", info or f"letter|{PRACTICE}|{letter_id}")
        request = Notifications.send_letter.load_request({"letter_id": letter_id, "kind": kind, "sealed": sealed})
        return letters.send_letter(self.system, request, self.db, self.clock, self.keys, self.vault)

    def send_due(self):
        return delivering.send_due(self.db, self.clock, self.post)

    def alerts(self, caller, **page):
        request = Notifications.list_alerts.load_request(page)
        return _over_the_wire(Notifications.list_alerts, reading.list_alerts(caller, request, self.db))

    def deliveries(self, caller=None, **query):
        request = Notifications.list_deliveries.load_request(query)
        return _over_the_wire(Notifications.list_deliveries, reading.list_deliveries(caller or self.admin, request, self.db))

    def resend(self, delivery_id, caller=None):
        request = Notifications.resend_delivery.load_request({"delivery_id": delivery_id})
        return reading.resend_delivery(caller or self.admin, request, self.db, self.clock)

    def prefer(self, caller, email):
        return reading.change_preferences(caller, Record(email=email), self.db)


def _over_the_wire(call, answer):
    return call.load_answer(json.loads(json.dumps(call.dump_answer(answer))))


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def write_certificate(certificate_path, key_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


@pytest.fixture
def server():
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tls_server(tmp_path):
    """A server not yet started, with `tls`, a context whose certificate for localhost only its own file vouches for."""
    server = MailServer()
    server.certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(server.certificate, key)
    server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.tls.load_cert_chain(server.certificate, key)
    yield server
    server.stop()


@pytest.fixture
def room(tmp_path, server):
    room = Room(tmp_path, server.url)
    yield room
    room.db.dispose()
