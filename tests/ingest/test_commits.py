"""An offset is committed when what is before it is on disk, and as often as Kafka needs to take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from infrastructure.kafka.offsets import committed_offsets
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.series_writer import NotDurable, SeriesWriter
from tests.ingest.traffic import (
    SENSORS,
    START,
    assert_each_once,
    behind,
    garbage,
    points,
    reading,
    send,
    wait_until_committed,
)
from tests.running import Bridging, wait_for


class Doubting(SeriesWriter):
    """A store that does not confirm what was written until it was asked often enough."""

    def __init__(self, settings: Settings, doubts: int) -> None:
        super().__init__(settings, SENSORS)
        self.doubts = doubts
        self.committed: list[Any] = []
        self.written = 0
        self._settings = settings

    def write(self, points: Sequence[Any]) -> None:
        super().write(points)
        self.written += len(points)

    def wait_durable(self) -> None:
        group = self._settings.prefix + self._settings.ingest.group
        self.committed.append(committed_offsets(self._settings.kafka, group))
        if len(self.committed) <= self.doubts:
            raise NotDurable("not yet")
        super().wait_durable()


def test_nothing_is_committed_before_it_is_on_disk(settings: Settings, store: redis.Redis) -> None:
    bridge = Bridge(settings, SENSORS)
    bridge._writer = doubting = Doubting(settings, doubts=3)
    wrong = garbage(1)
    offsets = send(settings, reading("TH1", START, 1.0), wrong)[1:]
    with Bridging(bridge):
        wait_until_committed(settings)
    assert doubting.committed[:4] == [{}] * 4, "an offset was committed before the store had confirmed"
    assert doubting.written >= 4, "what was not confirmed was not written again"
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)


class Refused:
    """A consumer whose first commits do not reach Kafka."""

    def __init__(self, bridge: Bridge, times: int) -> None:
        self._bridge = bridge
        self._consumer = bridge._consumer
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        if not self.times:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)
            return
        self.times -= 1
        error = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, "try later")
        if not asynchronous:
            raise KafkaException(error)
        self._bridge._commit_answered(error, offsets)


def test_a_commit_that_kafka_refuses_is_made_again(settings: Settings, store: redis.Redis) -> None:
    """As it does for a while when it has just started: with nothing new to read the offset would lag for ever."""
    bridge = Bridge(settings, SENSORS)
    bridge._consumer = refused = Refused(bridge, times=2)
    send(settings, reading("TH1", START, 1.0))
    with Bridging(bridge):
        wait_for(lambda: behind(settings) == 0, "the offset to be committed", seconds=15)
    assert refused.times == 0
