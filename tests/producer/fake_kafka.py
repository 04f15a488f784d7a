"""What the producer sees of Kafka, without Kafka: partitions as lists, and an end that takes what it is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import TopicPartition

from infrastructure.home import ROOT
from infrastructure.kafka.publisher import Publisher, PublishError
from producer.encoder import SIMULATION, TICK, Ticked
from producer.resume import Mark
from topics import catalogue
from topics.encoding import Message
from topics.partitions import first_partitions

SENSORS = catalogue.read(ROOT / "sensors.toml")

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """A record as it stands in a partition."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


Log = Sequence[Record]
"""The records of one partition, from its first offset on."""


class Sent(NamedTuple):
    """A message, and the tick at which it was sent (epoch ms; 0 for one of a file)."""

    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]] | None
    tick: int

    @property
    def marked(self) -> bool:
        return self.headers is not None


def sent_of(ticked: Ticked) -> Sent:
    return Sent(*ticked.message, ticked.tick)


RECEIVED = 1_700_000_000_000
"""When the broker received everything: it says nothing of ticks."""


def record(message: Sent) -> Record:
    """What becomes of a message in the topic."""
    return Record(message.key, message.value, RECEIVED, tuple(message.headers or ()))


def by_partition(messages: Iterable[Sent]) -> dict[int, list[Sent]]:
    """The messages of each partition that has any, in order."""
    logs = defaultdict(list)
    for message in messages:
        logs[message.partition].append(message)
    return dict(logs)


def marks_in(logs: Mapping[int, Log]) -> dict[int, Mark]:
    """How far a simulation came, by the definition: its last tick in each partition, and what is there of that tick."""
    marks = {}
    for partition, log in logs.items():
        begins = [offset for offset, entry in enumerate(log) if SIMULATION in dict(entry.headers)]
        if begins:
            tick = log[begins[-1] :]
            marks[partition] = Mark(int(dict(tick[0].headers)[TICK]), frozenset((r.key, r.value) for r in tick))
    return marks


@dataclass
class Clock:
    """A clock that stands still unless somebody waits."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakePublisher(Publisher):
    """Takes all messages at once, and remembers when and what.

    ``slow``: seconds that the n-th call of ``send`` takes. ``fails_after``: messages that the broker takes before it
    refuses one. ``stops_after``: calls of ``send`` after which it is told to stop.
    """

    partitions: int
    clock: Clock = field(default_factory=Clock)
    slow: Mapping[int, float] = field(default_factory=dict)
    fails_after: int | None = None
    stops_after: int | None = None
    sent: int = 0
    heartbeats: int = 0
    acknowledged: int = 0
    failed: int = 0
    finished: bool = False
    messages: list[Sent] = field(default_factory=list)
    calls: list[tuple[float, list[Sent]]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    ticks: dict[int, int] = field(default_factory=dict)

    def partition(self, site: str, sensor: str) -> int:
        return first_partitions(SENSORS, self.partitions)(site, sensor)

    def know(self, sensors: Iterable[str]) -> None:
        assert set(sensors) <= set(SENSORS)

    def send(self, messages: Iterable[Message]) -> None:
        batch = []
        for partition, key, value, headers in messages:
            self.ticks[partition] = int(dict(headers or ()).get(TICK, self.ticks.get(partition, 0)))
            batch.append(Sent(partition, key, value, headers, self.ticks[partition]))
        self.calls.append((self.clock.now, batch))
        self.messages += batch
        self.sent += len(batch)
        self.heartbeats += sum(message.key is None for message in batch)
        self.clock.now += self.slow.get(len(self.calls) - 1, 0.0)
        if len(self.calls) == self.stops_after:
            self.stop()

    def poll(self, seconds: float = 0.0) -> None:
        assert seconds > 0, "nothing to wait for"
        self.waits.append(seconds)
        self.clock.now += seconds

    def check(self) -> None:
        if self.fails_after is not None and self.sent > self.fails_after:
            raise PublishError("refused")

    def finish(self) -> None:
        self.acknowledged = self.sent
        self.finished = True


class _Met(NamedTuple):
    offset_: int
    record: Record | None

    def offset(self) -> int:
        return self.offset_

    def error(self) -> str | None:
        return "end of the partition" if self.record is None else None

    def key(self) -> bytes | None:
        assert self.record is not None
        return self.record.key

    def value(self) -> bytes | None:
        assert self.record is not None
        return self.record.value

    def timestamp(self) -> tuple[int, int]:
        assert self.record is not None
        return 1, self.record.timestamp

    def headers(self) -> list[tuple[str, bytes]] | None:
        assert self.record is not None
        return list(self.record.headers) or None


@dataclass
class FakeConsumer:
    """Reads the partitions of one topic; ``first`` is the first offset that each of them still has."""

    logs: Mapping[int, Log]
    first: int = 0
    silent: bool = False
    closed: bool = False
    read: int = 0
    _partition: int = 0
    _position: int = 0

    def list_topics(self, topic: str, timeout: float) -> Any:
        assert timeout > 0
        return _Metadata({topic: _Topic(dict.fromkeys(self.logs))})

    def get_watermark_offsets(self, where: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        return self.first, self.first + len(self.logs[where.partition])

    def assign(self, where: list[TopicPartition]) -> None:
        self._partition, self._position = where[0].partition, where[0].offset
        assert self._position >= self.first

    def poll(self, timeout: float) -> _Met | None:
        assert timeout > 0
        if self.silent:
            return None
        log = self.logs[self._partition]
        index = self._position - self.first
        if index >= len(log):
            return _Met(self._position, None)
        self._position += 1
        self.read += 1
        return _Met(self._position - 1, log[index])

    def close(self) -> None:
        self.closed = True


class _Topic(NamedTuple):
    partitions: dict[int, None]


class _Metadata(NamedTuple):
    topics: dict[str, _Topic]
