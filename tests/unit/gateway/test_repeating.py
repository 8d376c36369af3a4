"""Requests of people that come twice with one key: the same answer word for word, one effect, and another body is refused."""

import pytest

from services.gateway.people.usecases import lockout
from shared.contracts.invoicing import Invoicing
from shared.faults import Refused
from tests.unit.gateway.test_paying import CARD, INVOICE, PATH
from tests.unit.gateway.world import PASSWORD, fields_of

KEY = {"Idempotency-Key": "once"}
NEW = "another long passphrase"


def twice(someone, path, body, other=None):
    """The first answer, after the second was the same and `other` under the same key was refused."""
    first, second = (someone.ask("POST", path, json=body, headers=KEY) for _ in range(2))
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert "Idempotent-Replayed" not in first.headers and "true" == second.headers["Idempotent-Replayed"]
    if other is not None:
        assert "idempotency_key_reused" == someone.must("POST", path, 422, json=other, headers=KEY)["code"]
    return first


def test_signing_in_twice_with_a_key_is_one_session(world):
    """The same token is told again, and only to who knows the password; without a key each sign-in is a session of its own."""
    world.admin()
    body = {"email": "ada@practice.example", "password": PASSWORD}
    first = twice(world.visitor(), "/session", body).json
    assert first["token"] != world.visitor().must("POST", "/session", 200, json=body)["token"]
    world.visitor().must("POST", "/session", 401, json={**body, "password": "a guess that is wrong"}, headers=KEY)


def test_a_link_that_was_accepted_with_a_key_is_kept_as_a_hash(world, tmp_path):
    """The row that makes a repeat the same names the route, but not the token in it."""
    admin = world.admin()
    admin.must("POST", "/colleagues", 201, json={"name": "Pia", "email": "pia@practice.example", "roles": ["provider"]})
    token = world.link_to("pia@practice.example")
    twice(world.visitor(), f"/invitations/{token}", {"password": PASSWORD})
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("gateway*"))
    assert b"POST /api/v1/invitations/" in stored and token.encode() not in stored


def test_the_token_that_is_told_again_lies_sealed(world, tmp_path):
    """The database's file holds no token that opens anything."""
    world.admin()
    token = twice(world.visitor(), "/session", {"email": "ada@practice.example", "password": PASSWORD}).json["token"]
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("gateway*"))
    assert b"Quiet Room" in stored and token.encode() not in stored


def test_asking_for_a_reset_twice_sends_one_mail(world):
    """One letter for one key; another address under it is refused."""
    world.admin()
    twice(world.visitor(), "/password-resets", {"email": "ada@practice.example"}, {"email": "bob@practice.example"})
    world.link_to("ada@practice.example")
    assert 1 == len([one for one in world.bus.letters if one["kind"] == "password_reset"])


def test_a_reset_that_is_repeated_says_the_same_though_its_link_is_used(world):
    """A lost answer is no dead end; without the key the link is gone."""
    world.admin()
    world.visitor().must("POST", "/password-resets", 202, json={"email": "ada@practice.example"})
    path = f"/password-resets/{world.link_to('ada@practice.example')}"
    assert 200 == twice(world.visitor(), path, {"password": NEW}, {"password": PASSWORD}).status_code
    world.visitor().must("POST", path, 404, json={"password": NEW})
    world.visitor().signs_in("ada@practice.example", NEW)


def test_confirming_an_address_is_repeated_with_its_key_only(world):
    """The person is told again; a wrong body for a link that is gone is 404 like any other."""
    world.admin()
    path = f"/confirmations/{world.link_to('ada@practice.example')}"
    assert twice(world.visitor(), path, {}).json["email_confirmed"]
    for body in ({"json": {}}, {"json": {"nonsense": 1}}, {"data": b"{"}):
        world.visitor().must("POST", path, 404, **body)


def test_a_used_invitation_says_that_the_key_came_with_another_body(world):
    """That the link is gone doesn't hide the mistake."""
    admin = world.admin()
    admin.must("POST", "/clients", 201, json={"name": "Cleo", "email": "cleo@home.example"})
    path = f"/invitations/{world.link_to('cleo@home.example')}"
    assert 200 == twice(world.visitor(), path, {"password": PASSWORD}, {"password": NEW}).status_code


def test_a_declined_payment_is_told_again_after_the_limit(world):
    """The fifth decline closes the invoice to new tries, not to the repeat of an old one."""
    admin = world.admin()
    world.bus.knows(admin.practice_id, INVOICE)
    payer = world.client(admin)
    world.bus.script(Invoicing.pay_invoice, Refused("card_declined", "No."))
    for number in range(5):
        payer.must("POST", PATH, 402, json={"card": CARD}, headers={"Idempotency-Key": f"try-{number}"})
    payer.must("POST", PATH, 429, json={"card": CARD}, headers={"Idempotency-Key": "try-5"})
    for _ in range(2):
        payer.must("POST", PATH, 402, json={"card": CARD}, headers={"Idempotency-Key": "try-4"})


@pytest.mark.parametrize("key", ["", "a b"])
def test_reading_takes_no_key(world, key):
    """A key on a GET means nothing, so nothing about it is wrong."""
    world.admin().must("GET", "/me", 200, headers={"Idempotency-Key": key})


def change(someone, key: str, current: str, password: str):
    body = {"current_password": current, "password": password}
    return someone.ask("PUT", "/me/password", json=body, headers={"Idempotency-Key": key})


def test_a_changed_password_is_repeated_with_its_key_and_its_words_only(world):
    """The same again says the same though the old password is no longer right; nothing else is taken for a repeat."""
    admin = world.admin()
    first, second = (change(admin, "once", PASSWORD, NEW) for _ in range(2))
    assert (200, first.data) == (first.status_code, second.data)
    assert "true" == second.headers["Idempotent-Replayed"]
    assert ["current_password"] == fields_of(change(admin, "once", PASSWORD, "a third long passphrase").json)
    assert ["current_password"] == fields_of(change(admin, "other", PASSWORD, NEW).json)
    assert "idempotency_key_reused" == change(admin, "once", NEW, PASSWORD).json["code"]
    world.visitor().signs_in("ada@practice.example", NEW)


def test_a_wrong_password_stays_wrong_however_often_it_is_repeated(world, monkeypatch):
    """A refusal is not kept as an answer, and each is counted: under one key as under ten."""
    monkeypatch.setattr(lockout, "_FIRST_DELAY", 0.0)
    admin = world.admin()
    assert [422] * 10 == [change(admin, "once", "a guess that is wrong", NEW).status_code for _ in range(10)]
    assert 429 == change(admin, "once", PASSWORD, NEW).status_code
    world.visitor().signs_in("ada@practice.example")
