"""What is written has arrived, or somebody hears of it."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from infrastructure.kafka import admin
from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.writer import Record, TopicWriteError, write_records
from infrastructure.settings import Settings
from topics.names import HISTORY


def test_a_record_that_the_broker_refuses_is_said(settings: Settings) -> None:
    topic = settings.prefix + HISTORY
    assert write_records(settings.kafka, [Record(topic, b"k", b"small", 0, 5, {"a": "b"})]) == 1
    too_large = Record(topic, b"k", bytes(900_000), 0)
    smaller = ConfigEntry("max.message.bytes", "10000", incremental_operation=AlterConfigOpType.SET)
    client = admin.client(settings.kafka)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[smaller])
    client.incremental_alter_configs([resource])[resource].result()
    with pytest.raises(TopicWriteError, match="1 records were not acknowledged"):
        write_records(settings.kafka, [Record(topic, b"k", b"small", 1), too_large])
    found = sorted((m.partition(), m.value(), m.headers()) for m in read_topic(settings.kafka, topic))
    assert found == [(0, b"small", [("a", b"b")]), (1, b"small", None)]


def test_reading_begins_where_it_is_told(settings: Settings) -> None:
    topic = settings.prefix + HISTORY
    write_records(settings.kafka, [Record(topic, b"k", b"%d" % n, n % 2) for n in range(6)])
    found = read_topic(settings.kafka, topic, start={0: 1, 1: 3})
    assert sorted(m.value() or b"" for m in found) == [b"2", b"4"]
