"""The `clientbilling` command: the door for operators. Each command is a few lines; what it does is in the other files of `deploy`."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from deploy.parked import parked
from shared.faults import Unavailable
from shared.keys import SERVICES, hand_out, write_keys
from shared.settings import Settings, WrongSetting
from shared.tenancy import acting_for_all
from shared.vault_keys import PAUSE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Client Billing: serve it, look after its databases and keys, prove its books."""
    warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")  # known, and said in the operator's guide


def settings(**more: str) -> Settings:
    """The settings, or a clean end with words that name the variable."""
    try:
        return Settings.read(None, **more)
    except WrongSetting as wrong:
        raise click.ClickException(str(wrong)) from None


@main.command()
@click.option("--host", default="", help="Address to listen on; loopback only unless you name another.")
@click.option("--port", default=8000, show_default=True, help="Port of the web client and the API.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Folder of databases, keys and mail [var].")
@click.option("--demo/--no-demo", default=False, show_default=True, help="A practice with data to try; implies development.")
def up(host: str, port: int, data: Path | None, demo: bool) -> None:
    """Serve everything in this one process: embedded broker, SQLite files, no other server."""
    import eventlet

    eventlet.monkey_patch()
    from deploy import embedded

    more = {"amqp_uri": "inproc://"}
    if data is not None:
        more["data"] = str(data)
    if demo:
        more["development"] = "1"
    chosen = settings(**more)
    if not chosen.names("PUBLIC_URL"):
        chosen = chosen.with_(public_url=f"http://localhost:{port}")
    log_to_stderr()
    try:
        embedded.serve(chosen, host or "127.0.0.1", port, demo)
    except WrongSetting as wrong:
        raise click.ClickException(str(wrong)) from None


@main.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the gateway to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port of the gateway to listen on.")
@click.option("--workers", default=2, show_default=True, help="Processes of the gateway.")
@click.option("--once", is_flag=True, hidden=True, help="Without the supervisor that starts it again.")
def serve(service: str, host: str, port: int, workers: int, once: bool) -> None:
    """Serve one SERVICE against RabbitMQ and its own database, both named by the environment."""
    log_to_stderr()
    _must_name_a_broker(service)
    if service == "gateway":
        from deploy.gateway import serve_gateway

        serve_gateway(settings(), host, port, workers)
    elif once:
        import eventlet

        eventlet.monkey_patch()
        from deploy.services import serve_service

        serve_service(settings(), service)
    else:
        from deploy.supervisor import keep_running

        sys.exit(keep_running([sys.executable, "-m", "deploy", "serve", service, "--once"]))


def _must_name_a_broker(service: str) -> None:
    """On the embedded broker a service of its own would be alone, and say nothing."""
    if settings().embedded:
        raise click.ClickException(
            f"CLIENTBILLING_AMQP_URI names no RabbitMQ, so {service} would hear nobody: set it to amqp://user:password@host:5672/vhost, "
            "or serve everything in one process with `clientbilling up`."
        )


@main.command()
@click.argument("service", type=click.Choice((*SERVICES, "all")))
def migrate(service: str) -> None:
    """Bring the database of SERVICE (or of all) to the newest shape. A step of its own: nothing migrates at start."""
    from deploy.databases import migrate_one

    for name in SERVICES if service == "all" else (service,):
        migrate_one(settings(), name)
        click.echo(f"{name}: the database is up to date")


@main.group()
def keys() -> None:
    """The keys that services sign, seal and lock away with."""


@keys.command("init")
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Where the key files go [var/keys].")
@click.option("--hand-out-to", type=click.Path(path_type=Path), default=None, help="Also put each into a folder of its service.")
def keys_init(folder: Path | None, hand_out_to: Path | None) -> None:
    """Make the key files once, one for each service; existing ones are never touched."""
    folder = folder or settings().keys_folder
    try:
        made = write_keys(folder)
    except FileExistsError as half:
        raise click.ClickException(str(half)) from None
    for path in made:
        click.echo(f"made {path}")
    if not made:
        click.echo(f"{folder} has all its keys already; nothing was changed")
    else:
        click.echo("Give each service its own file only, and keep a copy of all of them apart from the databases.")
    if hand_out_to:
        hand_out(folder, hand_out_to)
        click.echo(f"each service's own file is in its folder below {hand_out_to}")


@main.command("rotate-keys")
@click.argument("service", type=click.Choice((*SERVICES, "all")), default="all")
@click.option("--pause", default=PAUSE, show_default=True, help="Seconds that all processes have to take up the changed key file.")
@click.option("--one-step", is_flag=True, help="Stop after each step that changes key files, for copying them to other machines.")
@click.option("--hand-out-to", type=click.Path(path_type=Path), default=None, help="Also put each into a folder of its service.")
@acting_for_all()
def rotate_keys(service: str, pause: float, one_step: bool, hand_out_to: Path | None) -> None:
    """Seal every stored secret of SERVICE (or of all) with a new key, while the system serves, and drop the old one."""
    from deploy.rotating import Stopped, rotate

    try:
        for line in rotate(settings(), SERVICES if service == "all" else (service,), pause, one_step, hand_out_to):
            click.echo(line)
    except BlockingIOError:
        raise click.ClickException("another rotation of these key files is under way") from None
    except Unavailable as trouble:
        raise click.ClickException(f"{trouble.detail} Nothing was lost: run this again, it goes on where it was.") from None
    except (Stopped, WrongSetting) as stopped:
        raise click.ClickException(str(stopped)) from None


@main.command("verify-ledger")
@acting_for_all()
def verify_ledger() -> None:
    """Prove the books: the chain, every balance, and every settled card payment against the processors' attempts."""
    from deploy.proof import prove

    problems = 0
    for line in prove(settings()):
        problems += line.startswith("WRONG")
        click.echo(line)
    if problems:
        raise click.ClickException(f"the books do not agree: {problems} finding(s)")


@main.command()
@click.option(
    "--to",
    "moment",
    required=True,
    metavar="MOMENT",
    help="When the oldest restored backup was made, such as 2026-11-25T02:00:00Z.",
)
@acting_for_all()
def restored(moment: str) -> None:
    """Say, with everything stopped, that databases were restored from a backup: payments close until the processors' lists agree."""
    from deploy.restoring import restored, whoever_serves

    chosen, when = settings(), _past(moment)
    if serving := whoever_serves(chosen):
        raise click.ClickException(f"{serving}: stop every service first, or it charges by records that are being mended")
    for line in restored(chosen, when):
        click.echo(line)
    click.echo("Start the services now. Each account's page says when its payments open again.")


def _past(text: str) -> datetime:
    """The moment that `text` names, which has to say its offset and to be over."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter("write it as 2026-11-25T02:00:00Z, or with another offset in place of Z", param_hint="--to")
    if moment > datetime.now(UTC):
        raise click.BadParameter("that is still to come", param_hint="--to")
    return moment.astimezone(UTC)


@main.command("sandbox-books")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def sandbox_books(as_json: bool) -> None:
    """What the sandbox processor itself holds: reference, kind, amount, time of every charge and refund."""
    from deploy.proof import sandbox_lines

    for line in sandbox_lines(settings(), as_json):
        click.echo(line)


@main.command()
@acting_for_all()
def doctor() -> None:
    """Check configuration, broker, databases and keys, and say how to mend what is wrong."""
    from deploy.doctor import examine

    wrong = 0
    for ok, what in examine(settings()):
        click.echo(("ok     " if ok else "WRONG  ") + what)
        wrong += not ok
    if wrong:
        raise click.ClickException(f"{wrong} thing(s) to mend")


@main.command("broker-definitions")
@click.option("--vhost", default="clientbilling", show_default=True, help="Virtual host that everything lies in.")
@click.option("--prefix", default="", help="Put before each user's name.")
@click.option(
    "--passwords", type=click.Path(path_type=Path), default=None, help="File that passwords are kept in; missing ones are made."
)
@click.option("--out", type=click.File("w", lazy=True), default="-", help="File that they are written to [standard output].")
def broker_definitions(vhost: str, prefix: str, passwords: Path | None, out: IO[str]) -> None:
    """Print the definitions that RabbitMQ loads: a user for each service and the operator, who may do what, the queues of news."""
    from deploy.rabbitmq.definitions import make_definitions, read_passwords

    try:
        known = read_passwords(settings().variables, passwords)
    except KeyError as missing:
        raise click.ClickException(f"{missing.args[0]} is not set: set it, or name a file with --passwords") from None
    click.echo(json.dumps(make_definitions(vhost, known, prefix), indent=1), file=out)


main.add_command(parked)


def log_to_stderr() -> None:
    """Plain log lines; what libraries say below a warning stays out of it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for name in ("nameko", "kombu", "amqp", "alembic", "stripe", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
