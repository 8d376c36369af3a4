"""The practice's settings: read with every request, changed by its admins."""

import zoneinfo
from typing import Any

from services.gateway.asker import Answer
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import Practice
from services.gateway.people.telling import tell_practice
from services.gateway.people.words import PracticeChange, PracticeRead
from shared.contract import read
from shared.faults import invalid
from shared.fields import Record


def read_change(body: dict) -> Record:
    """The change, checked; raises Invalid naming each field."""
    change = read(PracticeChange, body)
    if "time_zone" in change and change.time_zone not in zoneinfo.available_timezones():
        raise invalid("time_zone", "Choose a time zone such as America/New_York.")
    return change


def change_practice(asker: Any, change: Record) -> Answer:
    """The practice as it is now, known to every service."""

    def work(s: Any, now: Any) -> Practice:
        practice = storage.practice(s, asker.practice_id, lock=True)
        for name, value in change.items():
            setattr(practice, name, value)
        practice.version += 1
        s.flush()
        tell_practice(s, practice, now)
        return practice

    tell = [(asker.practice_id, asker.practice_id)]
    return take_effect(asker.gateway, asker.caller, work, PracticeRead, tell=lambda _: tell)
