"""What a failed exchange with a processor means: certainly not sent, or not known. Sends nothing itself."""

import ssl

NOT_SENT_CODES = {"exc:connect_refused", "exc:connect_timeout", "exc:tls_failed"}


def code_of(cause: BaseException | None) -> str:
    """The facts' code (`exc:…`) of what the `requests` library raised; anything that is not known counts as a cut line."""
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return "exc:connect_timeout"
    if isinstance(cause, requests.exceptions.SSLError):
        # Only an untrusted certificate is certain: other TLS errors also come after the request was written.
        return "exc:tls_failed" if _has(cause, ssl.SSLCertVerificationError) else "exc:connection_reset"
    if isinstance(cause, requests.exceptions.ReadTimeout):
        return "exc:read_timeout"
    if isinstance(cause, requests.exceptions.ChunkedEncodingError):
        return "exc:body_truncated"
    if isinstance(cause, requests.exceptions.ConnectionError):
        inner = cause.args[0] if cause.args else None
        if isinstance(inner, MaxRetryError) and isinstance(inner.reason, NewConnectionError):
            return "exc:connect_refused"
    return "exc:connection_reset"


def was_not_sent(code: str) -> bool:
    """Whether nothing of the request can have reached the processor."""
    return code in NOT_SENT_CODES


def _has(raised: BaseException | None, family: type[BaseException], depth: int = 8) -> bool:
    """Whether an error of `family` lies inside what was raised: as its reason, argument, cause or context."""
    if raised is None or depth == 0:
        return False
    if isinstance(raised, family):
        return True
    inner = [getattr(raised, "reason", None), raised.__cause__, raised.__context__, *raised.args[:2]]
    return any(_has(part, family, depth - 1) for part in inner if isinstance(part, BaseException))
