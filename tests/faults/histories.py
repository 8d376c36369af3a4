"""One case of the fault runner: a verb, how the processor behaves on it, and the place where everything is killed meanwhile."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from tests.api import Practice, card
from tests.faults.processors import BEHAVIOURS, Peer
from tests.faults.system import Forked

VERBS = ("pay", "refund", "void")
AT_ONCE = 6  # invoices of one case, all in flight when the kill comes: each is a history
REACHED_WITHIN = 12.0  # seconds
_ATTEMPT = (
    "before_insert", "after_insert", "before_prepare", "after_prepare", "before_send", "after_send", "after_reply", "before_commit",
    "after_commit",
)  # fmt: skip
_CANCEL = ("before_send", "after_send", "before_commit", "after_commit")
_BOOKED = ("begun", "told", "before_booked", "booked")
_OUTBOX = ("before_publish", "after_publish", "before_mark", "before_inbox")
PAGE = ("before_open", "after_open", "before_commit", "after_commit")  # of the verb "page": paying on the processor's own
POINTS = (*_ATTEMPT, *_BOOKED, *_OUTBOX, "before_ack")


@dataclass(frozen=True)
class Case:
    """What happens to a handful of invoices at once; `point` is the short name of a kill point."""

    processor: str
    verb: str
    behaviour: str
    point: str

    @property
    def armed(self) -> str:
        """The kill point's full name."""
        if self.point in _OUTBOX:
            return f"outbox.{self.point}"
        if self.point == "before_ack":
            return f"{self._call}.before_ack"
        return f"{'void' if self._story == 'close' else self._story}.{self.point}"

    @property
    def _story(self) -> str:
        if self.verb == "void":
            return "cancel" if self.processor in ("stripe", "sandbox") else "refund"
        return self.verb

    @property
    def _call(self) -> str:
        return {
            "pay": "processors.charge",
            "page": "processors.charge",
            "cancel": "processors.cancel_charge",
            "refund": "processors.refund",
            "send": "invoicing.send_invoice",
            "close": "invoicing.void_invoice",
        }[self._story]

    @property
    def can_be(self) -> bool:
        """Whether this processor's way of the verb passes the place at all: another processor's does where it doesn't."""
        if self._story == "cancel":
            return self.point in (*_CANCEL, *_OUTBOX, "before_ack") and not (self.point in _OUTBOX and self.behaviour != "ok")
        if self._story == "page":
            return self.point in PAGE
        if self._story in ("send", "close"):
            return self.point in ("before_commit", "after_commit", "before_publish", "after_publish", "before_mark", "before_ack")
        return True


def every_case(processors: tuple[str, ...]) -> list[Case]:
    """Each kill point × behaviour × verb, once for each processor that can show it."""
    cases = [Case(p, v, b, k) for k in POINTS for b in BEHAVIOURS for v in VERBS for p in processors]
    return [case for case in cases if case.can_be]


@dataclass
class Stage:
    """One processor's practice on one system: where the cases are played."""

    system: Forked
    peer: Peer
    practice: Practice
    reached: dict[tuple[str, str, str], int] = field(default_factory=dict)
    not_reached: list[Case] = field(default_factory=list)
    invoices: list[dict] = field(default_factory=list)
    histories: int = 0
    faulted: int = 0

    def play(self, case: Case) -> None:
        """Make the invoices, bring the verb's ground about, arm, act on all at once, be killed, start again."""
        invoices = self._at_once(lambda _: self.practice.invoice(send=case.verb != "send"), range(AT_ONCE))
        self.invoices += invoices
        payments = self._ground(case, invoices)
        self.peer.misbehave(case.verb, case.behaviour, AT_ONCE)
        acts = [self._act(case, invoice, paid) for invoice, paid in zip(invoices, payments, strict=True)]
        self.system.arm(case.armed)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = [pool.submit(act) for act in acts]
            reached = self.system.died(REACHED_WITHIN)
            [one.result() for one in done]
        self.histories += AT_ONCE
        self.faulted += AT_ONCE if reached or case.behaviour != "ok" else 0
        cell = (case.point, case.behaviour, case.verb)
        self.reached[cell] = self.reached.get(cell, 0) + reached
        if not reached:
            self.not_reached.append(case)
        self.peer.tell("mend")
        self.system.start_again()
        self._at_once(lambda act: act(), acts)  # whoever got no answer asks again, with the same key

    def _ground(self, case: Case, invoices: list[dict]) -> list[str]:
        if case.verb not in ("refund", "void"):
            return [""] * len(invoices)
        kind = self.peer.kind
        waits = case.verb == "void" and kind.voids_by == "cancel"
        number = kind.waits if waits else kind.card
        paid = self._at_once(lambda invoice: self.practice.pay(invoice, number), invoices)
        wanted = 202 if waits else 201
        assert all(answer.status_code == wanted for answer in paid), [answer.text for answer in paid]
        if case.verb == "refund":
            self.peer.tell("settle")
        return [answer.json()["id"] for answer in paid]

    def _act(self, case: Case, invoice: dict, payment_id: str) -> Callable[[], None]:
        """One request with a key of its own, to be made once and again; that its connection breaks is what this is about."""
        provider, client, its = self.practice.provider, self.practice.client, f"/api/v1/invoices/{invoice['id']}"
        paid = {"card": card(self.peer.card_of(case.behaviour))}
        cancel = (client, f"/api/v1/payments/{payment_id}/cancel", {})
        who, path, body = {
            "pay": (client, f"{its}/payments", paid),
            "page": (client, f"{its}/payments", {"hosted": True, "return_url": f"{self.system.url}/returns/{invoice['id']}"}),
            "refund": (provider, f"{its}/refunds", {"amount": 2050}),
            "void": cancel if self.peer.kind.voids_by == "cancel" else (provider, f"{its}/refunds", {}),
            "send": (provider, f"{its}/send", {}),
            "close": (provider, f"{its}/void", {}),
        }[case.verb]
        key = uuid.uuid4().hex

        def act() -> None:
            with suppress(requests.RequestException):
                who.ask("POST", path, body, key=key)

        return act

    @staticmethod
    def _at_once(act, given) -> list:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(act, given))
