"""What Flink tells of the running job: its state, checkpoints, verdicts and load. One look takes a dozen requests."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from infrastructure.settings import Settings
from jobs import cluster
from jobs.spec import JobSpec, Operators

FETCH_SECONDS = 0.5
"""Flink collects the numbers of the tasks when somebody asks, and answers with those of the time before."""

_DROPPED = "numLateRecordsDropped"
_TABLE = re.compile(r"KafkaSource-(?:\w+\.)*")


@dataclass(frozen=True)
class Checkpoint:
    """A completed one: ``completed`` is epoch seconds, ``duration`` seconds, ``size`` bytes."""

    completed: float
    duration: float
    size: int


@dataclass(frozen=True)
class Task:
    """A chain of operators. Shares of time, 0 to 1, of its busiest instance; ``running`` of ``instances`` run."""

    name: str
    instances: int
    running: int
    busy: float
    backpressured: float


@dataclass(frozen=True)
class Account:
    """One job. ``started`` is epoch seconds, ``watermark`` (of the daily windows) epoch ms; None is not known yet.

    ``accepted``, ``rejected`` (as late) and ``dropped`` (by a window, without a word: must be 0) count readings since
    the job's tasks were started.
    """

    state: str
    started: float
    restarts: int
    completed_checkpoints: int
    failed_checkpoints: int
    checkpoint: Checkpoint | None
    accepted: int
    rejected: int
    dropped: int
    watermark: int | None
    tasks: list[Task] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """Whether every task of it runs."""
        return self.state == "RUNNING" and all(task.running == task.instances for task in self.tasks)


def account(settings: Settings, spec: JobSpec) -> Account:
    """The account of a job. Raises ``ClusterError`` when it does not run, or nobody answers."""
    job = cluster.find(settings, spec)
    cluster.ask(settings, "/jobs/metrics")
    time.sleep(FETCH_SECONDS)
    vertices = cluster.ask(settings, f"/jobs/{job.id}")["vertices"]
    checkpoints = cluster.ask(settings, f"/jobs/{job.id}/checkpoints")
    restarts = cluster.ask(settings, f"/jobs/{job.id}/metrics?get=numRestarts")
    measured = [_measured(settings, spec.operators, job.id, vertex) for vertex in vertices]
    windows = [(v, m) for v, m in zip(vertices, measured, strict=True) if v["name"].startswith(spec.operators.window)]
    watermarks = [int(values.get(("currentInputWatermark", "min"), -1)) for _, values in windows]
    newest = checkpoints["latest"]["completed"]
    return Account(
        state=job.state,
        started=job.started / 1000,
        restarts=int(restarts[0]["value"]) if restarts else 0,
        completed_checkpoints=checkpoints["counts"]["completed"],
        failed_checkpoints=checkpoints["counts"]["failed"],
        checkpoint=Checkpoint(
            newest["latest_ack_timestamp"] / 1000, newest["end_to_end_duration"] / 1000, newest["state_size"]
        )
        if newest
        else None,
        accepted=max((_total(values, "numRecordsIn") for _, values in windows), default=0),
        rejected=sum(_total(values, "Writer.numRecordsIn") for values in measured),
        dropped=sum(_total(values, _DROPPED) for values in measured),
        # Before the first watermark it is the smallest number that there is.
        watermark=min(watermarks) if watermarks and min(watermarks) >= 0 else None,
        tasks=[_task(vertex, values) for vertex, values in zip(vertices, measured, strict=True)],
    )


_Values = dict[tuple[str, str], float]
"""Of each metric the sum, the least and the greatest of its instances."""


def _measured(settings: Settings, operators: Operators, job: str, vertex: dict[str, Any]) -> _Values:
    names = ["busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"]
    names += [
        f"{sink}__Writer.numRecordsIn" for sink in re.findall(rf"({operators.rejected}\[\d+\]): Writer", vertex["name"])
    ]
    if vertex["name"].startswith(operators.window):
        names += ["numRecordsIn", "currentInputWatermark", f"{vertex['name'].split(' -> ')[0]}.{_DROPPED}"]
    path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
    found = cluster.ask(settings, f"{path}?get={quote(','.join(names))}&agg=sum,min,max")
    return {(metric["id"], kind): float(metric[kind]) for metric in found for kind in ("sum", "min", "max")}


def _total(values: _Values, ending: str) -> int:
    return int(sum(value for (name, kind), value in values.items() if kind == "sum" and name.endswith(ending)))


def _task(vertex: dict[str, Any], values: _Values) -> Task:
    def share(name: str) -> float:
        return values.get((name, "max"), 0.0) / 1000

    return Task(
        name=_TABLE.sub("", vertex["name"].split(" -> ")[0]),
        instances=vertex["parallelism"],
        running=vertex["tasks"]["RUNNING"] + vertex["tasks"]["FINISHED"],
        busy=share("busyTimeMsPerSecond"),
        backpressured=share("backPressuredTimeMsPerSecond"),
    )
