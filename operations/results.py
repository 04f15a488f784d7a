"""The results that stand in flinkAggr and lateRej, and how two sets of them differ."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Message

from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from topics import results
from topics.days import day_of
from topics.names import AGGREGATES, REJECTED
from topics.series import AGG_DAY_COUNT, LATE_REJECTED


class PointKey(NamedTuple):
    """What a result is about. ``day`` is the start of its day, ``ts`` the time of its point, both in epoch ms."""

    series: str
    site: str
    sensor: str
    day: int
    ts: int


class Result(NamedTuple):
    """A result, with its record as it stands in the topic.

    ``readings``: how many it is made of; ``merged``: a backfill brought it.
    """

    point: PointKey
    value: float
    readings: int
    record: bytes
    merged: bool


@dataclass
class Results:
    """Results by topic (without prefix) and key."""

    found: dict[tuple[str, bytes], Result] = field(default_factory=dict)

    def counted(self) -> int:
        """Readings that are counted in a day."""
        return sum(r.readings for r in self.found.values() if r.point.series == AGG_DAY_COUNT)

    def rejected(self) -> int:
        """Readings that are rejected."""
        return sum(r.point.series == LATE_REJECTED for r in self.found.values())

    def without(self, names: Container[tuple[str, bytes]]) -> Results:
        """These results less some."""
        return Results({name: result for name, result in self.found.items() if name not in names})

    def days(self) -> list[int]:
        """The days that have an aggregate, in order."""
        return sorted({r.point.day for r in self.found.values() if r.point.series != LATE_REJECTED})


class Change(NamedTuple):
    """What is to become of a key: ``old`` is what stands there, ``new`` what shall (None: nothing)."""

    topic: str
    key: bytes
    old: Result | None
    new: Result | None

    @property
    def point(self) -> PointKey:
        """What it is about."""
        result = self.new or self.old
        assert result is not None
        return result.point


def read(settings: Settings, wanted: Callable[[int], bool] = lambda _: True) -> Results:
    """What stands in the topics of these settings, of the wanted days (start, epoch ms). Raises ``TopicReadError``."""
    standing = Results()

    def keep(topic: str, message: Message, point: PointKey) -> None:
        name = (topic, message.key())
        if message.value() is None:
            standing.found.pop(name, None)
            return
        merged = results.is_merged(message)
        if topic == AGGREGATES:
            emitted = results.result(message.value())
            value, count = emitted.value, emitted.count
        else:
            value, count = results.rejected(message.value()).value, 1
        standing.found[name] = Result(point, value, count, message.value(), merged)

    for message in read_topic(settings.kafka, settings.prefix + AGGREGATES):
        with suppress(ValueError):  # somebody else's record, which the bridge dead-letters
            key = results.result_key(message.key() or b"")
            if wanted(key.day):
                keep(AGGREGATES, message, PointKey(key.series, key.site, key.sensor, key.day, key.day))
    for message in read_topic(settings.kafka, settings.prefix + REJECTED):
        with suppress(ValueError):
            reading = results.rejected_key(message.key() or b"")
            day = day_of(reading.ts)
            if wanted(day):
                keep(REJECTED, message, PointKey(LATE_REJECTED, reading.site, reading.sensor, day, reading.ts))
    return standing


def differences(old: Results, new: Results) -> list[Change]:
    """What has to change for ``old`` to become ``new``, by series and time."""
    changes = []
    for name in old.found.keys() | new.found.keys():
        before, after = old.found.get(name), new.found.get(name)
        if before is None or after is None or before[1:3] != after[1:3]:
            changes.append(Change(*name, before, after))
    return sorted(changes, key=lambda change: change.point)


def write(settings: Settings, changes: Iterable[Change], headers: dict[str, str] | None = None) -> None:
    """Put changes into the topics of these settings, from where the bridge stores them.

    Raises ``TopicReadError`` when one of them is not acknowledged.
    """
    write_records(
        settings.kafka,
        (
            Record(settings.prefix + topic, key, new.record if new else None, headers=headers)
            for topic, key, _, new in changes
        ),
    )
