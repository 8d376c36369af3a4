"""Routes of the practice's payment processor accounts."""

from typing import Any

from services.gateway.api.door import ADMIN, EVERYBODY, Door
from services.gateway.subjects import processors
from shared.contracts.processors import CardEntry, Failover, Processor, ProcessorList, ProcessorTypes

door = Door("Processors")


@door.get("/processor-types", ADMIN, gives=ProcessorTypes)
def list_processor_types(asker: Any) -> Any:
    """The types of processors that can be added, and each one's fields."""
    return processors.list_types(asker)


@door.post("/processors", ADMIN, takes=processors.NewProcessorBody, gives=Processor, status=201)
def add_processor(asker: Any, body: dict) -> Any:
    """Add an account; its credentials are checked at the processor and never told again."""
    return processors.add_processor(asker, body)


@door.get("/processors", ADMIN, gives=ProcessorList)
def list_processors(asker: Any) -> Any:
    """The practice's accounts."""
    return processors.list_processors(asker)


@door.get("/processors/{processor_id}", ADMIN, gives=Processor)
def read_processor(asker: Any, processor_id: str) -> Any:
    """One account, with a hint of its credentials only."""
    return processors.read_processor(asker, processor_id)


@door.route(
    "PATCH",
    "/processors/{processor_id}",
    ADMIN,
    takes=processors.ProcessorChangeBody,
    gives=Processor,
    exists=processors.read_processor,
    faults=(409,),
)
def change_processor(asker: Any, processor_id: str, body: dict) -> Any:
    """Change the description or how cards are entered, or replace the credentials."""
    return processors.change_processor(asker, processor_id, body)


@door.route("DELETE", "/processors/{processor_id}", ADMIN, exists=processors.read_processor, faults=(409,))
def remove_processor(asker: Any, processor_id: str) -> Any:
    """Remove an account: hidden, while anything of it can still be refunded."""
    return processors.remove_processor(asker, processor_id)


@door.post("/processors/{processor_id}/check", ADMIN, gives=Processor, exists=processors.read_processor)
def check_processor(asker: Any, processor_id: str) -> Any:
    """Ask the processor now whether it takes the credentials."""
    return processors.check_processor(asker, processor_id)


@door.post("/processors/{processor_id}/activate", ADMIN, gives=Processor, exists=processors.read_processor, faults=(409,))
def activate_processor(asker: Any, processor_id: str) -> Any:
    """Make this the account that takes new payments."""
    return processors.activate_processor(asker, processor_id)


@door.post("/processors/{processor_id}/open", ADMIN, gives=Processor, faults=(409,))
def open_payments(asker: Any, processor_id: str) -> Any:
    """Open payments of an account (a removed one, too) after a restore, once what its processor's list shows is dealt with."""
    return processors.open_payments(asker, processor_id)


@door.get("/failover", ADMIN, gives=Failover)
def read_failover(asker: Any) -> Any:
    """Whether another account takes a payment that the active one certainly could not, and the table that decides."""
    return processors.read_failover(asker)


@door.route("PUT", "/failover", ADMIN, takes=processors.FailoverBody, gives=Failover)
def change_failover(asker: Any, body: dict) -> Any:
    """Turn failover on or off, and set the order of the accounts."""
    return processors.change_failover(asker, body)


@door.get("/card-entry", EVERYBODY, gives=CardEntry)
def read_card_entry(asker: Any) -> Any:
    """Whether cards can be taken now, and how they are entered."""
    return processors.read_card_entry(asker)
