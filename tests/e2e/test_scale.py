"""More of everything than the default: 48 partitions, eight slots on two TaskManagers, two bridges."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from infrastructure.kafka import admin
from infrastructure.kafka.publisher import Publisher
from infrastructure.kafka.reader import TopicReader
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.series_writer import SeriesWriter
from jobs import cluster
from producer.run import run
from producer.simulation import Simulation, site_names, ticks_of
from scripts import oracle
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from tests.running import Bridging, submit_quickly, wait_for
from topics import catalogue
from topics.names import READINGS

START = 1577836800000
DAYS = 4
SITES = 20
"""Enough that each of the 48 partitions gets a sensor."""
PARTITIONS = 48
SLOTS = 4
"""Of each of the two: a job of parallelism 8 fits only both."""


@pytest.mark.timeout(300)
def test_many_partitions_two_taskmanagers_and_two_bridges_change_no_point(stack: Stack) -> None:
    sensors = catalogue.read(stack.settings.sensors)
    own = stack.settings.replace(prefix="scale.", partitions=PARTITIONS, parallelism=2 * SLOTS)
    simulation = Simulation(sensors, 1, START, site_names(SITES))
    wanted = oracle.expected(simulation, ticks_of(DAYS), own)
    admin.create(own)
    try:
        with two_taskmanagers(stack):
            job = submit_quickly(own)
            try:
                with Bridging(Bridge(own, sensors)) as one, Bridging(Bridge(own, sensors)) as other:
                    wait_for(
                        lambda: all(shared(each) and len(shared(each)) < PARTITIONS for each in (one, other)),
                        "the group to share the partitions",
                    )
                    publisher = Publisher(own, simulation.catalogue)
                    run(simulation, publisher, ticks=ticks_of(DAYS), ticks_per_second=None, marks={})
                    wait_for(lambda: not different(own, wanted), "every point", every=1)
                    assert oracle.stored(own).keys() == wanted.keys()
                    assert shared(one) | shared(other) == set(range(PARTITIONS))
                    assert not shared(one) & shared(other)
                    assert min(bridge.bridge.counts.points for bridge in (one, other)) > 0
                assert instances(own, job) == {(SLOTS, SLOTS)}
            finally:
                cluster.cancel(own, job)
        assert classes_of_partitions(own, sensors) == {
            partition: sensors.classes[partition // 8] for partition in range(PARTITIONS)
        }
    finally:
        admin.delete(own)
        store = SeriesWriter(own, sensors)
        store.clear()
        store.close()


def shared(running: Bridging) -> set[int]:
    """The partitions of dailyAggr that a bridge has been given."""
    return {partition for topic, partition in running.bridge.counts.assigned if topic.endswith(READINGS)}


def different(settings: Settings, wanted: dict[str, oracle.Points]) -> list[str]:
    return oracle.compare(oracle.stored(settings), wanted).differences


def instances(settings: Settings, job: str) -> set[tuple[int, ...]]:
    """How each operator's instances are spread over TaskManagers; operators of one instance are left out."""
    found = set()
    for vertex in cluster.ask(settings, f"/jobs/{job}")["vertices"]:
        subtasks = cluster.ask(settings, f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"]
        if len(subtasks) > 1:
            found.add(tuple(Counter(subtask["taskmanager-id"] for subtask in subtasks).values()))
    return found


def classes_of_partitions(settings: Settings, sensors: catalogue.Catalogue) -> dict[int, str]:
    """The class whose readings each partition has; fails when one has those of two."""
    found = defaultdict(set)
    places = defaultdict(set)
    reader = TopicReader(settings.kafka, settings.prefix + READINGS)
    try:
        for messages in reader.read_on():
            for message in messages:
                if message.key() is not None:  # heartbeats are in every partition
                    key = message.key().decode()
                    found[message.partition()].add(sensors[key.split("/")[-1]].partition_class)
                    places[key].add(message.partition())
    finally:
        reader.close()
    assert all(len(where) == 1 for where in places.values()), "a sensor's readings share a partition"
    assert all(len(names) == 1 for names in found.values())
    return {partition: names.pop() for partition, names in found.items()}


@contextmanager
def two_taskmanagers(stack: Stack) -> Iterator[None]:
    """Two of ``SLOTS`` slots each stand in for the stack's one."""
    (usual,) = (process for process in processes(stack.settings) if process.name == "taskmanager")
    options = (f"-Dtaskmanager.numberOfTaskSlots={SLOTS}", "-Dtaskmanager.memory.process.size=1280m")
    names = ("taskmanager-a", "taskmanager-b")
    stack.stop(usual.name)
    try:
        for name in names:
            stack.add(replace(usual, name=name, command=[*usual.command, *options]))
        wait_for(lambda: slots(stack.settings) == (2, 2 * SLOTS), "two TaskManagers")
        yield
    finally:
        for name in names:
            stack.stop(name)
            stack.remove(name)
        stack.start(usual.name)
        wait_for(lambda: slots(stack.settings) == (1, stack.settings.stack.task_slots), "the stack's own TaskManager")


def slots(settings: Settings) -> tuple[int, int]:
    """TaskManagers that have registered, and the slots of all."""
    overview = cluster.ask(settings, "/overview")
    return overview["taskmanagers"], overview["slots-total"]
