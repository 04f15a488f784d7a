"""Whether the job is well, by what Flink tells of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from infrastructure.settings import Settings
from jobs.account import Account, account
from jobs.cluster import ClusterError
from jobs.spec import JobSpec
from topics.wording import duration

PATIENT_CHECKPOINTS = 6
"""Checkpoint intervals, and at least a minute, after which one is missed."""


def look(settings: Settings, spec: JobSpec) -> Account | ClusterError:
    """The job's account, or why there is none; takes half a second."""
    try:
        return account(settings, spec)
    except ClusterError as error:
        return error


def reasons(
    settings: Settings, found: Account | ClusterError, log: str = "the JobManager's log", now: float | None = None
) -> Iterator[str]:
    """Why the job is not well. ``log``: where the JobManager's is; ``now``: epoch seconds, None is the wall clock.

    Readings that a window has dropped are no reason: they stay counted until the tasks are started anew, though a
    replay has long mended the results.
    """
    if isinstance(found, ClusterError):
        yield str(found)
        return
    if not found.runs:
        running = sum(task.running for task in found.tasks)
        instances = sum(task.instances for task in found.tasks)
        yield (
            f"of the job's tasks {running} of {instances} run; it is {found.state.lower()}, and goes on when all do: "
            f"wait, and if it stays so see {log}"
        )
    patience = max(60.0, PATIENT_CHECKPOINTS * settings.job.checkpoint_interval.total_seconds())
    last = found.checkpoint.completed if found.checkpoint else 0.0
    missed = (time.time() if now is None else now) - max(last, found.started)
    if missed > patience:
        yield (
            f"the job has completed no checkpoint for {duration(1000 * missed)}; it goes on, and after a failure would "
            f"start from the last one. It lags, or its state has no room: see {settings.flink.url}"
        )
