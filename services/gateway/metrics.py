"""What operators may watch: requests by status, calls by service and how long they took, as Prometheus reads it."""

import threading
from collections import Counter


class Metrics:
    """Counters of this process; nothing in them names a practice or a person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()

    def answered(self, method: str, status: int) -> None:
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
        with self._lock:
            self._requests[known, status] += 1

    def asked(self, service: str, call: str, outcome: str, seconds: float) -> None:
        with self._lock:
            self._calls[service, call, outcome] += 1
            self._seconds[service, call] += seconds  # type: ignore[assignment]  # a Counter adds floats as well

    def text(self) -> str:
        """Prometheus' text format."""
        with self._lock:
            requests, calls, seconds = (
                sorted(self._requests.items()),
                sorted(self._calls.items()),
                sorted(self._seconds.items()),
            )
        lines = ["# TYPE clientbilling_http_requests_total counter"]
        lines += [f'clientbilling_http_requests_total{{method="{m}",status="{status}"}} {n}' for (m, status), n in requests]
        lines.append("# TYPE clientbilling_calls_total counter")
        lines += [f'clientbilling_calls_total{{service="{s}",call="{c}",outcome="{o}"}} {n}' for (s, c, o), n in calls]
        lines.append("# TYPE clientbilling_call_seconds_total counter")
        lines += [f'clientbilling_call_seconds_total{{service="{s}",call="{c}"}} {n:.6f}' for (s, c), n in seconds]
        return "\n".join(lines) + "\n"
