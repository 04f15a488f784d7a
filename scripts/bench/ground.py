"""The stack that benchmarks run on: their own, in a temporary directory and on free ports, gone when they end."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.settings import Settings
from scripts.stack.apart import settings_apart
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack

ROOMY = {"taskmanager_memory": "4096m", "redis_memory": "4g", "kafka_heap": "1g", "task_slots": 8}
"""More than the defaults: for stages that measure speed over millions of readings."""
LOOK_SECONDS = 0.1


@dataclass
class Ground:
    """A running stack. ``ready``: seconds from the beginning of its start until each process served requests."""

    stack: Stack
    ready: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The stack's settings."""
        return self.stack.settings


@contextmanager
def ground(said: Callable[[str], None], **others: Any) -> Iterator[Ground]:
    """Kafka, Redis and Flink; the bridge is each stage's own. ``others`` are settings. Leaves nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="iot-bench-"))
    made = Ground(Stack(settings_apart(directory, **others)))
    try:
        with _watching(made):
            made.stack.up(said)
        yield made
    finally:
        made.stack.kill()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _watching(made: Ground) -> Iterator[None]:
    """Note when each process is ready for the first time."""
    began, over = time.monotonic(), threading.Event()
    waiting = [process for process in processes(made.settings) if process.autostart]

    def look() -> None:
        while waiting and not over.wait(LOOK_SECONDS):
            for process in list(waiting):
                if (made.settings.data_dir / "secrets").exists() and process.ready():
                    made.ready[process.name] = time.monotonic() - began
                    waiting.remove(process)

    looking = threading.Thread(target=look, name="start-up")
    looking.start()
    try:
        yield
        for process in waiting:
            made.ready.setdefault(process.name, time.monotonic() - began)
    finally:
        over.set()
        looking.join()
