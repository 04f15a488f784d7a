"""python -m ingest: write readings, aggregates and rejections from Kafka into RedisTimeSeries; rebuild and export."""

from __future__ import annotations

import signal
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.export import export
from infrastructure import logs, metrics_endpoint
from infrastructure.settings import load_settings
from ingest.bridge import Bridge
from ingest.health import BridgeHealth
from ingest.metrics import BridgeMetrics
from operations.rebuild import Counts, Rebuild
from topics import catalogue
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: write the topics into Redis until Ctrl-C or SIGTERM.

    Then the batch under way is finished and committed, and the exit code is 0. While Kafka or Redis is away the
    bridge says so, waits, and goes on. Every setting comes from the environment (docs/reference/settings.md); any
    number of bridges share the work.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    bridge = Bridge(settings, catalogue.read(settings.sensors))
    metrics_endpoint.serve(
        BridgeMetrics(settings, bridge.counts),
        settings.monitoring.host,
        settings.monitoring.ingest_port,
        "IOT_INGEST_METRICS",
        BridgeHealth(settings, bridge.counts),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.stop())
    bridge.run()


@app.command()
def rebuild(
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete the series of IOT_PREFIX first; not the live ones.")
    ] = False,
) -> None:
    """Write everything that Kafka holds into Redis again.

    The live bridge may go on meanwhile, or stand still. Its offsets and the dead letters are not touched. Redis need
    not be empty: what is there is written again, and points that Kafka does not have stay. Stopped by Ctrl-C it has
    done no harm: run it again.
    """
    settings = load_settings()
    if replace and not settings.prefix:
        raise UserError("--replace is for series with a prefix (IOT_PREFIX): readers would miss the live ones")
    console = Console(stderr=True, highlight=False)
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("rebuilding", total=None, done="reading the topics' ends")

        def report(counts: Counts, left: int) -> None:
            speed = counts.written / (time.monotonic() - began)
            done = f"{counts.records:,} of {counts.records + left:,} records  {speed:,.0f} points/s"
            bar.update(task, completed=counts.records, total=counts.records + left, done=done)

        counts = Rebuild(settings, catalogue.read(settings.sensors), report).run(replace=replace)
    seconds = time.monotonic() - began
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    for number, what in (
        (counts.records, "records read"),
        *((points, f"points of {kind} series") for kind, points in sorted(counts.points.items())),
        (len(counts.series), "series"),
        (counts.retracted, "points retracted"),
        (counts.repeated, "duplicates of a raw reading"),
        (counts.invalid, "invalid records skipped"),
        (counts.passes, "passes over the aggregates"),
    ):
        table.add_row(f"{number:,}", what)
    table.add_row(f"{seconds:.1f}", f"seconds ({counts.written / seconds:,.0f} points/s)")
    Console(highlight=False).print(table)


app.command()(export)
