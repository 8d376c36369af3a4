"""Signing up, in and out, sessions and the lock-out."""

import pytest

from services.gateway.limits import place_of
from services.gateway.people.usecases import lockout
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.faults import Unreachable
from tests.unit.gateway.world import PASSWORD, fields_of

SIGN_UP = {"practice_name": "Quiet Room", "name": "Ada Adams", "email": "Ada@Practice.example", "password": PASSWORD}


def test_signing_up_makes_a_practice_that_every_service_knows(world):
    """After a sign-up the admin signs in at once, and invoicing and notifications hold their copies."""
    someone = world.visitor()
    said = someone.must("POST", "/practices", 201, json=SIGN_UP)
    assert "ada@practice.example" == said["person"]["email"] and not said["person"]["email_confirmed"]
    assert ["Quiet Room"] == [copy.name for copy in world.bus.made(Invoicing.put_practice)]
    assert [["admin"]] == [copy.roles for copy in world.bus.made(Invoicing.put_colleague)]
    (member,) = world.bus.made(Notifications.put_member)
    info = f"address|{said['practice']['id']}|{member.member_id}"
    assert b"ada@practice.example" == world.keys["notifications"].open(member.sealed_address, info)
    someone.signs_in("ada@practice.example")
    assert "Quiet Room" == someone.must("GET", "/me", 200)["practice"]["name"]


def test_an_address_signs_up_once(world):
    """A second sign-up with the same address is a conflict that says to sign in."""
    world.admin()
    problem = world.visitor().must("POST", "/practices", 409, json=SIGN_UP)
    assert "email_taken" == problem["code"]


@pytest.mark.parametrize("password", ["short", "password1234", "123456789012", "aaaaaaaaaaaaa", "quietroom-123"])
def test_a_weak_password_is_refused(steady, password):
    """Passwords of staff are twelve characters or more and not made of common or own words."""
    problem = steady.visitor().must("POST", "/practices", 422, json={**SIGN_UP, "password": password})
    assert ["password"] == fields_of(problem)


def test_a_copy_that_is_not_taken_makes_the_answer_503_and_a_repeat_mends_it(world):
    """While invoicing is away a sign-up answers 503; the same key again gives the same practice, once."""
    world.bus.script(Invoicing.put_practice, Unreachable())
    someone, key = world.visitor(), {"Idempotency-Key": "one"}
    problem = someone.must("POST", "/practices", 503, json=SIGN_UP, headers=key)
    assert 5 == problem["retry_after"]
    world.bus.unscript(Invoicing.put_practice)
    said = someone.ask("POST", "/practices", json=SIGN_UP, headers=key)
    again = someone.ask("POST", "/practices", json=SIGN_UP, headers=key)
    assert (201, "true") == (said.status_code, said.headers["Idempotent-Replayed"]) and said.data == again.data
    assert {said.json["practice"]["name"]} == {"Quiet Room"} == {one.name for one in world.bus.made(Invoicing.put_practice)}


def test_an_address_is_confirmed_by_the_link_in_the_mail(world):
    """The link confirms once; a second use finds nothing."""
    admin = world.admin()
    token = world.link_to("ada@practice.example")
    assert world.visitor().must("POST", f"/confirmations/{token}", 200)["email_confirmed"]
    assert admin.must("GET", "/me", 200)["person"]["email_confirmed"]
    world.visitor().must("POST", f"/confirmations/{token}", 404)


def test_a_wrong_password_and_an_unknown_address_read_alike(world):
    """Nobody can tell from a refused sign-in whether an address is known."""
    world.admin()
    known = world.visitor().must("POST", "/session", 401, json={"email": "ada@practice.example", "password": "no"})
    unknown = world.visitor().must("POST", "/session", 401, json={"email": "eve@practice.example", "password": "no"})
    assert known == unknown


@pytest.mark.parametrize("email", ["ada@practice.example", "nobody@practice.example"])
def test_ten_failures_close_the_door_for_half_an_hour_known_or_not(world, email, monkeypatch):
    """After ten wrong passwords even the right one is refused with 429, until half an hour has passed."""
    monkeypatch.setattr(lockout, "_FIRST_DELAY", 0.0)
    world.admin()
    for _ in range(10):
        world.visitor().must("POST", "/session", 401, json={"email": email, "password": "wrong"})
    problem = world.visitor().must("POST", "/session", 429, json={"email": email, "password": PASSWORD})
    assert ("locked_out", True) == (problem["code"], 1700 < problem["retry_after"] <= 1801)
    world.later(minutes=31)
    assert world.visitor().ask("POST", "/session", json={"email": email, "password": PASSWORD}).status_code in (200, 401)


def test_a_lock_out_holds_for_one_address_only(world, monkeypatch):
    """Somebody elsewhere who fails on purpose can't keep the owner out."""
    monkeypatch.setattr(lockout, "_FIRST_DELAY", 0.0)
    world.admin()
    body = {"email": "ada@practice.example", "password": "wrong"}
    for _ in range(11):
        world.visitor().ask("POST", "/session", json=body, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    world.visitor().signs_in("ada@practice.example")


def test_a_network_of_endless_addresses_counts_as_one(world, monkeypatch):
    """Of IPv6 the first 64 bits count: the eleventh try from a fresh address of the same network is refused, next door is open."""
    monkeypatch.setattr(lockout, "_FIRST_DELAY", 0.0)
    world.admin()
    body = {"email": "ada@practice.example", "password": "wrong"}

    def tries(address):
        return world.visitor().ask("POST", "/session", json=body, environ_base={"REMOTE_ADDR": address}).status_code

    assert [401] * 10 + [429] == [tries(f"2001:db8:0:1:{number:x}::7") for number in range(11)]
    assert 401 == tries("2001:db8:0:2::7")


@pytest.mark.parametrize(
    ("remote", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("person per_1", "person per_1"),
        ("x" * 99, "x" * 64),
    ],
)
def test_which_addresses_count_as_one(remote, place):
    """An IPv4 address, however it is written, and a /64 of IPv6; what is no address is itself, as far as it is kept."""
    assert place == place_of(remote)


def test_a_session_ends_after_half_an_hour_without_activity(world):
    """29 minutes are fine and count anew; 31 are not; polling is answered but keeps nothing alive."""
    admin = world.admin()
    world.later(minutes=29)
    admin.must("GET", "/me", 200)
    world.later(minutes=29)
    admin.must("GET", "/me", 200, headers={"X-Poll": "1"})
    world.later(minutes=2)
    admin.must("GET", "/me", 401)


def test_a_session_ends_after_twelve_hours_whatever_happens(world):
    """Activity every twenty minutes doesn't carry a session beyond twelve hours."""
    admin = world.admin()
    for _ in range(35):
        world.later(minutes=20)
        admin.must("GET", "/me", 200)
    world.later(minutes=20)
    admin.must("GET", "/me", 401)


def test_a_practice_may_choose_a_shorter_time(world):
    """With 5 idle minutes a session is over after six."""
    admin = world.admin()
    admin.must("PATCH", "/practice", 200, json={"idle_minutes": 5})
    world.later(minutes=6)
    admin.must("GET", "/me", 401)


def test_signing_out_ends_the_token(world):
    """The token opens nothing after the sign-out."""
    admin = world.admin()
    admin.must("DELETE", "/session", 204)
    admin.must("GET", "/me", 401)


def test_the_cookie_needs_the_csrf_token_and_the_same_origin(world):
    """A cookie alone reads; it changes only with the CSRF token and from our own origin; a Bearer token needs neither."""
    admin = world.admin()
    browser = world.app.test_client()
    answer = browser.post("/api/v1/session", json={"email": "ada@practice.example", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("session=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert 200 == browser.get("/api/v1/me").status_code
    body = {"json": {"name": "Louder Room"}}
    assert 403 == browser.patch("/api/v1/practice", **body).status_code
    token = {"X-CSRF-Token": answer.json["csrf_token"]}
    elsewhere = {**token, "Origin": "https://evil.example"}
    assert 403 == browser.patch("/api/v1/practice", headers=elsewhere, **body).status_code
    assert 200 == browser.patch("/api/v1/practice", headers=token, **body).status_code
    admin.must("PATCH", "/practice", 200, **body)


def test_behind_tls_the_cookie_is_bound_to_the_host(world):
    """Over https the cookie carries the `__Host-` prefix and is secure."""
    world.admin()
    body = {"email": "ada@practice.example", "password": PASSWORD}
    answer = world.app.test_client().post("/api/v1/session", json=body, base_url="https://billing.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=") and "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie


def test_switching_the_role_gives_a_new_token_and_ends_the_old(world):
    """A person with two roles acts in one; after the switch the old token is nobody's."""
    admin = world.admin()
    me = admin.must("GET", "/me", 200)
    colleague = me["acting_as"]["member_id"]
    admin.must("PATCH", f"/colleagues/{colleague}", 200, json={"roles": ["admin", "provider"]})
    old = admin.token
    said = admin.must("PUT", "/session/role", 200, json={"practice_id": admin.practice_id, "role": "provider"})
    assert {"admin", "provider"} == {one["role"] for one in said["memberships"]} and said["acting_as"]["member_id"] == colleague
    admin.must("GET", "/me", 401)
    assert old != said["token"]
    admin.token = said["token"]
    admin.must("GET", "/practice", 403)
    admin.must("PUT", "/session/role", 404, json={"practice_id": admin.practice_id, "role": "client"})


def test_switching_roles_makes_no_session_longer(world):
    """Twelve hours after the sign-in it is over, whatever roles were taken in between."""
    admin = world.admin()
    for _ in range(35):
        world.later(minutes=20)
        admin.token = admin.must("PUT", "/session/role", 200, json={"practice_id": admin.practice_id, "role": "admin"})["token"]
    world.later(minutes=20)
    admin.must("GET", "/me", 401)


def test_a_found_screen_has_ten_guesses_whatever_it_switches(world, monkeypatch):
    """Failed changes of the password count for the person: a new session from a switch of roles brings no fresh guesses."""
    monkeypatch.setattr(lockout, "_FIRST_DELAY", 0.0)
    admin = world.admin()
    guess = {"current_password": "no", "password": "another good phrase"}
    for _ in range(10):
        admin.must("PUT", "/me/password", 422, json=guess)
        admin.token = admin.must("PUT", "/session/role", 200, json={"practice_id": admin.practice_id, "role": "admin"})["token"]
    assert "locked_out" == admin.must("PUT", "/me/password", 429, json=guess)["code"]


def test_a_new_password_ends_open_reset_links(world):
    """A reset letter that somebody else may hold sets nothing after the owner has changed the password."""
    admin = world.admin()
    world.visitor().must("POST", "/password-resets", 202, json={"email": "ada@practice.example"})
    token = world.link_to("ada@practice.example")
    admin.must("PUT", "/me/password", 200, json={"current_password": PASSWORD, "password": "another good phrase"})
    world.visitor().must("POST", f"/password-resets/{token}", 404, json={"password": "yet another phrase"})


def test_a_reset_ends_the_api_tokens_that_the_person_made(world):
    """Whoever got in and made a token is out; another admin's tokens go on."""
    admin = world.admin()
    other = world.admin("bea@other.example", "Other Room")
    programs = []
    for maker in (admin, other):
        program = world.visitor()
        program.token = maker.must("POST", "/api-tokens", 201, json={"name": "import"})["token"]
        program.must("GET", "/me", 200)
        programs.append(program)
    world.visitor().must("POST", "/password-resets", 202, json={"email": "ada@practice.example"})
    token = world.link_to("ada@practice.example")
    world.visitor().must("POST", f"/password-resets/{token}", 200, json={"password": "another good phrase"})
    programs[0].must("GET", "/me", 401)
    programs[1].must("GET", "/me", 200)


def test_a_new_password_ends_the_other_sessions(world):
    """The current password is asked for; then every other session of the person is over."""
    admin, other = world.admin(), world.visitor().signs_in("ada@practice.example")
    wrong = admin.must("PUT", "/me/password", 422, json={"current_password": "no", "password": "another good phrase"})
    assert ["current_password"] == fields_of(wrong)
    admin.must("PUT", "/me/password", 200, json={"current_password": PASSWORD, "password": "another good phrase"})
    admin.must("GET", "/me", 200)
    other.must("GET", "/me", 401)
    world.visitor().signs_in("ada@practice.example", "another good phrase")


def test_a_password_is_reset_by_a_link_that_works_once(world):
    """The request tells nothing; the link sets a password once, ends all sessions, and dies after an hour."""
    admin = world.admin()
    unknown = world.visitor().ask("POST", "/password-resets", json={"email": "nobody@x.example"})
    known = world.visitor().ask("POST", "/password-resets", json={"email": "ada@practice.example"})
    assert (202, known.data) == (unknown.status_code, unknown.data)
    token = world.link_to("ada@practice.example")
    weak = world.visitor().must("POST", f"/password-resets/{token}", 422, json={"password": "short"})
    assert ["password"] == fields_of(weak)
    world.visitor().must("POST", f"/password-resets/{token}", 200, json={"password": "another good phrase"})
    world.visitor().must("POST", f"/password-resets/{token}", 404, json={"password": "yet another phrase"})
    admin.must("GET", "/me", 401)
    world.visitor().signs_in("ada@practice.example", "another good phrase")
    world.visitor().must("POST", "/password-resets", 202, json={"email": "ada@practice.example"})
    late = world.link_to("ada@practice.example")
    world.later(minutes=61)
    world.visitor().must("POST", f"/password-resets/{late}", 404, json={"password": "yet another phrase"})


def test_an_api_token_acts_for_its_admin_until_it_is_removed(world):
    """The token is told once, lists show a hint only, and once removed (or its admin is no admin) it opens nothing."""
    admin = world.admin()
    made = admin.must("POST", "/api-tokens", 201, json={"name": "import"}, headers={"Idempotency-Key": "k"})
    again = admin.ask("POST", "/api-tokens", json={"name": "import"}, headers={"Idempotency-Key": "k"})
    assert made == again.json and "true" == again.headers["Idempotent-Replayed"]
    program = world.visitor()
    program.token = made["token"]
    assert "admin" == program.must("GET", "/me", 200)["acting_as"]["role"]
    listed = admin.must("GET", "/api-tokens", 200)["data"]
    assert 1 == len(listed) and made["token"] not in str(listed)
    admin.must("DELETE", f"/api-tokens/{made['id']}", 204)
    program.must("GET", "/me", 401)
