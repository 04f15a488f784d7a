"""Rewrite the results of a system of before version 0.2: they named their window, and name their day now.

Nothing is computed again: days that a merge has brought, and days whose readings retention has deleted, are not in
dailyAggr. Kafka cannot rename a topic, so the results pass through a second one:

1. each record of flinkAggr is written to flinkAggr.migrated in the new form, with its headers and timestamp;
2. the two are compared, and a last record says that the copy is complete;
3. flinkAggr is deleted, made anew, and filled from the copy; then the copy is deleted.

It can be killed at any moment and run again: a copy that is not complete is begun anew, a complete one is all there is
to know. Neither the job nor a bridge may run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from confluent_kafka import Message

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from topics.days import DAY_MS
from topics.errors import UserError
from topics.names import AGGREGATES
from topics.results import OldResultKey, Result, ResultKey, is_old, old_result_key
from topics.series import AGG_DAY_DIFF

COPY = AGGREGATES + ".migrated"
COMPLETE = "complete"
"""Header of the copy's last record; its value is the number of records before it."""

Report = Callable[[str, int, int], None]
"""Receives a step, how many records of it are done, and of how many."""


class MigrationError(UserError):
    """The results cannot be migrated; the message says what to do."""


class Migrated(NamedTuple):
    """``records`` were rewritten, of which ``results`` stand and the others are older ones and tombstones."""

    records: int
    results: int


class _OldResult(OldResultKey, frozen=True):
    value: float
    count: int


_old_result = msgspec.json.Decoder(_OldResult).decode
_encode = msgspec.json.Encoder().encode


def is_needed(settings: Settings) -> bool:
    """Whether flinkAggr holds results in the old form, or a migration was interrupted. Raises ``TopicReadError``."""
    there = admin.partitions(settings.kafka)
    if settings.prefix + COPY in there:
        return True
    topic = settings.prefix + AGGREGATES
    if topic not in there:
        return False
    # Results of both forms never stand in one topic: the first record of the job tells.
    return any(is_old(message.key()) for message in _first(settings, topic))


def migrate(settings: Settings, report: Report = lambda *_: None) -> Migrated:
    """Rewrite the results; returns how many. Idempotent.

    Raises ``MigrationError`` when a copy is not what it should be, and as Kafka's reader and writer do.
    """
    topic, copy = settings.prefix + AGGREGATES, settings.prefix + COPY
    if not _is_complete(settings, copy):
        if not is_needed(settings):
            return Migrated(0, 0)
        admin.delete(settings, (COPY,))
        admin.create(settings, (COPY,), configuration={COPY: {"retention.ms": admin.FOREVER}})
        _copy(settings, topic, copy, report)
    return _swap(settings, topic, copy, report)


def converted(message: Message) -> tuple[bytes | None, bytes | None]:
    """Key and value of a record in the new form; what is no result stays as it is."""
    key, value = message.key(), message.value()
    try:
        named = old_result_key(key or b"")
        day = _day(named)
        new = ResultKey(named.series, named.site, named.sensor, day)
        if value is None:
            return _encode(new), None
        old = _old_result(value)
    except (msgspec.DecodeError, ValueError):
        return key, value
    return _encode(new), _encode(Result(old.series, old.site, old.sensor, day, old.value, old.count))


def _day(named: OldResultKey) -> int:
    """Start of the day described, epoch ms. A difference was named by the first day of two."""
    start = datetime.strptime(named.window_start, "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
    return int(start.timestamp()) * 1000 + (DAY_MS if named.series == AGG_DAY_DIFF else 0)


def _copy(settings: Settings, topic: str, copy: str, report: Report) -> None:
    total = sum(offsets.end_offsets(settings.kafka, topic).values())
    count = 0

    def records() -> Iterator[Record]:
        nonlocal count
        for message in read_topic(settings.kafka, topic):
            key, value = converted(message)
            count += 1
            if count % 1000 == 0:
                report("copying", count, total)
            yield Record(copy, key, value, 0, message.timestamp()[1], message.headers())

    write_records(settings.kafka, records())
    before = _standing(settings, topic)
    after = _standing(settings, copy)
    if before != after:
        raise MigrationError(
            f"{copy} holds other results than {topic}: is the job or a bridge running? Stop them, and run this again"
        )
    write_records(settings.kafka, [Record(copy, None, None, 0, 0, [(COMPLETE, b"%d" % count)])])


def _swap(settings: Settings, topic: str, copy: str, report: Report) -> Migrated:
    messages = [message for message in read_topic(settings.kafka, copy) if not _says_complete(message)]
    report("writing", 0, len(messages))
    admin.delete(settings, (AGGREGATES,))
    admin.create(settings, (AGGREGATES,))
    write_records(
        settings.kafka,
        (Record(topic, m.key(), m.value(), 0, m.timestamp()[1], m.headers()) for m in messages),
    )
    written = sum(offsets.end_offsets(settings.kafka, topic).values())
    standing = _standing(settings, copy)
    if written != len(messages) or _standing(settings, topic) != standing:
        raise MigrationError(
            f"{topic} holds {written:,} records in place of {len(messages):,}: is the job or a bridge running? Stop "
            "them, and run this again; the results are in the copy"
        )
    report("writing", len(messages), len(messages))
    admin.delete(settings, (COPY,))
    return Migrated(len(messages), len(standing))


def _standing(settings: Settings, topic: str) -> dict[bytes | None, tuple[bytes | None, object]]:
    """The newest value and headers of each key, in the new form; without those that a tombstone has deleted."""
    found: dict[bytes | None, tuple[bytes | None, object]] = {}
    for message in read_topic(settings.kafka, topic):
        if _says_complete(message):
            continue
        key, value = converted(message)
        if value is None:
            found.pop(key, None)
        else:
            found[key] = (value, message.headers())
    return found


def _is_complete(settings: Settings, copy: str) -> bool:
    if copy not in admin.partitions(settings.kafka):
        return False
    return any(_says_complete(message) for message in read_topic(settings.kafka, copy))


def _says_complete(message: Message) -> bool:
    return any(name == COMPLETE for name, _ in message.headers() or ())


def _first(settings: Settings, topic: str) -> Iterator[Message]:
    """The first records of a topic."""
    for number, message in enumerate(read_topic(settings.kafka, topic)):
        if number == 100:
            return
        yield message
