"""The faults that cross the bus, once. What HTTP makes of them is the gateway's table; no fault holds what somebody typed."""

from typing import Any


class Fault(Exception):
    """Something that was asked for was not done, with a stable `code` and safe words for a person (`detail`)."""

    kind = "fault"

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: list[dict] | None = None,
        allowed_actions: list[str] | None = None,
        **extra: Any,
    ):
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.allowed_actions = allowed_actions
        self.extra = extra
        self.replayed = False

    def to_wire(self) -> dict:
        wire: dict[str, Any] = {"kind": self.kind, "code": self.code, "detail": self.detail}
        if self.errors is not None:
            wire["errors"] = self.errors
        if self.allowed_actions is not None:
            wire["allowed_actions"] = self.allowed_actions
        if self.extra:
            wire["extra"] = self.extra
        return wire

    @staticmethod
    def from_wire(wire: dict) -> "Fault":
        family = KINDS.get(wire.get("kind", ""), Unavailable)
        return family(
            wire.get("code", "unknown_fault"),
            wire.get("detail", ""),
            errors=wire.get("errors"),
            allowed_actions=wire.get("allowed_actions"),
            **wire.get("extra", {}),
        )


class NotFound(Fault):
    """There is no such thing, or not in this practice: the two answer alike."""

    kind = "not_found"

    def __init__(self, code: str = "not_found", detail: str = "There is nothing at this address.", **rest: Any):
        super().__init__(code, detail, **rest)


class Invalid(Fault):
    """What was sent can't be taken; `errors` names each field and the way out."""

    kind = "invalid"

    def __init__(self, code: str = "invalid", detail: str = "Some fields need another look.", **rest: Any):
        super().__init__(code, detail, **rest)


class Conflict(Fault):
    """The state forbids it; `allowed_actions` says what the state does allow."""

    kind = "conflict"


class Refused(Fault):
    """The card was refused: an answer, not a failure."""

    kind = "refused"


class Rejected(Fault):
    """The processor refused for reasons that the payer can't mend."""

    kind = "rejected"


class Forbidden(Fault):
    """Known, but not in a role that may do this."""

    kind = "forbidden"

    def __init__(self, code: str = "forbidden", detail: str = "Your role may not do this.", **rest: Any):
        super().__init__(code, detail, **rest)


class Unavailable(Fault):
    """Something behind is not there right now; asking again later may help."""

    kind = "unavailable"

    def __init__(
        self, code: str = "unavailable", detail: str = "This part is not available right now. Try again shortly.", **rest: Any
    ):
        super().__init__(code, detail, **rest)


class Unanswered(Unavailable):
    """A deadline passed without an answer: whether it was done is not known."""

    kind = "unanswered"


class Unreachable(Unavailable):
    """It was certainly not delivered: nobody serves that call, or the broker could not be reached."""

    kind = "unreachable"


class LimitReached(Fault):
    """Too often; `extra["retry_after"]` says in how many seconds it is allowed again."""

    kind = "limit"


KINDS: dict[str, type[Fault]] = {
    family.kind: family
    for family in (NotFound, Invalid, Conflict, Refused, Rejected, Forbidden, Unavailable, Unanswered, Unreachable, LimitReached)
}


def invalid(field: str, message: str, code: str = "invalid") -> Invalid:
    """The fault for one field."""
    return Invalid(code, message, errors=[{"field": field, "message": message}])
