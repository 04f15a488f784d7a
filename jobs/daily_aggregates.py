"""The Flink job: daily aggregates of the readings, with corrections, and the readings that came too late.

    flink run --jarfile "$(python -m jobs jar)" --python jobs/daily_aggregates.py [OPTIONS]

Every record is processed inside Flink's JVM; this file only declares the job. The SQL stands in jobs/sql/.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from commands import terminal

# `flink run` starts this file from a directory of its own making.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import typer

from infrastructure.settings import Settings, load_settings, milliseconds, variables
from jobs.bounds import Bounds
from jobs.statements import DEFINITIONS, RESULTS, open_for, parameters, statements
from topics import catalogue

if TYPE_CHECKING:
    from pyflink.table import StatementSet

NAME = "daily-aggregates"
DECLARATION, BOUNDED = "declaration", "bounded"
"""Parameters that Flink shows of a job: the digest of its declaration, and, of a bounded run only, that it is one."""

app = typer.Typer(pretty_exceptions_enable=False)


def configuration(settings: Settings, bounds: Bounds | None = None) -> dict[str, str]:
    """Flink's options for this job, apart from where it runs and where its checkpoints go."""
    return {
        "pipeline.name": settings.prefix + NAME,
        "parallelism.default": str(settings.job.parallelism),
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        # The legacy windows support corrections; window TVFs do not.
        "table.exec.emit.allow-lateness": f"{milliseconds(open_for(settings, bounds))} ms",
        # Fire at once: a delayed firing would be lost when the window is purged in between (a fast replay).
        "table.exec.emit.late-fire.enabled": "true",
        "table.exec.emit.late-fire.delay": "0 s",
        "execution.checkpointing.interval": f"{milliseconds(settings.job.checkpoint_interval)} ms",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # While none can be written (a full disk, say) results go on; `make status` shows how old the newest one is.
        "execution.checkpointing.tolerable-failed-checkpoints": str(2**31 - 1),
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }


def digest(settings: Settings) -> str:
    """Names what the live job is declared by: SQL, with the catalogue in it, options, and the checkpoints' place."""
    values = parameters(settings, catalogue.read(settings.sensors))
    declared = [*statements([*DEFINITIONS, *RESULTS], values), configuration(settings), settings.job.checkpoint_uri]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()


def _default(setting: str) -> str:
    return next(f"IOT_{setting.upper()}, {v.info.default}" for v in variables() if v.name == setting)


@app.command()
def main(
    brokers: Annotated[str | None, typer.Option(help="Kafka, host:port.", show_default=_default("kafka"))] = None,
    prefix: Annotated[str | None, typer.Option(help="Before each topic's name.", show_default="IOT_PREFIX")] = None,
    group: Annotated[
        str | None, typer.Option(help="Consumer group that shows the progress.", show_default=_default("job_group"))
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option(min=1, help="Instances of each operator.", show_default=_default("parallelism"))
    ] = None,
    allowed_lateness: Annotated[
        str | None, typer.Option(help="L, seconds or ISO 8601.", show_default=_default("allowed_lateness"))
    ] = None,
    catch_up: Annotated[
        str | None, typer.Option(help="C, seconds or ISO 8601.", show_default=_default("catch_up"))
    ] = None,
    watermark_delay: Annotated[
        str | None, typer.Option(help="B, seconds or ISO 8601.", show_default=_default("watermark_delay"))
    ] = None,
    watermark_idleness: Annotated[
        str | None, typer.Option(help="Wall time, seconds or ISO 8601.", show_default=_default("watermark_idleness"))
    ] = None,
    sensors: Annotated[Path | None, typer.Option(help="The sensor catalogue.", show_default="IOT_SENSORS")] = None,
    bounds: Annotated[
        str | None, typer.Option(help="A bounded run: what `python -m jobs replay` passes on.", hidden=True)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print Flink's plan and submit nothing.")] = False,
) -> None:
    """Aggregate dailyAggr by day; every other setting comes from the environment (README, Settings)."""
    settings = load_settings(
        kafka=brokers,
        prefix=prefix,
        job_group=group,
        parallelism=parallelism,
        allowed_lateness=allowed_lateness,
        catch_up=catch_up,
        watermark_delay=watermark_delay,
        watermark_idleness=watermark_idleness,
        sensors=sensors,
    )
    results = declare(settings, Bounds.decode(bounds) if bounds else None)
    if explain:
        print(results.explain())
    else:
        results.execute()


def declare(settings: Settings, bounds: Bounds | None = None, **options: str) -> StatementSet:
    """The job as one statement set, not yet submitted; ``options`` are Flink's and go before the job's own.

    With ``bounds`` it ends when it has read them.

    Raises ``UserError`` when the catalogue cannot be read.
    """
    values = parameters(settings, catalogue.read(settings.sensors), bounds)
    # PyFlink takes a second to import: --help and a mistake need not wait for it.
    from pyflink.table import EnvironmentSettings, TableEnvironment

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    told = f"{BOUNDED}:true" if bounds else f"{DECLARATION}:{digest(settings)}"
    options |= {"pipeline.global-job-parameters": told}
    for option, value in (configuration(settings, bounds) | options).items():
        environment.get_config().set(option, value)
    for statement in statements(DEFINITIONS, values):
        environment.execute_sql(statement)
    results = environment.create_statement_set()
    for statement in statements(RESULTS, values):
        results.add_insert_sql(statement)
    return results


if __name__ == "__main__":
    terminal.run(app, "flink run --python jobs/daily_aggregates.py")
