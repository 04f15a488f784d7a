"""Quix Streams: every message through its RedisSink, which knows no time series: a key for each point."""

import json
import sys

from quix_application import Counted
from quixstreams.sinks.community.redis import RedisSink

task = json.load(sys.stdin)
store = task["redis"]
counted = Counted(task, commit_every=task["batch"])
sink = RedisSink(
    host=store["host"],
    port=store["port"],
    db=0,
    username=store["username"],
    password=store["password"],
    key_serializer=lambda key, value: f"{task['prefix']}{key}@{value['ts']}",
    value_serializer=lambda value: repr(value["value"]),
)
topic = counted.application.topic(task["topic"], key_deserializer="str", value_deserializer="json")
counted.application.dataframe(topic).filter(counted.counts).sink(sink)
counted.run()
