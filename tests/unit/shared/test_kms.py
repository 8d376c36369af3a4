"""A KMS behind the vault: data keys are wrapped by a transit engine (its simulator), and what is wrong with it is said in words."""

import logging
import time
from pathlib import Path

import pytest

from shared.faults import Unavailable
from shared.keys import KeyRing, make_keys
from shared.kms import REMEMBERED, Transit
from shared.settings import Settings, WrongSetting
from shared.vault import Vault
from tests.simulators import transit

PLACE = ("credentials", "sealed", "prac_1", "proc_1", "1")
RING = KeyRing(make_keys()["processors"])


@pytest.fixture
def kms():
    with transit.Transit().serving() as made:
        made.make("billing")
        yield made


def driver(kms, name="billing", token=transit.TOKEN, seconds=0.5):
    return Transit(kms.url, name, lambda: token, (seconds, seconds))


def refusal(act):
    with pytest.raises(Unavailable) as refused:
        act()
    return refused.value


def test_an_envelope_of_the_kms_opens_in_its_place_only(kms):
    """It names the KMS's key and version, holds nothing in clear, and opens nowhere else; nor does it with the key file alone."""
    vault = Vault(RING, driver(kms))
    envelope = vault.seal(b"sk_live_x", *PLACE)
    assert envelope.startswith("v2.billing:1.")
    assert b"sk_live_x" == Vault(RING, driver(kms)).open(envelope, *PLACE)
    assert "vault_broken" == refusal(lambda: vault.open(envelope, *PLACE[:-1], "2")).code
    assert "vault_broken" == refusal(lambda: vault.open(envelope[:-4] + "AAAA", *PLACE)).code
    for other in (Vault(RING), Vault(RING, driver(kms, "another"))):
        lost = refusal(lambda other=other: other.open(envelope, *PLACE))
        assert ("unknown_vault_key", True) == (lost.code, "billing:1" in lost.detail)


def test_what_the_key_file_sealed_still_opens_with_a_kms(kms):
    """Rows from before the KMS open, and are sealed by it when they are renewed."""
    vault, before = Vault(RING, driver(kms)), Vault(RING).seal(b"old", *PLACE)
    assert b"old" == vault.open(before, *PLACE)
    after = vault.renew(before, *PLACE)
    assert after.startswith("v2.billing:1.")
    assert b"old" == vault.open(after, *PLACE)


def test_rotating_rewraps_and_then_the_old_version_opens_nothing(kms):
    """The secret is the same under the next version, whose data key the KMS alone has seen; the old envelope is refused for good."""
    vault = Vault(RING, driver(kms))
    old = vault.seal(b"secret", *PLACE)
    driver(kms).rotate()
    new = vault.renew(old, *PLACE)
    assert new.startswith("v2.billing:2.")
    assert ("decrypt" not in [verb for verb, _ in kms.seen]) and old.split(".")[3:] == new.split(".")[3:]
    driver(kms).open_from(2)
    assert (2, 2) == driver(kms).versions()
    fresh = Vault(RING, driver(kms))
    assert b"secret" == fresh.open(new, *PLACE)
    assert "kms_cant_open" == refusal(lambda: fresh.open(old, *PLACE)).code


def test_associated_data_would_forbid_the_rewrap(kms):
    """Why none is sent: the engine's rewrap takes none, and refuses what was encrypted with it."""
    sealed = driver(kms)._post("encrypt", {"plaintext": "c2VjcmV0", "associated_data": "cGxhY2U="})["ciphertext"]
    assert "kms_cant_open" == refusal(lambda: driver(kms)._post("rewrap", {"ciphertext": sealed})).code
    assert "c2VjcmV0" == driver(kms)._post("decrypt", {"ciphertext": sealed, "associated_data": "cGxhY2U="})["plaintext"]


def test_a_payment_does_not_ask_the_kms_each_time(kms, monkeypatch):
    """An unwrapped data key stays in memory for some minutes, even while the KMS is away, and not for longer."""
    vault = Vault(RING, driver(kms))
    envelopes = [vault.seal(b"secret", *PLACE) for _ in range(2)]
    for _ in range(5):
        vault.open(envelopes[0], *PLACE)
    assert 1 == [verb for verb, _ in kms.seen].count("decrypt")
    kms.sealed = True
    assert b"secret" == vault.open(envelopes[0], *PLACE)
    assert "kms_sealed" == refusal(lambda: vault.open(envelopes[1], *PLACE)).code
    now = time.monotonic()
    monkeypatch.setattr("shared.kms.time.monotonic", lambda: now + REMEMBERED + 1)
    assert "kms_sealed" == refusal(lambda: vault.open(envelopes[0], *PLACE)).code


def test_the_memory_of_data_keys_is_bounded(kms, monkeypatch):
    """No more than so many are held; the oldest is asked for anew."""
    monkeypatch.setattr("shared.kms.AT_MOST", 2)
    vault = Vault(RING, driver(kms))
    envelopes = [vault.seal(b"secret", *PLACE) for _ in range(3)]
    for envelope in (*envelopes, envelopes[0]):
        vault.open(envelope, *PLACE)
    assert 2 == len(vault._kms._known) and 4 == [verb for verb, _ in kms.seen].count("decrypt")


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("lose_request", "kms_unreachable"),
        ("hang", "kms_unreachable"),
        ("cut_after", "kms_unreachable"),
        ("500", "kms_refused"),
        ("garbage", "kms_nonsense"),
        ("garbage_after", "kms_nonsense"),
        ("empty_after", "kms_nonsense"),
    ],
)
@pytest.mark.parametrize("verb", ["encrypt", "decrypt"])
def test_a_failing_kms_is_unavailable_in_words(kms, verb, how, code, caplog):
    """Whatever the line does: Unavailable with a way out, nothing sealed and nothing opened, and no secret in any log."""
    vault = Vault(RING, driver(kms))
    envelope = vault.seal(b"canary-of-a-secret", *PLACE)
    kms.fail(verb, how)
    with caplog.at_level(logging.DEBUG):
        told = refusal(lambda: vault.seal(b"canary-of-a-secret", *PLACE) if verb == "encrypt" else vault.open(envelope, *PLACE))
    assert code == told.code and told.detail
    assert "canary" not in caplog.text + told.detail
    assert b"canary-of-a-secret" == vault.open(envelope, *PLACE), "the next time it works"


def test_refusals_say_what_to_mend(kms, caplog):
    """A sealed engine, a token that is not good, a key that is not there, and nobody listening: each by its own words."""
    vault = Vault(RING, driver(kms))
    kms.sealed = True
    assert "unseal" in refusal(lambda: vault.seal(b"x", *PLACE)).detail
    kms.sealed = False
    refused = refusal(lambda: Vault(RING, driver(kms, token="hvs.canary")).seal(b"x", *PLACE))
    assert ("kms_refused", True) == (refused.code, "CLIENTBILLING_KMS_TOKEN" in refused.detail)
    assert "kms_cant_open" == refusal(lambda: Vault(RING, driver(kms, "nobodys")).seal(b"x", *PLACE)).code
    assert "CLIENTBILLING_KMS_KEY" in refusal(driver(kms, "nobodys").versions).detail
    away = Transit("http://127.0.0.1:9", "billing", lambda: "hvs.canary", (0.5, 0.5))
    assert "kms_unreachable" == refusal(lambda: Vault(RING, away).seal(b"x", *PLACE)).code
    unreadable = Transit(kms.url, "billing", Path("/nowhere/token").read_text, (0.5, 0.5))
    assert "kms_unreachable" == refusal(lambda: Vault(RING, unreadable).seal(b"x", *PLACE)).code
    assert "canary" not in caplog.text


def test_a_sealer_asks_nobody_when_it_seals(kms):
    """The KMS is asked before a transaction begins; the seal inside it needs no line."""
    sealer = Vault(RING, driver(kms)).sealer()
    asked = len(kms.seen)
    envelope = sealer.seal(b"secret", *PLACE)
    assert asked == len(kms.seen)
    assert b"secret" == Vault(RING, driver(kms)).open(envelope, *PLACE)


def test_settings_of_a_kms_are_checked(tmp_path):
    """No secret goes over plain http to another machine; a name and a token are needed; a token file is read anew."""
    url = {"CLIENTBILLING_KMS_URL": "https://vault.example:8200"}
    assert Settings({}).kms("processors") is None
    for wrong, words in (
        ({"CLIENTBILLING_KMS_URL": "http://vault.example:8200", "CLIENTBILLING_KMS_TOKEN": "t"}, "https"),
        (url, "KMS_TOKEN_FILE"),
        ({**url, "CLIENTBILLING_KMS_TOKEN": "t", "CLIENTBILLING_KMS_KEY": "a/b"}, "KMS_KEY"),
    ):
        with pytest.raises(WrongSetting, match=words):
            Settings(wrong).kms("processors")
    (tmp_path / "token").write_text("first\n")
    made = Settings({**url, "CLIENTBILLING_KMS_TOKEN_FILE": str(tmp_path / "token"), "CLIENTBILLING_KMS_KEY": ""}).kms("processors")
    assert ("clientbilling-processors", "first") == (made.name, made._token())
    (tmp_path / "token").write_text("second\n")
    assert "second" == made._token()
