"""The stack that benchmarks run on: their own, in a temporary directory and on free ports, gone when they end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts import warm
from scripts.stack.apart import settings_apart
from scripts.stack.supervision import Stack

MEMORY = {"taskmanager_memory": "3072m", "redis_memory": "4g", "kafka_heap": "1g"}
"""More than the defaults: what is measured is speed, and Redis holds several stages' series."""


@contextmanager
def ground(said: Callable[[str], None], **others: Any) -> Iterator[Stack]:
    """Kafka, Redis and Flink; the bridge is each stage's own. ``others`` are settings. Leaves nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="iot-bench-"))
    stack = Stack(settings_apart(directory, **{"log_format": "text", **others}))
    try:
        stack.up(said)
        yield stack
    finally:
        warm.shut_down()
        stack.down()
        shutil.rmtree(directory, ignore_errors=True)
