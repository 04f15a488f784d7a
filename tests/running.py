"""Run parts of the system inside a test, and wait for what they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from infrastructure.settings import Settings
from ingest.bridge import Bridge
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from scripts import warm

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds after which a condition that never comes is a failure."""


def wait_for(condition: Callable[[], T], what: str, seconds: float = PATIENCE, every: float = 0.05) -> T:
    """The first true answer of ``condition``, asked ``every`` so many seconds; fails with ``what`` when none comes.

    One that takes long to answer is asked less often: it would take the time from what it waits for.
    """
    deadline = time.monotonic() + seconds
    asked = time.monotonic()
    while not (answer := condition()):
        answered = time.monotonic()
        assert answered < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(max(every, answered - asked))
        asked = time.monotonic()
    return answer


def submit(settings: Settings, savepoint: str | None = None) -> str:
    """Submit the job of these settings as a user does, by `flink run`; returns its id."""
    return cluster.submit(settings, local_tools(settings), SPEC, savepoint=savepoint)


def submit_quickly(settings: Settings, savepoint: str | None = None) -> str:
    """Submit the same job from this process, whose JVM is warm after the first one; returns the job's id."""
    return warm.submit(settings, local_tools(settings), SPEC, savepoint=savepoint)


class Bridging:
    """A bridge in a thread; leaving the block stops it and raises what it raised."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="bridge")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bridge.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the bridge does not stop"
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            self.bridge.run()
        except BaseException as error:  # noqa: BLE001 - reraised in the test
            self._error = error
