"""Keys, the vault, sealed messages and the signed caller: nothing opens in another place, for another service or too late."""

import time

import pytest

from deploy.rabbitmq.rights import ASKS
from shared.caller import MAY_ASK, Caller, IdempotencyKey, read_caller
from shared.faults import Forbidden, Unavailable
from shared.keys import KeyRing, make_keys, to_text, write_keys
from shared.settings import Settings, WrongSetting
from shared.vault import Vault


@pytest.fixture(scope="module")
def rings():
    return {service: KeyRing(content) for service, content in make_keys().items()}


def test_a_caller_is_who_the_gateway_says(rings):
    """Person, practice, role and key arrive as signed, for one method of one service."""
    caller = Caller("prc_1", "client", "per_1", "cli_1", "Sam", IdempotencyKey("k", "POST /x", "f"))
    token = caller.token(rings["gateway"], "invoicing", "pay_invoice", time.time() + 5)
    assert caller == read_caller(rings["invoicing"], token, "invoicing", "pay_invoice")


def test_a_name_goes_only_where_timelines_are_kept(rings):
    """To the others the caller is an id."""
    for service, name in (("invoicing", "Sam"), ("processors", ""), ("tax", ""), ("notifications", "")):
        token = Caller("prc_1", "client", "per_1", "cli_1", "Sam").token(rings["gateway"], service, "x", time.time() + 5)
        assert name == read_caller(rings[service], token, service, "x").name


@pytest.mark.parametrize(
    ("signer", "audience", "method", "seconds"),
    [
        ("gateway", "processors", "pay_invoice", 5),
        ("gateway", "invoicing", "void_invoice", 5),
        ("gateway", "invoicing", "pay_invoice", -1),
        ("notifications", "invoicing", "pay_invoice", 5),
        ("invoicing", "invoicing", "pay_invoice", 5),
    ],
)
def test_a_call_signed_for_something_else_is_refused(rings, signer, audience, method, seconds):
    """Another service, another method, an expired one, or a service that may not speak for people."""
    token = Caller("prc_1", "admin").token(rings[signer], audience, method, time.time() + seconds)
    with pytest.raises(Forbidden):
        read_caller(rings["invoicing"], token, "invoicing", "pay_invoice")


@pytest.mark.parametrize(("service", "method", "may"), [("tax", "quote", True), ("processors", "change_processor", False)])
def test_invoicing_speaks_in_peoples_names_for_what_it_passes_on_only(rings, service, method, may):
    """It asks for quotes and for money to move; as an admin who changes the practice's account it is not believed."""
    token = Caller("prc_1", "admin").token(rings["invoicing"], service, method, time.time() + 5)
    if may:
        assert "admin" == read_caller(rings[service], token, service, method).role
    else:
        with pytest.raises(Forbidden):
            read_caller(rings[service], token, service, method)


def test_what_invoicing_may_sign_is_what_the_broker_lets_it_ask():
    """Both locks have one key."""
    told = {(call.service, call.name) for call in ASKS["invoicing"]}
    assert told == {(service, name) for service, names in MAY_ASK["invoicing"].items() for name in names}


def test_an_altered_or_foreign_token_is_refused(rings):
    """A byte changed, keys of another installation, or no token at all."""
    token = Caller("prc_1", "admin").token(rings["gateway"], "invoicing", "x", time.time() + 5)
    stranger = KeyRing(make_keys()["gateway"])
    foreign = Caller("prc_1", "admin").token(stranger, "invoicing", "x", time.time() + 5)
    for forged in (token[:-4] + "AAAA", "x" + token, foreign, "", ".", "e30.e30"):
        with pytest.raises(Forbidden):
            read_caller(rings["invoicing"], forged, "invoicing", "x")


def test_what_is_sealed_opens_for_one_service_and_one_purpose(rings):
    """Processors opens the card for this payment, nobody for another one; invoicing can't open it at all."""
    sealed = rings["gateway"].seal(b"4242424242424242", "processors", "card|prc|inv|pay")
    assert "4242424242424242" not in sealed
    assert b"4242424242424242" == rings["processors"].open(sealed, "card|prc|inv|pay")
    with pytest.raises(Forbidden):
        rings["processors"].open(sealed, "card|prc|inv|other")
    for other in ("invoicing", "notifications"):
        with pytest.raises(Unavailable):
            rings[other].open(sealed, "card|prc|inv|pay")


def test_an_envelope_opens_only_in_its_place(rings):
    """Moved to another record, altered, or with an unknown key it fails closed."""
    vault = Vault(rings["processors"])
    envelope = vault.seal(b"sk_live_x", "credentials", "sealed", "prc_1", "pcr_1")
    assert b"sk_live_x" == vault.open(envelope, "credentials", "sealed", "prc_1", "pcr_1")
    for harmed, place in (
        (envelope, ("credentials", "sealed", "prc_2", "pcr_1")),
        (envelope[:-3] + "AAA", ("credentials", "sealed", "prc_1", "pcr_1")),
        (envelope.replace("processors-vault-1", "another"), ("credentials", "sealed", "prc_1", "pcr_1")),
        ("nonsense", ("credentials", "sealed", "prc_1", "pcr_1")),
    ):
        with pytest.raises(Unavailable):
            vault.open(harmed, *place)
    with pytest.raises(Unavailable):
        Vault(rings["tax"]).open(envelope, "credentials", "sealed", "prc_1", "pcr_1")


def test_key_files_are_made_once_and_hold_only_their_own(tmp_path):
    """Mode 600, never overwritten, half a set is refused; no file holds another's private key."""
    made = write_keys(tmp_path / "keys")
    assert {0o600} == {path.stat().st_mode & 0o777 for path in made}
    before = [path.read_bytes() for path in made]
    assert [] == write_keys(tmp_path / "keys")
    assert before == [path.read_bytes() for path in made]
    secrets = {path.stem: KeyRing.read(path).vault_keys.current[1] for path in made}
    for path in made:
        others = [to_text(key) for service, key in secrets.items() if service != path.stem]
        assert to_text(secrets[path.stem]) in path.read_text()
        assert all(other not in path.read_text() for other in others)
    made[0].unlink()
    with pytest.raises(FileExistsError):
        write_keys(tmp_path / "keys")


def test_settings_say_what_is_wrong_by_name(tmp_path):
    """A number that is none, keys that are missing or another's: the variable is named."""
    with pytest.raises(WrongSetting, match="CLIENTBILLING_MAX_WORKERS"):
        _ = Settings({"CLIENTBILLING_MAX_WORKERS": "many"}).max_workers
    settings = Settings({"CLIENTBILLING_DATA": str(tmp_path)})
    with pytest.raises(WrongSetting, match="keys init"):
        settings.keys("tax")
    write_keys(tmp_path / "keys")
    wrong = Settings({"CLIENTBILLING_KEY_FILE": str(tmp_path / "keys" / "tax.json")})
    with pytest.raises(WrongSetting, match="belong to tax"):
        wrong.keys("gateway")


def test_development_powers_need_development():
    """Without it no simulator, no time scale; with it loopback or a named host only."""
    plain = Settings({"CLIENTBILLING_TIME_SCALE": "60"})
    assert 1.0 == plain.time_scale
    assert not plain.simulator_allowed("http://127.0.0.1:1")
    trying = Settings({"CLIENTBILLING_DEVELOPMENT": "1", "CLIENTBILLING_SIMULATOR_HOSTS": "peer"})
    assert trying.simulator_allowed("http://127.0.0.1:1")
    assert trying.simulator_allowed("http://peer:8/")
    for elsewhere in ("http://10.0.0.1", "file:///etc/passwd", "http://127.0.0.1.example.com", "nonsense"):
        assert not trying.simulator_allowed(elsewhere)
