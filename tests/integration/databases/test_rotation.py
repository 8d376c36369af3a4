"""Rotating the vault's keys on both engines: resumed after a crash at any place, beside others who write, by file and by KMS."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, insert, select, update

from deploy import rotating
from deploy.databases import migrate_one
from deploy.rotating import Rotation, Stopped, rotate
from services.processors.model import CredentialVersion, credentials_place
from shared import key_file, killpoints
from shared.database import Database, writers_have_ended
from shared.faults import Unavailable
from shared.keys import KeyRing, write_keys
from shared.settings import Settings
from shared.tenancy import acting_for_all
from shared.vault import Vault
from tests import engines
from tests.simulators import transit

ROWS = 7
NOW = datetime(2026, 11, 1, tzinfo=UTC)
POINTS = ("added", "turned", "before_batch", "after_batch", "before_drop", "after_drop")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path, monkeypatch):
    """Processors' database with some credentials in it, as its runtime role reaches it; rows go in batches of two."""
    monkeypatch.setattr(rotating, "BATCH", 2)
    monkeypatch.setattr("shared.vault_keys.LOOKS_EVERY", 0.0)
    write_keys(tmp_path / "keys")
    files = {"CLIENTBILLING_DATA": str(tmp_path), "CLIENTBILLING_DEVELOPMENT": "1"}
    with _database(request.param, files) as made, acting_for_all():
        yield made


@contextmanager
def _database(engine, files):
    if engine == "sqlite":
        migrate_one(Settings(files), "processors")
        yield _filled(Settings(files))
        return
    if engines.postgres_url() is None:
        pytest.fail("this test needs PostgreSQL; CLIENTBILLING_TEST_POSTGRES_URL names one")
    with engines.fresh_service_database("processors") as made, engines.fresh_service_database("sandbox_books") as books:
        owner = {"CLIENTBILLING_PROCESSORS_DATABASE_URL": made.owner, "CLIENTBILLING_PROCESSORS_RUNTIME_ROLE": made.role}
        migrate_one(Settings({**files, **owner, "CLIENTBILLING_SANDBOX_BOOKS_DATABASE_URL": books.owner}), "processors")
        yield _filled(Settings({**files, "CLIENTBILLING_PROCESSORS_DATABASE_URL": made.runtime}))


def _filled(settings):
    vault = settings.vault("processors")
    with acting_for_all(), opened(settings) as database, database.transaction() as session:
        for number in range(ROWS):
            whose = (f"prac_{number % 3}", f"proc_{number}", 1)
            row = dict(zip(("practice_id", "account_id", "version"), whose, strict=True))
            sealed = vault.seal(f"secret {number}".encode(), *credentials_place(*whose))
            session.execute(insert(CredentialVersion).values(**row, sealed=sealed, created_at=NOW))
    return settings


@contextmanager
def opened(settings):
    database = Database(settings.database_url("processors"), pool_size=2)
    try:
        yield database
    finally:
        database.dispose()


def secrets(settings, vault=None) -> dict[str, str]:
    """Account -> its secret in clear."""
    vault = vault or settings.vault("processors")
    with opened(settings) as database, database.reading() as session:
        rows = session.scalars(select(CredentialVersion).order_by(CredentialVersion.account_id)).all()
        return {
            row.account_id: vault.open(row.sealed, *credentials_place(row.practice_id, row.account_id, row.version)).decode()
            for row in rows
        }


def envelopes(settings) -> list[str]:
    with opened(settings) as database, database.reading() as session:
        return list(session.scalars(select(CredentialVersion.sealed).order_by(CredentialVersion.account_id)))


ALL = {f"proc_{number}": f"secret {number}" for number in range(ROWS)}


class Crash(BaseException):
    """As if the process had been killed."""


def run(settings, at: str = "", nth: int = 1) -> list[str]:
    """One run of the command, that dies the nth time it reaches a place."""
    said, reached = [], []

    def watch(name):
        reached.append(name)
        if at and reached.count(at) == nth and name == at:
            raise Crash

    killpoints.watch(watch)
    try:
        for line in rotate(settings, ("processors",), pause=0):
            said.append(line)
    except Crash:
        said.append("killed")
    finally:
        killpoints.watch(None)
    return said


def test_what_is_left_is_counted_in_one_look_at_each_column(settings):
    """Counted twice and subtracted, what others add in between made "-1 left", and could have hidden one that was left."""
    rotation, looks = Rotation(settings, "processors", None), []
    event.listen(rotation._database.engine, "after_cursor_execute", lambda *given: looks.append(given[2]))
    assert (0, len(rotation._envelopes)) == (
        rotation._left(rotation.keys.current()),
        len([one for one in looks if "count(" in one]),
    )
    assert ROWS == rotation._left("another-key")
    rotation.close()


def test_every_row_is_sealed_anew_and_the_old_key_opens_none(settings):
    """The operator reads how far it is; secrets are the same, under the new key alone."""
    old = Vault(KeyRing.read(settings.key_file("processors")))
    ring = KeyRing.read(settings.key_file("processors"))
    ring.vault_keys._path = None  # as an old copy of the file
    said = run(settings)
    done = [line for line in said if "credentials" in line]
    assert [f"processors: credentials {count} of 7" for count in (2, 4, 6, 7)] == done
    assert ALL == secrets(settings) == secrets(settings, old)
    for row in envelopes(settings):
        assert row.startswith("v1.processors-vault-2.")
    with pytest.raises(Unavailable, match="unknown_vault_key"):
        secrets(settings, Vault(ring))


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_goes_on_where_it_was(settings, point):
    """At each place, and once more at the same place in the next run: every secret opens in between and at the end."""
    path = settings.key_file("processors")
    if point == "after_drop":
        assert "killed" == run(settings, "rotate.after_drop")[-1]
    else:
        for nth in (2, 1) if point.endswith("batch") else (1, 1):
            assert "killed" == run(settings, f"rotate.{point}", nth)[-1] or point in ("added", "turned")
            assert ALL == secrets(settings)
        run(settings)
    assert ("idle", 1) == (key_file.standing(path), len(path.read_text().split('"processors-vault-')) - 2)
    assert ALL == secrets(settings)
    current = key_file.current(path)
    assert all(row.startswith(f"v1.{current}.") for row in envelopes(settings))


def test_what_is_changed_meanwhile_stays_as_it_was_changed(settings):
    """A credential that is replaced between reading and writing keeps its new value: the old one is not written over it."""
    newer = settings.vault("processors").seal(b"replaced", *credentials_place("prac_0", "proc_0", 1))
    changed = []

    def watch(name):
        if name == "rotate.before_batch" and not changed:
            changed.append(True)
            with opened(settings) as database, database.transaction() as session:
                session.execute(update(CredentialVersion).where(CredentialVersion.account_id == "proc_0").values(sealed=newer))

    killpoints.watch(watch)
    try:
        list(rotate(settings, ("processors",), pause=0))
    finally:
        killpoints.watch(None)
    assert {**ALL, "proc_0": "replaced"} == secrets(settings)
    assert all(row.startswith("v1.processors-vault-2.") for row in envelopes(settings))


def test_a_secret_that_does_not_open_keeps_the_old_key(settings):
    """The others are sealed anew, the one is named, no key is dropped; once it is mended the next run ends it."""
    with opened(settings) as database, database.transaction() as session:
        moved = session.scalar(select(CredentialVersion.sealed).where(CredentialVersion.account_id == "proc_1"))
        session.execute(update(CredentialVersion).where(CredentialVersion.account_id == "proc_0").values(sealed=moved))
    with pytest.raises(Stopped, match=r"1 secret\(s\) .* credentials prac_0 proc_0 1: A stored secret can't be opened"):
        run(settings)
    path = settings.key_file("processors")
    assert "turned" == key_file.standing(path)
    with opened(settings) as database, database.transaction() as session:
        mended = settings.vault("processors").seal(b"secret 0", *credentials_place("prac_0", "proc_0", 1))
        session.execute(update(CredentialVersion).where(CredentialVersion.account_id == "proc_0").values(sealed=mended))
    run(settings)
    assert "idle" == key_file.standing(path) and ALL == secrets(settings)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)  # SQLite has one writer at a time, and the run waits to be it
def test_who_seals_late_with_the_old_key_is_waited_for(settings):
    """A transaction that sealed before the turn and commits after it is part of the run, not left behind."""
    late = settings.vault("processors").seal(b"late", *credentials_place("prac_9", "proc_9", 1))
    begun, end = threading.Event(), threading.Event()

    def write():
        with acting_for_all(), opened(settings) as database, database.transaction() as session:
            row = {"practice_id": "prac_9", "account_id": "proc_9", "version": 1, "created_at": NOW}
            session.execute(insert(CredentialVersion).values(**row, sealed=late))
            begun.set()
            end.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(10)
    with opened(settings) as database:
        assert not writers_have_ended(database, within=0.3)
    threading.Timer(0.7, end.set).start()
    began = time.monotonic()
    run(settings)
    writer.join()
    assert time.monotonic() - began > 0.5
    assert {**ALL, "proc_9": "late"} == secrets(settings)


def test_step_by_step_for_several_machines(settings, tmp_path):
    """Each run takes one step and says what to copy; with the copies handed out in between, every machine opens everything always."""
    elsewhere = tmp_path / "handed"
    said = []
    for _ in range(3):
        said += list(rotate(settings, ("processors",), pause=0, one_step=True, hand_out_to=elsewhere))
        assert ALL == secrets(settings, Vault(KeyRing.read(elsewhere / "processors" / "key.json")))
    assert 3 == sum("give the changed key file" in line for line in said)
    assert "idle" == key_file.standing(elsewhere / "processors" / "key.json")
    assert settings.key_file("processors").read_bytes() == (elsewhere / "processors" / "key.json").read_bytes()


def test_secrets_move_to_a_kms_and_rotate_there(settings):
    """With a KMS set the first run moves all to it and empties the file, the next rewraps; killed in the middle; old versions open none."""
    with transit.Transit().serving() as kms:
        kms.make("clientbilling-processors")
        with_kms = settings.with_(kms_url=kms.url, kms_token=transit.TOKEN)
        assert ALL == secrets(with_kms)
        assert "killed" == run(with_kms, "rotate.after_batch", 2)[-1]
        assert ALL == secrets(with_kms)
        said = run(with_kms)
        assert (
            "processors: the KMS opens nothing older than clientbilling-processors:2; the key processors-vault-1 is gone"
            in said[-1]
        )
        assert {"v2"} == {row.split(".")[0] for row in envelopes(settings)}
        assert ALL == secrets(settings.with_(kms_url=kms.url, kms_token=transit.TOKEN))
        before, decrypts = envelopes(settings), [verb for verb, _ in kms.seen].count("decrypt")
        assert "killed" == run(with_kms, "rotate.before_batch", 2)[-1]
        kms.sealed = True
        with pytest.raises(Unavailable, match="kms_sealed"):
            run(with_kms)
        kms.sealed = False
        run(with_kms)
        assert decrypts == [verb for verb, _ in kms.seen].count("decrypt"), "no secret left the KMS while it was rewrapped"
        assert all(row.startswith("v2.clientbilling-processors:3.") for row in envelopes(settings))
        fresh = settings.with_(kms_url=kms.url, kms_token=transit.TOKEN)
        assert ALL == secrets(fresh)
        with pytest.raises(Unavailable, match="kms_cant_open"):
            fresh.vault("processors").open(before[0], *credentials_place("prac_0", "proc_0", 1))
        with pytest.raises(Unavailable, match="unknown_vault_key"):
            secrets(settings)
