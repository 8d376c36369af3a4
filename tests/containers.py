"""RabbitMQ and PostgreSQL in containers for one test run, by testcontainers, where a Docker engine is and no others are named.

Started once, by the process that leads the run, before it makes its workers: these inherit the URLs. Stopped at its end.
"""

import os
import time
from contextlib import ExitStack

from kombu import Connection

from tests import engines

POSTGRES, RABBITMQ = "postgres:17", "rabbitmq:4-management"
LIGHT = ("tests/unit", "tests/contract", "tests/compose")  # what is quick, or brings its own


def wanted(arguments: list[str]) -> bool:
    """Whether the tests that were asked for use brokers and databases at all."""
    return not all(argument.removeprefix("./").startswith(LIGHT) for argument in arguments)


def start_engines() -> ExitStack:
    """Containers for what the environment doesn't name; its variables then name them. Close the stack to stop them."""
    started = ExitStack()
    if not engines.docker():
        return started
    try:
        if engines.POSTGRES not in os.environ:
            os.environ[engines.POSTGRES] = _postgres(started)
            os.environ[engines.CONTAINED] = POSTGRES
        if engines.RABBITMQ not in os.environ:
            os.environ[engines.RABBITMQ], os.environ[engines.RABBITMQ_CONTAINER] = _rabbitmq(started)
    except Exception as trouble:  # an image that can't be fetched, say: the local servers may still do
        engines.NOT_RUN.append(f"engines in containers: they could not be started ({type(trouble).__name__}: {str(trouble)[:120]})")
    return started


def _postgres(started: ExitStack) -> str:
    from testcontainers.community.postgres import PostgresContainer

    server = PostgresContainer(POSTGRES, username="postgres", dbname="postgres", driver=None)
    server.with_command(["postgres", "-c", "max_connections=300"])
    return started.enter_context(server).get_connection_url()


def _rabbitmq(started: ExitStack) -> tuple[str, str]:
    """The URI and the container's id; it listens a while after its start."""
    from testcontainers.core.container import DockerContainer

    broker = started.enter_context(DockerContainer(RABBITMQ).with_exposed_ports(5672))
    uri = f"amqp://guest:guest@{broker.get_container_host_ip()}:{broker.get_exposed_port(5672)}//"
    until = time.monotonic() + 90
    while True:
        try:
            with Connection(uri, connect_timeout=3) as connection:
                connection.connect()
            return uri, broker.get_wrapped_container().id
        except (OSError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
