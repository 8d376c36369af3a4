"""What the compose file gives to whom, read as a file: no container is needed."""

import re

import pytest
import yaml

from tests.system import ROOT


@pytest.fixture(scope="module")
def parts():
    """The environment of each part, as it is written."""
    told = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: one.get("environment") or {} for name, one in told.items()}


def test_a_tls_proxy_before_ours_can_be_named(parts):
    """How many proxies are believed is the operator's choice, and ours believes one before it only where that is named."""
    assert "${CLIENTBILLING_PROXIES:-1}" == parts["gateway"]["CLIENTBILLING_PROXIES"]
    assert "${CLIENTBILLING_OUTER_PROXY:-}" == parts["proxy"]["CLIENTBILLING_OUTER_PROXY"]
    rules = (ROOT / "deploy/proxy/haproxy.cfg").read_text()
    assert 'acl outer_proxy src -- "${CLIENTBILLING_OUTER_PROXY[*]}"' in rules
    for header in ("For", "Proto"):
        assert re.search(rf"del-header X-Forwarded-{header} unless outer_proxy$", rules, re.MULTILINE)


def test_the_proxy_waits_for_bodies_and_keeps_the_operators_pages():
    """A slow body holds no gateway's thread; figures and readiness are not for everybody."""
    rules = (ROOT / "deploy/proxy/haproxy.cfg").read_text()
    assert re.search(r"^    option http-buffer-request$", rules, re.MULTILINE)
    assert re.search(r"return status 404 .* \{ path,url_dec -m beg /metrics /readyz \}$", rules, re.MULTILINE)


def test_each_keeper_of_secrets_has_a_kms_token_of_its_own(parts):
    """Three services and the operator have one each, or a file of it; nobody else has any, and none is for all."""
    for name in ("gateway", "processors", "notifications", "operator"):
        for kind in ("KMS_TOKEN", "KMS_TOKEN_FILE"):
            assert f"${{CLIENTBILLING_{name.upper()}_{kind}:-}}" == parts[name][f"CLIENTBILLING_{kind}"]
        assert parts[name]["CLIENTBILLING_KMS_URL"]
    for name in ("invoicing", "tax", "proxy", "mail", "rabbitmq", "postgres"):
        assert not [variable for variable in parts[name] if "KMS" in variable], name
