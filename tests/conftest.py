"""One real stack for each process that runs tests, in a temporary directory and on free ports."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
import redis

from infrastructure.kafka import admin
from infrastructure.proxies import keep_local_direct
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from jobs import cluster
from scripts import warm
from scripts.stack.apart import settings_apart
from scripts.stack.supervision import Stack
from tests.running import Bridging
from topics import catalogue

hypothesis.settings.register_profile(
    "reproducible",  # the same cases on each run, none of them timed
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("reproducible")

keep_local_direct()  # tests call what a command line would call, without one

SHOWN = ("supervisord", "jobmanager", "taskmanager")
"""The logs whose ends a failure shows: the stack and its files are gone when somebody reads it."""

LONG = ("e2e", "jobs")
"""Directories whose tests run jobs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the stack is marked by that. Long ones come first, lest a worker waits for the other one."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What has become of a test's setup, call or teardown."""
    report = yield
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and running is not None:
        report.sections += [(f"{name}.log ends", running.tail(name)) for name in SHOWN]
    return report


@pytest.fixture(scope="session")
def directory(request: pytest.FixtureRequest) -> Path:
    """Where this process' stack is to be; as a worker's, it is known to the process that runs the workers."""
    given = getattr(request.config, "workerinput", {}).get(DIRECTORY)
    return Path(given or tempfile.mkdtemp(prefix="iot-"))


@pytest.fixture(scope="session")
def stack(directory: Path) -> Iterator[Stack]:
    """Kafka, Redis and Flink, started once; the bridge is each test's own."""
    settings = settings_apart(directory, log_format="json", task_slots=16, taskmanager_memory="2560m")
    running = Stack(settings)
    try:
        with pytest.MonkeyPatch.context() as environment:
            # Every JVM lives for minutes and does a little of everything: optimising its code costs more than it saves.
            # What those of no stack, but of a test or of PyFlink's client, write in passing goes when the stack goes.
            environment.setenv("JDK_JAVA_OPTIONS", f"-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={directory}")
            running.up()
            yield running
    finally:
        warm.shut_down()
        family = psutil.Process().children(recursive=True)
        running.down()
        shutil.rmtree(directory)
    _, alive = psutil.wait_procs([p for p in family if "java" in p.name() or "redis" in p.name()], timeout=10)
    ours = [p for p in alive if str(directory) in " ".join(p.cmdline())]
    assert not ours, f"left behind: {ours}"


DIRECTORY = "directory"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker begins."""
    node.workerinput[DIRECTORY] = tempfile.mkdtemp(prefix="iot-")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that crashed has left its stack behind."""
    directory = Path(node.workerinput[DIRECTORY])
    Stack(Settings.of(env_file=None, data_dir=directory)).down()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def settings(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The stack's settings with a prefix of the test's own, and its topics; the job of that prefix is cancelled."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:40]
    own = stack.settings.replace(prefix=f"{name}-{time.monotonic_ns() % 10**6}.")
    admin.create(own)
    yield own
    for job in cluster.jobs(own):
        if job.name.startswith(own.prefix):
            cluster.cancel(own, job.id)
    admin.delete(own)


@pytest.fixture
def bridge(settings: Settings) -> Iterator[Bridging]:
    """A bridge in a thread of this process."""
    with Bridging(Bridge(settings, catalogue.read(settings.sensors))) as running:
        yield running


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    """Redis, emptied of this test's series in the end."""
    client = redis_client(settings.redis, "admin")
    yield client
    if found := list(client.scan_iter(match=f"{settings.prefix}*", count=10_000)):
        client.delete(*found)
    client.close()
