"""The whole system on this machine: the stack, the topics, the job and the bridge."""

from __future__ import annotations

from collections.abc import Callable

from jobs import cluster
from jobs.daily_aggregates import NAME
from jobs.tools import local_tools
from scripts.stack.supervision import Stack
from settings import Settings
from topics import admin

Said = Callable[[str], None]


def start_stack(settings: Settings, said: Said) -> Stack:
    """Start the processes, make the topics, start the bridge. Idempotent."""
    stack = Stack(settings)
    stack.up(said)
    if created := admin.create(settings):
        said(f"created {', '.join(created)}")
    stack.start("ingest")
    return stack


def start_job(settings: Settings, said: Said) -> None:
    """Submit the job if it does not run: from its newest checkpoint, or else from the beginning of dailyAggr."""
    name = settings.prefix + NAME
    if any(job.name == name for job in cluster.jobs(settings)):
        return
    state = cluster.newest_state(settings)
    said("submitting the job" + (" from its newest checkpoint" if state else ""))
    cluster.submit(settings, local_tools(settings), savepoint=state)
