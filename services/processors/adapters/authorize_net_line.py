"""One merchant's line to Authorize.net: an exchange, one transaction's details, and the lists that ours is looked for in. Moves nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from services.processors.adapters import transport
from services.processors.adapters.authorize_net_reading import Heard, Silent, hear
from services.processors.orders import NOT_KNOWN, NOT_SENT

HOSTS = {"live": "https://api.authorize.net", "test": "https://apitest.authorize.net"}
PAGE, MOST_PAGES = 1000, 50
LONGEST_SPAN = timedelta(days=31)  # of one question for settled batches


class Line:
    """Made for one call, from its credentials."""

    def __init__(self, credentials: dict, clock: Any, deadlines: tuple[float, float]):
        self.base = credentials.get("api_base") or HOSTS[credentials["mode"]]
        self.keys = {"name": credentials["api_login_id"], "transactionKey": credentials["transaction_key"]}
        self.clock, self.deadlines = clock, deadlines

    def ask(self, method: str, fields: dict | None = None) -> Heard | Silent:
        """One exchange, on a connection of its own: a kept one that was cut meanwhile would leave us not knowing."""
        import requests

        body = json.dumps({method: {"merchantAuthentication": self.keys, **(fields or {})}}).encode()
        url, kind = self.base.rstrip("/") + "/xml/v1/request.api", {"Content-Type": "application/json"}
        try:
            answer = requests.post(url, data=body, headers=kind, timeout=self.deadlines, allow_redirects=False)
        except Exception as failure:  # whatever the library trips over: only what certainly was not sent is known
            code = transport.code_of(failure)
            return Silent(NOT_SENT if transport.was_not_sent(code) else NOT_KNOWN, "processor_unavailable", code)
        heard = hear(answer.status_code, answer.content)
        if isinstance(heard, Heard) and "refId" in heard.body and heard.body["refId"] != (fields or {}).get("refId"):
            return Silent(NOT_KNOWN, "processor_unavailable", "exc:garbage_body")  # the answer to somebody else's question
        return heard

    def read(self, trans_id: str) -> dict | Silent | None:
        """One transaction's details; None where there is no such transaction."""
        answer = self.ask("getTransactionDetailsRequest", {"transId": trans_id})
        if isinstance(answer, Silent):
            return answer
        if answer.outer == "E00040":
            return None
        details = answer.body.get("transaction")
        if answer.refused or not isinstance(details, dict) or details.get("transId") != trans_id:
            return answer.silence()
        return details

    def lines(self, since: datetime) -> dict[str, dict] | Silent:
        """Every transaction that is held, unsettled, or of a batch settled after `since`, by its id; the latest word counts."""
        found: dict[str, dict] = {}
        try:
            for page in self._pages(since):
                found.update({str(line.get("transId")): line for line in page})
        except _Unheard as trouble:
            return trouble.silent
        return found

    def _pages(self, since: datetime) -> Iterator[list[dict]]:
        """Held, then unsettled, then settled: what moves on while we read is met again, never missed."""
        yield from self._paged("getUnsettledTransactionListRequest", {"status": "pendingApproval"})
        yield from self._paged("getUnsettledTransactionListRequest", {})
        until = self.clock.now().astimezone(UTC)
        while since < until:
            end = min(since + LONGEST_SPAN - timedelta(seconds=1), until)
            span = {"firstSettlementDate": _stamp(since), "lastSettlementDate": _stamp(end)}
            for batch in self._listed("getSettledBatchListRequest", span, "batchList"):
                yield from self._paged("getTransactionListRequest", {"batchId": str(batch.get("batchId"))})
            since = end + timedelta(seconds=1)

    def _paged(self, method: str, asked: dict) -> Iterator[list[dict]]:
        order = {"orderBy": "submitTimeUTC", "orderDescending": "true"}
        for page in range(1, MOST_PAGES + 1):
            fields = {**asked, "sorting": order, "paging": {"limit": str(PAGE), "offset": str(page)}}
            lines = self._listed(method, fields, "transactions")
            yield lines
            if len(lines) < PAGE:
                return
        raise _Unheard(Silent(NOT_KNOWN, "unknown", "list_too_long"))

    def _listed(self, method: str, fields: dict, name: str) -> list[dict]:
        answer = self.ask(method, fields)
        if isinstance(answer, Silent):
            raise _Unheard(answer)
        nothing = answer.outer == "I00004" or answer.body.get("totalNumInResultSet") == 0
        lines = answer.body.get(name) or ([] if nothing else None)
        if answer.refused or not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            raise _Unheard(answer.silence())
        return lines


class _Unheard(Exception):
    """A list could not be read to its end, so nothing follows from it."""

    def __init__(self, silent: Silent):
        super().__init__(silent.code)
        self.silent = silent


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
