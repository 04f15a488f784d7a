"""One replay for its user: what is wrong with the request, progress, and how the results compare."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from rich.console import Console

from commands.progress import progress
from commands.results_report import SHOWN, compared, summary
from infrastructure.settings import PREFIX, load_settings
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from operations import replay as replaying
from topics.errors import UserError

console = Console(highlight=False, soft_wrap=True)


def run(
    first: str | None,
    last: str | None,
    *,
    into: str | None,
    source: str | None,
    parallelism: int | None,
    accept_late: bool | None,
) -> None:
    """Replay the days; the parameters are the options of the command.

    ``accept_late``: whether readings count that are too late; None: those of a backfill do.
    """
    settings = load_settings(parallelism=parallelism)
    for option, prefix in (("--into", into), ("--source", source)):
        if prefix is not None and not re.fullmatch(PREFIX, prefix):
            raise UserError(f"{option} {prefix!r}: a prefix is at most 64 letters, digits, and characters of _.-")
    if source is not None:
        into = into or source
    accept_late = source is not None if accept_late is None else accept_late
    if into == settings.prefix:
        raise UserError("--into: the live results are corrected without it")
    if accept_late and into is None:
        raise UserError("--late accept needs --into: the live results keep to the rule")
    first_day, last_day = _day(first, "--from"), _day(last, "--to")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise UserError(f"--from {first} is after --to {last}")
    request = replaying.Request(first_day, last_day, into, source, accept_late=accept_late)
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
    _show(replayed, shown=None if accept_late else SHOWN)
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
