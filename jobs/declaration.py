"""A job as Flink gets it: one statement set, with its options, and a digest that says whether it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from infrastructure.settings import Settings, milliseconds
from jobs.bounds import Bounds
from jobs.spec import JobSpec
from jobs.statements import statements
from topics import catalogue

if TYPE_CHECKING:
    from pyflink.table import StatementSet

DIGEST, BOUNDED = "declaration", "bounded"
"""Parameters that Flink shows of a job: the digest of its declaration, and, of a bounded run only, that it is one."""


def configuration(settings: Settings, spec: JobSpec, bounds: Bounds | None = None) -> dict[str, str]:
    """Flink's options for a job, apart from where it runs and where its checkpoints go."""
    return {
        "pipeline.name": spec.named(settings),
        "parallelism.default": str(settings.job.parallelism),
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        "execution.checkpointing.interval": f"{milliseconds(settings.job.checkpoint_interval)} ms",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # While none can be written (a full disk, say) results go on; `iot status` shows how old the newest one is.
        "execution.checkpointing.tolerable-failed-checkpoints": str(2**31 - 1),
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
        **spec.options(settings, bounds),
    }


def digest(settings: Settings, spec: JobSpec) -> str:
    """Names what the live job is declared by: SQL, with the catalogue in it, options, and the checkpoints' place."""
    values = spec.arguments(settings, catalogue.read(settings.sensors), None)
    declared = [*statements(spec.files, values), configuration(settings, spec), settings.job.checkpoint_uri]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()


def declare(settings: Settings, spec: JobSpec, bounds: Bounds | None = None, **options: str) -> StatementSet:
    """The job as one statement set, not yet submitted; ``options`` are Flink's and go before the job's own.

    With ``bounds`` it ends when it has read them. Raises ``UserError`` when the catalogue cannot be read.
    """
    told = f"{BOUNDED}:true" if bounds else f"{DIGEST}:{digest(settings, spec)}"
    values = spec.arguments(settings, catalogue.read(settings.sensors), bounds)
    settled = {**configuration(settings, spec, bounds), "pipeline.global-job-parameters": told, **options}
    return statement_set(spec.files, values, settled)


def statement_set(files: Iterable[Path], values: Mapping[str, str], options: Mapping[str, str]) -> StatementSet:
    """The statements of SQL files: what they define is defined, and what they insert is one statement set."""
    # PyFlink takes a second to import: --help and a mistake need not wait for it.
    from pyflink.table import EnvironmentSettings, TableEnvironment

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for option, value in options.items():
        environment.get_config().set(option, value)
    inserts = environment.create_statement_set()
    for statement in statements(files, values):
        if statement.startswith("CREATE"):
            environment.execute_sql(statement)
        else:
            inserts.add_insert_sql(statement)
    return inserts
