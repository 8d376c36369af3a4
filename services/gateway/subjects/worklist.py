"""What needs a person: payments and refunds that nobody but the processor can settle, and what was found to differ."""

from services.gateway.asker import Answer, Asker, told
from services.gateway.reading import known_id, query
from shared.contracts.invoicing import Invoicing, WorkItem
from shared.contracts.parts import Paged
from shared.contracts.processors import EvidenceRow, Processors
from shared.faults import Unavailable
from shared.fields import Many, Part, Text, Words


class WorkItemWithEvidence(WorkItem):
    """`evidence` is what processors knows of it; absent while it can't be asked, and of what was only found."""

    evidence = Part(EvidenceRow, allow_none=True)


class WorkListWithEvidence(Words):
    data = Many(WorkItemWithEvidence, required=True)
    next_cursor = Text(allow_none=True)


def list_work(asker: Asker, given: dict | None = None) -> Answer:
    """The list, each payment and refund with its evidence."""
    found = asker.ask(Invoicing.list_work, query(Paged, given or {})[0]).data
    known = _evidence(asker, [item.id for item in found.data if item.kind != "finding"])
    items = [{**item, "evidence": known.get(item.id)} for item in found.data]
    return told({"data": items, "next_cursor": found.next_cursor}, WorkListWithEvidence)


def _evidence(asker: Asker, ids: list[str]) -> dict:
    if not ids:
        return {}
    try:
        return {row.id: row for row in asker.ask(Processors.read_evidence, {"ids": ids}).data.data}
    except Unavailable:
        return {}


def close_finding(asker: Asker, finding_id: str) -> Answer:
    """Take what was found off the list."""
    return asker.ask(Invoicing.close_finding, {"finding_id": known_id(finding_id, "fnd")})
