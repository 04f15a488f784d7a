"""The Flink job: daily aggregates of the readings, with corrections, and the readings that came too late.

    flink run --python jobs/daily_aggregates.py --jarfile flink-sql-connector-kafka.jar

Every record is processed inside Flink's JVM; this file only declares the job. The SQL stands in jobs/sql/.
"""

from __future__ import annotations

import sys
from pathlib import Path

# `flink run` starts this file from a directory of its own making.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pyflink.table import EnvironmentSettings, TableEnvironment

import settings as settings_module
from jobs.statements import DEFINITIONS, RESULTS, milliseconds, parameters, statements
from settings import Settings
from topics import catalogue

NAME = "daily-aggregates"


def configuration(settings: Settings) -> dict[str, str]:
    """Flink's options for this job, apart from where it runs and where its checkpoints go."""
    return {
        "pipeline.name": settings.prefix + NAME,
        "parallelism.default": str(settings.parallelism),
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        # The legacy windows support corrections; window TVFs do not.
        "table.exec.emit.allow-lateness": f"{milliseconds(settings.allowed_lateness + settings.catch_up)} ms",
        # Fire at once: a delayed firing would be lost when the window is purged in between (a fast replay).
        "table.exec.emit.late-fire.enabled": "true",
        "table.exec.emit.late-fire.delay": "0 s",
        "execution.checkpointing.interval": f"{milliseconds(settings.checkpoint_interval)} ms",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }


def main() -> None:
    settings = settings_module.load()
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for option, value in configuration(settings).items():
        environment.get_config().set(option, value)
    values = parameters(settings, catalogue.read(settings.sensors))
    for statement in statements(DEFINITIONS, values):
        environment.execute_sql(statement)
    results = environment.create_statement_set()
    for statement in statements(RESULTS, values):
        results.add_insert_sql(statement)
    if "--explain" in sys.argv:
        print(results.explain())
        return
    results.execute()


if __name__ == "__main__":
    main()
