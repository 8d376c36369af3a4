"""Colleagues, clients, invitations, and what other services are told of them."""

import threading
import time
from datetime import timedelta

import pytest

from services.gateway.people import storage
from services.gateway.people.delivering import forget_old, run_due, start_delivering
from services.gateway.people.model import Link, Person, SignInSession, idempotency
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.tax import Tax
from shared.faults import Unreachable
from shared.tenancy import acting_for_all
from tests.unit.gateway.world import PASSWORD, fields_of

CLEO = {"name": "Cleo Clark", "email": "cleo@home.example"}


def test_an_invited_colleague_chooses_a_password_and_signs_in(world):
    """The letter's link shows what it offers, works once, and makes a provider of this practice."""
    admin = world.admin()
    body = {"name": "Pia Poe", "email": "pia@practice.example", "roles": ["provider"]}
    made = admin.must("POST", "/colleagues", 201, json=body)
    assert ("invited", ["provider"]) == (made["status"], made["roles"])
    token = world.link_to("pia@practice.example")
    offer = world.visitor().must("GET", f"/invitations/{token}", 200)
    assert ("Quiet Room", "provider", False) == (offer["practice_name"], offer["role"], offer["has_password"])
    weak = world.visitor().must("POST", f"/invitations/{token}", 422, json={"password": "short"})
    assert ["password"] == fields_of(weak)
    world.visitor().must("POST", f"/invitations/{token}", 200, json={"password": PASSWORD})
    world.visitor().must("POST", f"/invitations/{token}", 404, json={"password": PASSWORD})
    pia = world.visitor().signs_in("pia@practice.example")
    assert made["id"] == pia.must("GET", "/me", 200)["acting_as"]["member_id"]
    assert "active" == admin.must("GET", f"/colleagues/{made['id']}", 200)["status"]


def test_no_answer_tells_the_token_of_an_invitation(world):
    """What the link ends in is in the letter only."""
    admin = world.admin()
    answer = admin.ask("POST", "/clients", json=CLEO)
    assert world.link_to("cleo@home.example") not in answer.get_data(as_text=True)


def test_an_invitation_never_changes_a_password(world):
    """Somebody with an account accepts signed in, or with their own password; another password changes nothing."""
    ada, bea = world.admin(), world.admin("bea@other.example", "Other Room")
    ada.must("POST", "/clients", 201, json={"name": "Bea", "email": "bea@other.example"})
    token = world.link_to("bea@other.example")
    path = f"/invitations/{token}"
    world.visitor().must("POST", path, 401, json={"password": "her new good phrase"})
    assert "sign_in_first" == world.visitor().must("POST", path, 409, json={})["code"]
    assert "sign_in_first" == ada.must("POST", path, 409, json={})["code"]
    bea.must("POST", path, 200, json={})
    assert 2 == len(bea.must("GET", "/me", 200)["memberships"])
    world.visitor().signs_in("bea@other.example")


def test_ones_own_password_accepts_as_well(world):
    """The password of the account that the address has already takes the membership without signing in first."""
    ada, _ = world.admin(), world.admin("bea@other.example", "Other Room")
    ada.must("POST", "/clients", 201, json={"name": "Bea", "email": "bea@other.example"})
    said = world.visitor().must("POST", f"/invitations/{world.link_to('bea@other.example')}", 200, json={"password": PASSWORD})
    assert ("client", "Quiet Room") == (said["membership"]["role"], said["membership"]["practice_name"])


def test_a_new_letter_makes_the_earlier_link_worthless_and_links_grow_old(world):
    """Inviting again replaces the link; after a week it is gone."""
    admin = world.admin()
    made = admin.must("POST", "/clients", 201, json=CLEO)
    first = world.link_to("cleo@home.example")
    admin.must("POST", f"/clients/{made['id']}/invitations", 202)
    second = world.link_to("cleo@home.example")
    world.visitor().must("GET", f"/invitations/{first}", 404)
    world.visitor().must("GET", f"/invitations/{second}", 200)
    world.later(days=8)
    world.visitor().must("GET", f"/invitations/{second}", 404)


def test_every_service_is_told_of_a_client(world):
    """Invoicing hears name and providers, tax whether they are exempt, notifications a sealed address; versions grow."""
    admin = world.admin()
    made = admin.must("POST", "/clients", 201, json={**CLEO, "tax_exempt": True})
    admin.must("PATCH", f"/clients/{made['id']}", 200, json={"name": "Cleo Cole", "tax_exempt": False})
    assert [(1, "Cleo Clark"), (2, "Cleo Cole")] == [(one.version, one.name) for one in world.bus.made(Invoicing.put_client)]
    assert [True, False] == [one.tax_exempt for one in world.bus.made(Tax.put_client)]
    addresses = [one.sealed_address for one in world.bus.made(Notifications.put_member) if one.member_id == made["id"]]
    assert 2 == len(addresses) and all("cleo" not in address for address in addresses)


def test_a_copy_that_could_not_be_given_is_given_later(world):
    """While tax is away a change answers 503 and is kept; the timer gives the newest version once tax is back."""
    admin = world.admin()
    made = admin.must("POST", "/clients", 201, json=CLEO)
    world.bus.script(Tax.put_client, Unreachable())
    admin.must("PATCH", f"/clients/{made['id']}", 503, json={"phone": "1"})
    admin.must("PATCH", f"/clients/{made['id']}", 503, json={"phone": "2"})
    assert "2" == admin.must("GET", f"/clients/{made['id']}", 200)["phone"]
    world.bus.unscript(Tax.put_client)
    before = len(world.bus.made(Tax.put_client))
    world.later(minutes=1)
    run_due(world.gateway)
    run_due(world.gateway)
    assert [3] == [one.version for one in world.bus.made(Tax.put_client)[before:]]


def test_a_slow_timer_does_not_forget_another_call_that_has_its_number_by_now(world):
    """SQLite numbers the next row like the last one that was deleted: what was read before then is neither claimed nor done by it."""
    admin = world.admin()
    world.bus.script(Tax.put_client, Unreachable())
    admin.must("POST", "/clients", 503, json=CLEO)
    slow = _due(world)
    world.bus.unscript(Tax.put_client)
    world.later(minutes=1)
    run_due(world.gateway)
    assert [] == _due(world)
    world.bus.script(Tax.put_client, Unreachable())
    admin.must("POST", "/clients", 503, json={**CLEO, "email": "other@home.example"})
    fresh = _due(world)
    with acting_for_all(), world.gateway.database.transaction() as session:
        for call in slow:
            assert not storage.claim(session, call, call.next_at)
            storage.done(session, call)
    assert [call.id for call in fresh] == [call.id for call in _due(world)]
    if world.gateway.database.engine.dialect.name == "sqlite":
        assert {call.id for call in slow} & {call.id for call in fresh}, "no number was given again, so this shows nothing"


def test_nobodys_mailbox_is_filled_with_invitations(world):
    """Five in an hour to one person, then 429 says when; an hour later another goes out. Others are not kept back."""
    admin = world.admin()
    made = admin.must("POST", "/clients", 201, json=CLEO)
    other = admin.must("POST", "/colleagues", 201, json={"name": "Pia", "email": "pia@practice.example", "roles": ["provider"]})
    path = f"/clients/{made['id']}/invitations"
    for _ in range(4):
        admin.must("POST", path, 202)
    refused = admin.must("POST", path, 429)
    assert ("too_many_letters", 3600) == (refused["code"], refused["retry_after"])
    admin.must("POST", f"/colleagues/{other['id']}/invitations", 202)
    world.later(minutes=61)
    admin.signs_in("ada@practice.example").must("POST", path, 202)


def test_a_service_that_is_silent_keeps_no_letter_of_others_waiting(world):
    """Sixty copies are due at one that doesn't answer: it is asked once in a run, and a letter that is due since then goes out."""
    admin = world.admin()
    world.bus.script(Tax.put_client, Unreachable())
    for number in range(60):
        admin.must("POST", "/clients", 503, json={**CLEO, "email": f"c{number}@home.example"})
    world.later(minutes=1)
    world.visitor().must("POST", "/password-resets", 202, json={"email": "ada@practice.example"})
    before = len(world.bus.made(Tax.put_client))
    for _ in range(6):
        run_due(world.gateway)
    assert "password_reset" in [one["kind"] for one in world.bus.letters]
    assert 6 >= len(world.bus.made(Tax.put_client)) - before


def _due(world) -> list:
    with acting_for_all(), storage.reading(world.gateway.database) as session:
        return storage.due_calls(session, world.clock.now() + timedelta(days=1))


def test_a_letter_that_could_not_be_given_does_not_fail_the_request(world):
    """While notifications can't take letters a client is created all the same, and the letter follows."""
    admin = world.admin()
    world.bus.script(Notifications.send_letter, Unreachable())
    admin.must("POST", "/clients", 201, json=CLEO)
    assert not [one for one in world.bus.letters if one["to"] == CLEO["email"]]
    world.bus.unscript(Notifications.send_letter)
    world.later(minutes=1)
    run_due(world.gateway)
    assert ["client_invitation"] == [one["kind"] for one in world.bus.letters if one["to"] == CLEO["email"]]


def test_a_provider_sees_the_clients_they_are_listed_with(world):
    """A provider's client is listed with them; an admin's with nobody until an admin says so."""
    admin = world.admin()
    pia = world.provider(admin)
    own = pia.must("POST", "/clients", 201, json=CLEO)
    other = admin.must("POST", "/clients", 201, json={"name": "Otto", "email": "otto@home.example"})
    assert ([pia.member_id], []) == (own["provider_ids"], other["provider_ids"])
    assert [own["id"]] == [one["id"] for one in pia.must("GET", "/clients", 200)["data"]]
    pia.must("GET", f"/clients/{other['id']}", 404)
    pia.must("PATCH", f"/clients/{other['id']}", 404, json={"name": 5})
    pia.must("PATCH", f"/clients/{own['id']}", 403, json={"provider_ids": []})
    admin.must("PATCH", f"/clients/{other['id']}", 200, json={"provider_ids": [pia.member_id]})
    pia.must("GET", f"/clients/{other['id']}", 200)
    wrong = admin.must("PATCH", f"/clients/{other['id']}", 422, json={"provider_ids": ["col_nobody"]})
    assert ["provider_ids.0"] == fields_of(wrong)


def test_clients_are_listed_page_by_page_by_name(world):
    """Cursors carry on where a page ended; `q` finds in names and addresses, and takes % and _ as they are."""
    admin = world.admin()
    for name in ("cara", "Abel", "Bo_b"):
        admin.must("POST", "/clients", 201, json={"name": name, "email": f"{name.lower()}@home.example"})
    first = admin.must("GET", "/clients?limit=2", 200)
    rest = admin.must("GET", f"/clients?limit=2&cursor={first['next_cursor']}", 200)
    assert ["Abel", "Bo_b", "cara"] == [one["name"] for one in first["data"] + rest["data"]] and rest["next_cursor"] is None
    found = admin.must("GET", "/clients", 200, query_string={"q": "o_b"})
    assert ["Bo_b"] == [one["name"] for one in found["data"]]
    assert [] == admin.must("GET", "/clients", 200, query_string={"q": "%"})["data"]
    assert ["cursor"] == fields_of(admin.must("GET", "/clients?cursor=nonsense", 422))
    assert ["limit"] == fields_of(admin.must("GET", "/clients?limit=201", 422))
    assert ["colour"] == fields_of(admin.must("GET", "/clients?colour=red", 422))


@pytest.mark.parametrize("subject", ["clients", "colleagues"])
def test_an_address_is_there_once_in_a_practice(world, subject):
    """A second client or colleague with the same address is refused, naming the field."""
    admin = world.admin()
    body = {**CLEO, **({"roles": ["provider"]} if subject == "colleagues" else {})}
    admin.must("POST", f"/{subject}", 201, json=body)
    assert ["email"] == fields_of(admin.must("POST", f"/{subject}", 422, json=body))


def test_a_deactivated_colleague_is_out_at_once(world):
    """The next request of their session is answered 401, and they can't sign in for this practice."""
    admin = world.admin()
    pia = world.provider(admin)
    admin.must("PATCH", f"/colleagues/{pia.member_id}", 200, json={"active": False})
    pia.must("GET", "/me", 401)
    assert (
        "no_membership"
        == world.visitor().must("POST", "/session", 403, json={"email": "pia@practice.example", "password": PASSWORD})["code"]
    )


def test_a_practice_keeps_its_last_admin(world):
    """Neither the role nor the place of the only admin can be taken away."""
    admin = world.admin()
    me = admin.must("GET", "/me", 200)["acting_as"]["member_id"]
    for change in ({"roles": ["provider"]}, {"active": False}):
        assert "last_admin" == admin.must("PATCH", f"/colleagues/{me}", 409, json=change)["code"]


def test_the_currency_is_fixed_after_the_first_sent_invoice(world):
    """Invoicing says whether an invoice was sent; then another currency is a conflict."""
    admin = world.admin()
    summary = {"currency": "USD", "paid_this_month": 0, "open_amount": 0, "overdue_amount": 0, "overdue_count": 0}
    counts = {"needs_a_look": 0, "invoices": 0}
    world.bus.script(Invoicing.read_summary, {**summary, **counts, "sent": 0})
    admin.must("PATCH", "/practice", 200, json={"currency": "EUR"})
    world.bus.script(Invoicing.read_summary, {**summary, **counts, "sent": 1})
    assert "currency_fixed" == admin.must("PATCH", "/practice", 409, json={"currency": "USD"})["code"]
    admin.must("PATCH", "/practice", 200, json={"currency": "EUR", "terms_days": 30})
    assert ["time_zone"] == fields_of(admin.must("PATCH", "/practice", 422, json={"time_zone": "Nowhere/Land"}))


def test_the_same_key_makes_one_client(world):
    """Twice with one key is once, byte for byte; another body is refused; another person's key is their own."""
    admin = world.admin()
    key = {"Idempotency-Key": "same"}
    first, again = (admin.ask("POST", "/clients", json=CLEO, headers=key) for _ in range(2))
    assert (201, 201) == (first.status_code, again.status_code) and first.data == again.data
    assert "Idempotent-Replayed" not in first.headers and "true" == again.headers["Idempotent-Replayed"]
    other = admin.must("POST", "/clients", 422, json={**CLEO, "name": "Else"}, headers=key)
    assert "idempotency_key_reused" == other["code"]
    world.admin("bea@other.example", "Other Room").must("POST", "/clients", 201, json=CLEO, headers=key)
    assert 1 == len(admin.must("GET", "/clients", 200)["data"])


def test_a_client_reads_with_credit_and_balance_and_without_them_while_invoicing_is_away(world):
    """The figures are invoicing's; null says that they are not known, never zero."""
    admin = world.admin()
    made = admin.must("POST", "/clients", 201, json=CLEO)
    path = f"/clients/{made['id']}"
    account = {"client_id": made["id"], "currency": "USD", "credit": 500, "balance_due": 700}
    world.bus.script(Invoicing.read_client_account, account)
    assert (500, 700) == tuple(admin.must("GET", path, 200)[name] for name in ("credit", "balance_due"))
    world.bus.script(Invoicing.read_client_account, Unreachable())
    assert admin.must("GET", path, 200)["credit"] is None


def test_the_timer_gives_what_is_due_and_ends_when_told(world):
    """A copy that wasn't taken is given by the timer, without anybody asking; after stop() its thread is gone."""
    admin = world.admin()
    world.bus.script(Tax.put_client, Unreachable())
    admin.must("POST", "/clients", 503, json=CLEO)
    world.bus.unscript(Tax.put_client)
    before = len(world.bus.made(Tax.put_client))
    world.later(minutes=1)
    timer = start_delivering(world.gateway, seconds=0.05)
    until = time.monotonic() + 30
    while len(world.bus.made(Tax.put_client)) == before and time.monotonic() < until:
        time.sleep(0.05)
    timer.stop()
    assert 1 == len(world.bus.made(Tax.put_client)) - before and "gateway-delivering" not in {
        one.name for one in threading.enumerate()
    }


def test_old_sessions_links_and_answers_are_forgotten(world):
    """After two days and more nothing is kept of what has run out: not the session, and the key is free again."""
    admin = world.admin()
    admin.must("POST", "/clients", 201, json=CLEO, headers={"Idempotency-Key": "old"})
    world.later(days=8)
    forget_old(world.gateway)
    with world.gateway.database.reading() as s:
        assert [0, 0, 1] == [s.query(family).count() for family in (SignInSession, idempotency, Person)]
        assert 0 == s.query(Link).filter(Link.kind == "confirmation").count()
