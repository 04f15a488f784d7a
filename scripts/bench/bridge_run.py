"""Run the bridge as a process, as the stack does, and see from Redis when it has begun and when it is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infrastructure.home import ROOT
from infrastructure.kafka import offsets
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from topics.errors import UserError
from topics.names import SERIES_TOPICS

LOOK_SECONDS = 0.02
QUIET_SECONDS = 1.0
STALL_SECONDS = 120
STOP_SECONDS = 30


BRIDGE = ("ingest",)
EXPORTER = ("jobs", "metrics")


@contextmanager
def running(settings: Settings, module: tuple[str, ...]) -> Iterator[None]:
    """``python -m`` a module with these settings, until the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Writes:
    """Counts the commands by which points come into Redis. Asking Redis does not ask the bridge for anything."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis_client(settings.redis, "admin")
        self._redis.config_resetstat()

    def count(self) -> int:
        """TS.MADD so far."""
        told = self._redis.info("commandstats")
        return sum(stats["calls"] for name, stats in told.items() if name.lower() == "cmdstat_ts.madd")

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()


def watch(writes: Writes, done: Callable[[], bool]) -> tuple[float, float]:
    """Epoch seconds of the first write and of the last one before ``done``, which is asked whenever it is quiet.

    Raises ``UserError`` when nothing moves any more and it is not done.
    """
    began = last = 0.0
    count = 0
    moved = asked = time.monotonic()
    while True:
        now = time.monotonic()
        if (found := writes.count()) != count:
            count, last, moved = found, time.time(), now
            began = began or last
        elif now - max(moved, asked) > QUIET_SECONDS:
            if done():
                return began, last
            asked = time.monotonic()
            if now - moved > STALL_SECONDS:
                raise UserError("the bridge does not come to an end: nothing is written any more")
        time.sleep(LOOK_SECONDS)


def caught_up(settings: Settings) -> bool:
    """Whether the bridge has committed everything that there is."""
    committed = offsets.committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    topics = [settings.prefix + topic for topic in SERIES_TOPICS]
    ends = {(topic, p): end for topic in topics for p, end in offsets.end_offsets(settings.kafka, topic).items()}
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())
