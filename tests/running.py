"""Run parts of the system inside a test, and wait for what they do."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from ingest.bridge import Bridge
from jobs import cluster
from jobs.daily_aggregates import declare
from jobs.tools import connector_jar, java_home, local_tools
from settings import Settings

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds after which a condition that never comes is a failure."""


def wait_for(condition: Callable[[], T], what: str, seconds: float = PATIENCE, every: float = 0.05) -> T:
    """The first true answer of ``condition``, asked ``every`` so many seconds; fails with ``what`` when none comes."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(every)
    return answer


def submit(settings: Settings, savepoint: str | None = None) -> str:
    """Submit the job of these settings as a user does, by `flink run`; returns its id."""
    return cluster.submit(settings, local_tools(settings), savepoint=savepoint)


@contextmanager
def pyflink() -> Iterator[None]:
    """PyFlink knows where Java is, and may warn of the ends of its dependencies, which it imports as it goes."""
    os.environ["JAVA_HOME"] = str(java_home())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def submit_quickly(settings: Settings) -> str:
    """Submit the same job from this process, whose JVM is warm after the first one; returns the job's id."""
    rest = urlsplit(settings.flink)
    options = {
        "execution.target": "remote",
        "rest.address": str(rest.hostname),
        "rest.port": str(rest.port),
        "pipeline.jars": connector_jar().as_uri(),
    }
    with pyflink():
        job = str(declare(settings, None, **options).execute().get_job_client().get_job_id())
    cluster.wait_until_running(settings, job)
    return job


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
