"""Records as the producer and the job send them, and what Kafka and Redis hold after the bridge has carried them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import redis
from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from infrastructure.home import ROOT
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from tests.running import PATIENCE, wait_for
from topics import catalogue
from topics.names import AGGREGATES, DEAD_LETTERS, READINGS, REJECTED, SERIES_TOPICS

DAY_MS = 86_400_000
START = 1_577_836_800_000  # 2020-01-01T00:00Z
SENSORS = catalogue.read(ROOT / "sensors.toml")

Points = list[tuple[int, float]]


class Record(NamedTuple):
    """A record to be sent; ``sent`` is its timestamp, epoch ms."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = 0
    sent: int = START + 100 * DAY_MS


def reading(sensor: str, ts: int, value: float, site: str = "home") -> Record:
    body = msgspec.json.encode({"site": site, "sensor": sensor, "ts": ts, "value": value})
    return Record(READINGS, sensor.encode(), body, list(SENSORS).index(sensor) % 6)


def aggregate(series: str, sensor: str, value: float | None, day: int = START, site: str = "home") -> Record:
    """What the job emits; a value of None is a tombstone."""
    name = {"series": series, "site": site, "sensor": sensor, "day": day}
    body = None if value is None else msgspec.json.encode({**name, "value": value, "count": 96})
    return Record(AGGREGATES, msgspec.json.encode(name), body)


def rejected(ts: int, value: float, site: str = "home") -> Record:
    name = {"site": site, "sensor": "W1", "ts": ts}
    return Record(
        REJECTED, msgspec.json.encode(name), msgspec.json.encode({**name, "value": value, "reason": "too_late"})
    )


def retracted_rejection(ts: int, site: str = "home") -> Record:
    return Record(REJECTED, msgspec.json.encode({"site": site, "sensor": "W1", "ts": ts}), None)


def garbage(number: int, partition: int = 0) -> Record:
    return Record(READINGS, b"\xff%d" % number, b"no reading %d" % number, partition)


def flood(sites: int, each: int, wrong: int, seed: int) -> tuple[list[Record], list[Record], dict[str, Points]]:
    """Readings of some houses with invalid records among them; the invalid ones again; and the series."""
    rng = random.Random(seed)
    names = ["home", *(f"site-{n:04}" for n in range(2, sites + 1))]
    records = [
        reading(sensor, START + n * 900_000, float(n), site)
        for n in range(each)
        for site in names
        for sensor in SENSORS
    ]
    bad = [garbage(n, rng.randrange(6)) for n in range(wrong)]
    for record in bad:
        records.insert(rng.randrange(len(records)), record)
    series = [(START + n * 900_000, float(n)) for n in range(each)]
    keys = [sensor if site == "home" else f"{site}:{sensor}" for site in names for sensor in SENSORS]
    return records, bad, dict.fromkeys(keys, series)


def send(settings: Settings, *records: Record) -> list[int]:
    """Send in order, each acknowledged when this returns; returns their offsets."""
    producer = Producer(
        {
            **kafka_options(settings.kafka),
            "enable.idempotence": True,
            "compression.type": "lz4",
            "message.max.bytes": 10**8,
            "queue.buffering.max.messages": 10**6,
            "log_level": 0,
        }
    )
    for topic in {record.topic for record in records}:
        producer.list_topics(settings.prefix + topic)  # before it knows the partitions, a message for one of them fails
    offsets = [-1] * len(records)

    def acknowledged(number: int) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            offsets[number] = message.offset()

        return note

    for number, (topic, key, value, partition, sent) in enumerate(records):
        producer.produce(settings.prefix + topic, value, key, partition, acknowledged(number), timestamp=sent)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(PATIENCE) == 0
    assert -1 not in offsets
    return offsets


def offsets_of(some: Iterable[Record], records: Sequence[Record], offsets: Sequence[int]) -> list[int]:
    where = {record.value: offset for record, offset in zip(records, offsets, strict=True)}
    return [where[record.value] for record in some]


def behind(settings: Settings) -> int:
    """Records that the bridge has not committed yet."""
    committed = offsets.committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    ends = {
        (settings.prefix + topic, partition): end
        for topic in SERIES_TOPICS
        for partition, end in offsets.end_offsets(settings.kafka, settings.prefix + topic).items()
    }
    return sum(end - committed.get(partition, 0) for partition, end in ends.items())


def wait_until_committed(settings: Settings) -> None:
    wait_for(lambda: behind(settings) == 0, "everything to be committed")


def writes(store: redis.Redis) -> int:
    """How often points have been written since Redis started."""
    return int(store.info("commandstats").get("cmdstat_ts.madd", {"calls": 0})["calls"])


def wait_for_writes(store: redis.Redis, count: int) -> None:
    until = writes(store) + count
    wait_for(lambda: writes(store) >= until, f"{count} batches to be written")


def letters(settings: Settings) -> list[Message]:
    """Every dead letter."""
    partition = TopicPartition(settings.prefix + DEAD_LETTERS, 0, 0)
    (end,) = offsets.end_offsets(settings.kafka, partition.topic).values()

    def stable() -> bool:
        client = admin.client(settings.kafka)
        (last,) = client.list_offsets(
            {partition: OffsetSpec.latest()}, isolation_level=IsolationLevel.READ_COMMITTED
        ).values()
        return bool(last.result().offset >= end)

    wait_for(stable, "the dead letters to be all there")
    found = list[Message]()
    consumer = Consumer(
        {
            **kafka_options(settings.kafka),
            "group.id": "letters",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        consumer.assign([partition])
        while (message := consumer.poll(PATIENCE)) is not None and message.error() is None:
            found.append(message)
        assert message is not None
        assert message.error().code() == KafkaError._PARTITION_EOF
    finally:
        consumer.close()
    return found


def origin(letter: Message) -> tuple[str, int, int]:
    headers = dict(letter.headers())
    return headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])


def origins(settings: Settings, records: Sequence[Record], offsets: Sequence[int]) -> list[tuple[str, int, int]]:
    return sorted((settings.prefix + r.topic, r.partition, o) for r, o in zip(records, offsets, strict=True))


def assert_each_once(settings: Settings, wrong: Sequence[Record], offsets: Sequence[int]) -> None:
    assert sorted(map(origin, letters(settings))) == origins(settings, wrong, offsets)


def points(store: redis.Redis, settings: Settings, key: str) -> Points:
    """The points of a series, empty when there is no such series."""
    try:
        answer = store.execute_command("TS.RANGE", settings.prefix + key, "-", "+")
    except redis.ResponseError:
        return []
    return [(ts, float(value)) for ts, value in answer]


def stored(store: redis.Redis, settings: Settings) -> dict[str, Points]:
    """Every series, by its key without the prefix."""
    keys = [
        key.decode().removeprefix(settings.prefix) for key in store.scan_iter(match=f"{settings.prefix}*", count=10_000)
    ]
    return {key: points(store, settings, key) for key in keys}


def described(store: redis.Redis, settings: Settings, key: str) -> tuple[dict[str, str], str]:
    """Labels and duplicate policy of a series."""
    flat = store.execute_command("TS.INFO", settings.prefix + key)
    info = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    return {name.decode(): value.decode() for name, value in info["labels"]}, info["duplicatePolicy"].decode()
