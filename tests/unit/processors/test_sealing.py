"""The key that cards are sealed to changes each month by itself, and no payment notices: the gateway asks for it, signed."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from services.gateway.sealing import Sealing
from services.processors.model import Attempt, SealingKey
from services.processors.usecases import sealing
from shared.caller import Caller
from shared.faults import Conflict, Forbidden, Unavailable
from shared.fields import Record
from shared.keys import KeyRing, make_keys, read_sealing_key, seal_to, signed_sealing_key
from shared.vault import Vault
from tests.unit.processors.conftest import KEYS

DAY = timedelta(days=1)
CALLER = Caller("prac_1", "client", "per_1", "cli_1", "Cleo")


def newest(desk):
    return read_sealing_key(KEYS["gateway"], "processors", sealing.read_sealing_key(desk.room)["signed"])


def gateway(desk, ask=None) -> Sealing:
    """A process of the gateway, with a line to this processors service."""

    def answered(call, body, caller):
        answered.times += 1
        return SimpleNamespace(data=Record(sealing.read_sealing_key(desk.room)))

    answered.times = 0
    made = Sealing(KEYS["gateway"], SimpleNamespace(ask=ask or answered), desk.room.clock)
    made.asked = answered
    return made


def pay(desk, seal) -> Record:
    """One payment whose card is sealed by `seal(secret, info)`."""
    request = desk.request()
    info = f"card|{desk.practice_id}|{request.invoice_id}|{request.payment_id}"
    secret = KEYS["processors"].open(request.sealed_card, info)
    return desk.send(Record({**request, "sealed_card": seal(secret, info)}))


def test_a_key_lasts_a_month_and_a_day(open_desk):
    """Thirty days old it is replaced; what is sealed with it opens for 24 hours more, then not, and nothing of it was done."""
    first = newest(open_desk)
    open_desk.room.clock.at += 30 * DAY - timedelta(seconds=1)
    sealing.renew_key(open_desk.room)
    assert first == newest(open_desk)
    open_desk.room.clock.at += timedelta(seconds=1)
    sealing.renew_key(open_desk.room)
    second = newest(open_desk)
    assert ("seal-1", "seal-2") == (first.id, second.id) and first.public != second.public

    def seal(secret, info):
        return seal_to(first.public, first.id, secret, info)

    open_desk.room.clock.at += DAY - timedelta(seconds=1)
    assert "succeeded" == pay(open_desk, seal).status
    open_desk.room.clock.at += timedelta(seconds=1)
    before = _attempts(open_desk)
    for _ in range(2):  # once by its time, once because it is gone
        with pytest.raises(Conflict) as refused:
            pay(open_desk, seal)
        assert "unknown_sealing_key" == refused.value.code
        sealing.renew_key(open_desk.room)
    assert before == _attempts(open_desk)
    with open_desk.room.database.reading() as session:
        assert ["seal-2"] == [key.id for key in session.scalars(select(SealingKey))]
    assert "succeeded" == open_desk.charge().status, "the key file's own key opens always"


def _attempts(desk) -> int:
    with desk.room.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Attempt))


def test_payments_go_on_while_keys_change(open_desk):
    """Two gateways pay every six hours for 65 days, one of them with a card that is 18 hours under way: all succeed, with three keys."""
    ours, theirs = gateway(open_desk), gateway(open_desk)
    used, late = set(), []
    for turn in range(65 * 4):
        open_desk.room.clock.at += timedelta(hours=6)
        if turn % 2 == 0:
            sealing.renew_key(open_desk.room)
        for seal in (ours.seal, theirs.seal):

            def sealed(secret, info, seal=seal):
                used.add((text := seal(secret, info, CALLER)).partition(".")[0])
                return text

            assert "succeeded" == pay(open_desk, sealed).status
        late = [*late[-3:], (ours.seal(b"a card", f"info {turn}", CALLER), f"info {turn}")]
        assert b"a card" == sealing.open_sealed(open_desk.room, *late[0])
    assert {"seal-1", "seal-2", "seal-3"} == used


def test_the_gateway_asks_every_few_minutes(open_desk):
    """Not for each payment; at once after processors said that it doesn't know the key."""
    made = gateway(open_desk)
    for _ in range(10):
        made.seal(b"x", "info", CALLER)
    assert 1 == made.asked.times
    open_desk.room.clock.at += timedelta(minutes=5)
    made.seal(b"x", "info", CALLER)
    assert 2 == made.asked.times
    made.forget()
    made.seal(b"x", "info", CALLER)
    assert 3 == made.asked.times


def test_without_an_answer_the_key_before_is_used_and_at_last_the_key_files(open_desk):
    """Processors can't be asked: the known key until its end, then the one of the key file; asked again only after half a minute."""
    made = gateway(open_desk)
    assert made.seal(b"x", "info", CALLER).startswith("seal-1.")
    asked = []

    def unreachable(*_):
        asked.append(open_desk.room.clock.now())
        raise Unavailable()

    made._rpc = SimpleNamespace(ask=unreachable)
    open_desk.room.clock.at += timedelta(minutes=6)
    for _ in range(5):
        assert made.seal(b"x", "info", CALLER).startswith("seal-1.")
    assert 1 == len(asked)
    open_desk.room.clock.at += 31 * DAY
    sealed = made.seal(b"x", "info", CALLER)
    assert sealed.startswith("processors-seal-1.")
    assert b"x" == sealing.open_sealed(open_desk.room, sealed, "info")


@pytest.mark.parametrize("forger", ["invoicing", "stranger", "event"])
def test_a_key_that_processors_did_not_sign_is_not_sealed_to(open_desk, forger):
    """Another service, another installation, or another thing that processors signed: the key file's key is used instead."""
    until = open_desk.room.clock.now() + DAY
    signer = KeyRing(make_keys()["processors"]) if forger == "stranger" else KEYS.get(forger)
    token = (
        signed_sealing_key(signer, "seal-9", newest(open_desk).public, until) if signer else KEYS["processors"].sign({"event": "x"})
    )
    made = gateway(open_desk, lambda *_: SimpleNamespace(data=Record(signed=token)))
    assert made.seal(b"x", "info", CALLER).startswith("processors-seal-1.")


def test_two_processes_make_one_key(open_desk):
    """Both find none in the same moment: the second takes the first one's."""
    made = [sealing._make(open_desk.room, None) for _ in range(2)]
    assert made[0].public == made[1].public


@pytest.mark.parametrize(
    "key_id", ["seal-2", "seal-0", "seal-", "seal-x", "seal--1", "seal-²", "seal-99999999999999999999", "another-1", ""]
)
def test_a_key_that_never_was_opens_nothing(open_desk, key_id):
    sealed = f"{key_id}." + seal_to(newest(open_desk).public, "seal-1", b"x", "info").partition(".")[2]
    with pytest.raises(Conflict, match="unknown_sealing_key"):
        sealing.open_sealed(open_desk.room, sealed, "info")


def test_what_is_sealed_with_it_opens_for_its_purpose_only(open_desk):
    sealed = seal_to(newest(open_desk).public, "seal-1", b"x", "info")
    assert b"x" == sealing.open_sealed(open_desk.room, sealed, "info")
    for harmed, info in ((sealed, "other"), (sealed[:-4] + "AAAA", "info"), ("seal-1.", "info")):
        with pytest.raises(Forbidden):
            sealing.open_sealed(open_desk.room, harmed, info)


def test_its_private_half_lies_sealed_in_the_database(open_desk):
    """Without processors' vault key the row gives nothing away."""
    newest(open_desk)
    with open_desk.room.database.reading() as session:
        sealed = session.scalars(select(SealingKey.sealed)).one()
    assert sealed.startswith("v1.processors-vault-1.")
    with pytest.raises(Unavailable):
        Vault(KEYS["tax"]).open(sealed, "sealing_keys", "sealed", "1")
