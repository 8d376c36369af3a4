"""Stripe's API as its documentation and its SDK describe it, with its own books: what our adapter is tried against.

Any key `sk_test_…` or `rk_test_…` works; the account it belongs to is what stands before its first `.`, so that a key can be replaced.
Keys of accounts that begin `refused` answer 401, `restricted` 403, `noraw` may not send raw card numbers. What decides a charge are
the documented test cards (stripe_answers.CARDS); any other number with a right check digit is approved. Where the documentation is
silent the harder guess is taken: a 500 is kept under its key like any other answer, and hidden intents look unconfirmed.
The page and the form that it serves (stripe_pages.py) are stand-ins: what is tried with them proves our side only.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.simulators import stripe_answers as answers
from tests.simulators.stand import Asked, Reply, main
from tests.simulators.stripe_events import Endpoint, event
from tests.simulators.stripe_form import Refused, invalid, must_be_known, read_form
from tests.simulators.stripe_pages import StripePages

KEYS_KEPT = 24 * 3600.0  # seconds
IN_USE = {
    "code": "idempotency_key_in_use",
    "message": "There is currently another in-progress request using this idempotency key.",
    "type": "idempotency_error",
}
MISMATCH = "Keys for idempotent requests can only be used with the same parameters they were first used with."
BROKEN = {"error": {"message": "Error while communicating with one of our backends.  Sorry about that!", "type": "api_error"}}


@dataclass
class Kept:
    """The first answer of an idempotency key."""

    fingerprint: str
    at: float
    reply: Reply


class StripeSimulator(StripePages):
    name = "stripe"

    def reset(self) -> None:
        super().reset()
        self.keys: dict[tuple[str, str], Kept] = {}
        self.under_way: set[tuple[str, str]] = set()
        self.late: set[tuple[str, str]] = set()
        self.refusals: list[dict] = []  # answers on command, instead of the work
        self.revoked: set[str] = set()
        self.endpoint = Endpoint()
        self.forms: list[tuple[str, dict]] = []  # what was asked for, without card numbers
        self._request: dict = {"id": None, "idempotency_key": None}

    # which verb a request is

    def verb_of(self, asked: Asked) -> str:
        call, _ = _call(asked)
        given = urlsplit(asked.path).query
        verbs = {
            "balance": "check", "payment_methods.create": "prepare", "payment_intents.create": "prepare",
            "payment_intents.confirm": "charge", "payment_intents.cancel": "cancel", "payment_intents.retrieve": "find",
            "payment_intents.search": "find", "payment_intents.list": "list", "refunds.create": "refund", "refunds.retrieve": "find",
            "refunds.list": "find" if "payment_intent=" in given or "charge=" in given else "list",
            "checkout.sessions.create": "open", "checkout.sessions.retrieve": "find", "checkout.sessions.expire": "cancel",
            "setup_intents.create": "save", "payment_methods.detach": "remove",
        }  # fmt: skip
        return verbs.get(call, call)

    # the key of a request, and what is said again

    def answer(self, asked: Asked) -> tuple[Reply | None, str]:
        """As on the stand; while one request of a key is under way another is refused, and a 500 is kept like any answer."""
        if not asked.path.startswith("/v1/"):
            with self.lock:
                return self.page(asked), "send"
        key = _key(asked)
        with self.lock:
            if key and key in self.under_way | self.late:
                return self._reply(409, {"error": IN_USE}), "send"
            if key:
                self.under_way.add(key)
            waiting = len(self.kept)
        try:
            reply, how = super().answer(asked)
        finally:
            with self.lock:
                if key:
                    self.under_way.discard(key)
                if key and len(self.kept) > waiting:
                    self.late.add(key)
        if key and how == "500":
            with self.lock:
                self.keys[key] = Kept(_fingerprint(asked), self.now(), self._reply(500, BROKEN))
        return reply, how

    def work(self, asked: Asked) -> Reply:
        key, fingerprint = _key(asked), _fingerprint(asked)
        self.late.discard(key or ("", ""))
        self._request = {"id": "req_" + uuid.uuid4().hex[:14], "idempotency_key": key[1] if key else None}
        try:
            whose = self._account(asked)
            kept = self._kept(key, fingerprint)
            if kept is not None:
                headers = {**kept.reply.headers, "Request-Id": self._request["id"], "Idempotent-Replayed": "true"}
                return Reply(kept.reply.status, kept.reply.body, headers=headers)
            reply, stored = self._reply(200, self._carried_out(asked, whose)), True
        except Refused as no:
            reply, stored = self._reply(no.status, {"error": no.error}), no.stored
        if key and stored:
            self.keys[key] = Kept(fingerprint, self.now(), reply)
        return reply

    def _kept(self, key: tuple[str, str] | None, fingerprint: str) -> Kept | None:
        kept = self.keys.get(key) if key else None
        if kept is None or self.now() - kept.at >= KEYS_KEPT:
            return None
        if kept.fingerprint != fingerprint:
            raise Refused(400, "idempotency_error", MISMATCH)
        return kept

    def _account(self, asked: Asked) -> str:
        key = _secret(asked)
        account = key.split("_", 2)[-1].split(".")[0]
        if not key.startswith(("sk_test_", "rk_test_")) or account.startswith("refused") or key in self.revoked:
            shown = f"{key[:8]}****{key[-4:]}" if len(key) > 16 else "****"
            raise invalid(f"Invalid API Key provided: {shown}", 401)
        if account.startswith("restricted"):
            raise invalid("The provided key does not have the required permissions for this endpoint.", 403)
        return account

    def _carried_out(self, asked: Asked, whose: str) -> dict:
        call, its_id = _call(asked)
        form = read_form((asked.body.decode() if asked.method == "POST" else "") or urlsplit(asked.path).query)
        self.forms.append((call, {**form, "card": "…"} if "card" in form else form))
        for refusal in self.refusals:
            if refusal["verb"] == self.verb_of(asked) and refusal["times"] > 0:
                refusal["times"] -= 1
                raise self._on_command(refusal, its_id)
        calls = self._calls(whose)
        if call not in calls:
            raise invalid(f"Unrecognized request URL ({asked.method}: {urlsplit(asked.path).path}).", 404)
        must_be_known(call, form, asked.headers.get("stripe-version", "2026-10-28.endive"))
        if call == "payment_methods.create" and whose.startswith("noraw"):
            words = "You must verify a phone number on your Stripe account before you can send raw credit card numbers."
            raise invalid(words, code="validation_error")
        return self._expanded(calls[call](its_id, form), form)

    def _calls(self, whose: str) -> dict[str, Callable[[str, dict], dict]]:
        return {
            "balance": lambda its_id, form: answers.balance(),
            "payment_methods.create": lambda its_id, form: self.create_method(form, whose),
            "payment_methods.retrieve": lambda its_id, form: self.look_at(its_id, "payment_method", whose),
            "payment_methods.detach": lambda its_id, form: self.detach(its_id, whose),
            "customers.create": lambda its_id, form: self.create_customer(form, whose),
            "setup_intents.create": lambda its_id, form: self.create_setup(form, whose),
            "payment_intents.create": lambda its_id, form: self.create_intent(form, whose),
            "payment_intents.confirm": lambda its_id, form: self.confirm_intent(its_id, form, whose),
            "payment_intents.cancel": lambda its_id, form: self.cancel_intent(its_id, form, whose),
            "payment_intents.retrieve": lambda its_id, form: self.look_at(its_id, "payment_intent", whose),
            "payment_intents.list": lambda its_id, form: self.list_of("payment_intent", form, whose, "/v1/payment_intents"),
            "payment_intents.search": lambda its_id, form: self.search(form, whose),
            "checkout.sessions.create": lambda its_id, form: self.create_session(form, whose),
            "checkout.sessions.retrieve": lambda its_id, form: self.look_at_session(its_id, whose),
            "checkout.sessions.expire": lambda its_id, form: self.expire_session(its_id, form, whose),
            "refunds.create": lambda its_id, form: self.create_refund(form, whose),
            "refunds.retrieve": lambda its_id, form: self.look_at(its_id, "refund", whose),
            "refunds.list": lambda its_id, form: self.list_of("refund", form, whose, "/v1/refunds"),
        }

    def _expanded(self, thing: dict, form: dict) -> dict:
        """A copy, with what is asked for in place of its id."""
        told = json.loads(json.dumps(thing))
        for path in form.get("expand", []):
            place = told
            for name in path.split("."):
                if not isinstance(place, dict) or not place.get(name):
                    break
                if isinstance(place[name], str):
                    place[name] = json.loads(json.dumps(self.as_seen(place[name])))
                place = place[name]
        return told

    def _on_command(self, refusal: dict, its_id: str) -> Refused:
        """A refusal with the intent inside, as a decline has it; `state` is what it leaves the intent in."""
        more = {name: refusal[name] for name in ("code", "decline_code", "param") if refusal.get(name)}
        intent = self.things.get(its_id)
        if intent is not None and intent["object"] == "payment_intent":
            if refusal["status"] == 402:
                self._no_method(intent, {**more, "message": refusal["message"], "type": refusal["type"]})
            more["payment_intent"] = json.loads(json.dumps(intent))
        return Refused(refusal["status"], refusal["type"], refusal["message"], **more)

    def refuse(self, verb: str, status: int = 402, code: str | None = None, decline_code: str | None = None,
               kind: str = "card_error", message: str = "Your card was declined.", times: int = 1) -> None:  # fmt: skip
        """The next `times` requests of `verb` are refused so, and nothing is done; a 402 leaves its intent without a method."""
        with self.lock:
            self.refusals.append({"verb": verb, "status": status, "code": code, "decline_code": decline_code, "type": kind,
                                  "message": message, "times": times})  # fmt: skip

    def mend(self) -> None:
        with self.lock:
            super().mend()
            self.refusals.clear()

    def broken(self) -> Reply:
        return self._reply(500, BROKEN)

    def _reply(self, status: int, said: dict) -> Reply:
        headers = {"Request-Id": self._request["id"] or "req_none", "Stripe-Version": "2026-10-28.endive"}
        if self._request["idempotency_key"]:
            headers |= {"Idempotency-Key": self._request["idempotency_key"], "Original-Request": headers["Request-Id"]}
        if status >= 400:
            headers["Stripe-Should-Retry"] = "true" if status in (409, 429, 500) else "false"
        return Reply(status, json.dumps(said, indent=2).encode(), headers=headers)

    # events

    def _tell(self, kind: str, thing: dict) -> None:
        body = event(kind, json.loads(json.dumps(thing)), self.now(), dict(self._request))
        self.endpoint.waiting.append(body)
        if self.endpoint.url and not self.endpoint.hold:
            threading.Thread(target=self.deliver, daemon=True).start()

    def webhook(self, url: str = "", secret: str = "", hold: bool = False) -> None:
        """Where events go, signed with `secret`: at once, or with `hold` when `deliver` is commanded."""
        with self.lock:
            self.endpoint = Endpoint(url, secret, hold)

    def deliver(self, times: int = 1, backwards: bool = False, aged: float = 0.0) -> list[int]:
        """Send what waits, else what was sent before, again: so many times, the last one first, signed so long ago. The statuses."""
        with self.lock:
            bodies, at = self.endpoint.take(times, backwards), self.now() - aged
        return [self.endpoint.post(body, at) for body in bodies]

    def revoke(self, key: str) -> None:
        """A key stops working."""
        self.revoked.add(key)

    def command(self, asked: Asked) -> Reply:
        """Besides the stand's: `refuse`, `authenticate` {intent, succeeds}, `fail_refund` {refund}, `webhook`, `deliver`, `revoke`."""
        what = asked.path.removeprefix("/_simulator/").split("?")[0]
        if what in ("refuse", "authenticate", "fail_refund", "webhook", "deliver", "revoke"):
            said = getattr(self, what)(**json.loads(asked.body or b"{}"))
            return Reply(200, json.dumps(said).encode())
        return super().command(asked)


def _call(asked: Asked) -> tuple[str, str]:
    """(the call in the SDK's words, the id in its path)."""
    parts = urlsplit(asked.path).path.strip("/").split("/")
    if parts[:3] == ["v1", "checkout", "sessions"]:
        parts = ["v1", "checkout.sessions", *parts[3:]]
    if parts[:1] != ["v1"] or not 2 <= len(parts) <= 4:
        return "unknown", ""
    what, rest, posted = parts[1], parts[2:], asked.method == "POST"
    if what == "balance":
        return "balance", ""
    if not rest:
        return f"{what}.{'create' if posted else 'list'}", ""
    if rest == ["search"]:
        return f"{what}.search", ""
    verb = rest[1] if len(rest) == 2 and posted else "retrieve" if len(rest) == 1 and not posted else "unknown"
    return f"{what}.{verb}", rest[0]


def _secret(asked: Asked) -> str:
    return asked.headers.get("authorization", "").removeprefix("Bearer ")


def _key(asked: Asked) -> tuple[str, str] | None:
    """Idempotency keys are for POST only, and each account has its own."""
    key = asked.headers.get("idempotency-key")
    return (_secret(asked), key) if key and asked.method == "POST" else None


def _fingerprint(asked: Asked) -> str:
    """Of everything that is compared, as one opaque text: no card is kept."""
    compared = [asked.path.encode(), asked.headers.get("stripe-version", "").encode(), asked.body]
    return hashlib.sha256(b"\0".join(compared)).hexdigest()


if __name__ == "__main__":
    main(StripeSimulator)
