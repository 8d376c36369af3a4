"""One effect, once per Idempotency-Key: the change, its kept answer and what others are told of it in one transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from services.gateway.asker import Answer, as_text
from services.gateway.people.delivering import deliver
from services.gateway.people.model import answer_place, idempotency
from shared.caller import Caller
from shared.idempotency import keep, recall

ANYONE = Caller(practice_id="", role="anyone")


def take_effect(
    gateway: Any,
    caller: Caller,
    work: Callable[[Session, datetime], Any],
    gives: type[Schema],
    *,
    status: int = 200,
    secret: bool = False,
    tell: Callable[[Any], list[tuple[str, str]]] = lambda answer: [],
) -> Answer:
    """The answer of `work(session, now)`, done once for the caller's key.

    `tell(answer)` names the (practice id, subject id) pairs whose copies must be taken before this answers; raises
    Unavailable where one isn't, which a repeat with the same key mends. `secret` keeps the answer sealed.
    """
    now = gateway.clock.now()
    place = answer_place(caller.practice_id, caller.key.value if caller.key else "")
    sealer = gateway.vault.sealer() if secret else None  # a KMS is asked here, never inside the transaction
    with gateway.database.transaction() as s:
        kept = recall(s, idempotency, caller, now)
        if kept is None:
            text = as_text(gives().dump(work(s, now)))
            if caller.key is not None:
                keep(s, idempotency, caller, sealer.seal(text.encode(), *place) if sealer else text, status)
    if kept is not None:
        text = gateway.vault.open(kept.text, *place).decode() if secret else kept.text
    answer = Answer(text, kept.status if kept else status, kept is not None, gives)
    for practice_id, subject_id in tell(answer.data):
        deliver(gateway, practice_id, [subject_id])
    return answer
