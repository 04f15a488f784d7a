"""python -m jobs: the Flink job on its cluster."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from commands.results_report import SHOWN, compared, progress, summary
from infrastructure import logs
from infrastructure.settings import PREFIX, load_settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import job_jar, local_tools
from operations import merge as merging
from operations import replay as replaying
from topics.errors import UserError
from topics.wording import duration

app = typer.Typer(
    help="The Flink job: submit, list, stop, replay, merge, metrics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def submit(
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="Path of a savepoint or checkpoint, or latest.", show_default="the beginning of dailyAggr"
        ),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option(min=1, help="Instances of each operator.", show_default="IOT_PARALLELISM, 2")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Before each topic's name.", show_default="IOT_PREFIX")] = None,
) -> None:
    """Submit the job and leave it running."""
    settings = load_settings(parallelism=parallelism, prefix=prefix)
    savepoint = start_from
    if start_from == "latest" and (savepoint := cluster.newest_state(settings, SPEC)) is None:
        raise UserError("there is neither a checkpoint nor a savepoint: leave out --from")
    with console.status("submitting"):
        job = cluster.submit(settings, local_tools(settings), SPEC, savepoint=savepoint)
    console.print(f"job {job} runs from {savepoint or 'the beginning of dailyAggr'}")


@app.command("list")
def list_() -> None:
    """Show the jobs that run, with their newest checkpoint (its age, and its size in KiB)."""
    settings = load_settings()
    now = datetime.now(UTC)
    running = cluster.jobs(settings)
    if not running:
        console.print(f"no job runs at {settings.flink.url}")
    for job in running:
        checkpoint = cluster.last_checkpoint(settings, job.id)
        taken = "no checkpoint yet"
        if checkpoint:
            age = now - datetime.fromtimestamp(checkpoint["latest_ack_timestamp"] / 1000, UTC)
            size = checkpoint["state_size"] / 1024
            old = duration(1000 * age.total_seconds())
            taken = f"checkpoint {checkpoint['id']}, {old} old, {size:,.0f} KiB"
        started = datetime.fromtimestamp(job.started / 1000, UTC)
        console.print(f"{job.id}  {job.name:<24}  {job.state:<10}  since {started:%Y-%m-%d %H:%M:%S} UTC  {taken}")


@app.command()
def stop(
    job: Annotated[str | None, typer.Argument(help="Its id.", show_default="the job of this prefix")] = None,
    prefix: Annotated[str | None, typer.Option(help="Before each topic's name.", show_default="IOT_PREFIX")] = None,
) -> None:
    """Stop a job with a savepoint, from which `submit --from` goes on."""
    settings = load_settings(prefix=prefix)
    job = job or cluster.find(settings, SPEC).id
    with console.status("taking a savepoint"):
        savepoint = cluster.stop(settings, SPEC, job)
    console.print(f"job {job} has stopped; go on with: python -m jobs submit --from {savepoint}")


@app.command()
def jar() -> None:
    """Print where the job's jar is: what `flink run --jarfile` needs on a cluster of your own."""
    print(job_jar())


@app.command()
def metrics() -> None:
    """Serve the job's metrics for Prometheus, until Ctrl-C or SIGTERM (docs/operations/operation.md)."""
    from jobs.metrics import serve

    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    serve(settings, SPEC)


class Late(StrEnum):
    """What becomes of readings that are too late."""

    REJECT = "reject"
    ACCEPT = "accept"


@app.command()
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
    """Compute days again from the readings in dailyAggr, beside the live job and by the same SQL.

    Without --into the live results are corrected, for those days that the live job can no more correct itself.
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
    console.print(f"the series of {into} hold it; `python -m topics delete --prefix {into}` deletes the topics")
    if source is not None:
        console.print(f"take it over into the live results: python -m jobs merge {source}")


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


@app.command()
def merge(
    prefix: Annotated[str, typer.Argument(help="Prefix of the backfill.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace days that are there already.")] = False,
) -> None:
    """Take the days of a backfill over into the live results, and its readings into the live raw series.

    A site's day is taken as a whole. Exits with 1 when one was refused.
    """
    settings = load_settings()
    with console.status("comparing"):
        choice = merging.choose(settings, prefix, overwrite=overwrite)
    with progress("readings") as report:
        copied = merging.take_over(settings, prefix, choice, report)
    days = sorted({day for _, day in choice.taken})
    summary(
        console,
        "days written",
        days,
        (
            (len(choice.taken), "days of a site taken over"),
            (len(choice.changes), "results written"),
            (copied, "readings copied to history"),
            (len(choice.same), "days of a site that were there already, the same"),
            (len(choice.refused), "days of a site refused"),
        ),
    )
    for why in dict.fromkeys(choice.refused.values()):
        units = sorted((day, site) for (site, day), reason in choice.refused.items() if reason == why)
        for day, site in units[:SHOWN]:
            console.print(f"refused: {site} {replaying.day_text(day)}")
        if len(units) > SHOWN:
            console.print(f"… and {len(units) - SHOWN:,} more")
        console.print(f"[red]{why}[/]")
    if choice.refused:
        raise typer.Exit(1)


def _day(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        raise UserError(f"{option} {text}: give a day as YYYY-MM-DD") from None
