"""Stripe's codes: every row of the table means an outcome, and codes nobody knows never raise."""

import csv
import datetime
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import stripe
from stripe import _api_requestor  # the package itself loads it only when it is needed

from services.processors.adapters import base
from services.processors.adapters import stripe as adapter
from services.processors.adapters import stripe_reading as reading
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Outcome, Secret
from shared.contracts.processors import REFUSALS
from shared.settings import Settings
from tests.simulators.stripe import StripeSimulator

ROWS = list(csv.DictReader(Path(base.__file__).with_name("stripe_codes.csv").open(newline="")))
CODES = [row for row in ROWS if ":" not in row["code"]]
STATUSES = [row for row in ROWS if row["code"].startswith("http:")]
FAILURES = [row for row in ROWS if row["code"].startswith("exc:")]
# The status of an answer that carries a code of this class; each code is the `code` of an error, a decline's also its `decline_code`.
STATUS_OF = {"declined": 402, "requires_action": 402, "unknown": 402, "error": 400, "error_account": 400, "state": 400}


def _error(status: int, **said):
    """The SDK's own exception for an answer of this status and body, as it raises it."""
    requestor = _api_requestor._APIRequestor()
    body = {"error": said}
    with pytest.raises(stripe.StripeError) as raised:
        requestor.handle_error_response("{}", status, body, {}, "V1")
    return raised.value


def test_the_table_is_whole():
    """Every row names a class and, unless nothing was refused, one of the sixteen refusals; each refusal has its words."""
    assert 150 < len(ROWS)
    assert len(ROWS) == len({row["code"] for row in ROWS}) == len(base.refusals("stripe"))
    assert {row["refusal"] for row in ROWS} <= {*REFUSALS, ""}
    assert set(REFUSALS) == set(base.WORDS)


@pytest.mark.parametrize("row", CODES, ids=[row["code"] for row in CODES])
def test_each_code_means_its_class(row):
    """A 402 with this code ends as its class says: declined, not done, or not known; the payer reads a sentence."""
    outcome = reading.from_error(_error(402, type="card_error", code=row["code"], message="no"))
    expected = {"unknown": "unknown"}.get(row["class"], "declined")
    if (row["class"], row["refusal"]) == ("error", "processor_unavailable"):
        expected = "not_sent"
    assert (expected, row["refusal"], row["code"]) == (outcome.status, outcome.refusal, outcome.processor_code)
    assert base.words_for("charge", outcome.refusal)


@pytest.mark.parametrize("row", STATUSES, ids=[row["code"] for row in STATUSES])
def test_each_status_means_its_class(row):
    """An answer without a known code is read by its HTTP status."""
    outcome = reading.from_error(_error(int(row["code"][5:]), type="api_error", message="no"))
    expected = "unknown" if row["class"] == "unknown" else "declined"
    if (row["class"], row["refusal"]) == ("error", "processor_unavailable"):
        expected = "not_sent"
    assert expected == outcome.status


def test_the_decline_code_goes_before_the_code():
    """`card_declined` is decided by its decline code; without one that is known it is a plain decline."""
    lost = reading.from_error(_error(402, type="card_error", code="card_declined", decline_code="insufficient_funds"))
    assert ("insufficient_funds", "insufficient_funds") == (lost.refusal, lost.processor_code)
    new = reading.from_error(_error(402, type="card_error", code="card_declined", decline_code="brand_new"))
    assert ("declined", "card_declined") == (new.status, new.refusal)


@pytest.mark.parametrize("status", [400, 402, 404, 418, 422])
def test_codes_nobody_knows_are_a_definite_no(status):
    """A code that is in no table never raises: Stripe refused, so nothing was moved."""
    outcome = reading.from_error(_error(status, code="invented_tomorrow"))
    assert "declined" == outcome.status
    assert outcome.refusal in REFUSALS


@pytest.mark.parametrize("status", [301, 409, 424, 500, 502, 503, 504, 599])
def test_trouble_on_their_side_is_unknown(status):
    """Whatever the body says, these statuses don't tell whether money moved."""
    assert "unknown" == reading.from_error(_error(status, code="card_declined")).status


def test_suspicion_and_theft_read_like_any_decline():
    """The words must not tell a thief that the card is known to be stolen."""
    assert base.WORDS["fraud_suspected"] == base.WORDS["lost_or_stolen"] == base.WORDS["card_declined"]


# Over HTTP, inside a whole answer


class Till:
    """The adapter at the simulator, with a charge that is prepared."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.adapter = adapter.Stripe(Settings({}), deadlines=(2.0, 0.3))
        self.keys = {"secret_key": "sk_test_acme", "api_base": simulator.url}
        card = Card(Secret("4242424242424242"), 12, 2031, Secret("123"))
        self.order = Order(CHARGE, "pay_1", "r" * 20, 12050, "USD", "pcr_1", means=Means(card=card))
        self.order = self.order.with_ids(self.adapter.prepare(self.keys, self.order).ids)

    def refused(self, verb: str, order: Order | None = None, **refusal) -> Outcome:
        """The outcome of a verb that is answered by this refusal."""
        self.simulator.refuse(verb, **refusal)
        return getattr(self.adapter, verb)(self.keys, order or self.order)

    def find(self) -> Outcome:
        return self.adapter.find(self.keys, self.order)

    def refund_order(self) -> Order:
        assert "approved" == self.adapter.charge(self.keys, self.order).status
        return Order(REFUND, "ref_1", "f" * 20, 2050, "USD", "pcr_1", charge_ids=self.order.ids)


@pytest.fixture(scope="module")
def serving():
    with StripeSimulator().serving() as simulator:
        yield simulator


@pytest.fixture
def till(serving):
    serving.reset()
    return Till(serving)


def _expected(row: dict) -> str:
    if row["class"] == "unknown":
        return "unknown"
    return "not_sent" if (row["class"], row["refusal"]) == ("error", "processor_unavailable") else "declined"


@pytest.mark.parametrize("row", CODES, ids=[row["code"] for row in CODES])
def test_each_code_in_a_whole_answer(till, row):
    """At the confirmation, in `error.code` beside the intent: its class and refusal; nothing is taken, and a look says so too."""
    status, kind = STATUS_OF[row["class"]], "card_error" if STATUS_OF[row["class"]] == 402 else "invalid_request_error"
    outcome = till.refused("charge", status=status, code=row["code"], kind=kind)
    assert (_expected(row), row["refusal"], row["code"]) == (outcome.status, outcome.refusal, outcome.processor_code)
    assert [] == till.simulator.books()
    found = till.find()
    assert found.status == ("declined" if status == 402 and row["class"] != "unknown" else "not_sent")
    if found.status == "declined":
        assert (row["refusal"], row["code"]) == (found.refusal, found.processor_code)


DECLINES = [row for row in CODES if row["class"] in ("declined", "requires_action")]


@pytest.mark.parametrize("row", DECLINES, ids=[row["code"] for row in DECLINES])
def test_each_decline_code_in_a_whole_answer(till, row):
    """In `error.decline_code` under `card_declined`, and in the intent's `last_payment_error` when it is looked up afterwards."""
    outcome = till.refused("charge", status=402, code="card_declined", decline_code=row["code"])
    assert ("declined", row["refusal"], row["code"]) == (outcome.status, outcome.refusal, outcome.processor_code)
    found = till.find()
    assert ("declined", row["refusal"], row["code"]) == (found.status, found.refusal, found.processor_code)


REFUND_CODES = [row for row in CODES if row["class"] in ("state", "error", "error_account", "unknown")]


@pytest.mark.parametrize("row", REFUND_CODES, ids=[row["code"] for row in REFUND_CODES])
def test_each_code_of_a_refund(till, row):
    """Of a refund: a definite no where the class says so, not sent or not known where it says that; nothing given back."""
    order = till.refund_order()
    outcome = till.refused("refund", order, status=400, code=row["code"], kind="invalid_request_error")
    assert (_expected(row), row["refusal"]) == (outcome.status, outcome.refusal)
    assert [CHARGE] == [entry["kind"] for entry in till.simulator.books()]
    assert base.words_for(REFUND, outcome.refusal)


@pytest.mark.parametrize("row", STATUSES, ids=[row["code"] for row in STATUSES])
@pytest.mark.parametrize("verb", ["charge", "refund"])
def test_each_status_in_a_whole_answer(till, verb, row):
    """An error without a code, at its HTTP status: what is not definite is unknown."""
    order = till.refund_order() if verb == "refund" else till.order
    outcome = till.refused(verb, order, status=int(row["code"][5:]), kind="api_error")
    assert _expected(row) == outcome.status
    if row["class"] != "unknown":
        assert row["refusal"] == outcome.refusal


@contextmanager
def _full():
    """A listener whose queue is full: who connects waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@contextmanager
def _untrusted(folder: Path):
    """A listener with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake() -> None:
            with suppress(OSError):
                context.wrap_socket(listener.accept()[0], server_side=True)

        threading.Thread(target=shake, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}"


def _certificate(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "both.pem"
    path.write_bytes(key.private_bytes(*form) + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


HOW = {"exc:read_timeout": "hang", "exc:connection_reset": "lose_request", "exc:body_truncated": "cut_after",
       "exc:garbage_body": "garbage"}  # fmt: skip


@pytest.mark.parametrize("row", FAILURES, ids=[row["code"] for row in FAILURES])
def test_each_failure_of_the_line(till, tmp_path, row):
    """Made to happen: what never left is not sent, everything else is not known, each with the code of the table."""
    code = row["code"]
    wires = {"exc:connect_timeout": _full(), "exc:tls_failed": _untrusted(tmp_path)}
    if code in HOW:
        till.simulator.fail("charge", HOW[code])
        outcome = till.adapter.charge(till.keys, till.order)
    elif code == "exc:connect_refused":
        outcome = till.adapter.charge({**till.keys, "api_base": "http://127.0.0.1:9"}, till.order)
    else:
        till.adapter.deadlines = (0.3, 0.3)
        till.adapter.__dict__.pop("_http", None)
        with wires[code] as url:
            outcome = till.adapter.charge({**till.keys, "api_base": url}, till.order)
    assert ("unknown" if row["class"] == "unknown" else "not_sent", code) == (outcome.status, outcome.processor_code)


def test_no_row_is_left_out():
    """Every row of the table is one of those above."""
    assert len(ROWS) == len(CODES) + len(STATUSES) + len(FAILURES)
    assert {row["class"] for row in CODES} <= set(STATUS_OF)
