"""iot rebuild: write everything that Kafka holds into Redis again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from operations.rebuild import Counts


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
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from infrastructure.settings import load_settings
    from operations.rebuild import Rebuild
    from topics import catalogue
    from topics.errors import UserError

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
