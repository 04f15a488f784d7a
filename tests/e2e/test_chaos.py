"""A short run of chaos: some faults of the long one, and in the end nothing is lost and nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from infrastructure.kafka import admin
from infrastructure.redis.client import redis_client
from jobs import cluster
from jobs.daily_aggregates import SPEC
from producer.simulation import Simulation, site_names
from scripts.chaos.faults import Fault, Kind, Round
from scripts.chaos.run import finish, run
from scripts.chaos.traffic import INVALID, Traffic
from scripts.stack.supervision import Stack
from tests.running import submit_quickly
from topics import catalogue

START = 1577836800000
DAYS, SITES, PACE = 20, 5, 4
ROUNDS = (
    Round(Fault(Kind.FREEZE, "taskmanager", 13), full_speed=True, after=0.2),  # longer than its heartbeat is waited for
    Round(Fault(Kind.KILL, "kafka"), full_speed=True, after=0.4),
    Round(Fault(Kind.KILL, "producer"), full_speed=True, after=0.1),
    Round(Fault(Kind.KILL, "jobmanager"), full_speed=False, after=0.5),
    Round(Fault(Kind.KILL, "ingest"), full_speed=False, after=0.3),
    Round(Fault(Kind.AWAY, "redis", 2), full_speed=False, after=0.1),
    Round(Fault(Kind.FULL, "checkpoints", 3), full_speed=False, after=0.1),
)


@pytest.fixture
def unprefixed(stack: Stack) -> Iterator[Stack]:
    """The stack with the system that it has when nobody sets a prefix: its own bridge and exporter, and a job."""
    settings = stack.settings.replace(checkpoint_interval=timedelta(seconds=1))
    admin.create(settings)
    for process in ("ingest", "exporter"):
        stack.start(process)
    submit_quickly(settings)
    yield stack
    for process in ("ingest", "exporter"):
        stack.stop(process)
    cluster.cancel(settings, cluster.find(settings, SPEC).id)
    admin.delete(settings)
    redis_client(settings.redis, "admin").flushdb()


@pytest.mark.timeout(400)
def test_whatever_is_killed_or_frozen_nothing_is_lost_and_nothing_counts_twice(unprefixed: Stack) -> None:
    simulation = Simulation(catalogue.read(unprefixed.settings.sensors), 5, START, site_names(SITES))
    job = cluster.find(unprefixed.settings, SPEC).id
    traffic = Traffic(unprefixed, simulation, PACE)
    try:
        recoveries = list(run(traffic, ROUNDS, DAYS, lambda _: None))
        _, wrong = finish(traffic, 1, lambda _: None)
    finally:
        traffic.end()
    assert not wrong
    assert [recovery.round for recovery in recoveries] == list(ROUNDS)
    assert len(traffic.invalid) >= 3 * len(INVALID) * len(ROUNDS)
    assert cluster.find(unprefixed.settings, SPEC).id == job, "nobody has submitted it again"
