"""Quix Streams: every message through its RedisSink, which knows no time series: a key for each point."""

import json
import sys
import time
from pathlib import Path

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig
from quixstreams.sinks.community.redis import RedisSink

task = json.load(sys.stdin)
kafka, store = task["kafka"], task["redis"]
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
    state_dir=Path(task["directory"]) / "state",
    commit_every=task["batch"],
    loglevel="ERROR",
    on_message_processed=processed,
)
sink = RedisSink(
    host=store["host"],
    port=store["port"],
    db=0,
    username=store["username"],
    password=store["password"],
    key_serializer=lambda key, value: f"{task['prefix']}{key}@{value['ts']}",
    value_serializer=lambda value: repr(value["value"]),
)


def first(value: dict) -> bool:
    if not times:
        times.append(time.time())
    return value["sensor"] != task["heartbeat"]


topic = app.topic(task["topic"], key_deserializer="str", value_deserializer="json")
app.dataframe(topic).filter(first).sink(sink)
app.run()
print(json.dumps({"seconds": time.time() - times[0]}))
