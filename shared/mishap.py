"""An exception that nobody expected, as a log line: its kind and where it was raised, never its text, which may hold data."""

import traceback
import uuid
from logging import Logger


def log_mishap(log: Logger, what: str, trouble: BaseException, correlation_id: str = "") -> str:
    """Log that `what` failed; gives the correlation id that a person may be told."""
    correlation_id = correlation_id or uuid.uuid4().hex
    kinds, link = [type(trouble).__name__], trouble
    while link := link.__cause__ or link.__context__:  # type: ignore[assignment]
        kinds.append(type(link).__name__)
        if len(kinds) > 5:
            break
    places = "".join(traceback.format_tb(trouble.__traceback__))
    log.error("%s failed: %s [%s]\n%s", what, " from ".join(kinds), correlation_id, places)
    return correlation_id
