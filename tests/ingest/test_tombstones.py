"""A tombstone waits for its correction: readers see no gap, and what nothing follows is deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from confluent_kafka import Consumer

from infrastructure.kafka.offsets import committed_offsets
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Record,
    aggregate,
    assert_each_once,
    behind,
    points,
    reading,
    send,
    stored,
    wait_until_committed,
)
from tests.running import Bridging, wait_for
from topics.names import AGGREGATES


class Clock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(settings: Settings, clock: Clock) -> Iterator[Bridging]:
    """A bridge whose time is the test's."""
    with Bridging(Bridge(settings, SENSORS, clock)) as running:
        yield running


def wait_until_read(running: Bridging, records: int) -> None:
    wait_for(lambda: running.bridge.counts.records >= records, f"{records} records to be read")


def test_a_tombstone_with_its_correction_behind_it_is_just_the_correction(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    days = [START + day * DAY_MS for day in range(28)]
    send(settings, *(aggregate("AggDay", "TH1", 1.0, day) for day in days))
    wait_until_committed(settings)
    old, new = ([(START + day * DAY_MS, value) for day in range(28)] for value in (1.0, 2.0))
    assert points(store, settings, "AggDayTH1") == old
    send(
        settings,
        *(r for day in days for r in (aggregate("AggDay", "TH1", None, day), aggregate("AggDay", "TH1", 2.0, day))),
    )
    seen = old
    while seen != new:
        seen = points(store, settings, "AggDayTH1")
        assert [ts for ts, _ in seen] == [ts for ts, _ in old], "a gap"
    wait_until_committed(settings)
    assert bridge.bridge.counts.retracted == 0


def test_a_reader_sees_no_gap_while_a_tombstone_waits_for_its_correction(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0))
    wait_until_read(timed, 1)
    send(settings, aggregate("AggDay", "TH1", None))
    wait_until_read(timed, 2)
    clock.now += settings.ingest.settle.total_seconds() - 0.01
    send(settings, reading("TH1", START, 5.0))  # carried by a poll that could have deleted the point
    wait_until_read(timed, 3)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0)]
    send(settings, aggregate("AggDay", "TH1", 2.0))
    wait_until_read(timed, 4)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    clock.now += 1000
    send(settings, reading("TH1", START + 1, 5.0))
    wait_until_read(timed, 5)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    assert timed.bridge.counts.retracted == 0


def test_a_tombstone_that_nothing_follows_deletes_the_point_after_the_settle_time(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", 2.0, START + DAY_MS))
    wait_until_read(timed, 2)
    (offset,) = send(settings, aggregate("AggDay", "TH1", None))
    send(settings, aggregate("AggDay", "TH2", 3.0))
    wait_until_read(timed, 4)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0), (START + DAY_MS, 2.0)]
    committed = committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    assert committed[settings.prefix + AGGREGATES, 0] == offset, "a bridge that dies now would not delete it"
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.retracted == 1, "the tombstone")
    assert points(store, settings, "AggDayTH1") == [(START + DAY_MS, 2.0)]


def test_a_tombstone_that_is_done_is_committed(settings: Settings, timed: Bridging, clock: Clock) -> None:
    """Else the lag would stay, and a restart would read everything behind the tombstone again."""
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", None), aggregate("AggDay", "TH2", 3.0))
    wait_until_read(timed, 3)
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.retracted == 1, "the tombstone")
    wait_for(lambda: behind(settings) == 0, "the offset behind the tombstone to be committed", seconds=10)


def test_a_tombstone_that_waits_when_the_bridge_stops_is_done_by_the_next_one(
    settings: Settings, store: redis.Redis
) -> None:
    with Bridging(Bridge(settings, SENSORS, Clock())) as first:
        send(settings, aggregate("AggDay", "TH1", 1.0))
        wait_until_read(first, 1)
        send(settings, aggregate("AggDay", "TH1", None))
        wait_until_read(first, 2)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0)]
    with Bridging(Bridge(settings, SENSORS)) as second:
        wait_for(lambda: second.bridge.counts.retracted == 1, "the tombstone")
    assert points(store, settings, "AggDayTH1") == []


def test_a_tombstone_that_is_another_bridges_now_is_not_done_by_the_first(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would delete the correction that the other one has stored."""
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", None))
    wait_until_read(timed, 2)
    with monkeypatch.context() as named:
        # A topic's one partition is the first member's, by name; the other's begins with "rdkafka".
        named.setattr("ingest.bridge.Consumer", lambda given: Consumer({**given, "client.id": "first"}))
        second = Bridge(settings, SENSORS)
    with Bridging(second):
        wait_for(lambda: (settings.prefix + AGGREGATES, 0) in second.counts.assigned, "the partition to change hands")
        send(settings, aggregate("AggDay", "TH1", 2.0))
        wait_until_committed(settings)
        clock.now += 1000
        send(settings, *(reading(sensor, START, 5.0) for sensor in SENSORS))
        wait_until_committed(settings)
    assert timed.bridge.counts.points > 1, "it has had its share"
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]


def test_a_tombstone_of_what_was_never_written_stalls_nothing(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0))
    wait_until_read(timed, 1)
    send(settings, aggregate("AggDay", "TH1", None, START + 4 * DAY_MS), aggregate("AggDay", "TH2", None))
    wait_until_read(timed, 3)
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.retracted == 2, "both tombstones")
    send(settings, reading("TH1", START, 5.0))
    wait_until_read(timed, 4)
    assert stored(store, settings) == {"AggDayTH1": [(START, 1.0)], "TH1": [(START, 5.0)]}


def test_a_dead_letter_behind_a_tombstone_that_waits_is_written_once(settings: Settings, store: redis.Redis) -> None:
    """The tombstone keeps the offset of its partition back, so that the next bridge reads the garbage again."""
    wrong = Record(AGGREGATES, b"k", b"garbage")
    with Bridging(Bridge(settings, SENSORS, Clock())) as first:
        offsets = send(settings, aggregate("AggDay", "TH1", None), wrong)[1:]
        wait_until_read(first, 2)
    assert behind(settings) == 2
    assert_each_once(settings, [wrong], offsets)
    with Bridging(Bridge(settings, SENSORS)):
        wait_until_committed(settings)
    assert_each_once(settings, [wrong], offsets)
