"""A producer is not well when it has given up messages, or Kafka has been silent for half a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from infrastructure.health import read
from infrastructure.home import ROOT
from infrastructure.settings import Settings
from producer.health import EVERY, SILENT_SECONDS, ProducerHealth
from scripts.stack.apart import free_ports
from tests.infrastructure.kafka.mock_broker import mock_broker
from tests.producer.fake_kafka import Clock, FakePublisher
from tests.running import wait_for
from topics.names import READINGS, SENSOR_CLASSES

KAFKA = Settings.of(env_file=None, kafka="192.0.2.1:9092").kafka


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher(6)


def passes(health: ProducerHealth, clock: Clock, seconds: float) -> None:
    """Time passes, in which the thread looks."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now = min(end, clock.now + EVERY)
        health.look()


def test_without_messages_it_is_well_for_ever(publisher: FakePublisher) -> None:
    health = ProducerHealth(KAFKA, publisher, publisher.clock)
    passes(health, publisher.clock, 10 * SILENT_SECONDS)
    assert health() == []


def test_messages_that_nobody_acknowledges_are_told_with_their_kafka(publisher: FakePublisher) -> None:
    health = ProducerHealth(KAFKA, publisher, publisher.clock)
    passes(health, publisher.clock, 100)
    publisher.sent = 1500
    passes(health, publisher.clock, SILENT_SECONDS)
    assert health() == [], "they may come yet"
    passes(health, publisher.clock, 5)
    (reason,) = health()
    assert reason.startswith("Kafka at 192.0.2.1:9092 has acknowledged nothing for 35 seconds, and 1,500 messages wait")
    assert "5 minutes" in reason
    publisher.acknowledged = 1
    assert health() == [], "it answers again"


def test_a_slow_broker_is_well(publisher: FakePublisher) -> None:
    health = ProducerHealth(KAFKA, publisher, publisher.clock)
    publisher.sent = 1_000_000
    for _ in range(10):
        passes(health, publisher.clock, SILENT_SECONDS - 1)
        publisher.acknowledged += 1
        assert health() == []


def test_messages_that_were_given_up_are_told(publisher: FakePublisher) -> None:
    health = ProducerHealth(KAFKA, publisher, publisher.clock)
    publisher.sent = publisher.failed = 1200
    (reason,) = health()
    assert reason.startswith("the producer has given up 1,200 messages")
    assert "Start it again" in reason


def test_its_thread_looks_by_itself(publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.health.EVERY", 0.001)
    health = ProducerHealth(KAFKA, publisher, publisher.clock)
    publisher.sent = 1
    health.watch()
    publisher.clock.now += SILENT_SECONDS
    publisher.acknowledged = 1
    wait_for(lambda: health._since == publisher.clock.now, "a look")


def test_the_process_serves_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with mock_broker() as broker:
        broker.create(READINGS, 6)
        broker.create(SENSOR_CLASSES, 1)
        settings = Settings.of(
            env_file=None, kafka=broker.address, kafka_user="", data_dir=tmp_path, producer_metrics=port
        )
        environment = {**os.environ, **settings.environment()}
        process = subprocess.Popen([sys.executable, "-m", "producer"], cwd=ROOT, env=environment)
        try:
            url = settings.monitoring.producer_url
            wait_for(lambda: read(url) == [], "the producer to be well")
            wait_for(lambda: "iot_producer_acknowledged_total" in requests.get(f"{url}/metrics", timeout=10).text, "it")
        finally:
            process.terminate()
            assert process.wait() == 0
