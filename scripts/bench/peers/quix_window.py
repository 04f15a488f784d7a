"""Quix Streams: tumbling windows of a day, closed by each key's own time."""

import json
import sys
from datetime import timedelta
from pathlib import Path

from quix_application import Counted
from quixstreams.dataframe.windows import Count, Mean

task = json.load(sys.stdin)
directory = Path(task["directory"])
counted = Counted(task, use_changelog_topics=False)
topic = counted.application.topic(
    task["topic"],
    key_deserializer="str",
    value_deserializer="json",
    timestamp_extractor=lambda value, _headers, _timestamp, _kind: value["ts"],
)
windows = (directory / "windows.csv").open("w")
late = (directory / "late.csv").open("w")


def too_late(value, key, timestamp, *_rest) -> bool:
    late.write(f"{key},{timestamp}\n")
    return False


def result(value, key, *_rest) -> None:
    windows.write(f"{key},{value['start']},{value['count']},{value['mean']!r}\n")


(
    counted.application.dataframe(topic)
    .filter(counted.counts)
    .tumbling_window(timedelta(days=1), grace_ms=task["grace_ms"], on_late=too_late)
    .agg(count=Count(), mean=Mean("value"))
    .final(closing_strategy="key")
    .update(result, metadata=True)
)
counted.run()
windows.close()
late.close()
