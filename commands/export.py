"""iot export: stored points into a file or to standard output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from infrastructure.settings import load_settings
from topics.reading import LATEST_TS
from topics.wording import instant

if TYPE_CHECKING:
    from operations.export import Exported, Report, Span
    from operations.export import Progress as Moved

BAR_AFTER_SECONDS = 2


def export(
    series: Annotated[
        list[str],
        typer.Argument(
            metavar="SERIES…",
            help="Globs over series keys ('AggDay*', 'cabin:*', TH1), of which one must match, and label filters "
            "('series=AggDay', 'site!=home', 'sensor=(TH1,TH2)'), all of which must match.",
        ),
    ],
    first: Annotated[
        str | None,
        typer.Option("--from", help="A day, or an ISO 8601 instant, UTC; inclusive.", show_default="the first point"),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", help="The same; a day is included as a whole.", show_default="the last point"),
    ] = None,
    form: Annotated[
        Literal["csv", "parquet", "json"] | None,
        typer.Option("--format", help="json is one record a line.", show_default="the ending of --output, else csv"),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file.", show_default="standard output")] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="One column a series and one row a time; all of it is held in memory.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write stored points as CSV, Parquet or JSON.

    One row a point. Without points in that time, the output has its columns alone, and standard error says which time
    has some. Columns: series (its key), site, sensor, kind (raw, AggDay, …), unit, time (UTC), value. Series of
    IOT_PREFIX only, which is left out of their keys. Redis is only read.
    """
    from operations import export as exporting  # late: it brings pandas, which the bridge has no need of

    span = exporting.span(first, last)
    with _bar() as report:
        done = exporting.export(
            load_settings(),
            series,
            span,
            exporting.Target(exporting.format_of(form, output), output, force=force),
            wide=wide,
            report=report,
        )
    if not done.points:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"no points{_asked(span)}: {_held(done)}")


def _asked(span: Span) -> str:
    """The span as far as somebody has given it."""
    first = f" from {instant(span.first)}" if span.first else ""
    return first + (f" to {instant(span.last)}" if span.last < LATEST_TS else "")


def _held(done: Exported) -> str:
    have = f"the {done.series:,} series that match have" if done.series > 1 else "the series that matches has"
    return have + (f" points from {instant(done.held.first)} to {instant(done.held.last)}" if done.held else " none")


@contextmanager
def _bar() -> Iterator[Report]:
    """A bar on standard error, when it takes long and somebody watches."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.fields[done]}"), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", done="")
    began = time.monotonic()

    def report(done: Moved) -> None:
        text = f"{done.points:,} points, series {done.current + 1} of {done.series}"
        bar.update(task, total=done.series, completed=done.current + done.share, done=text)
        if console.is_terminal and time.monotonic() - began > BAR_AFTER_SECONDS:
            bar.start()

    try:
        yield report
    finally:
        if bar.live.is_started:  # stop prints an empty line even if it was not
            bar.stop()
