"""Which brokers and databases the tests may use: those named in the environment (`containers.py` names its own there), else local ones."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from amqp.exceptions import AccessRefused, NotAllowed
from kombu import Connection

from deploy.rabbitmq.definitions import USERS, make_definitions

NOT_RUN: list[str] = []  # what was left out for want of an engine; printed at the end of the run

SERVICE_SQL = Path(__file__).resolve().parent.parent / "deploy" / "postgres" / "service.sql"
ROOMY = 200  # connections
RABBITMQ = "CLIENTBILLING_TEST_AMQP_URI"
POSTGRES = "CLIENTBILLING_TEST_POSTGRES_URL"
CONTAINED = "CLIENTBILLING_TEST_POSTGRES_CONTAINER"  # set by `tests/containers.py` where it started one
RABBITMQ_CONTAINER = "CLIENTBILLING_TEST_RABBITMQ_CONTAINER"


@cache
def rabbitmq_uri() -> str | None:
    """A RabbitMQ to test with; None, and a line in NOT_RUN, where there is none."""
    uri = os.environ.get(RABBITMQ, "amqp://guest:guest@127.0.0.1:5672//")
    if _listens(uri, 5672):
        return uri
    NOT_RUN.append(f"everything on RabbitMQ: nothing answers (set {RABBITMQ})")
    return None


@cache
def postgres_url() -> str | None:
    """A PostgreSQL to make test databases in; None, and a line in NOT_RUN, where there is none."""
    url = os.environ.get(POSTGRES, "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        psycopg2.connect(url, connect_timeout=3).close()
    except psycopg2.OperationalError:
        NOT_RUN.append(f"everything on PostgreSQL: nothing answers (set {POSTGRES})")
        return None
    return url


@cache
def roomy_postgres() -> bool:
    """Whether the PostgreSQL takes two whole systems at once; a line in NOT_RUN where it does not."""
    url = postgres_url()
    if url is None:
        return False
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW max_connections")
            most = int(cursor.fetchone()[0])
    finally:
        connection.close()
    if most < ROOMY:
        NOT_RUN.append(f"crashes on RabbitMQ and PostgreSQL: the server takes {most} connections, {ROOMY} are needed (or Docker)")
    return most >= ROOMY


@cache
def docker() -> bool:
    """Whether a Docker engine with `docker compose` answers; a line in NOT_RUN where none does."""
    for words in (("docker", "info"), ("docker", "compose", "version")):
        if not shutil.which("docker") or subprocess.run(words, capture_output=True, timeout=60, check=False).returncode:
            NOT_RUN.append("everything in containers: no Docker engine with `docker compose` answers")
            return False
    return True


def used() -> list[str]:
    """A line for each engine of this run: which one it was."""
    lines = []
    for title, found, named, contained in (
        ("PostgreSQL", postgres_url(), POSTGRES, CONTAINED),
        ("RabbitMQ", rabbitmq_uri(), RABBITMQ, RABBITMQ_CONTAINER),
    ):
        which = "in a container" if contained in os.environ else f"named by {named}" if named in os.environ else "installed here"
        lines += [f"{title}: {which}"] if found else []
    return lines


def _listens(url: str, port: int) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or port), timeout=3).close()
    except OSError:
        return False
    return True


@contextmanager
def fresh_postgres_database(name: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped afterwards."""
    server = postgres_url()
    assert server is not None, "ask postgres_url() first"
    database = f"test_{name}_{uuid.uuid4().hex[:8]}"
    _sql(server, f'CREATE DATABASE "{database}"')
    try:
        yield urlsplit(server)._replace(path="/" + database).geturl()
    finally:
        _sql(server, f'DROP DATABASE "{database}" WITH (FORCE)')


@dataclass(frozen=True)
class ServiceDatabase:
    """A database as a service has it: its owner's URL, its runtime role's, and that role's name."""

    owner: str
    runtime: str
    role: str


@contextmanager
def fresh_service_database(service: str, password: str = "role") -> Iterator[ServiceDatabase]:
    """A new database with its two roles, made by the very file that makes them in production; all dropped afterwards.

    `password` is the runtime role's.
    """
    server = postgres_url()
    assert server is not None, "ask postgres_url() first"
    name = f"test_{service}_{uuid.uuid4().hex[:8]}"
    told = {"service": name, "owner": f"{name}_owner", "owner_password": "owner", "role": f"{name}_role", "role_password": password}
    script = re.sub(r"^--.*$", "", SERVICE_SQL.read_text(), flags=re.MULTILINE)
    filled = re.sub(r""":(["'])(\w+)\1""", lambda found: found[1] + told[found[2]] + found[1], script)
    try:
        for statement in filled.split(";"):
            if statement.strip():
                _sql(server, statement)
        parts = urlsplit(server)
        at = parts.netloc.rpartition("@")[2]
        owner = parts._replace(netloc=f"{told['owner']}:owner@{at}", path="/" + name).geturl()
        yield ServiceDatabase(
            owner, parts._replace(netloc=f"{told['role']}:{password}@{at}", path="/" + name).geturl(), told["role"]
        )
    finally:
        _sql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        for role in (told["role"], told["owner"]):
            _sql(server, f'DROP ROLE IF EXISTS "{role}"')


def _sql(url: str, statement: str) -> None:
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


@contextmanager
def traced(uri: str) -> Iterator[None]:
    """The firehose: what is published in this URI's virtual host goes to `amq.rabbitmq.trace` too (see RabbitMQ's guide to it)."""
    host = urlsplit(uri).path[1:]
    assert _ctl("trace_on", "-p", host)
    try:
        yield
    finally:
        _ctl("trace_off", "-p", host)


@contextmanager
def fresh_rabbitmq(name: str) -> Iterator[str]:
    """A virtual host of its own where `rabbitmqctl` may make one; else the given one."""
    uri = rabbitmq_uri()
    assert uri is not None, "ask rabbitmq_uri() first"
    host = f"test-{name}-{uuid.uuid4().hex[:8]}"
    user = urlsplit(uri).username or "guest"
    if not (_ctl("add_vhost", host) and _ctl("set_permissions", "-p", host, user, ".*", ".*", ".*")):
        yield uri
        return
    try:
        yield urlsplit(uri)._replace(path="/" + host).geturl()
    finally:
        _ctl("delete_vhost", host)


@contextmanager
def fresh_bus(name: str) -> Iterator[dict[str, str] | None]:
    """A virtual host with the product's own definitions, as `{user: URI}`; None where they can't be loaded."""
    uri = rabbitmq_uri()
    if uri is None or not rabbitmq_takes_definitions():
        yield None
        return
    mark = f"test-{name}-{uuid.uuid4().hex[:8]}"
    passwords = {user: uuid.uuid4().hex for user in USERS}
    admin, definitions = urlsplit(uri).username or "guest", make_definitions(mark, passwords, f"{mark}-")
    try:
        assert _ctl("import_definitions", given=json.dumps(definitions))
        assert _ctl("set_permissions", "-p", mark, admin, ".*", ".*", ".*")
        where = urlsplit(uri)
        net = f"{where.hostname}:{where.port or 5672}"
        uris = {
            user: where._replace(netloc=f"{mark}-{user}:{password}@{net}", path="/" + mark).geturl()
            for user, password in passwords.items()
        }
        _wait_for_user(uris[USERS[-1]])
        yield {**uris, "admin": where._replace(path="/" + mark).geturl()}
    finally:
        _ctl("delete_vhost", mark)
        for user in USERS:
            _ctl("delete_user", f"{mark}-{user}")


def _wait_for_user(uri: str) -> None:
    """RabbitMQ says of itself that it loads definitions in the background."""
    for _ in range(50):
        with suppress(OSError, AccessRefused, NotAllowed), Connection(uri, connect_timeout=3) as connection:
            connection.connect()
            return
        time.sleep(0.1)
    raise AssertionError("the definitions were not loaded")


@cache
def rabbitmq_takes_definitions() -> bool:
    """Whether users can be made on the RabbitMQ in use; a line in NOT_RUN where not."""
    uri = rabbitmq_uri()
    ours = RABBITMQ_CONTAINER in os.environ or urlsplit(uri or "").hostname in ("127.0.0.1", "localhost")
    if uri and ours and _ctl("list_vhosts"):
        return True
    NOT_RUN.append("a broker user for each service, and parked events: rabbitmqctl can't load definitions here")
    return False


def widen(uri: str) -> None:
    """For a negative control: this URI's user may do everything in its virtual host, as RabbitMQ's own first user may."""
    where = urlsplit(uri)
    assert where.username and _ctl("set_permissions", "-p", where.path[1:], where.username, ".*", ".*", ".*")
    assert _ctl("clear_topic_permissions", "-p", where.path[1:], where.username)


def _ctl(*words: str, given: str | None = None) -> bool:
    container = os.environ.get(RABBITMQ_CONTAINER)
    if not shutil.which("docker" if container else "rabbitmqctl"):
        return False
    command = ["rabbitmqctl", "-q", *words]
    if container and given is not None:  # there rabbitmqctl waits for ever for the end of what comes in
        command = ["sh", "-c", f"cat > /tmp/given && {shlex.join(command)} /tmp/given"]
    inside = ["docker", "exec", "-i", container] if container else []
    return subprocess.run([*inside, *command], input=given, text=True, capture_output=True, timeout=60, check=False).returncode == 0
