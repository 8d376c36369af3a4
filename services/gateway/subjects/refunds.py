"""One refund: how it stands, and asking the processor now."""

from services.gateway.asker import Answer, Asker
from services.gateway.reading import checked, known_id
from services.gateway.subjects.payments import SettlementBody
from shared.contracts.invoicing import Invoicing


def read_refund(asker: Asker, refund_id: str) -> Answer:
    return asker.ask(Invoicing.read_refund, _named(refund_id))


def check_refund(asker: Asker, refund_id: str) -> Answer:
    """The refund after the processor was asked again."""
    return asker.ask(Invoicing.check_refund, _named(refund_id))


def cancel_refund(asker: Asker, refund_id: str) -> Answer:
    """The refund after it was given up: failed, succeeded after all, or still open (202)."""
    answer = asker.ask(Invoicing.cancel_refund, _named(refund_id))
    settled = answer.data.status in ("succeeded", "failed")
    return Answer(answer.text, 200 if settled else 202, answer.replayed, Invoicing.cancel_refund.gives)


def settle_refund(asker: Asker, refund_id: str, body: dict) -> Answer:
    """The refund after an admin has said how it ended."""
    return asker.ask(Invoicing.settle_refund, {**checked(SettlementBody, body), **_named(refund_id)})


def _named(refund_id: str) -> dict:
    return {"refund_id": known_id(refund_id)}
