"""Bytewax: fold_window over tumbling windows of a day, with each key's own clock; in threads or processes."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.outputs import DynamicSink, StatelessSinkPartition

DAY_MS = 86_400_000
ALIGN = datetime(2019, 1, 1, tzinfo=UTC)
ALIGN_MS = int(ALIGN.timestamp() * 1000)

TASK = json.loads(os.environ["TASK"]) if "TASK" in os.environ else json.load(sys.stdin)
DIRECTORY = Path(TASK["directory"])
FIRST: list[float] = []


def parse(messages):
    if not FIRST:
        FIRST.append(time.time())
    loads, heartbeat = orjson.loads, TASK["heartbeat"]
    found = []
    for message in messages:
        value = loads(message.value)
        if value["sensor"] != heartbeat:
            found.append((message.key.decode(), (value["ts"], value["value"])))
    return found


def instant(reading):
    return datetime.fromtimestamp(reading[0] / 1000, UTC)


def fold(state, reading):
    state[0] += 1
    state[1] += reading[1]
    return state


def merge(one, other):
    return [one[0] + other[0], one[1] + other[1]]


class _Lines(StatelessSinkPartition):
    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._times = path.with_name("times-" + path.name)

    def write_batch(self, items) -> None:
        self._file.writelines(items)

    def close(self) -> None:
        self._file.close()
        self._times.write_text(json.dumps([FIRST[0] if FIRST else time.time(), time.time()]))


class Lines(DynamicSink):
    """A file for each worker, and when it got its first and its last."""

    def __init__(self, name: str) -> None:
        self._name = name

    def build(self, _step_id, worker_index, _worker_count):
        return _Lines(DIRECTORY / f"{self._name}-{worker_index}.csv")


kafka = TASK["kafka"]
flow = Dataflow("daily")
options = {name: value for name, value in kafka.items() if name != "bootstrap.servers"}
source = KafkaSource([kafka["bootstrap.servers"]], [TASK["topic"]], tail=False, add_config=options, batch_size=10_000)
readings = op.flat_map_batch("parse", op.input("in", flow, source), parse)
clock = windowing.EventClock(instant, timedelta(milliseconds=TASK["grace_ms"]))
windower = windowing.TumblingWindower(timedelta(days=1), ALIGN)
out = windowing.fold_window("fold", readings, clock, windower, lambda: [0, 0.0], fold, merge, ordered=False)


def shown(item):
    key, (window, (count, total)) = item
    return f"{key},{ALIGN_MS + window * DAY_MS},{count},{total / count!r}\n"


op.output("windows", op.map("shown", out.down, shown), Lines("windows"))
op.output("late", op.map("told", out.late, lambda item: f"{item[0]},{item[1][1][0]}\n"), Lines("late"))

if __name__ == "__main__":
    import subprocess

    command = [sys.executable, "-m", "bytewax.testing", "bytewax_window:flow"]
    if TASK["processes"] == 1:
        command[2] = "bytewax.run"
    else:
        command += ["-p", str(TASK["processes"])]
    command += ["-w", str(TASK["threads"])]
    done = subprocess.run(command, env={**os.environ, "TASK": json.dumps(TASK)})
    if done.returncode:
        sys.exit(done.returncode)
    times = [json.loads(file.read_text()) for file in DIRECTORY.glob("times-*")]
    print(json.dumps({"seconds": max(end for _, end in times) - min(begin for begin, _ in times)}))
