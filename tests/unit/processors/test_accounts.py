"""Accounts at processors: what an admin adds, checks, changes and removes, and what never comes out again."""

import json
from datetime import timedelta

import pytest

from services.processors import storage
from services.processors.usecases import accounts
from shared.caller import CLIENT, PROVIDER, Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict, Forbidden, Invalid, NotFound
from shared.fields import Record


def _fields(refused) -> list[str]:
    return [error["field"] for error in refused.value.errors]


def _entry(desk, role=CLIENT) -> Record:
    caller = Caller(desk.practice_id, role, "per_2", "cli_2", "Ben")
    return desk.answer(Processors.read_card_entry, accounts.read_card_entry(caller, desk.room))


def test_the_first_ready_account_becomes_active(desk):
    """The first account takes payments at once, the second waits to be made the active one."""
    first, second = desk.add(), desk.add()
    assert [("ready", True), ("ready", False)] == [(row.status, row.active) for row in desk.listed()]
    accounts.activate_processor(desk.admin, Record(processor_id=second.id), desk.room)
    assert [(first.id, False), (second.id, True)] == [(row.id, row.active) for row in desk.listed()]


def test_types_are_those_that_work(desk):
    """The pulldown lists Stripe and the sandbox with their fields and test cards; other types are refused by name."""
    types = desk.answer(Processors.list_types, accounts.list_types(desk.room)).data
    assert ["stripe", "sandbox"] == [entry.type for entry in types]
    assert [("secret_key", True, True)] == [
        (field.name, field.secret, field.required) for field in types[0]["fields"] if field.required
    ]
    assert 10 == len(types[1].test_cards)
    with pytest.raises(Invalid) as refused:
        desk.add("elavon")
    assert ["type"] == _fields(refused)


def test_credentials_are_sealed_and_only_hinted_at(desk):
    """No answer and no row holds a credential in clear; the hint shows its kind and its last four characters."""
    account = desk.add(credentials={"api_key": "sk_test_verysecret4242"})
    assert "sk_test_…4242" == account.credentials_hint
    with desk.room.database.reading() as session:
        held = " ".join(
            str(session.connection().exec_driver_sql(f"SELECT * FROM {table}").all())
            for table in ("accounts", "credentials", "idempotency", "outbox")
        )
    assert "verysecret" not in held


def test_refused_credentials_are_not_kept(desk):
    """The processor refuses them: the field is named, and no account is there."""
    with pytest.raises(Invalid) as refused:
        desk.add(credentials={"api_key": "refused"})
    assert "processor_credentials_refused" == refused.value.code
    assert ["credentials.api_key"] == _fields(refused)
    assert [] == desk.listed()


@pytest.mark.parametrize(
    ("credentials", "fields"),
    [
        ({}, ["credentials.secret_key"]),
        ({"secret_key": ""}, ["credentials.secret_key"]),
        ({"secret_key": 5}, ["credentials.secret_key"]),
        ({"secret_key": "sk_test_x y"}, ["credentials.secret_key"]),
        ({"secret_key": "pk_test_12345678"}, ["credentials.secret_key"]),
        ({"secret_key": "sk_test_1", "color": "red"}, ["credentials.color"]),
        ({"secret_key": "sk_test_1", "publishable_key": "pk_live_1"}, ["credentials.publishable_key"]),
        ({"secret_key": "sk_test_1", "api_base": "http://example.com"}, ["credentials.api_base"]),
        ({"secret_key": "sk_test_" + "x" * 300}, ["credentials.secret_key"]),
    ],
)
def test_credentials_that_can_not_be_right_are_named(desk, credentials, fields):
    """Missing, unknown, misplaced and mixed-up credentials are refused before anybody is asked, each by its field."""
    with pytest.raises(Invalid) as refused:
        desk.add("stripe", credentials)
    assert fields == _fields(refused)
    assert [] == desk.listed()


def test_a_processor_out_of_reach_is_kept_unchecked(desk):
    """Nobody listens at the address: the account is saved as unchecked with its problem in words, and not active."""
    account = desk.add("stripe", {"secret_key": "sk_test_12345678", "api_base": "http://127.0.0.1:9"})
    assert ("unchecked", False) == (account.status, account.active)
    assert "reached" in account.problem
    with pytest.raises(Conflict) as refused:
        accounts.activate_processor(desk.admin, Record(processor_id=account.id), desk.room)
    assert ("processor_not_ready", ["check"]) == (refused.value.code, refused.value.allowed_actions)


def test_the_same_key_adds_once(desk):
    """The same request with the same key gives the same text and one account; with another body it is refused."""
    caller = desk.keyed("k-1")
    request = {
        "processor_id": "pcr_1",
        "description": "Main",
        "type": "sandbox",
        "sealed_credentials": desk.sealed({}, "pcr_1"),
    }
    first = accounts.add_processor(caller, Processors.add_processor.load_request(request), desk.room)
    request |= {"processor_id": "pcr_2", "sealed_credentials": desk.sealed({}, "pcr_2")}
    again = accounts.add_processor(caller, Processors.add_processor.load_request(request), desk.room)
    assert (first.text, 201, True) == (again.text, again.status, again.replayed)
    assert ["pcr_1"] == [row.id for row in desk.listed()]
    with pytest.raises(Invalid) as refused:
        desk.add(caller=desk.keyed("k-1", fingerprint="other"))
    assert "idempotency_key_reused" == refused.value.code


def test_new_credentials_are_a_new_version(desk):
    """Changed credentials replace those that were sent, keep the others, and are checked again."""
    account = desk.add(credentials={"api_key": "sk_test_oldoldold1111"})
    changed = desk.change(account.id, {"api_key": "sk_test_newnewnew2222"}, description="Second")
    assert ("sk_test_…2222", "Second", "ready") == (changed.credentials_hint, changed.description, changed.status)
    with pytest.raises(Invalid) as refused:
        desk.change(account.id, {"api_key": "refused"})
    assert ["credentials.api_key"] == _fields(refused)
    assert "sk_test_…2222" == desk.listed()[0].credentials_hint


def test_old_credentials_stay_while_something_is_unsettled(desk, monkeypatch):
    """A charge whose outcome is unknown is looked up with the credentials it was sent with."""
    account = desk.add(credentials={"api_key": "sk_test_oldoldold1111"})
    said = desk.charge("4000000000000119")
    desk.change(account.id, {"api_key": "sk_test_newnewnew2222"})
    desk.room.clock.at += timedelta(days=3)
    accounts.forget_old_keys(desk.room)
    used, adapter = [], desk.room.adapters["sandbox"]
    find = adapter.find
    monkeypatch.setattr(adapter, "find", lambda credentials, order: used.append(credentials) or find(credentials, order))
    assert "succeeded" == desk.check(said.payment_id).status
    assert [{"api_key": "sk_test_oldoldold1111"}] == used
    accounts.forget_old_keys(desk.room)
    with desk.room.database.reading() as session, pytest.raises(NotFound):
        storage.credentials(session, desk.practice_id, account.id, 1)


def test_of_two_admins_who_replace_credentials_at_once_one_is_told(desk, monkeypatch):
    """The second would mix its values with those from before the first: it hears of it, and the first one's stay."""
    account = desk.add(credentials={"api_key": "sk_test_oldoldold1111"})
    adapter = desk.room.adapters["sandbox"]
    check = adapter.check

    def check_while_the_other_saves(credentials):
        monkeypatch.setattr(adapter, "check", check)
        desk.change(account.id, {"api_key": "sk_test_firstfirst2222"})
        return check(credentials)

    monkeypatch.setattr(adapter, "check", check_while_the_other_saves)
    with pytest.raises(Conflict) as refused:
        desk.change(account.id, {"api_key": "sk_test_secondsec3333"})
    assert ("changed_meanwhile", "sk_test_…2222") == (refused.value.code, desk.listed()[0].credentials_hint)


def test_refused_while_charging_marks_the_account(desk):
    """The processor refuses the credentials in the middle of a payment: declined for the payer, and the admins hear of it once."""
    account = desk.add()
    _put_credentials(desk, account.id, {"api_key": "refused"})
    said = desk.charge()
    assert ("declined", "processor_credentials_refused") == (said.status, said.failure.code)
    desk.charge()
    assert ["credentials_refused"] == [event for event, _ in desk.news() if event != "charge_settled"]
    assert ("refused", False) == (desk.listed()[0].status, _entry(desk).available)


def _put_credentials(desk, account_id, credentials):
    """As if the key had been revoked at the processor after it was added."""
    from services.processors.model import CredentialVersion, credentials_place

    place = credentials_place(desk.practice_id, account_id, 1)
    with desk.room.database.transaction() as session:
        row = session.get(CredentialVersion, (desk.practice_id, account_id, 1))
        row.sealed = desk.room.vault.seal(json.dumps(credentials).encode(), *place)


def test_a_check_finds_out_and_recovers(desk):
    """Checking a revoked key says refused; new credentials make the account ready again."""
    account = desk.add()
    _put_credentials(desk, account.id, {"api_key": "refused"})
    told = accounts.check_processor(desk.admin, Record(processor_id=account.id), desk.room)
    assert "refused" == json.loads(told.text)["status"]
    assert "ready" == desk.change(account.id, {"api_key": "sk_test_newnewnew2222"}).status
    assert _entry(desk).available


def test_a_removed_account_is_gone_or_hidden(desk):
    """An unused account is deleted, a used one only hidden; either way it takes no payment and is not found."""
    unused, used = desk.add(), desk.add()
    accounts.remove_processor(desk.admin, Record(processor_id=unused.id), desk.room)
    accounts.activate_processor(desk.admin, Record(processor_id=used.id), desk.room)
    said = desk.charge()
    accounts.remove_processor(desk.admin, Record(processor_id=used.id), desk.room)
    assert [] == desk.listed()
    assert not _entry(desk).available
    assert "succeeded" == desk.look(said.payment_id).status
    with pytest.raises(NotFound):
        accounts.read_processor(desk.admin, Record(processor_id=used.id), desk.room)


@pytest.mark.parametrize("role", [PROVIDER, CLIENT])
def test_only_admins_see_accounts(desk, role):
    """Providers and clients are refused, but everybody may know whether cards can be taken."""
    desk.add()
    caller = Caller(desk.practice_id, role, "per_2", "m_2", "Ben")
    with pytest.raises(Forbidden):
        accounts.list_processors(caller, desk.room)
    with pytest.raises(Forbidden):
        desk.add(caller=caller)
    assert ("sandbox", "direct", True) == (lambda said: (said.type, said.card_entry, said.available))(_entry(desk, role))


def test_another_practice_sees_nothing(desk):
    """Another practice's account is not found by read, change, check, activate and remove, and not listed."""
    account, other = desk.add(), desk.of("prc_2")
    request = Record(processor_id=account.id)
    for story in (
        accounts.read_processor,
        accounts.check_processor,
        accounts.activate_processor,
        accounts.remove_processor,
        accounts.change_processor,
    ):
        with pytest.raises(NotFound):
            story(other.admin, request, other.room)
    assert [] == other.listed()


def test_credentials_sealed_for_another_account_do_not_open(desk):
    """The seal binds practice and account: credentials that were sealed for another one are refused."""
    body = {
        "processor_id": "pcr_9",
        "description": "x",
        "type": "sandbox",
        "sealed_credentials": desk.sealed({}, "pcr_8"),
    }
    with pytest.raises(Forbidden):
        accounts.add_processor(desk.admin, Processors.add_processor.load_request(body), desk.room)
