"""Who asks: the identity that rides, signed, with every call. Made by the gateway from a session; checked by each service."""

import time
import uuid
from dataclasses import dataclass, field, replace

from shared.faults import Forbidden
from shared.keys import KeyRing

ADMIN, PROVIDER, CLIENT, SYSTEM = "admin", "provider", "client", "system"
STAFF = (ADMIN, PROVIDER)
# What services but the gateway, which speaks for people, may sign a call of in somebody's name: invoicing passes on what it was asked.
MAY_ASK = {
    "invoicing": {
        "tax": ("quote",),
        "processors": (
            "charge", "read_charge", "check_charge", "cancel_charge", "settle_charge",
            "refund", "read_refund", "check_refund", "cancel_refund", "settle_refund",
        ),
    },
}  # fmt: skip
_KEEPS_NAMES = ("invoicing",)  # whose timelines say who did it; nobody else is told the name


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key for one route, with the HMAC of the body it came with."""

    value: str
    route: str
    fingerprint: str


@dataclass(frozen=True)
class Caller:
    """A person in one membership of one practice, or `system` (timers, webhooks).

    `member_id` is the membership's own id (`cli_…` for a client, `col_…` for a colleague); `name` is for timelines, so
    it goes only to the service that keeps them.
    """

    practice_id: str
    role: str
    person_id: str = ""
    member_id: str = ""
    name: str = ""
    key: IdempotencyKey | None = None
    correlation_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def system(cls, practice_id: str) -> "Caller":
        return cls(practice_id=practice_id, role=SYSTEM, name="Client Billing")

    def with_key(self, key: IdempotencyKey | None) -> "Caller":
        return replace(self, key=key)

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF

    def must_be(self, *roles: str) -> None:
        """Raises Forbidden unless the caller acts in one of these roles."""
        if self.role not in roles:
            raise Forbidden()

    def token(self, keys: KeyRing, audience: str, method: str, expires_at: float) -> str:
        """This caller, signed for one method of one service until `expires_at` (epoch seconds)."""
        key = [self.key.value, self.key.route, self.key.fingerprint] if self.key else None
        name = self.name if audience in _KEEPS_NAMES else ""
        return keys.sign(
            {
                "aud": audience,
                "sub": method,
                "iat": time.time(),
                "exp": expires_at,
                "cid": self.correlation_id,
                "who": [self.practice_id, self.role, self.person_id, self.member_id, name],
                "key": key,
            }
        )


def _may_ask(issuer: str, audience: str, method: str) -> bool:
    return issuer == "gateway" or method in MAY_ASK.get(issuer, {}).get(audience, ())


def read_caller(keys: KeyRing, token: str, audience: str, method: str) -> Caller:
    """The caller of a signed call; raises Forbidden where it is forged, for another method, or expired."""
    claims = keys.verify(token)
    if claims.get("aud") != audience or claims.get("sub") != method or not _may_ask(claims["iss"], audience, method):
        raise Forbidden("forged_caller", "The call was signed for something else.")
    if claims["exp"] < time.time():
        raise Forbidden("caller_expired", "The call was signed too long ago.")
    practice_id, role, person_id, member_id, name = claims["who"]
    key = IdempotencyKey(*claims["key"]) if claims.get("key") else None
    return Caller(practice_id, role, person_id, member_id, name, key, claims["cid"])
