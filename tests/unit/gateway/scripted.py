"""A bus that answers by the contracts: requests are checked as a service would, answers have the contracts' shapes.

What the services themselves do is shown elsewhere, with the real ones.
"""

import json
from typing import Any

from marshmallow import fields

from shared.asking import Answer
from shared.caller import Caller
from shared.contract import Call
from shared.contracts.notifications import Notifications
from shared.faults import Fault, NotFound
from shared.fields import Amount, Anything, Choice, Day, Email, Flag, Id, Moment, Number, Whole
from shared.keys import KeyRing

_NAMED = ("card_id", "invoice_id", "payment_id", "refund_id", "processor_id", "alert_id", "delivery_id", "finding_id")
_MAKES = {
    "create_invoice": "invoice_id",
    "pay_invoice": "payment_id",
    "save_card": "card_id",
    "record_payment": "payment_id",
    "refund_invoice": "refund_id",
    "add_processor": "processor_id",
}


class ScriptedBus:
    """Answers every call with a sample of what it gives; `script` puts an answer or a fault in a call's place.

    An object is known only in the practice that was told of it by `knows` or made it by a call.
    """

    def __init__(self, notifications_keys: KeyRing):
        self._keys = notifications_keys
        self.asked: list[tuple[Call, Any, Caller]] = []
        self.letters: list[dict] = []
        self._script: dict[Call, Any] = {}
        self._known: set[tuple[str, str]] = set()
        self._copies: dict[tuple[str, str, str], int] = {}

    def script(self, call: Call, answer: Any) -> None:
        self._script[call] = answer

    def unscript(self, call: Call) -> None:
        self._script.pop(call, None)

    def knows(self, practice_id: str, *ids: str) -> None:
        self._known.update((practice_id, one) for one in ids)

    def ask(self, call: Call, body: dict, caller: Caller, within: float | None = None) -> Answer:
        request = call.load_request(json.loads(json.dumps(body)))
        self.asked.append((call, request, caller))
        self._must_be_known(call, request, caller)
        answer = self._script.get(call)
        if callable(answer):
            answer = answer(request, caller)
        if isinstance(answer, Fault):
            raise answer
        if isinstance(answer, Answer):
            return answer
        if call is Notifications.send_letter:
            self._read_letter(request, caller)
        said = answer if answer is not None else self._sample(call, request)
        return Answer(call, json.dumps(call.dump_answer(call.load_answer(said))))

    def _must_be_known(self, call: Call, request: Any, caller: Caller) -> None:
        made = _MAKES.get(call.name)
        if made:
            self.knows(caller.practice_id, request[made])
        for name in _NAMED:
            if name != made and request.get(name) and (caller.practice_id, request[name]) not in self._known:
                raise NotFound()

    def _read_letter(self, request: Any, caller: Caller) -> None:
        words = self._keys.open(request.sealed, f"letter|{caller.practice_id}|{request.letter_id}")
        self.letters.append({**json.loads(words), "kind": request.kind})

    def _sample(self, call: Call, request: Any) -> dict:
        if call.name.startswith("put_"):
            return {"version": request.version}
        return sample(call.gives)

    def made(self, call: Call) -> list[Any]:
        """The requests of one call so far."""
        return [request for asked, request, _ in self.asked if asked is call]


def sample(schema: Any) -> dict:
    """One valid object of a schema, as JSON."""
    return {field.data_key or name: _value(field) for name, field in schema().fields.items()}


def _value(field: fields.Field) -> Any:
    if isinstance(field, fields.Nested):
        return sample(type(field.schema))
    if isinstance(field, fields.List):
        return [_value(field.inner)]
    for family, value in _VALUES:
        if isinstance(field, family):
            return value(field) if callable(value) else value
    return None if field.allow_none else "text" if getattr(field, "most", 9) > 3 else "USD"[: field.most]


_VALUES: list[tuple[type, Any]] = [
    (Choice, lambda field: field.words[0]),
    (Email, "somebody@example.com"),
    (Id, "inv_0000000000000000000000sample"),
    (Amount, 12050),
    (Whole, 1),
    (Number, "0.0725"),
    (Flag, True),
    (Day, "2026-01-31"),
    (Moment, "2026-01-31T12:00:00.000Z"),
    (Anything, "text"),
]
