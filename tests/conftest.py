"""One real stack for the whole run, in a temporary directory and on free ports."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.bridge import Bridge
from jobs import cluster
from scripts import warm
from scripts.stack.supervision import Stack
from settings import Settings
from tests.running import Bridging
from topics import admin, catalogue


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the stack is marked by that."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka, Redis and Flink, started once; the bridge is each test's own."""
    directory = Path(tempfile.mkdtemp(prefix="iot-"))
    kafka, controller, redis, flink, rpc, zookeeper = free_ports(6)
    settings = Settings(
        _env_file=None,
        kafka=f"127.0.0.1:{kafka}",
        kafka_controller_port=controller,
        redis=f"redis://127.0.0.1:{redis}/0",
        flink=f"http://127.0.0.1:{flink}",
        flink_rpc_port=rpc,
        zookeeper_port=zookeeper,
        data_dir=directory,
        task_slots=16,
        taskmanager_memory="2560m",
    )
    running = Stack(settings)
    try:
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


@pytest.fixture
def settings(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The stack's settings with a prefix of the test's own, and its topics; the job of that prefix is cancelled."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:40]
    own = stack.settings.model_copy(update={"prefix": f"{name}-{time.monotonic_ns() % 10**6}."})
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
