"""A negative control: with the attempt not committed before the call, the story of a killed process goes red."""

import contextlib

import pytest

from services.processors.model import Attempt
from services.processors.usecases import charging
from tests.unit.processors.test_leases import Died, dies_at  # noqa: F401


def killed_and_delivered_again(desk, dies_at):  # noqa: F811
    """Killed when the card was charged and nothing more was written; the broker delivers the message again."""
    request = desk.request()
    dies_at("pay.after_send")
    for _ in range(2):
        with contextlib.suppress(Died):
            desk.send(request)
    assert [1] == [entry.asked for entry in desk.books()]


def test_a_message_delivered_again_finds_its_attempt(open_desk, dies_at):  # noqa: F811
    """The processor is asked once."""
    killed_and_delivered_again(open_desk, dies_at)


def test_without_its_attempt_it_would_be_sent_again(open_desk, dies_at, monkeypatch):  # noqa: F811
    """Nothing committed before the call: the processor is asked twice, and the story sees it."""
    begin = charging._begin

    def not_committed(*given):
        row, ours = begin(*given)
        *_, practice_id, room = given
        with room.database.transaction() as session:
            session.delete(session.get(Attempt, (practice_id, row.id, row.number)))
        return row, ours

    def in_memory(room, row, **changes):
        for name, value in changes.items():
            setattr(row, name, value)
        return row

    monkeypatch.setattr(charging, "_begin", not_committed)
    monkeypatch.setattr(charging, "advance", in_memory)
    with pytest.raises(AssertionError):
        killed_and_delivered_again(open_desk, dies_at)
    assert [2] == [entry.asked for entry in open_desk.books()]
