"""Routes of single payments and refunds, and of the work list."""

from typing import Any

from services.gateway.api.door import ADMIN, CLIENT, EVERYBODY, STAFF, Door
from services.gateway.subjects import payments, refunds, worklist
from shared.contracts.invoicing import Payment, Refund
from shared.contracts.parts import Done, Paged

door = Door("Payments")


@door.get("/payments/{payment_id}", EVERYBODY, gives=Payment)
def read_payment(asker: Any, payment_id: str) -> Any:
    """One payment, with its `next_action` while it waits for the payer."""
    return payments.read_payment(asker, payment_id)


@door.post("/payments/{payment_id}/check", EVERYBODY, gives=Payment, exists=payments.read_payment, faults=(409,))
def check_payment(asker: Any, payment_id: str) -> Any:
    """Ask the processor now how the payment stands."""
    return payments.check_payment(asker, payment_id)


@door.post("/payments/{payment_id}/cancel", EVERYBODY, gives=Payment, exists=payments.read_payment, later=True, faults=(409,))
def cancel_payment(asker: Any, payment_id: str) -> Any:
    """Give up a payment that waits; the processor is asked before it is believed."""
    return payments.cancel_payment(asker, payment_id)


@door.post(
    "/payments/{payment_id}/sandbox-answer",
    CLIENT,
    takes=payments.SandboxAnswerBody,
    gives=Payment,
    exists=payments.read_payment,
    faults=(409,),
)
def answer_sandbox(asker: Any, payment_id: str, body: dict) -> Any:
    """Approve or decline at the sandbox's pretended bank."""
    return payments.answer_sandbox(asker, payment_id, body)


@door.get("/refunds/{refund_id}", STAFF, gives=Refund)
def read_refund(asker: Any, refund_id: str) -> Any:
    """One refund."""
    return refunds.read_refund(asker, refund_id)


@door.post("/refunds/{refund_id}/check", STAFF, gives=Refund, exists=refunds.read_refund, faults=(409,))
def check_refund(asker: Any, refund_id: str) -> Any:
    """Ask the processor now how the refund stands."""
    return refunds.check_refund(asker, refund_id)


@door.post("/refunds/{refund_id}/cancel", STAFF, gives=Refund, exists=refunds.read_refund, later=True, faults=(409,))
def cancel_refund(asker: Any, refund_id: str) -> Any:
    """Give up a refund that waits for its charge to settle; one that was sent is looked at."""
    return refunds.cancel_refund(asker, refund_id)


@door.post(
    "/payments/{payment_id}/settle",
    ADMIN,
    takes=payments.SettlementBody,
    gives=Payment,
    exists=payments.read_payment,
    faults=(409,),
)
def settle_payment(asker: Any, payment_id: str, body: dict) -> Any:
    """Say how a payment in review ended; refused while a look-up can still answer."""
    return payments.settle_payment(asker, payment_id, body)


@door.post(
    "/refunds/{refund_id}/settle",
    ADMIN,
    takes=payments.SettlementBody,
    gives=Refund,
    exists=refunds.read_refund,
    faults=(409,),
)
def settle_refund(asker: Any, refund_id: str, body: dict) -> Any:
    """Say how a refund in review ended; refused while a look-up can still answer."""
    return refunds.settle_refund(asker, refund_id, body)


@door.get("/worklist", ADMIN, query=Paged, gives=worklist.WorkListWithEvidence)
def list_work(asker: Any, query: dict) -> Any:
    """Payments and refunds that need a person, and what was found to differ from the processors' own lists."""
    return worklist.list_work(asker, query)


@door.post("/worklist/{finding_id}/close", ADMIN, gives=Done)
def close_finding(asker: Any, finding_id: str) -> Any:
    """Take what was found off the work list."""
    return worklist.close_finding(asker, finding_id)
