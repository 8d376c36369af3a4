"""Whose rows a request may touch, and whose word about the asker's address is taken."""

import pytest
from flask import request

from shared.tenancy import EVERY_PRACTICE, acting
from tests.unit.gateway.world import World


def test_a_request_acts_in_its_askers_practice_and_the_thread_forgets(world, monkeypatch):
    """While a signed-in person's request is worked on, its transactions are of their practice; afterwards of nobody's."""
    admin = world.admin()
    seen = []
    database, begin = world.gateway.database, world.gateway.database.transaction
    monkeypatch.setattr(database, "transaction", lambda: (seen.append(acting()), begin())[1])
    admin.must("PATCH", "/practice", 200, json={"name": "Quieter Room"})
    assert {admin.practice_id} == set(seen)
    assert "" == acting()
    admin.must("GET", "/invoices/nonsense", 404)
    assert "" == acting()


def test_signing_in_looks_at_every_practice(world, monkeypatch):
    """A person's memberships lie in several practices: signing in is one of the named exceptions, and ends with itself."""
    world.admin()
    seen = []
    database, begin = world.gateway.database, world.gateway.database.transaction
    monkeypatch.setattr(database, "transaction", lambda: (seen.append(acting()), begin())[1])
    world.visitor().signs_in("ada@practice.example")
    assert {EVERY_PRACTICE} == set(seen)
    assert "" == acting()


@pytest.mark.parametrize(("proxies", "believed"), [("0", False), ("1", True)])
def test_a_proxys_word_counts_only_where_there_is_one(tmp_path, proxies, believed):
    """What X-Forwarded-* says of the asker is taken from the operator's own proxy, and from nobody where none is set."""
    world = World(tmp_path, proxies=proxies)
    seen = []
    world.app.before_request(lambda: seen.append(request.remote_addr))
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    answer = world.app.test_client().get("/healthz", headers=headers)
    assert believed == ("Strict-Transport-Security" in answer.headers)
    assert believed == (seen == ["203.0.113.9"])
    world.close()


@pytest.mark.parametrize(("said", "seen"), [("203.0.113.9, 10.0.0.1", "203.0.113.9"), ("203.0.113.9", "127.0.0.1")])
def test_two_proxies_each_add_an_address_and_one_scheme(tmp_path, said, seen):
    """Behind a TLS proxy and ours, the asker is whom the first saw; where an address is missing nobody is believed."""
    world = World(tmp_path, proxies="2")
    asked = []
    world.app.before_request(lambda: asked.append((request.remote_addr, request.scheme)))
    world.app.test_client().get("/healthz", headers={"X-Forwarded-For": said, "X-Forwarded-Proto": "https"})
    assert [(seen, "https")] == asked
    world.close()


@pytest.mark.parametrize(("public_url", "sent"), [("https://billing.example", True), ("http://localhost:8000", False)])
def test_browsers_are_bound_to_https_where_that_is_our_address(tmp_path, public_url, sent):
    """Strict-Transport-Security follows our own public address, whatever the proxy says or forgets to say."""
    world = World(tmp_path, public_url=public_url)
    answer = world.app.test_client().get("/healthz")
    assert sent == ("Strict-Transport-Security" in answer.headers)
    world.close()
