"""The one way to put readings on Kafka: where they go, what comes with them, and who says when they came."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.publisher import Publisher, PublishError
from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from tests import broker_clock
from topics import catalogue, produced_at
from topics.catalogue import Catalogue
from topics.decoding import decode
from topics.names import HISTORY, READINGS, SENSOR_CLASSES
from topics.partitions import ClassChangedError, ClassRange, SensorClass, decode_entry, encode_entry, first_partitions
from topics.reading import Heartbeat, Reading, Rules

FAR = 4_000_000_000_000
"""A time in 2096."""


@pytest.fixture
def sensors(settings: Settings) -> Catalogue:
    return catalogue.read(settings.sensors)


def of(sensors: Catalogue, name: str, partition_class: str) -> Catalogue:
    """The catalogue with a sensor in another class; one that is not in it is added."""
    sensor = msgspec.structs.replace(sensors.get(name, sensors["TH1"]), name=name, partition_class=partition_class)
    return Catalogue({**sensors, name: sensor})


def records(settings: Settings, topic: str = READINGS) -> list[Message]:
    return list(read_topic(settings.kafka, settings.prefix + topic))


def test_a_reading_goes_to_its_partition_with_key_and_headers(settings: Settings, sensors: Catalogue) -> None:
    now = int(time.time() * 1000)
    readings = [Reading("home", "TH1", now, 22.5), Reading("cabin", "W1", now - 1, 0.1), Reading("a.b", "Mov1", 0, 1)]
    with Publisher(settings, sensors) as publisher:
        for reading in readings:
            publisher.publish(reading, [("door", b"test")])
        publisher.heartbeat(now)
    assert (publisher.sent, publisher.acknowledged, publisher.heartbeats) == (9, 9, 6)
    partition_of = first_partitions(sensors, settings.partitions)
    rules = Rules(sensors, 3_600_000)
    found = {}
    for message in records(settings):
        (item,) = decode(message.value(), message.timestamp()[1], rules)
        found[item] = message
    for reading in readings:
        message = found[reading]
        assert message.partition() == partition_of(reading.site, reading.sensor)
        assert message.key() == {"home": b"TH1", "cabin": b"cabin/W1", "a.b": b"a.b/Mov1"}[reading.site]
        assert ("door", b"test") in message.headers()
        told = produced_at.told_by(message.headers())
        assert told is not None
        assert abs(told - message.timestamp()[1] / 1000) < 60
    beats = [m for m in records(settings) if m.key() is None]
    assert {m.partition() for m in beats} == set(range(settings.partitions))
    assert Heartbeat(now) in found


def test_the_broker_says_when_a_reading_came_whatever_its_sender_says(settings: Settings) -> None:
    before = int(time.time() * 1000)
    topic = settings.prefix + READINGS
    write_records(settings.kafka, [Record(topic, b"k", b"x", 0, stamp) for stamp in (1, FAR)])
    for message in records(settings):
        kind, received = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert before - 1000 <= received <= time.time() * 1000 + 1000
    write_records(settings.kafka, [Record(settings.prefix + HISTORY, b"k", b"x", 0, FAR)])
    assert [m.timestamp()[1] for m in records(settings, HISTORY)] == [FAR], "history keeps what a merge has written"


def test_a_topic_of_an_older_system_gets_the_brokers_clock_too(settings: Settings) -> None:
    broker_clock.set_by_test(settings)
    topic = settings.prefix + READINGS
    write_records(settings.kafka, [Record(topic, b"k", b"old", 0, 1)])
    admin.create(settings)
    found = admin.configured(settings)[topic]
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert not {"segment.ms", "message.timestamp.after.max.ms"} & found.keys(), "retention by time means what it says"
    write_records(settings.kafka, [Record(topic, b"k", b"new", 0, 1)])
    old, new = records(settings)
    assert old.timestamp()[1] == 1
    assert new.timestamp()[1] > 1_700_000_000_000


def test_a_class_that_is_added_moves_no_sensor(settings: Settings, sensors: Catalogue) -> None:
    with Publisher(settings, sensors) as publisher:
        before = {name: publisher.partition("cabin", name) for name in sensors}
    more = of(sensors, "Oven1", "kitchen")
    with Publisher(settings, more) as publisher:
        assert {name: publisher.partition("cabin", name) for name in sensors} == before
        kitchen = {publisher.partition(f"site-{n}", "Oven1") for n in range(200)}
    assert kitchen == set(range(settings.partitions))
    with Publisher(settings, more) as publisher:
        assert {publisher.partition(f"site-{n}", "Oven1") for n in range(200)} == kitchen


def test_a_sensor_with_readings_that_changes_its_class_is_refused(settings: Settings, sensors: Catalogue) -> None:
    with Publisher(settings, sensors) as publisher:
        publisher.publish(Reading("home", "TH1", 0, 1.0))
    with pytest.raises(ClassChangedError, match="sensor TH1 has readings of class mean, and the catalogue says hvac"):
        Publisher(settings, of(sensors, "TH1", "hvac"))
    with Publisher(settings, of(sensors, "TH2", "hvac")) as publisher:
        publisher.publish(Reading("home", "TH2", 0, 1.0))  # it had none


def test_two_publishers_that_start_at_once_agree(settings: Settings, sensors: Catalogue) -> None:
    """Each has another catalogue, and neither has seen what the other one writes."""
    one, other = Publisher(settings, sensors), Publisher(settings, of(sensors, "Oven1", "kitchen"))
    with one, other:
        first = {name: one.partition("home", name) for name in sensors}
        assert {name: other.partition("home", name) for name in sensors} == first
        other.partition("home", "Oven1")
    entries = [decode_entry(m.value()) for m in records(settings, SENSOR_CLASSES)]
    assert len([e for e in entries if isinstance(e, ClassRange)]) == len(sensors.classes) + 1
    assert {e.name for e in entries if isinstance(e, SensorClass)} == {*sensors, "Oven1"}


def test_what_somebody_else_has_written_down_first_counts(settings: Settings, sensors: Catalogue) -> None:
    with Publisher(settings, sensors) as publisher:
        topic = settings.prefix + SENSOR_CLASSES
        write_records(settings.kafka, [Record(topic, b"class/mean", encode_entry(ClassRange("mean", 5, 1)))])
        assert publisher.partition("home", "TH1") == 5


def test_an_unknown_sensor_and_a_missing_topic_are_errors(
    settings: Settings, sensors: Catalogue, tmp_path: Path
) -> None:
    with Publisher(settings, sensors) as publisher, pytest.raises(KeyError):
        publisher.publish(Reading("home", "TH9", 0, 1.0))
    with pytest.raises(PublishError, match=r"there is no topic nowhere\.dailyAggr: `iot topics create` makes it"):
        Publisher(settings.replace(prefix="nowhere."), sensors)
    assert not sum(offsets.end_offsets(settings.kafka, settings.prefix + READINGS).values())
