"""One table: shared fault -> HTTP status, and the problem document (RFC 9457) that says it. The pages have words of their own."""

from typing import Any

from shared.faults import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Refused,
    Rejected,
    Unanswered,
    Unavailable,
    Unreachable,
)


class NotSignedIn(Fault):
    """Nobody known asks."""

    kind = "not_signed_in"

    def __init__(self, code: str = "not_signed_in", detail: str = "Sign in to do this.", **rest: Any):
        super().__init__(code, detail, **rest)


class Unreadable(Fault):
    """The request can't be read at all: `status` says why (400, 405, 413, 415)."""

    kind = "unreadable"

    def __init__(self, status: int, code: str, detail: str):
        super().__init__(code, detail)
        self.status = status


class Broken(Fault):
    """Something that nobody foresaw; `found_by` finds it in the log."""

    kind = "broken"

    def __init__(self, found_by: str):
        super().__init__("internal_error", f"Something is not working. It has been noted as {found_by}.")


ANSWERS: dict[type[Fault], tuple[int, str]] = {
    NotSignedIn: (401, "Not signed in"),
    Refused: (402, "The card was declined"),
    Forbidden: (403, "Not allowed"),
    NotFound: (404, "Not found"),
    Conflict: (409, "Not possible now"),
    Invalid: (422, "Some fields need another look"),
    LimitReached: (429, "Too often"),
    Rejected: (502, "The processor refused"),
    Broken: (500, "Not working"),
    Unavailable: (503, "Not available right now"),
    Unanswered: (503, "Not available right now"),
    Unreachable: (503, "Not available right now"),
}
_UNREADABLE = {400: "Not readable", 405: "Not that method", 413: "Too large", 415: "Not that kind of content"}
RETRY_AFTER = 5  # seconds; a restarting service is back by then
_OURS = frozenset({"type", "title", "status", "detail", "code", "errors", "allowed_actions", "retry_after"})


def status_of(fault: Fault) -> int:
    """The HTTP status of a fault; 503 for one that this table does not know."""
    if isinstance(fault, Unreadable):
        return fault.status
    return ANSWERS.get(type(fault), (503, ""))[0]


def problem(fault: Fault) -> dict:
    """The problem document: stable `code`, words for a person, and what the fault adds (its extra members at the top)."""
    status = status_of(fault)
    title = _UNREADABLE.get(status) or ANSWERS.get(type(fault), (503, "Not available right now"))[1]
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": fault.detail,
        "code": _code(fault),
    }
    if isinstance(fault, Refused) and fault.code != "card_declined":
        said["reason"] = fault.code
    if fault.errors is not None:
        said["errors"] = fault.errors
    if fault.allowed_actions is not None or isinstance(fault, Conflict):
        said["allowed_actions"] = fault.allowed_actions or []
    if (wait := retry_after(fault)) is not None:
        said["retry_after"] = wait
    said.update({name: value for name, value in fault.extra.items() if name not in _OURS})
    return said


def retry_after(fault: Fault) -> int | None:
    """Seconds after which asking again makes sense, or None where it doesn't."""
    if isinstance(fault, LimitReached):
        return max(1, int(fault.extra.get("retry_after") or 1))
    return RETRY_AFTER if status_of(fault) == 503 else None


def _code(fault: Fault) -> str:
    """A refused card is always `card_declined` and a refusing processor `processor_rejected`: the contract's own words."""
    if isinstance(fault, Refused):
        return "card_declined"
    if isinstance(fault, Rejected):
        return "processor_rejected"
    return fault.code
