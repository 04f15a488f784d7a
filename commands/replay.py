"""iot replay: compute days again from the readings that Kafka holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from commands.progress import progress
from commands.results_report import SHOWN, compared, summary
from infrastructure.settings import PREFIX, load_settings
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from operations import replay as replaying
from topics.errors import UserError

console = Console(highlight=False, soft_wrap=True)


class Late(StrEnum):
    """What becomes of readings that are too late."""

    REJECT = "reject"
    ACCEPT = "accept"


def replay(
    first: Annotated[
        str | None, typer.Option("--from", help="First day, YYYY-MM-DD.", show_default="the first one there is")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.", show_default="the last one that is closed")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(help="Prefix of topics and series of their own.", show_default="correct the live results"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Prefix of a backfill, to replay its readings into it.", show_default="the live readings"),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option(min=1, help="Instances of each operator.", show_default="IOT_PARALLELISM, 2")
    ] = None,
    late: Annotated[
        Late | None,
        typer.Option(
            help="Readings that are too late; accept needs --into.", show_default="reject; accept with --source"
        ),
    ] = None,
) -> None:
    """Compute days again from the readings that Kafka holds.

    Beside the live job, and by the same SQL. Without --into the live results are corrected, for those days that the
    live job can no more correct itself.
    """
    settings = load_settings(parallelism=parallelism)
    for option, prefix in (("--into", into), ("--source", source)):
        if prefix is not None and not re.fullmatch(PREFIX, prefix):
            raise UserError(f"{option} {prefix!r}: a prefix is at most 64 letters, digits, and characters of _.-")
    if source is not None:
        into, late = into or source, late or Late.ACCEPT
    if into == settings.prefix:
        raise UserError("--into: the live results are corrected without it")
    if late == Late.ACCEPT and into is None:
        raise UserError("--late accept needs --into: the live results keep to the rule")
    first_day, last_day = _day(first, "--from"), _day(last, "--to")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise UserError(f"--from {first} is after --to {last}")
    request = replaying.Request(first_day, last_day, into, source, accept_late=late == Late.ACCEPT)
    plan = replaying.requested(settings, request)
    for line in replaying.described(plan.left_out):
        console.print(line)
    with progress("readings") as report:
        replayed = replaying.compute(
            settings,
            local_tools(settings),
            SPEC,
            request,
            plan,
            report=lambda progress: report(progress.read, progress.records),
            said=console.print,
        )
    _show(replayed, shown=None if late == Late.ACCEPT else SHOWN)
    if into is None:
        replaying.correct(settings, SPEC, replayed)
        days = len({change.point.day for change in replayed.changes})
        console.print(
            f"{len(replayed.changes):,} results of {days:,} days corrected: the bridge stores them"
            if replayed.changes
            else "the live results are right"
        )
        return
    with console.status("writing the series"):
        replaying.store(replayed)
    console.print(f"the series of {into} hold it; `iot topics delete --prefix {into}` deletes the topics")
    if source is not None:
        console.print(f"take it over into the live results: iot merge {source}")


def _show(replayed: replaying.Replayed, shown: int | None) -> None:
    new = replayed.new
    counts = (
        (replayed.plan.records, "records of dailyAggr read"),
        (new.counted(), "readings counted in their day"),
        (new.rejected(), "readings rejected"),
    )
    summary(console, "days computed", new.days(), counts)
    if replayed.backfilled:
        console.print(f"{replayed.backfilled:>14,}  results of a backfill left as they are")
    console.print()
    compared(console, replayed.live, new, replayed.changes, ("live", "replay"), shown=shown)
    console.print()


def _day(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        raise UserError(f"{option} {text}: give a day as YYYY-MM-DD") from None
