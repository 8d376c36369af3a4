"""The commands about parked events; what they do is in `parking.py`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from shared.settings import Settings, WrongSetting


@click.group()
def parked() -> None:
    """Events that a handler has given up: after eight tries, or because its process died of them."""


handler_option = click.option("--handler", default="", help="Only this one, as service.method.")


@contextmanager
def parking_lot() -> Iterator[Any]:
    """The parking lot, and faults as words."""
    from amqp.exceptions import AccessRefused

    from deploy.parking import ParkingLot
    from shared.faults import Unavailable

    try:
        with closing(ParkingLot(Settings.read())) as lot:
            yield lot
    except WrongSetting as wrong:
        raise click.ClickException(str(wrong)) from None
    except AccessRefused:
        raise click.ClickException("this broker user may not look there: use the operator's") from None
    except (OSError, Unavailable):
        raise click.ClickException("the broker can't be reached, or takes nothing now; what is parked stays parked") from None


@parked.command("list")
@handler_option
@click.option("--each", is_flag=True, help="A line for every one.")
def parked_list(handler: str, each: bool) -> None:
    """How many are parked for each handler, and how old they are."""
    from deploy.parking import list_lines

    with parking_lot() as lot:
        for line in list_lines(lot, handler, each, datetime.now(UTC)):
            click.echo(line)


@parked.command("show")
@click.argument("event_id")
@handler_option
@click.option("--body", is_flag=True, help="Also what it carries, which is private.")
def parked_show(event_id: str, handler: str, body: bool) -> None:
    """One parked event: what, when, how often, why."""
    from deploy.parking import show_lines

    with parking_lot() as lot:
        lines = list(show_lines(lot, handler, event_id, body))
    if not lines:
        raise click.ClickException(f"{event_id} is not parked")
    click.echo("\n".join(lines))


@parked.command("replay")
@click.argument("event_id", default="")
@handler_option
@click.option("--all", "every", is_flag=True, help="All of them, or all of --handler.")
def parked_replay(event_id: str, handler: str, every: bool) -> None:
    """Put one back (or all) into its handler's queue, to be tried again from the beginning. A second time does no harm."""
    from deploy.parking import chosen

    if bool(event_id) == every:
        raise click.UsageError("name one event, or say --all")
    with parking_lot() as lot:
        done = [one for found in chosen(handler) for one in lot.replay(found, lambda one: every or one.id == event_id)]
    if not done and not every:
        raise click.ClickException(f"{event_id} is not parked")
    click.echo(f"{len(done)} put back")


@parked.command("drop")
@click.argument("event_id")
@handler_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def parked_drop(event_id: str, handler: str, yes: bool) -> None:
    """Throw one away for good: its handler never hears it."""
    from deploy.parking import chosen

    if not yes:
        click.confirm(f"Drop {event_id} for good?", abort=True)
    with parking_lot() as lot:
        done = [one for found in chosen(handler) for one in lot.drop(found, lambda one: one.id == event_id)]
    if not done:
        raise click.ClickException(f"{event_id} is not parked")
    click.echo(f"{len(done)} dropped")
