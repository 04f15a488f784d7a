"""flink run --python JOB.py: what the file of a job takes, and how it declares the job to Flink."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import terminal
from infrastructure.settings import load_settings, variables
from jobs.bounds import Bounds
from jobs.declaration import declare
from jobs.spec import JobSpec


def _default(setting: str) -> str:
    return next(f"IOT_{setting.upper()}, {v.info.default}" for v in variables() if v.name == setting)


def run(spec: JobSpec) -> None:
    """Declare the job that the options of this process describe."""
    app = typer.Typer(pretty_exceptions_enable=False)

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
            str | None,
            typer.Option(help="Wall time, seconds or ISO 8601.", show_default=_default("watermark_idleness")),
        ] = None,
        sensors: Annotated[
            Path | None, typer.Option(help="The sensor catalogue.", show_default="IOT_SENSORS", resolve_path=True)
        ] = None,
        bounds: Annotated[
            str | None, typer.Option(help="A bounded run: what `iot replay` passes on.", hidden=True)
        ] = None,
        explain: Annotated[bool, typer.Option("--explain", help="Print Flink's plan and submit nothing.")] = False,
    ) -> None:
        """Declare the job; every other setting comes from the environment (docs/reference/settings.md)."""
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
        results = declare(settings, spec, Bounds.decode(bounds) if bounds else None)
        if explain:
            print(results.explain())
        else:
            results.execute()

    terminal.run(app, f"flink run --python jobs/{spec.script.name}")
