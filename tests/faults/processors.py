"""The three processors as the fault runner meets them: their simulators, credentials, cards, and how each misbehaves on a verb."""

import subprocess
import sys
from dataclasses import dataclass, field

import requests

from tests.peers import stop_process
from tests.system import ROOT

BEHAVIOURS = ("ok", "decline", "hang", "answer lost", "500 after", "duplicate")
_FAULT = {"hang": "hang", "answer lost": "lose_answer", "500 after": "500_after", "decline": "decline", "duplicate": "duplicate"}


@dataclass(frozen=True)
class Kind:
    """One processor type: `verbs` says what our verb is called at its simulator; `voids_by` is how a whole payment is undone early."""

    type: str
    module: str
    credentials: dict
    verbs: dict
    voids_by: str
    card: str = "4242424242424242"
    waits: str = ""  # a card whose payment waits for the payer
    refusals: dict = field(default_factory=dict)  # what `refuse` is told, where the stand's own refusals don't do


KINDS = {
    "stripe": Kind(
        "stripe",
        "tests.simulators.stripe",
        {"secret_key": "sk_test_0123456789abcdef", "publishable_key": "pk_test_0123456789abcdef"},
        {"pay": "charge", "refund": "refund", "void": "cancel"},
        "cancel",
        waits="4000002500003155",
        refusals={
            ("decline", "pay"): {"status": 402, "code": "card_declined", "decline_code": "do_not_honor"},
            ("decline", "refund"): {"status": 400, "code": "charge_not_refundable", "kind": "invalid_request_error"},
            ("decline", "void"): {"status": 400, "code": "payment_intent_unexpected_state", "kind": "invalid_request_error"},
            **{
                ("duplicate", verb): {"status": 409, "code": "idempotency_key_in_use", "kind": "idempotency_error"}
                for verb in ("pay", "refund", "void")
            },
        },
    ),
    "authorize_net": Kind(
        "authorize_net",
        "tests.simulators.authorize_net",
        {"mode": "test", "api_login_id": "login1", "transaction_key": "key0123456789abc"},
        {"pay": "charge", "refund": "refund", "void": "void"},
        "refund",
        card="4111111111111111",
    ),
    "elavon": Kind(
        "elavon",
        "tests.simulators.elavon",
        {"mode": "demo", "merchant_id": "123456", "user_id": "apiuser", "pin": "FAKEPIN0001"},
        {"pay": "charge", "refund": "refund", "void": "void"},
        "refund",
        card="4124939999999990",
    ),
}


class Peer:
    """A simulator in a process of its own, and its judge's door."""

    def __init__(self, kind: Kind):
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-m", kind.module], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._session = requests.Session()

    def tell(self, command: str, **given: object) -> object:
        answer = self._session.post(f"{self.url}/_simulator/{command}", json=given, timeout=10)
        assert answer.status_code == 200, f"{command}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def misbehave(self, verb: str, behaviour: str, times: int) -> None:
        if behaviour == "ok":
            return
        named = {"verb": self.kind.verbs[verb], "times": times}
        if (behaviour, verb) in self.kind.refusals:
            self.tell("refuse", **named, **self.kind.refusals[behaviour, verb])
        else:
            self.tell("fail", **named, how=_FAULT[behaviour])

    def card_of(self, behaviour: str) -> str:
        """The card to pay with: the behaviour was brought about by a command."""
        return self.kind.card

    def books(self) -> list[dict]:
        return self.tell("books")  # type: ignore[return-value]

    @property
    def account(self) -> dict:
        """What an admin types to add it."""
        return {"type": self.kind.type, "credentials": {**self.kind.credentials, "api_base": self.url}}

    def close(self) -> None:
        stop_process(self._process)
