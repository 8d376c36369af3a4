"""Rotating the vault's keys while the system serves: add, turn, seal anew, drop. Begun again after any crash, it goes on where it was.

How far it is can be seen from the key file (or from the KMS) and from the rows themselves; nothing else is remembered.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from deploy.vaults import envelopes_of
from shared import key_file
from shared.database import Database, writers_have_ended
from shared.envelopes import Envelopes
from shared.faults import Unavailable
from shared.key_file import IDLE, TURNED
from shared.keys import hand_out
from shared.killpoints import reach
from shared.kms import Transit
from shared.settings import Settings
from shared.vault_keys import PAUSE

BATCH = 50  # rows of one transaction: on SQLite everybody else waits for it
REST = 0.01  # seconds after each, so that others have their turn
PASSES = 3


class Stopped(Exception):
    """It can't go on; nothing that is still needed was dropped. The words say why, and how to mend it."""


class Keys(Protocol):
    """Where a service's wrapping keys are: in its key file or in a KMS."""

    def standing(self) -> str: ...
    def add(self) -> str: ...
    def turn(self) -> str: ...
    def current(self) -> str: ...
    def drop(self) -> str: ...


class FileKeys:
    """The key file's own."""

    def __init__(self, path: Path):
        self._path = path

    def standing(self) -> str:
        return key_file.standing(self._path)

    def add(self) -> str:
        return f"added the key {key_file.add_key(self._path)}: all can open with it, nobody seals with it yet"

    def turn(self) -> str:
        return f"from now on sealed with {key_file.turn(self._path)}"

    def current(self) -> str:
        return key_file.current(self._path)

    def drop(self) -> str:
        return f"the key {', '.join(key_file.drop_old_keys(self._path))} is gone: it opens nothing any more"


class KmsKeys:
    """The KMS's: a new version seals and opens at once everywhere. Keys that the file still has are let go at the end."""

    def __init__(self, kms: Transit, path: Path):
        self._kms, self._path = kms, path

    def standing(self) -> str:
        newest, oldest = self._kms.versions()
        return TURNED if newest > oldest else IDLE

    def add(self) -> str:
        return f"the KMS keeps the key {self._kms.name}"

    def turn(self) -> str:
        self._kms.rotate()
        return f"from now on sealed with {self.current()} of the KMS"

    def current(self) -> str:
        return f"{self._kms.name}:{self._kms.versions()[0]}"

    def drop(self) -> str:
        newest, _ = self._kms.versions()
        self._kms.open_from(newest)
        gone = key_file.drop_all_keys(self._path)
        older = f"the KMS opens nothing older than {self._kms.name}:{newest}"
        return older + (f"; the key {', '.join(gone)} is gone from the key file" if gone else "")


class Rotation:
    """One service's."""

    def __init__(self, settings: Settings, service: str, hand_out_to: Path | None):
        self.service, self._path, self._hand_out_to = service, settings.key_file(service), hand_out_to
        self._vault = settings.vault(service)
        self._database = Database(settings.database_url(service), pool_size=2)
        self._envelopes = envelopes_of(service)
        kms = settings.kms(service) if self._envelopes else None
        self.keys: Keys = KmsKeys(kms, self._path) if kms else FileKeys(self._path)

    def add(self) -> Iterator[str]:
        if self.keys.standing() == IDLE:
            yield self._say(self.keys.add())
        self._hand_out()

    def turn(self) -> Iterator[str]:
        if self.keys.standing() != TURNED:
            yield self._say(self.keys.turn())
        self._hand_out()

    def reseal(self) -> Iterator[str]:
        """Every row under the newest key. What was begun before the turn has ended first, so that nothing comes after us."""
        if not self._envelopes:
            return
        if not writers_have_ended(self._database):
            raise Stopped(f"{self.service}: a transaction of the database has been open for very long; end it and go on.")
        current = self.keys.current()
        problems: list[str] = []
        for _ in range(PASSES):
            problems = []
            for envelopes in self._envelopes:
                yield from self._reseal(envelopes, current, problems)
            if not self._left(current):
                return
        detail = (
            problems[0] if problems else "rows are still being sealed with another key: does every process have the new key file?"
        )
        raise Stopped(f"{self.service}: {self._left(current)} secret(s) could not be sealed anew, so no key was dropped. {detail}")

    def drop(self) -> Iterator[str]:
        if self.keys.standing() != TURNED:
            return
        if left := self._left(self.keys.current()):
            raise Stopped(f"{self.service}: {left} secret(s) are under another key, so none was dropped; run this again.")
        reach("rotate.before_drop")
        yield self._say(self.keys.drop())
        reach("rotate.after_drop")
        self._hand_out()

    def _reseal(self, envelopes: Envelopes, current: str, problems: list[str]) -> Iterator[str]:
        with self._database.reading() as session:
            total = envelopes.count(session)
            done = max(0, total - envelopes.count(session, but=current))
            rows = envelopes.others(session, current, BATCH)
        while rows:
            renewed = []
            for row in rows:
                try:
                    renewed.append((row, self._vault.renew(row.envelope, *envelopes.place(row))))
                except Unavailable as trouble:
                    problems.append(f"{envelopes.called} {' '.join(envelopes.place(row)[2:])}: {trouble.detail}")
            reach("rotate.before_batch")
            with self._database.transaction() as session:
                for row, envelope in renewed:
                    envelopes.replace(session, row, envelope)
            reach("rotate.after_batch")
            done += len(renewed)
            yield self._say(f"{envelopes.called} {done} of {total}")
            time.sleep(REST)
            with self._database.reading() as session:
                rows = envelopes.others(session, current, BATCH, after=rows[-1])

    def _left(self, current: str) -> int:
        with self._database.reading() as session:
            return sum(one.count(session, but=current) for one in self._envelopes)

    def _hand_out(self) -> None:
        if self._hand_out_to:
            hand_out(self._path.parent, self._hand_out_to, (self.service,))

    def _say(self, words: str) -> str:
        return f"{self.service}: {words}"

    def close(self) -> None:
        self._database.dispose()


def rotate(
    settings: Settings, services: tuple[str, ...], pause: float = PAUSE, one_step: bool = False, hand_out_to: Path | None = None
) -> Iterator[str]:
    """A line for each thing that was done. `pause` seconds lie between the steps, so that every process takes up the changed file.

    `one_step`: stop after the first step that changed key files, for machines that they have to be copied to.
    """
    with key_file.held(settings.key_file(services[0])):
        rotations = [Rotation(settings, service, hand_out_to) for service in services]
        try:
            yield from _rotate(rotations, pause, one_step)
        finally:
            for rotation in rotations:
                rotation.close()


def _rotate(rotations: list[Rotation], pause: float, one_step: bool) -> Iterator[str]:
    standing = {rotation.keys.standing() for rotation in rotations}
    if standing != {IDLE}:
        yield "going on with the rotation that was begun"
    if TURNED in standing:  # nobody turns before all have the new key, so those that are idle have finished
        rotations = [rotation for rotation in rotations if rotation.keys.standing() != IDLE]
    elif IDLE in standing or not one_step:
        yield from _each(rotations, "add")
        reach("rotate.added")
        if one_step:
            yield _COPY.format("then run this again: it turns to the new key")
            return
        time.sleep(pause)
    if standing != {TURNED}:
        yield from _each(rotations, "turn")
        reach("rotate.turned")
        if one_step:
            yield _COPY.format("then run this again: it seals everything anew and drops the old key")
            return
    time.sleep(pause)
    yield from _each(rotations, "reseal")
    time.sleep(pause)  # for those who have just read what lay under the old key
    yield from _each(rotations, "drop")
    if one_step:
        yield _COPY.format("and the rotation is done")


_COPY = "now give the changed key file to every machine that serves this, wait until all have it, {}"


def _each(rotations: list[Rotation], step: str) -> Iterator[str]:
    for rotation in rotations:
        yield from getattr(rotation, step)()
