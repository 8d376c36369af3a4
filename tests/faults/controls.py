"""Negative controls: each takes one protection away, in the forked system only, so that the judge can be seen to find it."""

from typing import Any


def take_away(what: str) -> None:
    CONTROLS[what]()


def _attempt_after_the_call() -> None:
    """The attempt is committed only with its outcome: a crash in between leaves no trace of a charge."""
    from services.processors import storage
    from services.processors.model import Attempt
    from services.processors.usecases import attempting, charging

    begin, settle = charging._begin, attempting.settle

    def not_committed(*given: Any) -> Any:
        row, ours = begin(*given)
        *_, practice_id, room = given
        with room.database.transaction() as session:
            session.delete(session.get(Attempt, (practice_id, row.id, row.number)))
        return row, ours

    def in_memory(room: Any, row: Any, **changes: Any) -> Any:
        for name, value in changes.items():
            setattr(row, name, value)
        return row

    def written_down_now(room: Any, row: Any, outcome: Any, **more: Any) -> Any:
        with room.database.transaction() as session:
            if storage.attempt(session, row.practice_id, row.id) is None:
                columns = {column.key: getattr(row, column.key) for column in Attempt.__table__.columns}
                session.add(Attempt(**columns))
        return settle(room, row, outcome, **more)

    charging._begin, charging.advance, charging.settle = not_committed, in_memory, written_down_now


CONTROLS = {"attempt_after_the_call": _attempt_after_the_call}
