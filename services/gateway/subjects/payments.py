"""One payment: how it stands, asking the processor now, and giving up one that waits for the payer."""

from services.gateway.asker import Answer, Asker
from services.gateway.reading import checked, known_id
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.fields import Choice, Flag, Text, Words


class SettlementBody(Words):
    """An admin's word on what nobody else can tell, and why."""

    outcome = Choice("happened", "did_not_happen", required=True)
    reason = Text(required=True, most=500)


class SandboxAnswerBody(Words):
    """What the payer tells the sandbox's pretended bank."""

    approve = Flag(required=True)


def read_payment(asker: Asker, payment_id: str) -> Answer:
    return asker.ask(Invoicing.read_payment, _named(payment_id))


def check_payment(asker: Asker, payment_id: str) -> Answer:
    """The payment after the processor was asked again."""
    return asker.ask(Invoicing.check_payment, _named(payment_id))


def cancel_payment(asker: Asker, payment_id: str) -> Answer:
    """The payment after the processor was asked to give it up: canceled, succeeded after all, or still live (202)."""
    answer = asker.ask(Invoicing.cancel_payment, _named(payment_id))
    live = answer.data.status in ("pending", "requires_action", "unknown", "review")
    return Answer(answer.text, 202 if live else 200, answer.replayed, Invoicing.cancel_payment.gives)


def settle_payment(asker: Asker, payment_id: str, body: dict) -> Answer:
    """The payment after an admin has said how it ended."""
    return asker.ask(Invoicing.settle_payment, {**checked(SettlementBody, body), **_named(payment_id)})


def answer_sandbox(asker: Asker, payment_id: str, body: dict) -> Answer:
    """Approve or decline at the sandbox's pretended bank; the payment as it stands afterwards."""
    named = _named(payment_id)
    asker.ask(Invoicing.read_payment, named)  # theirs, or not there
    asker.ask(Processors.answer_sandbox, {**checked(SandboxAnswerBody, body), **named})
    return asker.ask(Invoicing.check_payment, named)


def _named(payment_id: str) -> dict:
    return {"payment_id": known_id(payment_id, "pay")}
