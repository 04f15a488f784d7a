"""What the bridge cannot store is put aside once, as it was found, and stalls nothing."""

from __future__ import annotations

import random

import msgspec
import pytest
import redis
from confluent_kafka import Producer

from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from tests import broker_clock
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Record,
    aggregate,
    assert_each_once,
    behind,
    garbage,
    letters,
    origin,
    origins,
    points,
    reading,
    rejected,
    send,
    stored,
    wait_until_committed,
)
from tests.running import PATIENCE, Bridging, wait_for
from tests.validity import CASES, SENT
from topics.names import AGGREGATES, DEAD_LETTERS, READINGS, REJECTED
from topics.reading import Reading

KEYS = (b"TH1", None, b"", b"\xff\x00\xfe", "schlüssel".encode())


def test_each_invalid_record_is_one_dead_letter_as_it_was_found(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    broker_clock.set_by_test(settings)
    cases = [case for case in CASES if len(case.value or b"") < 900_000]
    records = [Record(READINGS, KEYS[n % 5], case.value, n % 6, SENT) for n, case in enumerate(cases)]
    offsets = send(settings, *records)
    wait_until_committed(settings)
    wanted = {
        (settings.prefix + READINGS, record.partition, offset): (record.key, record.value, reason)
        for case, record, offset in zip(cases, records, offsets, strict=True)
        for reason in ([case.expected] if isinstance(case.expected, str) else case.expected)
        if isinstance(reason, str)
    }
    found = letters(settings)
    assert len(wanted) > 30
    assert sorted(map(origin, found)) == sorted(wanted)
    for letter in found:
        headers = dict(letter.headers())
        assert (letter.key(), letter.value(), headers["reason"].decode()) == wanted[origin(letter)]
        assert headers["detail"].decode()
        assert letter.timestamp()[1] == SENT
    assert bridge.bridge.counts.dead_letters == len(found)
    held = {(item.site, item.sensor, item.ts) for case in cases for item in case.expected if isinstance(item, Reading)}
    assert sum(map(len, stored(store, settings).values())) == len(held)


def test_a_record_with_several_invalid_readings_is_one_dead_letter(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    good = msgspec.json.decode(reading("TH1", START, 1.0).value or b"")
    wrong = Record(READINGS, b"k", msgspec.json.encode([{**good, "sensor": "X"}, good, {**good, "value": None}]))
    offsets = send(settings, wrong)
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)


def test_garbage_in_the_derived_topics_is_put_aside_too(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    name, body = aggregate("AggDay", "TH1", 1.0)[1:3]
    assert name is not None
    assert body is not None
    wrong = [
        Record(AGGREGATES, b"TH1", body),
        Record(AGGREGATES, b"", body),
        Record(AGGREGATES, b"\xff", None),
        Record(AGGREGATES, name, b"{"),
        Record(AGGREGATES, name, b""),
        Record(AGGREGATES, name, body.replace(b"1.0", b"NaN")),
        Record(AGGREGATES, name, body.replace(b"1.0", b"1e999")),
        Record(AGGREGATES, name, body.replace(b"1.0", b"null")),
        Record(AGGREGATES, name.replace(b"AggDay", b"AggYear"), body),
        Record(AGGREGATES, name.replace(b"TH1", b"TH9"), None),
        Record(AGGREGATES, name.replace(b"home", b"a b"), body),
        Record(AGGREGATES, name.replace(b'"day":', b'"day":"'), body),
        Record(REJECTED, b"k", None),
        Record(REJECTED, b"k", b"{"),
        Record(REJECTED, b"k", b"\xff"),
        Record(REJECTED, b"k", rejected(-1, 0.5).value),
        Record(REJECTED, b"k", (rejected(START, 0.5).value or b"").replace(b"W1", b"W9")),
    ]
    offsets = send(settings, *wrong)
    send(settings, aggregate("AggDay", "TH2", 3.0), rejected(START, 0.5))
    wait_until_committed(settings)
    assert stored(store, settings) == {"AggDayTH2": [(START, 3.0)], "LateRejW1": [(START, 0.5)]}
    assert_each_once(settings, wrong, offsets)
    by_origin = dict(
        zip(
            ((settings.prefix + r.topic, r.partition, o) for r, o in zip(wrong, offsets, strict=True)),
            wrong,
            strict=True,
        )
    )
    for letter in letters(settings):
        record = by_origin[origin(letter)]
        assert (letter.key(), letter.value()) == (record.key, record.value)


def test_what_others_write_to_the_dead_letters_does_no_harm(settings: Settings, bridge: Bridging) -> None:
    producer = Producer(kafka_options(settings.kafka))
    producer.list_topics(settings.prefix + DEAD_LETTERS)
    for headers in (None, {"topic": None}, {"topic": b"\xff"}, {"partition": "x"}, {"offset": ""}, {"other": b"\xff"}):
        producer.produce(settings.prefix + DEAD_LETTERS, b"by hand", headers=headers)
    assert producer.flush(PATIENCE) == 0
    wrong = garbage(1)
    offsets = send(settings, wrong)
    wait_for(lambda: behind(settings) == 0, "the bridge to go on", seconds=15)
    own = [letter for letter in letters(settings) if letter.value() != b"by hand"]
    assert [origin(letter) for letter in own] == origins(settings, [wrong], offsets)


TOO_MUCH_FOR_REDIS = {
    "an aggregate of a day before 1970": aggregate("AggDay", "TH1", 1.0, -DAY_MS),
    "the tombstone of one": aggregate("AggDay", "TH1", None, -DAY_MS),
    "a rejected reading of the year 300 million": rejected(2**63, 0.5),
    "a reading as far off, stamped with that time": reading("TH1", 2**63, 1.0)._replace(sent=2**63 - 1),
}


TOO_LARGE = {
    "a megabyte": Record(READINGS, b"k", random.Random(1).randbytes(1_048_000)),
    "much, well compressed": Record(READINGS, b"k", b"x" * 5_000_000),
    "more than ten million bytes, well compressed": Record(READINGS, b"k", b"x" * 12_000_000),
    "a long name, which the reason quotes": aggregate(
        "AggDay", "TH1", None, site=random.Random(1).randbytes(300_000).hex()
    ),
}


@pytest.mark.parametrize("what", [*TOO_MUCH_FOR_REDIS, *TOO_LARGE])
def test_no_record_stalls_the_bridge(settings: Settings, store: redis.Redis, what: str) -> None:
    wrong = {**TOO_MUCH_FOR_REDIS, **TOO_LARGE}[what]
    with Bridging(Bridge(settings.replace(settle=settings.ingest.settle / 100), SENSORS)):
        offsets = send(settings, wrong)
        send(settings, reading("TH1", START, 1.0))
        wait_for(lambda: behind(settings) == 0, "the bridge to go on", seconds=15)
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)
