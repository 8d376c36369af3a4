"""The operator's command: what it takes for granted, and where it takes its settings from. Nothing is served here."""

import json
import os

import pytest
from click.testing import CliRunner

from deploy import cli, embedded, gateway, supervisor
from deploy.rabbitmq.definitions import USERS, variable
from shared.settings import PREFIX


@pytest.fixture
def operator(monkeypatch, tmp_path):
    """Runs a command with these variables alone; what `up` would serve is noted."""
    served = []
    monkeypatch.setattr(embedded, "serve", lambda *given: served.append(given))
    monkeypatch.setattr(gateway, "serve_gateway", lambda *given: served.append(given))
    monkeypatch.setattr(supervisor, "keep_running", lambda command: served.append(command))
    monkeypatch.setattr("eventlet.monkey_patch", lambda: None)
    monkeypatch.setattr(cli, "log_to_stderr", lambda: None)
    monkeypatch.chdir(tmp_path)

    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}

    def run(*words, **variables):
        monkeypatch.setattr(os, "environ", {**others, **{PREFIX + name.upper(): value for name, value in variables.items()}})
        return CliRunner().invoke(cli.main, words), served

    return run


@pytest.mark.parametrize(("words", "demo"), [((), False), (("--no-demo",), False), (("--demo",), True)])
def test_invented_data_are_made_only_where_they_are_asked_for(operator, words, demo):
    """A practice that anybody can sign in to, and development mode with it, come with --demo and not by themselves."""
    done, [(settings, _, _, made)] = operator("up", *words)
    assert (0, demo, demo) == (done.exit_code, made, settings.development)


def test_the_public_address_may_be_in_the_file_of_settings(operator, tmp_path):
    """What the file says holds; where nobody says anything it is this machine, at the port that is served."""
    file = tmp_path / "settings"
    file.write_text("CLIENTBILLING_PUBLIC_URL=https://billing.example\n")
    _, served = operator("up", "--port", "9000", settings=str(file))
    _, served = operator("up", "--port", "9000")
    assert ["https://billing.example", "http://localhost:9000"] == [settings.public_url for settings, *_ in served]


@pytest.mark.parametrize("service", ["gateway", "tax"])
@pytest.mark.parametrize("more", [{}, {"amqp_uri": "inproc://"}])
def test_a_service_of_its_own_needs_a_broker(operator, service, more):
    """Without RabbitMQ it would sit alone and hear nobody: the variable is named, and nothing starts."""
    done, served = operator("serve", service, **more)
    assert (1, []) == (done.exit_code, served) and "CLIENTBILLING_AMQP_URI" in done.output


def test_the_brokers_passwords_may_be_in_the_file_of_settings(operator, tmp_path):
    """`broker-definitions` finds every user's password where the other settings are."""
    file = tmp_path / "settings"
    file.write_text("".join(f"{variable(user)}=a-password\n" for user in USERS))
    done, _ = operator("broker-definitions", settings=str(file))
    assert 0 == done.exit_code, done.output
    assert set(USERS) == {user["name"] for user in json.loads(done.output)["users"]}
