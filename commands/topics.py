"""iot topics, python -m topics: the topics of the system."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from commands.options import Prefix
from commands.progress import progress
from commands.terminal import confirm, print_table
from infrastructure.kafka import admin, partition_states
from infrastructure.settings import Settings, load_settings
from operations import migrate as migration
from topics.wording import of_prefix

app = typer.Typer(
    help="Create, describe and delete the topics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(soft_wrap=True)


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
    """Show what each partition holds, and the configuration.

    Records, timestamps at both ends (UTC), and how many records each consumer group is behind.
    """
    settings = load_settings(prefix=prefix)
    groups = (settings.prefix + settings.job.group, settings.prefix + settings.ingest.group)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("topic", no_wrap=True)
    table.add_column("part", justify="right", no_wrap=True)
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
        raise admin.TopicError(f"{_none_there(settings)}; `iot topics create` makes them")
    print_table(console, table)
    for topic, entries in admin.configured(settings).items():
        console.print(f"{topic}: " + ", ".join(f"{n}={v}" for n, v in sorted(entries.items())), highlight=False)


@app.command()
def migrate(prefix: Prefix = None) -> None:
    """Rewrite the results of a system of before version 0.2.

    They named their window, and name their day now. Record by record: nothing is computed again. Neither the job
    nor a bridge may run. Killed, it is run again.
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
        confirm(f"Delete {', '.join(there)} and every reading in them?")
    for name in admin.delete(settings):
        console.print(f"{name:<40} deleted")


def _none_there(settings: Settings) -> str:
    """That there are no topics with this prefix, and which prefixes have some."""
    there = admin.partitions(settings.kafka)
    return f"there are no topics {of_prefix(settings.prefix)}; {admin.elsewhere(there)}"


def _utc(timestamp: int | None) -> str:
    return "–" if timestamp is None else f"{datetime.fromtimestamp(timestamp / 1000, UTC):%Y-%m-%d %H:%M}"
