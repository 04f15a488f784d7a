"""iot jobs, python -m jobs: the Flink job on its cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from infrastructure.settings import load_settings
from topics.errors import UserError
from topics.wording import duration

app = typer.Typer(
    help="Submit, list and stop the Flink job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
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
    from jobs import cluster
    from jobs.daily_aggregates import SPEC
    from jobs.tools import local_tools

    settings = load_settings(parallelism=parallelism, prefix=prefix)
    savepoint = start_from
    if start_from == "latest" and (savepoint := cluster.newest_state(settings, SPEC)) is None:
        raise UserError("there is neither a checkpoint nor a savepoint: leave out --from")
    with console.status("submitting"):
        job = cluster.submit(settings, local_tools(settings), SPEC, savepoint=savepoint)
    console.print(f"job {job} runs from {savepoint or 'the beginning of dailyAggr'}")


@app.command("list")
def list_() -> None:
    """Show the jobs that run, with their newest checkpoint."""
    from jobs import cluster

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
    from jobs import cluster
    from jobs.daily_aggregates import SPEC

    settings = load_settings(prefix=prefix)
    job = job or cluster.find(settings, SPEC).id
    with console.status("taking a savepoint"):
        savepoint = cluster.stop(settings, SPEC, job)
    console.print(f"job {job} has stopped; go on with: iot jobs submit --from {savepoint}")


@app.command()
def jar() -> None:
    """Print where the job's jar is.

    It is what `flink run --jarfile` needs on a cluster of your own.
    """
    from jobs.tools import job_jar

    print(job_jar())


@app.command()
def metrics() -> None:
    """Serve the job's metrics for Prometheus, until Ctrl-C or SIGTERM (docs/operations/operation.md)."""
    from infrastructure import logs
    from jobs.daily_aggregates import SPEC
    from jobs.metrics import serve

    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    serve(settings, SPEC)
