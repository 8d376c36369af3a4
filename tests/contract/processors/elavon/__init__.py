"""Converge's recorded answers, and what the tests of its adapter share: an order, credentials, and answers put in by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.processors.adapters.elavon import Elavon
from services.processors.orders import CHARGE, REFUND, Card, Means, Order, Outcome, Secret
from shared.clock import SystemClock
from shared.settings import Settings
from tests.simulators.elavon import PIN, USER
from tests.simulators.elavon_wire import VISA

HERE = Path(__file__).parent
CREDENTIALS = {"mode": "demo", "merchant_id": "0000001", "user_id": USER, "pin": PIN}
CVC = "917"


def card(number: str = VISA, **more) -> Card:
    return Card(
        Secret(number), more.get("exp_month", 12), more.get("exp_year", 2031), Secret(CVC), more.get("postal_code", "98004")
    )


def charge_order(reference: str = "9f1c2d3e4f5a6b7c8d9e", amount: int = 12050, number: str = VISA, **more) -> Order:
    sent_at = more.pop("sent_at", datetime.now(UTC))
    return Order(
        CHARGE,
        "pay_1",
        reference,
        amount,
        more.pop("currency", "USD"),
        "pcr_1",
        means=Means(card=card(number, **more)),
        sent_at=sent_at,
    )


def refund_order(charge: Order, charged: Outcome, amount: int, reference: str = "refund00000000000001") -> Order:
    """A refund of what `charged` says, as the use cases would ask for it."""
    ids = {"reference": charge.reference, **charged.ids}
    return replace(charge, kind=REFUND, id="ref_1", reference=reference, amount=amount, charge_ids=ids, ids={}, means=Means())


def adapter(deadlines: tuple[float, float] = (5.0, 20.0)) -> Elavon:
    return Elavon(Settings({"CLIENTBILLING_DEVELOPMENT": "1"}), SystemClock(), deadlines)


def sample(name: str) -> bytes:
    return (HERE / f"{name}.xml").read_bytes()


def document(**elements: str) -> bytes:
    """A `<txn>` answer of these elements."""
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in elements.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<txn>{inside}</txn>'.encode()


def rows(*answers: bytes) -> bytes:
    inside = b"".join(answer.split(b"\n", 1)[1] for answer in answers)
    return b"<txnlist><ssl_txn_count>%d</ssl_txn_count>%s</txnlist>" % (len(answers), inside)


class Scripted(Elavon):
    """The adapter with its line replaced: each request is answered by the next of `answers`, the last one again and again.

    An answer is bytes, (status, AuthResponse header, bytes), or an exception to raise; `sent` keeps the documents.
    """

    def __init__(self, *answers):
        super().__init__(Settings({}), SystemClock())
        self.answers, self.sent = list(answers), []

    def _post(self, credentials: dict, document: str, deadline: float) -> tuple[int, str, bytes]:
        self.sent.append(document)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else (200, "", answer)


EMPTY = sample("query_list_empty")
