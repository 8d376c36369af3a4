"""What every simulator stands on: HTTP on loopback, books that judge us, a clock that can be moved, and faults on command.

A simulator says in `verb_of` which of a charge's verbs a request is, and in `work` what the processor does with it. Faults lie around
`work`: they lose the request or its answer, or carry it out late. What is booked here is the processor's truth, not ours.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LONGEST_HANG = 90.0  # seconds
CHARGE, REFUND = "charge", "refund"

# What a fault does around the work: (is the work done before the line fails, what the line does then).
FAULTS = {
    "lose_request": (False, "close"),
    "lose_answer": (True, "close"),
    "hang": (False, "hang"),
    "hang_after": (True, "hang"),
    "500": (False, "500"),
    "500_after": (True, "500"),
    "garbage": (False, "garbage"),
    "garbage_after": (True, "garbage"),
    "empty_after": (True, "empty"),
    "cut_after": (True, "cut"),
    "late": (False, "close"),  # the work itself is kept, and done when it is released
    "late_hang": (False, "hang"),
    "slow": (True, "slow"),
}
# A definite no, and the refusal of what is said to have been asked before: answers, where the line works.
REFUSALS = ("decline", "duplicate")


@dataclass
class Entry:
    """Money that the processor moved, or refused to: amounts in minor units, times in epoch seconds of the simulator's clock."""

    id: str
    kind: str
    reference: str
    amount: int
    currency: str
    merchant: str
    status: str
    at: float
    of: str = ""
    settled: bool = False
    more: dict = field(default_factory=dict)


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """`times` requests of `verb` meet it; a `late` one is carried out after `seconds`, after `look_ups` finds, or on `release`."""

    verb: str
    how: str
    times: int = 1
    seconds: float | None = None
    look_ups: int | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # as many may come at once; five, the default, would turn a crowd into time-outs


class Simulator:
    """One processor with its books. Every merchant's requests share the books, as at a real processor."""

    name = ""

    def __init__(self, port: int = 0):
        self.lock = threading.RLock()
        self.ahead = 0.0  # seconds by which the processor's clock was moved
        self.entries: list[Entry] = []
        self.faults: list[Fault] = []
        self.kept: list[tuple[Fault, float, Callable[[], object]]] = []  # work to be done late
        self.hidden: dict[str, int] = {}  # an entry's id -> how many more look-ups do not show it
        self.hide_next = 0
        self.seen: list[tuple[str, str]] = []
        self.met: dict[str, int] = {}  # "verb fault" -> how often it was met
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.reset()

    # what a processor's simulator says

    def verb_of(self, asked: Asked) -> str:
        """`check`, `prepare`, `charge`, `cancel`, `refund`, `void`, `find` or `list`; a name of its own for anything else."""
        raise NotImplementedError

    def work(self, asked: Asked) -> Reply:
        """Carry a request out and answer it, under the lock."""
        raise NotImplementedError

    def garbage(self) -> Reply:
        return Reply(200, b"<html>it works</html>", "text/html")

    def broken(self) -> Reply:
        return Reply(500, b"Internal Server Error", "text/plain")

    def declined(self, asked: Asked) -> Reply:
        """A definite no to a charge, refund or void, as this processor says it."""
        raise NotImplementedError

    def duplicate(self, asked: Asked) -> Reply:
        """The refusal of what is said to have been asked before, naming no earlier one."""
        raise NotImplementedError

    def settle(self) -> int:
        """Close the batch: every approved entry is settled. How many there were."""
        open_ones = [entry for entry in self.entries if entry.status == "approved" and not entry.settled]
        for entry in open_ones:
            entry.settled = True
        return len(open_ones)

    def reset(self) -> None:
        """Empty books, no faults; a subclass adds what it remembers besides."""
        self.entries.clear()
        self.faults.clear()
        self.kept.clear()
        self.hidden.clear()
        self.seen.clear()
        self.met.clear()
        self.hide_next, self.ahead = 0, 0.0

    # what it keeps

    def now(self) -> float:
        return time.time() + self.ahead

    def book(self, entry: Entry) -> Entry:
        """Write it down; where look-ups are to miss the next one, this is it."""
        self.entries.append(entry)
        if self.hide_next:
            self.hidden[entry.id] = self.hide_next
            self.hide_next = 0
        return entry

    def shown(self) -> list[Entry]:
        """The entries as one look-up sees them; every look-up brings the hidden ones nearer. Call it once for each look-up."""
        hidden = {its_id for its_id, left in self.hidden.items() if left > 0}
        self.hidden = {its_id: left - 1 for its_id, left in self.hidden.items() if left > 0}
        return [entry for entry in self.entries if entry.id not in hidden]

    def books(self) -> list[dict]:
        """What the processor holds, for the judge."""
        with self.lock:
            return [asdict(entry) for entry in self.entries]

    # faults

    def fail(self, verb: str, how: str, **more: Any) -> None:
        """The next `times` requests of `verb` meet the fault `how` (one of FAULTS or REFUSALS)."""
        if how not in FAULTS and how not in REFUSALS:
            raise ValueError(f"there is no fault {how!r}; choose one of {sorted((*FAULTS, *REFUSALS))}")
        with self.lock:
            self.faults.append(Fault(verb, how, **more))

    def mend(self) -> None:
        """No more faults; what was kept for later stays kept."""
        with self.lock:
            self.faults.clear()
            self.hidden.clear()
            self.hide_next = 0

    def hide(self, look_ups: int) -> None:
        """The next entry that is booked is missed by so many look-ups."""
        with self.lock:
            self.hide_next = look_ups

    def release(self) -> int:
        """Carry out now what was kept for later. How much there was."""
        with self.lock:
            kept, self.kept = self.kept, []
            for _fault, _at, work in kept:
                work()
            return len(kept)

    def _meets(self, verb: str) -> Fault | None:
        for fault in self.faults:
            if fault.verb == verb and fault.times > 0:
                fault.times -= 1
                self.met[f"{verb} {fault.how}"] = self.met.get(f"{verb} {fault.how}", 0) + 1
                return fault
        return None

    def _look_up_happened(self) -> None:
        """Work kept until after so many look-ups comes nearer."""
        due = []
        for fault, at, work in self.kept:
            if fault.look_ups is not None:
                fault.look_ups -= 1
                if fault.look_ups <= 0:
                    due.append((fault, at, work))
        self.kept = [kept for kept in self.kept if kept not in due]
        for _fault, _at, work in due:
            work()

    def _do_what_is_late(self) -> None:
        due = [kept for kept in self.kept if kept[0].seconds is not None and kept[1] <= self.now()]
        self.kept = [kept for kept in self.kept if kept not in due]
        for _fault, _at, work in due:
            work()

    # serving

    def answer(self, asked: Asked) -> tuple[Reply | None, str]:
        """The reply and what the line does with it: `send`, or one of the ways to fail."""
        with self.lock:
            self._do_what_is_late()
            verb = self.verb_of(asked)
            self.seen.append((verb, asked.path))
            fault = self._meets(verb)
            if fault is None:
                reply = self.work(asked)
                if verb in ("find", "list"):
                    self._look_up_happened()
                return reply, "send"
            if fault.how in REFUSALS:
                return self.declined(asked) if fault.how == "decline" else self.duplicate(asked), "send"
            done_first, how = FAULTS[fault.how]
            if fault.how.startswith("late"):
                self.kept.append((fault, self.now() + (fault.seconds or 0), lambda: self.work(asked)))
            reply = self.work(asked) if done_first else None
        if how == "slow":
            self._released.wait(min(fault.seconds or 1.0, LONGEST_HANG))
            return reply, "send"
        return reply, how

    def command(self, asked: Asked) -> Reply:
        """The judge's own door, under `/_simulator/`: JSON in and out."""
        what = asked.path.removeprefix("/_simulator/").split("?")[0]
        given = json.loads(asked.body or b"{}")
        said: Any
        if what == "books":
            said = self.books()
        elif what == "seen":
            said = {"seen": list(self.seen), "met": dict(self.met), "kept": len(self.kept)}
        elif what == "fail":
            said = self.fail(**given)
        elif what == "clock":
            self.ahead += float(given["ahead"])
            said = self.now()
        elif what in ("hide", "settle", "release", "mend", "reset"):
            with self.lock:
                said = getattr(self, what)(**given)
        else:
            return Reply(404, b"{}")
        return Reply(200, json.dumps(said).encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                if urlsplit(self.path).path.startswith("/_simulator/"):
                    return self._send(simulator.command(asked))
                reply, how = simulator.answer(asked)
                if how == "send" and reply is not None:
                    return self._send(reply)
                self._fail(reply, how)

            do_POST = do_DELETE = do_PUT = do_GET

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(reply.body)))
                if self.close_connection:
                    self.send_header("Connection", "close")  # else the next request may meet a line that is just closing
                self.end_headers()
                self.wfile.write(reply.body)

            def _fail(self, reply: Reply | None, how: str) -> None:
                self.close_connection = True
                if how == "hang":
                    simulator._released.wait(LONGEST_HANG)
                elif how == "500":
                    self._send(simulator.broken())
                elif how == "garbage":
                    self._send(simulator.garbage())
                elif how == "empty":
                    self._send(Reply(200, b""))
                elif how == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + (reply.body if reply else b"")[:20])

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def serve(self) -> None:
        """Until the process ends."""
        self._server.serve_forever(0.05)

    @contextmanager
    def serving(self) -> Iterator["Simulator"]:
        """Serve beside the caller, in a thread of its own."""
        threading.Thread(target=self.serve, daemon=True).start()
        try:
            yield self
        finally:
            self._released.set()
            self._server.shutdown()
            self._server.server_close()


def main(simulator: Callable[..., Simulator]) -> None:
    """`python -m tests.simulators.<name> --port N`: the simulator as a process of its own, on loopback."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    made = simulator(port=parser.parse_args().port)
    print(made.url, flush=True)
    made.serve()
