"""Topics are created, described and deleted on the real broker."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from infrastructure.home import ROOT
from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.partition_states import describe
from infrastructure.settings import Settings
from scripts.stack.supervision import Stack
from tests.running import wait_for
from topics.names import AGGREGATES, HISTORY, READINGS, REJECTED, SENSOR_CLASSES, TOPICS

FAR = str(2**63 - 1)


def test_create_and_delete_are_idempotent(stack: Stack) -> None:
    settings = stack.settings.replace(prefix="again.", partitions=3)
    names = {f"again.{topic}" for topic in TOPICS}
    assert set(admin.create(settings)) == names
    assert admin.create(settings) == []
    wait_for(lambda: admin.existing(settings) == names, "the topics")
    assert admin.partitions(settings.kafka)["again.dailyAggr"] == 3
    assert admin.partitions(settings.kafka)["again.flinkAggr"] == 1
    assert admin.partitions(settings.kafka)["again.history"] == settings.partitions
    with pytest.raises(admin.TopicError, match="has 3 partitions and IOT_PARTITIONS is 4"):
        admin.create(settings.replace(partitions=4))
    assert set(admin.delete(settings)) == names
    wait_for(lambda: not admin.existing(settings), "the topics to go")
    assert admin.delete(settings) == []


def test_topics_are_kept_as_replay_needs_them(settings: Settings) -> None:
    for topic in TOPICS:
        found = admin.configured(settings)[settings.prefix + topic]
        assert found["retention.ms"] == "-1"
        stamped = topic not in (READINGS, SENSOR_CLASSES)
        assert found.get("message.timestamp.after.max.ms") == (str(2**63 - 1) if stamped else None)
        assert found.get("message.timestamp.type") == ("LogAppendTime" if topic == READINGS else None)
        compacted = topic in (AGGREGATES, REJECTED)
        assert (found.get("cleanup.policy") == "compact") == compacted
        assert (found.get("delete.retention.ms") == "2592000000") == compacted, "30 days"
        assert (found.get("segment.ms") == str(2**63 - 1)) == (topic == HISTORY)
        assert found.get("compression.type") == ("lz4" if topic == READINGS else None), "Flink cannot read zstd"


def test_a_topic_of_an_earlier_version_gets_what_it_lacks_and_keeps_what_it_has(settings: Settings) -> None:
    name = settings.prefix + READINGS
    former = {"segment.ms": FAR, "message.timestamp.after.max.ms": FAR, "message.timestamp.type": "CreateTime"}
    own = NewTopic(name, settings.partitions, config={**former, "retention.bytes": "1000000000"})
    admin.delete(settings, [READINGS])
    client = admin.client(settings.kafka)
    client.create_topics([own])[name].result()
    assert admin.create(settings) == []
    found = admin.configured(settings)[name]
    assert found["retention.bytes"] == "1000000000"
    assert found["compression.type"] == "lz4"
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert "message.timestamp.after.max.ms" not in found
    assert "segment.ms" not in found


def test_describe_shows_the_ends_of_each_partition_and_takes_a_record_of_the_far_future(settings: Settings) -> None:
    year_2100, year_2020 = 4102444800000, 1577836800000
    producer = Producer(kafka_options(settings.kafka))
    producer.list_topics(timeout=30)
    for topic in (READINGS, HISTORY):
        for timestamp in (year_2020, year_2100):
            producer.produce(settings.prefix + topic, b"x", partition=2, timestamp=timestamp)
    began = time.time()
    assert producer.flush(30) == 0
    states = {(s.topic, s.partition): s for s in describe(settings)}
    assert len(states) == 2 * settings.partitions + 4
    state = states[settings.prefix + HISTORY, 2]
    assert (state.first_offset, state.next_offset) == (0, 2)
    assert (state.first_timestamp, state.last_timestamp) == (year_2020, year_2100)
    assert states[settings.prefix + HISTORY, 1].first_timestamp is None
    received = states[settings.prefix + READINGS, 2]
    assert received.first_timestamp is not None
    assert abs(received.first_timestamp / 1000 - began) < 60, "what a client claims does not count"


def command(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings.environment()}
    return subprocess.run(
        [sys.executable, "-m", "topics", *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_the_commands_on_a_broker(stack: Stack) -> None:
    settings = stack.settings.replace(prefix="command.")
    names = [f"command.{topic}" for topic in TOPICS]
    try:
        none = command(settings, "describe")
        assert none.returncode == 1
        assert "there are no topics with the prefix command.; there are " in none.stderr
        assert "; `iot topics create` makes them" in none.stderr
        for word in ("created", "was there"):
            done = command(settings, "create")
            assert done.returncode == 0, done.stderr
            assert [line.split(maxsplit=1) for line in done.stdout.splitlines()] == [[name, word] for name in names]
            wait_for(lambda: admin.existing(settings) == set(names), "the topics")
        other = command(settings, "create", "--partitions", "7")
        assert other.returncode == 1
        assert "has 6 partitions" in other.stderr
        assert "Set IOT_PARTITIONS=6" in other.stderr
        described = command(settings, "describe")
        assert described.returncode == 0, described.stderr
        assert all(name in described.stdout for name in names)
        kept = command(settings, "delete")  # nobody answers its question
        assert kept.returncode == 1
        assert admin.existing(settings) == set(names)
        deleted = command(settings, "delete", "--yes")
        assert deleted.returncode == 0, deleted.stderr
        wait_for(lambda: not admin.existing(settings), "the topics to go")
        again = command(settings, "delete", "--yes")
        assert again.returncode == 0
        assert again.stdout.startswith("nothing is deleted: there are no topics with the prefix command.; there are ")
        for done in (none, other, kept):
            assert "Traceback" not in done.stderr
    finally:
        admin.delete(settings)


QUICKLY = """
from commands import terminal
from infrastructure.kafka import admin
from topics.__main__ import app

admin.TIMEOUT = 1
terminal.run(app, "iot topics")
"""


@pytest.mark.parametrize("command", ["create", "describe", "delete", "audit"])
def test_without_kafka_each_command_says_what_to_do(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICKLY, command],
        cwd=ROOT,
        env={**os.environ, "IOT_KAFKA": "127.0.0.1:1", "IOT_KAFKA_USER": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Kafka does not answer at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
