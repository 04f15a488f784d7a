"""Quix Streams: tumbling windows of a day, closed by each key's own time."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Mean
from quixstreams.kafka.configuration import ConnectionConfig

task = json.load(sys.stdin)
kafka = task["kafka"]
directory = Path(task["directory"])
times: list[float] = []
done = [0]


def processed(_topic, _partition, _offset) -> None:
    """`run(count=...)` would count what comes out."""
    done[0] += 1
    if done[0] == task["records"]:
        app.stop()


app = Application(
    ConnectionConfig(
        bootstrap_servers=kafka["bootstrap.servers"],
        security_protocol=kafka["security.protocol"].lower(),
        sasl_mechanism=kafka["sasl.mechanism"],
        sasl_username=kafka["sasl.username"],
        sasl_password=kafka["sasl.password"],
    ),
    consumer_group=task["group"],
    auto_offset_reset="earliest",
    state_dir=directory / "state",
    use_changelog_topics=False,
    loglevel="ERROR",
    on_message_processed=processed,
)
topic = app.topic(
    task["topic"],
    key_deserializer="str",
    value_deserializer="json",
    timestamp_extractor=lambda value, _headers, _timestamp, _kind: value["ts"],
)
windows = (directory / "windows.csv").open("w")
late = (directory / "late.csv").open("w")


def first(value: dict) -> bool:
    if not times:
        times.append(time.time())
    return value["sensor"] != task["heartbeat"]


def too_late(value, key, timestamp, *_rest) -> bool:
    late.write(f"{key},{timestamp}\n")
    return False


def result(value, key, *_rest) -> None:
    windows.write(f"{key},{value['start']},{value['count']},{value['mean']!r}\n")


(
    app.dataframe(topic)
    .filter(first)
    .tumbling_window(timedelta(days=1), grace_ms=task["grace_ms"], on_late=too_late)
    .agg(count=Count(), mean=Mean("value"))
    .final(closing_strategy="key")
    .update(result, metadata=True)
)
app.run()
windows.close()
late.close()
print(json.dumps({"seconds": time.time() - times[0]}))
