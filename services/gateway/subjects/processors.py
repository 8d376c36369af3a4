"""The practice's payment processor accounts. Credentials leave here sealed; nobody but processors opens them."""

from services.gateway.asker import Answer, Asker, as_text
from services.gateway.reading import checked, known_id
from services.gateway.sealing import sent_sealed
from shared.contracts.processors import CARD_ENTRY, TYPES, Processors
from shared.faults import invalid
from shared.fields import Anything, Choice, Flag, Id, Many, Record, Text, Words
from shared.ids import new_id

_LARGEST = 28_000  # bytes of all credentials together: sealed they still fit into the contract's message


class NewProcessorBody(Words):
    """`credentials` holds the fields that the type declares; they are sealed at once."""

    description = Text(required=True, most=200)
    type = Choice(*TYPES, required=True)
    credentials = Anything(load_default=dict)
    card_entry = Choice(*CARD_ENTRY, allow_none=True)


class ProcessorChangeBody(Words):
    description = Text(most=200)
    credentials = Anything()
    card_entry = Choice(*CARD_ENTRY)


class FailoverBody(Words):
    """`processor_ids` in the order in which they take over from the active account."""

    enabled = Flag(required=True)
    processor_ids = Many(Id(), required=True, most=20)


def list_types(asker: Asker) -> Answer:
    return asker.ask(Processors.list_types)


def add_processor(asker: Asker, body: dict) -> Answer:
    """The new account, its credentials checked at the processor before they count as usable."""
    checked(NewProcessorBody, body)
    processor_id = new_id("proc")
    named, wanted = {"processor_id": processor_id}, {"credentials": {}, **body}
    return sent_sealed(asker, lambda: asker.ask(Processors.add_processor, {**_sealed(asker, processor_id, wanted), **named}))


def list_processors(asker: Asker) -> Answer:
    return asker.ask(Processors.list_processors)


def read_processor(asker: Asker, processor_id: str) -> Answer:
    return asker.ask(Processors.read_processor, _named(processor_id))


def change_processor(asker: Asker, processor_id: str, body: dict) -> Answer:
    named = _named(processor_id)
    checked(ProcessorChangeBody, body)
    return sent_sealed(asker, lambda: asker.ask(Processors.change_processor, {**_sealed(asker, processor_id, body), **named}))


def remove_processor(asker: Asker, processor_id: str) -> None:
    asker.ask(Processors.remove_processor, _named(processor_id))


def check_processor(asker: Asker, processor_id: str) -> Answer:
    return asker.ask(Processors.check_processor, _named(processor_id))


def activate_processor(asker: Asker, processor_id: str) -> Answer:
    return asker.ask(Processors.activate_processor, _named(processor_id))


def open_payments(asker: Asker, processor_id: str) -> Answer:
    return asker.ask(Processors.open_payments, _named(processor_id))


def read_card_entry(asker: Asker) -> Answer:
    """What the pay page draws: `{available, processor_id, type, title, card_entry, test_cards}`."""
    return asker.ask(Processors.read_card_entry)


def read_failover(asker: Asker) -> Answer:
    """Whether another account takes over, in which order, and the table that decides when."""
    return asker.ask(Processors.read_failover)


def change_failover(asker: Asker, body: dict) -> Answer:
    """Turn it on or off, and set the order."""
    return asker.ask(Processors.change_failover, checked(FailoverBody, body))


def _named(processor_id: str) -> dict:
    return {"processor_id": known_id(processor_id)}


def _sealed(asker: Asker, processor_id: str, body: dict) -> dict:
    """`body` with its credentials sealed for processors, bound to this practice and account."""
    request = Record(body)
    if "credentials" in request:
        credentials = request.pop("credentials")
        _must_be_texts(credentials)
        info = f"credentials|{asker.practice_id}|{processor_id}"
        secret = as_text(credentials).encode("utf-8", "replace")
        if len(secret) > _LARGEST:
            raise invalid("credentials", "These are too long together.")
        request["sealed_credentials"] = asker.gateway.sealing.seal(secret, info, asker.caller)
    return request


def _must_be_texts(credentials: object) -> None:
    if not isinstance(credentials, dict):
        raise invalid("credentials", "Send an object.")
    for name, value in credentials.items():
        if not isinstance(value, str) or len(value) > 2000 or "\x00" in value or any("\ud800" <= x <= "\udfff" for x in value):
            field = name if name.isascii() and name.isidentifier() else "*"
            raise invalid(f"credentials.{field}", "This must be text of at most 2000 characters.")
