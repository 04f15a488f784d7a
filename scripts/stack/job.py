"""The job of a stack: submitted when it does not run, and anew when what it was declared by has changed."""

from __future__ import annotations

from collections.abc import Callable

from infrastructure.settings import Settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.declaration import digest
from jobs.tools import local_tools
from operations import migrate
from topics.errors import UserError
from topics.results import OldResultError

CHANGED = (
    "settings, sensors or SQL have changed since the job was submitted, and are not in force: `iot down`, then `iot up`"
)


class ChangedError(UserError):
    """The job that runs is not the one that would be submitted now."""

    def __init__(self) -> None:
        super().__init__(CHANGED)


Said = Callable[[str], None]
"""Receives a line for each step."""


def start_job(settings: Settings, said: Said) -> None:
    """Submit the job if it does not run: from its newest checkpoint, or else from the beginning of dailyAggr.

    Raises ``ChangedError`` when it runs, and was declared otherwise than it would be now.
    """
    name = SPEC.named(settings)
    for job in cluster.jobs(settings):
        if job.name == name:
            cluster.wait_until_running(settings, job.id)
            if has_changed(settings, job):
                raise ChangedError
            return
    state = cluster.newest_state(settings, SPEC)
    said("submitting the job" + (" from its newest checkpoint" if state else ""))
    cluster.submit(settings, local_tools(settings), SPEC, savepoint=state)


def has_changed(settings: Settings, job: cluster.Job) -> bool:
    """Whether the job was declared otherwise than it would be now, but for the parallelism that it was given."""
    found = cluster.declared(settings, job.id)
    return found.digest not in {digest(settings, SPEC), digest(settings.replace(parallelism=found.parallelism), SPEC)}


def sift_jobs(settings: Settings, said: Said) -> None:
    """End those jobs that came back with the stack, each from its newest checkpoint, and are wanted no more."""
    for job in cluster.jobs(settings):
        if cluster.declared(settings, job.id).bounded:  # the command that waited for its results is gone
            cluster.cancel(settings, job.id)
    cancel_changed_job(settings, said)


def refuse_old_results(settings: Settings, said: Said) -> None:
    """Raise ``OldResultError`` when flinkAggr has to be migrated first; the job that has written it is cancelled."""
    if migrate.is_needed(settings):
        cancel_changed_job(settings, said)
        raise OldResultError


def cancel_changed_job(settings: Settings, said: Said) -> None:
    """Cancel the job when it was declared otherwise than it would be now; it goes on from its newest checkpoint.

    It is to read nothing more: what it would do with the readings of a sensor that it does not know yet is not what the
    bridge, which knows it already, does with them.
    """
    for job in cluster.jobs(settings):
        if job.name == SPEC.named(settings) and cluster.declared(settings, job.id).digest != digest(settings, SPEC):
            said("settings, sensors or SQL have changed: the job is cancelled, to be submitted anew")
            cluster.cancel(settings, job.id)
