"""Settings, read once from `CLIENTBILLING_*` variables (or a file of them) and checked with words that name the variable."""

import json
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from shared import killpoints
from shared.keys import SERVICES, KeyRing
from shared.kms import Transit
from shared.vault import Vault

PREFIX = "CLIENTBILLING_"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class WrongSetting(ValueError):
    """A variable can't be used; the message names it and says how to mend it."""


class Settings:
    """What the operator chose. Every attribute names the variable it comes from; nothing is read at import."""

    def __init__(self, variables: Mapping[str, str]):
        self._variables = dict(variables)
        killpoints.arm(self._text("KILL_AT") or None, self.development)

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **more: str) -> "Settings":
        """From the environment, a file named by CLIENTBILLING_SETTINGS (`NAME=value` lines), and `more` on top."""
        environ = os.environ if environ is None else environ
        variables: dict[str, str] = {}
        if path := environ.get(PREFIX + "SETTINGS"):
            for line in Path(path).read_text().splitlines():
                name, equals, value = line.partition("=")
                if equals and not name.lstrip().startswith("#"):
                    variables[name.strip()] = value.strip()
        variables.update({name: value for name, value in environ.items() if name.startswith(PREFIX)})
        variables.update({PREFIX + name.upper(): value for name, value in more.items()})
        return cls(variables)

    def with_(self, **more: str) -> "Settings":
        return Settings({**self._variables, **{PREFIX + name.upper(): value for name, value in more.items()}})

    @property
    def variables(self) -> dict[str, str]:
        """All of them under their full names, wherever they came from."""
        return dict(self._variables)

    def names(self, name: str) -> bool:
        """Whether the operator chose this one, in the environment or the file."""
        return bool(self._text(name))

    def _text(self, name: str, default: str = "") -> str:
        return self._variables.get(PREFIX + name, default)

    def _number(self, name: str, default: float, least: float = 0) -> float:
        text = self._text(name)
        try:
            number = float(text) if text else default
        except ValueError:
            raise WrongSetting(f"{PREFIX}{name} must be a number, not {text!r}.") from None
        if number < least:
            raise WrongSetting(f"{PREFIX}{name} must be at least {least:g}.")
        return number

    @property
    def development(self) -> bool:
        """CLIENTBILLING_DEVELOPMENT=1: demo mail, simulators, time scale and kill points are allowed."""
        return self._text("DEVELOPMENT") in ("1", "true", "yes")

    @property
    def embedded(self) -> bool:
        """Whether all services share this process and its broker."""
        return self.amqp_uri.startswith("inproc:")

    @property
    def amqp_uri(self) -> str:
        """CLIENTBILLING_AMQP_URI: `amqp://user:password@host:5672/vhost`, or `inproc://` for the embedded broker."""
        return self._text("AMQP_URI", "inproc://")

    @property
    def data(self) -> Path:
        """CLIENTBILLING_DATA: the folder of SQLite files, keys and undelivered mail in embedded mode."""
        return Path(self._text("DATA", "var")).resolve()

    def database_url(self, service: str) -> str:
        """CLIENTBILLING_<SERVICE>_DATABASE_URL, else a SQLite file of that service under the data folder."""
        return self._text(f"{service.upper()}_DATABASE_URL") or f"sqlite:///{self.data / (service + '.db')}"

    def runtime_role(self, service: str) -> str:
        """CLIENTBILLING_<SERVICE>_RUNTIME_ROLE, for migrating: the PostgreSQL role that the service runs with; unset, the owner."""
        return self._text(f"{service.upper()}_RUNTIME_ROLE")

    @property
    def keys_folder(self) -> Path:
        return Path(self._text("KEYS") or self.data / "keys")

    def keys(self, service: str) -> KeyRing:
        """CLIENTBILLING_KEY (the content) or CLIENTBILLING_KEY_FILE of this service, else its file in the keys folder."""
        if service not in self._key_rings:
            self._key_rings[service] = self._read_keys(service)
        return self._key_rings[service]

    @cached_property
    def _key_rings(self) -> dict[str, KeyRing]:
        return {}

    def _read_keys(self, service: str) -> KeyRing:
        if service not in SERVICES:
            raise WrongSetting(f"There is no service {service!r}.")
        content, path = self._text("KEY"), self._key_path(service)
        try:
            ring = KeyRing(json.loads(content)) if content else KeyRing.read(path)
        except FileNotFoundError:
            raise WrongSetting(
                f"{service} has no keys: {path} is not there. Run `clientbilling keys init` once and set {PREFIX}KEY_FILE."
            ) from None
        except (ValueError, KeyError, TypeError):
            raise WrongSetting(f"The keys in {PREFIX}KEY or {path} can't be read; restore them from your backup.") from None
        if ring.service != service:
            raise WrongSetting(f"The keys given to {service} belong to {ring.service}.")
        return ring

    def _key_path(self, service: str) -> Path:
        return Path(self._text("KEY_FILE") or self.keys_folder / f"{service}.json")

    def key_file(self, service: str) -> Path:
        """The file that a rotation of this service's keys changes; raises WrongSetting where its keys come from elsewhere."""
        if self._text("KEY"):
            raise WrongSetting(
                f"The keys come from {PREFIX}KEY, which can't be changed from here: write its content into a file, name that in "
                f"{PREFIX}KEY_FILE, rotate, and give the new content to the processes after each step."
            )
        self.keys(service)  # there, and of this service
        return self._key_path(service)

    def vault(self, service: str) -> Vault:
        """The vault of a service: its key file's keys, and the KMS where one is set."""
        return Vault(self.keys(service), self.kms(service))

    def kms(self, service: str) -> Transit | None:
        """CLIENTBILLING_KMS_URL, _KMS_TOKEN or _KMS_TOKEN_FILE, and _KMS_KEY (`clientbilling-{service}`): HashiCorp Vault's transit."""
        url, name = self._text("KMS_URL"), (self._text("KMS_KEY") or "clientbilling-{service}").replace("{service}", service)
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise WrongSetting(f"{PREFIX}KMS_URL must begin with https:// (or be on this machine), because secrets go there.")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
            raise WrongSetting(f"{PREFIX}KMS_KEY must be a name of letters, digits, - and _.")
        if not self._text("KMS_TOKEN") and not self._text("KMS_TOKEN_FILE"):
            raise WrongSetting(
                f"Set {PREFIX}KMS_TOKEN_FILE (or {PREFIX}KMS_TOKEN), the token that the KMS at {PREFIX}KMS_URL asks for."
            )
        return Transit(url, name, self._kms_token)

    def _kms_token(self) -> str:
        """The token now: whoever renews it writes the file anew."""
        path = self._text("KMS_TOKEN_FILE")
        return Path(path).read_text().strip() if path else self._text("KMS_TOKEN")

    @property
    def time_scale(self) -> float:
        """CLIENTBILLING_TIME_SCALE: how many times faster look-ups, retries and reminders run; development only."""
        return self._number("TIME_SCALE", 1, 0.001) if self.development else 1.0

    @property
    def max_workers(self) -> int:
        """CLIENTBILLING_MAX_WORKERS: calls that one service process works on at a time."""
        return int(self._number("MAX_WORKERS", 10, 1))

    @property
    def smtp_url(self) -> str:
        """CLIENTBILLING_SMTP_URL: `smtp://[user:password@]host:port`, `smtps://` for TLS; empty keeps mail as files."""
        return self._text("SMTP_URL")

    @property
    def mail_from(self) -> str:
        """CLIENTBILLING_MAIL_FROM: the sender's address of alerts."""
        return self._text("MAIL_FROM", "billing@clientbilling.example")

    @property
    def public_url(self) -> str:
        """CLIENTBILLING_PUBLIC_URL: where people reach the gateway; links in mail begin with it."""
        return self._text("PUBLIC_URL", "http://localhost:8000").rstrip("/")

    @property
    def api_limit(self) -> int:
        """CLIENTBILLING_API_LIMIT: requests a minute and token, 0 for none."""
        return int(self._number("API_LIMIT", 1200))

    @property
    def proxies(self) -> int:
        """CLIENTBILLING_PROXIES: how many proxies of yours stand before the gateway; what they say of the asker is believed."""
        return int(self._number("PROXIES", 0))

    def simulator_allowed(self, url: str) -> bool:
        """Whether a credential may point at `url`: in development, on loopback or a host in CLIENTBILLING_SIMULATOR_HOSTS."""
        host = urlsplit(url).hostname or ""
        named = {name.strip() for name in self._text("SIMULATOR_HOSTS").split(",") if name.strip()}
        return self.development and urlsplit(url).scheme in ("http", "https") and (host in LOOPBACK or host in named)
