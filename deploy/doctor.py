"""What could be wrong with an installation, looked at one thing after another, each with the way to mend it."""

import os
from collections.abc import Iterator

import kombu
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from deploy.databases import is_current
from deploy.pools import compare
from deploy.vaults import MODELS, missing_keys
from shared.database import Database
from shared.faults import Unavailable
from shared.keys import SERVICES
from shared.kms import Transit
from shared.settings import PREFIX, Settings, WrongSetting


def examine(settings: Settings) -> Iterator[tuple[bool, str]]:
    """(whether it is well, what was looked at and how to mend it)."""
    yield from _configuration(settings)
    for service in SERVICES:
        yield _keys(settings, service)
    for service in SERVICES:
        yield _database(settings, service)
    for service in MODELS:
        yield from _vault(settings, service)
    yield from _connections(settings)
    yield _broker(settings)


def _configuration(settings: Settings) -> Iterator[tuple[bool, str]]:
    if settings.development:
        yield True, f"development mode is on: never for real clients (unset {PREFIX}DEVELOPMENT)"
    if not settings.smtp_url:
        yield settings.development, f"mail is kept as files under {settings.data / 'mail'}: set {PREFIX}SMTP_URL to send it"
    else:
        yield True, "mail goes out by the SMTP server that is set"
    known = settings.public_url.startswith("https://") or settings.development
    yield (
        known,
        f"links in mail begin with {settings.public_url}" + ("" if known else f": set {PREFIX}PUBLIC_URL to your https address"),
    )


def _keys(settings: Settings, service: str) -> tuple[bool, str]:
    try:
        settings.keys(service)
    except WrongSetting as wrong:
        return False, str(wrong)
    path = settings.keys_folder / f"{service}.json"
    if path.exists() and os.stat(path).st_mode & 0o077:
        return False, f"the keys of {service} can be read by others: chmod 600 {path}"
    return True, f"the keys of {service} can be read"


def _database(settings: Settings, service: str) -> tuple[bool, str]:
    url = settings.database_url(service)
    shown = f"{PREFIX}{service.upper()}_DATABASE_URL"
    if url.startswith("sqlite:///") and not os.path.exists(url.removeprefix("sqlite:///")):
        return False, f"{service} has no database yet: run `clientbilling migrate {service}`"
    try:
        database = Database(url)
        database.ping()
        database.dispose()
    except Exception as problem:  # whatever the driver raises: it does not answer
        return False, f"the database of {service} does not answer ({type(problem).__name__}): look at {shown}"
    if not is_current(settings, service):
        return False, f"the database of {service} has an older shape: run `clientbilling migrate {service}`"
    return True, f"the database of {service} answers and has its newest shape"


def _vault(settings: Settings, service: str) -> Iterator[tuple[bool, str]]:
    """Whether every stored secret has its key; nothing where keys or database are not there, as was said already."""
    try:
        kms = settings.kms(service)
        missing = sorted(set(missing_keys(settings, service)))
    except WrongSetting as wrong:
        yield False, str(wrong)
        return
    except SQLAlchemyError:
        return
    for key_id in missing:
        yield False, f"stored secrets of {service} need the vault key {key_id}: restore the key file (or set the KMS) that holds it"
    if not missing:
        yield True, f"every stored secret of {service} has its key"
    if kms is not None:
        yield _kms(kms, service)


def _kms(kms: Transit, service: str) -> tuple[bool, str]:
    try:
        newest, _ = kms.versions()
    except Unavailable as trouble:
        return False, f"the KMS of {service}: {trouble.detail}"
    return True, f"the KMS answers for {service}, with version {newest} of its key {kms.name}"


def _connections(settings: Settings) -> Iterator[tuple[bool, str]]:
    try:
        yield from compare(settings)
    except OperationalError:
        return  # that a database doesn't answer was said above


def _broker(settings: Settings) -> tuple[bool, str]:
    if settings.embedded:
        return True, "the broker is the embedded one, inside `clientbilling up`"
    try:
        with kombu.Connection(settings.amqp_uri, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as problem:
        return False, f"the broker does not answer ({type(problem).__name__}): look at {PREFIX}AMQP_URI"
    return True, "the broker answers"
