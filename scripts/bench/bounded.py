"""Run a job over what a topic holds, to its end, and see what it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from infrastructure.kafka import offsets
from infrastructure.settings import Settings
from jobs import cluster
from jobs.bounds import Bounds
from jobs.daily_aggregates import SPEC
from jobs.declaration import configuration, statement_set
from jobs.tools import job_jar
from scripts import warm
from topics import catalogue
from topics.names import READINGS

POLL_SECONDS = 0.2
GIVE_UP_SECONDS = 3600


@dataclass(frozen=True)
class Cost:
    """What a run took.

    ``seconds``: from the first source that runs until the last task has ended, when all results are acknowledged;
    ``processor``: seconds of the TaskManager; ``state``: largest checkpoint in bytes, 0 without one.
    """

    seconds: float
    processor: float
    state: int


@dataclass(frozen=True)
class Declaration:
    """Which SQL files make the job, with what differs from the job's parameters."""

    files: tuple[Path, ...] = SPEC.files
    values: Mapping[str, str] | None = None
    options: Mapping[str, str] | None = None


THE_JOB = Declaration()


def everything(settings: Settings, last_day: int) -> Bounds:
    """All that dailyAggr of these settings holds, with results up to the day that starts at ``last_day`` (epoch ms)."""
    end = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    return Bounds(settings.prefix, dict.fromkeys(end, 0), end, 0, last_day)


def submit(settings: Settings, declaration: Declaration, bounds: Bounds) -> str:
    """Submit a bounded job from this process; returns its id when it runs."""
    values = {**SPEC.arguments(settings, catalogue.read(settings.sensors), bounds), **(declaration.values or {})}
    options = {**configuration(settings, SPEC), **warm.remote(settings, job_jar()), **(declaration.options or {})}
    with warm.pyflink():
        job = str(statement_set(declaration.files, values, options).execute().get_job_client().get_job_id())
    cluster.wait_until_running(settings, job)
    return job


def run(settings: Settings, taskmanager: int, declaration: Declaration, bounds: Bounds) -> Cost | None:
    """Submit a job and wait for its end; ``taskmanager`` is the process. None: it took too long, and was cancelled.

    Raises ``ClusterError`` when it fails.
    """
    before = psutil.Process(taskmanager).cpu_times()
    job = submit(settings, declaration, bounds)
    if not ends(settings, job):
        return None
    after = psutil.Process(taskmanager).cpu_times()
    taken = cluster.ask(settings, f"/jobs/{job}/checkpoints")
    return Cost(
        seconds=seconds(settings, job),
        processor=after.user + after.system - before.user - before.system,
        state=int(((taken.get("summary") or {}).get("state_size") or {}).get("max") or 0),
    )


def ends(settings: Settings, job: str) -> bool:
    """Wait for the end of a job. One that takes too long, for instance for want of memory, is cancelled: False."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    ended = False
    try:
        while not ended and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            ended = cluster.reading(settings, job) is None
    finally:
        if not ended:
            cluster.cancel(settings, job)
    return ended


def seconds(settings: Settings, job: str) -> float:
    """How long the tasks of a job that has ended ran: neither waiting for slots nor being set up counts."""
    began, ended = [], []
    for vertex in cluster.ask(settings, f"/jobs/{job}")["vertices"]:
        for task in cluster.ask(settings, f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"]:
            ended.append(task["end-time"])
            began.append(task["end-time"] - max(0, task["status-duration"]["RUNNING"]))
    return float(max(ended) - min(began)) / 1000
