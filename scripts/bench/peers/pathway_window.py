"""Pathway: windowby over tumbling windows of a day, with a cutoff."""

import json
import os
import sys
from pathlib import Path
from time import time as now

task = json.loads(os.environ["TASK"]) if "TASK" in os.environ else json.load(sys.stdin)
if "TASK" not in os.environ:
    # The number of threads is read when the library is loaded.
    os.execve(
        sys.executable,
        [sys.executable, __file__],
        {**os.environ, "TASK": json.dumps(task), "PATHWAY_THREADS": str(task["threads"])},
    )

import pathway as pw  # noqa: E402

DAY_MS = 86_400_000
directory = Path(task["directory"])
found: dict[tuple[str, int], tuple[int, float]] = {}
times: list[float] = []
read = [0]


class Reading(pw.Schema):
    """As the contract has it."""

    site: str
    sensor: str
    ts: int
    value: float


def counted(key, row, time, is_addition) -> None:
    """The stream has no end: it is over when every record has been counted."""
    if is_addition:
        if not times:
            times.append(now())
        read[0] = row["records"]


def result(key, row, time, is_addition) -> None:
    name = (row["site"], row["sensor"], row["day"])
    if is_addition:
        found[name] = (row["count"], row["total"])
    elif name in found:
        found.pop(name)


def ended(time) -> None:
    """A step has been worked off."""
    if read[0] < task["records"]:
        return
    seconds = now() - times[0]
    with (directory / "windows.csv").open("w") as file:
        for (site, sensor, day), (count, total) in found.items():
            key = sensor if site == "home" else f"{site}/{sensor}"
            file.write(f"{key},{day},{count},{total / count!r}\n")
    print(json.dumps({"seconds": seconds}), flush=True)
    os._exit(0)


readings = pw.io.kafka.read(
    {
        **task["kafka"],
        "group.id": task["group"],
        "session.timeout.ms": "6000",
        "auto.offset.reset": "earliest",
    },
    topic=task["topic"],
    format="json",
    schema=Reading,
    autocommit_duration_ms=500,
)
pw.io.subscribe(readings.reduce(records=pw.reducers.count()), on_change=counted)
windows = (
    readings.filter(pw.this.sensor != task["heartbeat"])
    .with_columns(series=pw.this.site + "/" + pw.this.sensor)
    .windowby(
        pw.this.ts,
        window=pw.temporal.tumbling(duration=DAY_MS, origin=0),
        instance=pw.this.series,
        behavior=pw.temporal.common_behavior(cutoff=task["grace_ms"]),
    )
    .reduce(
        site=pw.reducers.any(pw.this.site),
        sensor=pw.reducers.any(pw.this.sensor),
        day=pw.this._pw_window_start,
        count=pw.reducers.count(),
        total=pw.reducers.sum(pw.this.value),
    )
)
pw.io.subscribe(windows, on_change=result, on_time_end=ended)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
