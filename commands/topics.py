"""python -m topics: the topics of the system."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from commands import dead_letters
from commands.results_report import progress
from infrastructure.kafka import admin, partition_states
from infrastructure.settings import Settings, load_settings
from operations import audit as accounting
from operations import migrate as migration
from topics import catalogue
from topics.wording import of_prefix

app = typer.Typer(
    help="Create, describe, audit and delete the topics; list and resend dead letters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(soft_wrap=True)

Prefix = Annotated[str | None, typer.Option(help="Put before each topic's name.", show_default="IOT_PREFIX")]


@app.command()
def create(
    prefix: Prefix = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of dailyAggr.", show_default="IOT_PARTITIONS, 6")
    ] = None,
) -> None:
    """Create the topics that are not there."""
    settings = load_settings(prefix=prefix, partitions=partitions)
    created = admin.create(settings)
    for name in admin.topics_of(settings):
        console.print(f"{name:<40} {'created' if name in created else 'was there'}")


@app.command()
def describe(prefix: Prefix = None) -> None:
    """Show partitions, offsets, timestamps at both ends (UTC), the groups' lag (records) and the configuration."""
    settings = load_settings(prefix=prefix)
    groups = (settings.prefix + settings.job.group, settings.prefix + settings.ingest.group)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("topic", no_wrap=True)
    table.add_column("part", justify="right")
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("first (UTC)", no_wrap=True)
    table.add_column("last (UTC)", no_wrap=True)
    for group in groups:
        table.add_column(f"lag of\n{group}", justify="right", no_wrap=True)
    for state in partition_states.describe(settings, groups):
        table.add_row(
            state.topic,
            str(state.partition),
            f"{state.next_offset - state.first_offset:,}",
            _utc(state.first_timestamp),
            _utc(state.last_timestamp),
            *(f"{state.lag[g]:,}" if g in state.lag else "–" for g in groups),
        )
    if not table.row_count:
        raise admin.TopicError(f"{_none_there(settings)}; `python -m topics create` makes them")
    console.print(table, highlight=False)
    for topic, entries in admin.configured(settings).items():
        console.print(f"{topic}: " + ", ".join(f"{n}={v}" for n, v in sorted(entries.items())), highlight=False)


@app.command()
def audit(prefix: Prefix = None) -> None:
    """Account for every record of dailyAggr: counted in its day, rejected, a dead letter, or a duplicate of such a one.

    Exits with 1 when one is in none of them, or in more than one.
    """
    settings = load_settings(prefix=prefix)
    with console.status("reading the topics"):
        account = accounting.audit(settings, catalogue.read(settings.sensors))
    for number, what in (
        (account.records, "records in dailyAggr and history"),
        (account.heartbeats, "heartbeats"),
        (account.invalid, "invalid"),
        (account.repeated, "repeat a reading that was there already"),
        (account.readings + account.history, "readings, each once, of which"),
        (account.history, "  came from backfills"),
        (account.counted, "  are counted in their day"),
        (account.rejected, "  are in lateRej: too late, or their day's state was gone"),
        (account.open, "  belong to a day that is still open"),
        (account.replaced, "  belong to a day that a backfill has replaced"),
        (account.dead_letters, "dead letters, of which"),
        (account.resendable, "  would be valid by now: `python -m topics deadletter --pending`"),
    ):
        console.print(f"{number:>14,}  {what}", highlight=False)
    for line in account.unexplained:
        console.print(f"[red]{line}[/]", highlight=False)
    if account.unexplained:
        raise typer.Exit(1)
    console.print("every reading is accounted for")


app.add_typer(dead_letters.app, name="deadletter")


@app.command()
def migrate(prefix: Prefix = None) -> None:
    """Rewrite the results of a system of before version 0.2: they named their window, and name their day now.

    Record by record: nothing is computed again. Neither the job nor a bridge may run. Killed, it is run again.
    """
    settings = load_settings(prefix=prefix)
    with progress("records") as report:
        done = migration.migrate(settings, lambda _step, count, total: report(count, total))
    if done.records:
        console.print(f"{done.records:>14,}  records rewritten, headers kept", highlight=False)
        console.print(f"{done.results:>14,}  results stand, the same as before", highlight=False)
    elif admin.existing(settings):
        console.print("there is nothing to migrate")
    else:
        console.print(f"there is nothing to migrate: {_none_there(settings)}", highlight=False)


@app.command()
def delete(
    prefix: Prefix = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the topics and everything in them. That there are none is no error, and is said."""
    settings = load_settings(prefix=prefix)
    there = sorted(admin.existing(settings))
    if not there:
        console.print(f"nothing is deleted: {_none_there(settings)}", highlight=False)
        return
    if not yes:
        typer.confirm(f"Delete {', '.join(there)} and every reading in them?", abort=True)
    for name in admin.delete(settings):
        console.print(f"{name:<40} deleted")


def _none_there(settings: Settings) -> str:
    """That there are no topics with this prefix, and which prefixes have some."""
    there = admin.partitions(settings.kafka)
    return f"there are no topics {of_prefix(settings.prefix)}; {admin.elsewhere(there)}"


def _utc(timestamp: int | None) -> str:
    return "–" if timestamp is None else f"{datetime.fromtimestamp(timestamp / 1000, UTC):%Y-%m-%d %H:%M}"
