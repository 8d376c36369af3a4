"""People on PostgreSQL as on SQLite, and passwords off the event loop."""

import json
import subprocess
import sys
import threading

import pytest

from shared.migrating import at_head
from tests import engines
from tests.unit.gateway.world import PASSWORD, World

CLEO = {
    "name": "Cleo Clark",
    "email": "cleo@home.example",
    "address": {"line1": "1 Road", "city": "C", "state": "NY", "postal_code": "1"},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path):
    if request.param == "sqlite":
        made = World(tmp_path)
        yield made
        made.close()
        return
    if engines.postgres_url() is None:
        pytest.skip("there is no PostgreSQL to test with")
    with engines.fresh_postgres_database("gateway") as url:
        made = World(tmp_path, gateway_database_url=url)
        yield made
        made.close()


def at_once(how_many, act):
    """What `act` gave back to each of so many threads that began together."""
    gate, given = threading.Barrier(how_many), []

    def run():
        gate.wait(30)
        given.append(act())

    threads = [threading.Thread(target=run) for _ in range(how_many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return given


def test_people_live_on_both_engines(world):
    """Signing up, inviting, accepting, listing and switching work the same, on tables that the migration made."""
    assert at_head("gateway", world.settings.database_url("gateway"))
    admin = world.admin()
    pia = world.provider(admin)
    client = world.client(pia)
    made = pia.must("POST", "/clients", 201, json={**CLEO, "email": "c2@home.example"})
    assert "US" == made["address"]["country"]
    first = pia.must("GET", "/clients?limit=1", 200)
    rest = pia.must("GET", f"/clients?limit=1&cursor={first['next_cursor']}", 200)
    assert {client.member_id, made["id"]} == {one["id"] for one in first["data"] + rest["data"]}
    world.visitor().must("POST", "/session", 401, json={"email": "ada@practice.example", "password": "wrong"})
    admin.must("DELETE", "/session", 204)


def test_one_key_at_once_makes_one_client(world):
    """Eight requests with one key together: one client, and every answer is the same or says to wait."""
    admin = world.admin()
    key = {"Idempotency-Key": "together"}
    answers = at_once(8, lambda: admin.ask("POST", "/clients", json=CLEO, headers=key))
    assert 1 == len({one.data for one in answers if one.status_code == 201})
    assert {one.status_code for one in answers} <= {201, 409}, [one.data for one in answers]
    assert 1 == len(admin.must("GET", "/clients", 200)["data"])


def test_one_address_at_once_signs_up_once(world):
    """Six sign-ups of one address together: one practice, the others a conflict."""
    body = {"practice_name": "Room", "name": "Ada", "email": "ada@practice.example", "password": PASSWORD}
    statuses = sorted(at_once(6, lambda: world.visitor().ask("POST", "/practices", json=body).status_code))
    assert [201] + [409] * 5 == statuses


def test_failures_at_once_are_all_counted(world, monkeypatch):
    """Twelve wrong passwords together lock the account for this address, and none is a server error."""
    monkeypatch.setattr("services.gateway.people.usecases.lockout._FIRST_DELAY", 0.0)
    world.admin()
    body = {"email": "ada@practice.example", "password": "wrong"}
    statuses = at_once(12, lambda: world.visitor().ask("POST", "/session", json=body).status_code)
    assert set(statuses) <= {401, 429}
    world.visitor().must("POST", "/session", 429, json={**body, "password": PASSWORD})


_GREEN = """
import eventlet
eventlet.monkey_patch()
import json, time
from services.gateway.people.passwords import Passwords
passwords, ticks = Passwords(time_cost=6, memory_kib=32768), []
def tick():
    while True:
        ticks.append(time.monotonic())
        eventlet.sleep(0.005)
eventlet.spawn(tick)
eventlet.sleep(0)
before = len(ticks)
kept = passwords.hash("a good long passphrase")
right, wrong, nobody = (passwords.matches(*pair) for pair in ((kept, "a good long passphrase"), (kept, "no"), (None, "no")))
print(json.dumps({"ticks": len(ticks) - before, "right": right, "wrong": wrong, "nobody": nobody}))
"""


def test_hashing_does_not_stop_the_event_loop():
    """In a process that eventlet drives, other green threads go on while a password is hashed and checked."""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", _GREEN], capture_output=True, timeout=120, check=True, text=True)
    said = json.loads(run.stdout)
    assert (True, False, False) == (said["right"], said["wrong"], said["nobody"]) and said["ticks"] > 10
