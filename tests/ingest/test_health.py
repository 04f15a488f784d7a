"""A bridge is not well when it waits for Redis or Kafka, when topics are missing, and when it has no partitions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infrastructure.health import read
from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.health import PATIENCE, BridgeHealth
from ingest.metrics import Counts
from scripts.stack.apart import free_ports
from tests.infrastructure.kafka.mock_broker import MockBroker, mock_broker
from tests.ingest.traffic import SENSORS
from tests.running import Bridging, wait_for
from topics.names import AGGREGATES, HISTORY, READINGS, REJECTED, SERIES_TOPICS

TOPICS = SERIES_TOPICS


def settings_of(kafka: str, redis_port: int = 6379) -> Settings:
    return Settings.of(
        env_file=None, kafka=kafka, kafka_user="", redis=f"redis://127.0.0.1:{redis_port}/0", redis_ingest_user=""
    )


@dataclass
class Looked:
    """A bridge's counts and its health, at a time that the test gives."""

    counts: Counts
    health: BridgeHealth
    now: float = 0.0


def looked(settings: Settings) -> Looked:
    counts = Counts(settings, SENSORS)
    found = Looked(counts, BridgeHealth(settings, counts, lambda: found.now))
    return found


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with mock_broker() as running:
        for topic in TOPICS:
            running.create(topic, 1)
        yield running


def test_with_partitions_it_is_well(broker: MockBroker) -> None:
    bridge = looked(settings_of(broker.address))
    bridge.counts.assigned = frozenset({(READINGS, 0)})
    bridge.now = 10 * PATIENCE
    assert bridge.health() == []


def test_without_partitions_it_is_well_for_a_minute(broker: MockBroker) -> None:
    bridge = looked(settings_of(broker.address))
    bridge.now = PATIENCE
    assert bridge.health() == []
    bridge.now += 1
    (reason,) = bridge.health()
    assert reason.startswith("the bridge has had no partitions for 61 seconds")
    assert "group ingest " in reason
    bridge.counts.idle_since = bridge.now
    assert bridge.health() == [], "a rebalance begins anew"


def test_missing_topics_are_named_with_what_makes_them() -> None:
    with mock_broker() as broker:
        broker.create(READINGS, 1)
        broker.create(AGGREGATES, 1)
        bridge = looked(settings_of(broker.address))
        bridge.now = 10 * PATIENCE
        (reason,) = bridge.health()
    assert f"({HISTORY}, {REJECTED})" in reason
    assert "`iot topics create`" in reason


def test_without_kafka_it_waits_for_kafka_and_says_why() -> None:
    (port,) = free_ports(1)
    bridge = looked(settings_of(f"127.0.0.1:{port}"))
    (reason,) = bridge.health()
    assert reason.startswith(f"the bridge waits for Kafka, which does not answer at 127.0.0.1:{port} (")
    bridge.counts.errors["Kafka"] = "SASL authentication error"
    (reason,) = bridge.health()
    assert "(SASL authentication error)" in reason


def test_a_kafka_that_comes_back_is_seen(broker: MockBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    settings = settings_of(broker.address)
    bridge = looked(settings)
    monkeypatch.setitem(bridge.health._kafka._client, "bootstrap.servers", f"127.0.0.1:{port}")
    assert bridge.health() != []
    monkeypatch.setitem(bridge.health._kafka._client, "bootstrap.servers", broker.address)
    assert bridge.health() == []


def test_dead_letters_that_kafka_does_not_take_are_waited_for(broker: MockBroker) -> None:
    bridge = looked(settings_of(broker.address))
    bridge.counts.errors["Kafka"], bridge.counts.waiting = "no room", "Kafka"
    (reason,) = bridge.health()
    assert reason.startswith("the bridge waits for Kafka (no room)")


def test_a_bridge_without_redis_says_what_its_last_error_was(broker: MockBroker) -> None:
    (port,) = free_ports(1)
    settings = settings_of(broker.address, port)
    bridge = Bridge(settings, SENSORS)
    health = BridgeHealth(settings, bridge.counts)
    assert health() == []
    with Bridging(bridge):
        (reason,) = wait_for(health, "a reason")
    assert reason.startswith("the bridge waits for Redis (")
    assert f"connecting to 127.0.0.1:{port}" in reason
    assert "goes on when Redis does its part" in reason


def test_the_process_serves_it(broker: MockBroker, tmp_path: Path) -> None:
    nobody, port = free_ports(2)
    settings = settings_of(broker.address, nobody).replace(data_dir=tmp_path, ingest_metrics=port)
    environment = {**os.environ, **settings.environment()}
    process = subprocess.Popen([sys.executable, "-m", "ingest"], cwd=ROOT, env=environment)
    try:
        (reason,) = wait_for(lambda: read(settings.monitoring.ingest_url) or [], "a reason")
    finally:
        process.terminate()
        assert process.wait() == 0
    assert reason.startswith("the bridge waits for Redis (")


def test_a_bridge_without_kafka_tells_what_its_own_client_heard() -> None:
    (port,) = free_ports(1)
    bridge = Bridge(settings_of(f"127.0.0.1:{port}"), SENSORS)

    def heard() -> str:
        bridge._consumer.poll(0.01)
        return bridge.counts.errors.get("Kafka", "")

    assert f"127.0.0.1:{port}" in wait_for(heard, "an error")
    bridge._consumer.close()


def test_a_bridge_that_loses_its_partitions_has_had_none_since_then() -> None:
    now = 100.0
    bridge = Bridge(settings_of("127.0.0.1:9"), SENSORS, lambda: now)
    assert bridge.counts.idle_since == 100
    now = 300.0
    bridge._revoked(bridge._consumer, [])
    assert bridge.counts.idle_since == 300
    bridge._consumer.close()
