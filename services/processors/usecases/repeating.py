"""A request with a key is carried out once; asked again it is told what is kept."""

import json
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.processors.config import Room
from services.processors.model import idempotency
from shared.caller import Caller
from shared.contract import Call
from shared.idempotency import keep, known, recall
from shared.told import Told

Answer = TypeVar("Answer")


def once(room: Room, caller: Caller, call: Call, act: Callable[[Session], dict], status: int | None = None) -> Told:
    """Do it and keep the exact answer under the caller's key, in one transaction; a repeat is told what is kept."""

    def keyed(session: Session) -> Told:
        if kept := recall(session, idempotency, caller, room.clock.now()):
            return kept
        text = json.dumps(call.dump_answer(act(session)))
        keep(session, idempotency, caller, text, status)
        return Told(text, status=status)

    return carefully(room, keyed)


def carefully(room: Room, act: Callable[[Session], Answer]) -> Answer:
    """One transaction; once more where two admins made two accounts active, or added the same, in the same moment."""
    try:
        with room.database.transaction() as session:
            return act(session)
    except IntegrityError:
        with room.database.transaction() as session:
            return act(session)


def kept_answer(room: Room, caller: Caller) -> Told | None:
    """The kept answer to this very request, before anybody is asked anything; leaves nothing behind."""
    with room.database.reading() as session:
        return known(session, idempotency, caller)
