"""The bridge's metrics are what was read, stored, rejected and put aside, counted from what was sent."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from confluent_kafka import Producer

from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.metrics import BridgeMetrics, Counts
from tests.exposition import Labels, exposed, of
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Record,
    aggregate,
    garbage,
    reading,
    rejected,
    retracted_rejection,
    send,
    wait_until_committed,
)
from tests.running import Bridging, wait_for
from topics import produced_at
from topics.encoding import encode_heartbeat
from topics.names import READINGS, SERIES_TOPICS


def bucket(found: dict[tuple[str, Labels], float], name: str, le: str) -> float:
    """How many observations are at most ``le``, of all topics."""
    return sum(value for (each, labels), value in found.items() if each == f"{name}_bucket" and ("le", le) in labels)


def test_they_are_what_was_processed(settings: Settings) -> None:
    readings = [
        reading(sensor, START + n * 60_000 * (1 + place), 1.0)
        for n in range(40)
        for place, sensor in enumerate(SENSORS)
    ]
    late = [reading("W1", START - 5 * DAY_MS, 0.5)]
    beats = [Record(READINGS, None, encode_heartbeat(START), n) for n in range(6)]
    future = reading("TH1", int(time.time() * 1000) + 2 * 3_600_000, 1.0)
    wrong = [garbage(1), garbage(2, 4), future]
    results = [
        aggregate("AggDay", "TH1", 20.0),
        aggregate("AggDayCount", "TH1", 96.0, day=START + DAY_MS),
        aggregate("AggDayCount", "TH2", 96.0),
        aggregate("AggDayDiff", "Etot", 5.0),
    ]
    rejections = [rejected(START - n * DAY_MS, 1.0) for n in range(1, 4)]
    rejections += [retracted_rejection(START - 3 * DAY_MS)]
    purged = rejections[0]._replace(
        key=b'{"site":"home","sensor":"W1","ts":7}',
        value=b'{"site":"home","sensor":"W1","ts":7,"value":1,"reason":"window_purged"}',
    )
    records = [*readings, *late, *beats, *wrong, *results, *rejections, purged]
    bridge = Bridge(settings, SENSORS)
    metrics = BridgeMetrics(settings, bridge.counts)
    assert of(exposed(metrics), "iot_ingest_lag_records") == {}, "it has no partitions yet"
    with Bridging(bridge):
        send(settings, *records)
        wait_until_committed(settings)
        found = exposed(metrics)
    by_topic = Counter(settings.prefix + record.topic for record in records)
    topics = [settings.prefix + topic for topic in SERIES_TOPICS]
    assert of(found, "iot_ingest_records_total") == {topic: by_topic[topic] for topic in topics}
    assert of(found, "iot_ingest_lag_records") == dict.fromkeys(topics, 0)
    assert of(found, "iot_ingest_points_total") | {"LateRej": 0} == {
        "raw": len(readings) + len(late),
        "AggDay": 1,
        "AggDayCount": 2,
        "AggDayDiff": 1,
        "AggDayRest": 0,
        "LateRej": 0,
    }
    # The third may be retracted in the batch in which it came.
    assert of(found, "iot_ingest_points_total")["LateRej"] in (3, 4)
    assert of(found, "iot_ingest_rejected_total") == {"too_late": 3, "window_purged": 1}
    letters = of(found, "iot_ingest_dead_letters_total")
    assert {reason: count for reason, count in letters.items() if count} == {"not_json": 2, "future_ts": 1}
    newest: dict[str, float] = {}
    for n, (place, sensor) in enumerate(enumerate(SENSORS.values())):
        assert n == place
        ts = START / 1000 + 39 * 60 * (1 + place)
        newest[sensor.partition_class] = max(newest.get(sensor.partition_class, 0), ts)
    assert of(found, "iot_ingest_last_event_timestamp_seconds") == newest
    assert of(found, "iot_ingest_last_day_timestamp_seconds") == {
        "AggDay": START / 1000,
        "AggDayCount": (START + DAY_MS) / 1000,
        "AggDayDiff": START / 1000,
    }
    assert of(found, "iot_ingest_batch_records_sum") == {"": len(records)}
    assert of(found, "iot_ingest_batch_seconds_count")[""] >= 1
    assert of(found, "iot_ingest_waiting") == {"Redis": 0, "Kafka": 0}


def test_the_delay_is_from_the_sending_to_the_disk(settings: Settings) -> None:
    """One reading says that it was sent 20 s ago, one says nonsense, and one says nothing."""
    bridge = Bridge(settings, SENSORS)
    producer = Producer({**kafka_options(settings.kafka), "log_level": 0})
    topic, record = settings.prefix + READINGS, reading("TH1", START, 1.0)
    producer.list_topics(topic)
    for headers in ([produced_at.header(time.time() - 20)], [(produced_at.HEADER, b"yesterday")], []):
        producer.produce(topic, record.value, record.key, 0, timestamp=record.sent, headers=headers)
    assert producer.flush(30) == 0
    with Bridging(bridge):
        wait_until_committed(settings)
        found = exposed(BridgeMetrics(settings, bridge.counts))
    assert of(found, "iot_ingest_delay_seconds_count")[topic] == 1
    assert of(found, "iot_ingest_delay_seconds_sum")[topic] >= 20
    assert bucket(found, "iot_ingest_delay_seconds", "10.0") == 0
    assert bucket(found, "iot_ingest_delay_seconds", "+Inf") == 1


def test_lag_is_what_is_not_stored_yet(settings: Settings) -> None:
    bridge = Bridge(settings, SENSORS)
    bridge.counts.assigned = frozenset({(settings.prefix + READINGS, 0), (settings.prefix + READINGS, 1)})
    metrics = BridgeMetrics(settings, bridge.counts)
    send(settings, *(reading("TH1", START + n, 1.0) for n in range(7)), garbage(1, 1), garbage(2, 2))
    topic = settings.prefix + READINGS
    assert of(exposed(metrics), "iot_ingest_lag_records") == {topic: 8}, "partition 2 is another bridge's"
    with Bridging(bridge):
        wait_for(lambda: of(exposed(metrics), "iot_ingest_lag_records").get(topic) == 0, "the lag to become 0")


def test_while_kafka_is_away_there_is_no_lag_rather_than_an_old_one(settings: Settings) -> None:
    away = settings.replace(kafka="127.0.0.1:9")
    counts = Counts(away, SENSORS)
    counts.assigned = frozenset({(READINGS, 0)})
    assert of(exposed(BridgeMetrics(away, counts)), "iot_ingest_lag_records") == {}


@pytest.mark.parametrize("value", [b"", b"x", b"-5", b"1" * 16, "١٢".encode()])
def test_a_time_of_sending_that_is_none_is_none(value: bytes) -> None:
    assert produced_at.told_by([(produced_at.HEADER, value)]) is None
