"""The producer's metrics are what was sent, counted from the messages themselves."""

from __future__ import annotations

import json
from collections import Counter
from math import inf

from infrastructure.home import ROOT
from producer.metrics import ProducerMetrics
from producer.run import run
from producer.simulation import Simulation, site_names
from tests.exposition import exposed, of
from tests.producer.fake_kafka import FakePublisher
from topics import catalogue

SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1_577_836_800_000
TICKS = 120  # the last one brings readings that are 2 and 10 days late, and none of now


def test_they_are_what_was_sent() -> None:
    simulation, publisher = Simulation(SENSORS, 1, START, site_names(2)), FakePublisher(6)
    metrics = ProducerMetrics(simulation, publisher, 2.0)
    assert of(exposed(metrics), "iot_producer_last_event_timestamp_seconds") == {}

    def report(progress: object) -> None:
        metrics.progress = progress  # type: ignore[assignment]

    run(simulation, publisher, ticks=TICKS, ticks_per_second=2.0, marks={}, report=report, clock=publisher.clock)
    publisher.acknowledged -= 10
    publisher.failed, publisher.waited = 3, 1.5
    kinds, newest = Counter[str](), dict[str, int]()
    for message in publisher.messages:
        body = json.loads(message.value)
        kinds["heartbeat" if message.key is None else "reading"] += 1
        if message.key is not None:
            name = SENSORS[body["sensor"]].partition_class
            newest[name] = max(newest.get(name, 0), body["ts"])
    found = exposed(metrics)
    assert of(found, "iot_producer_sent_total") == kinds
    assert of(found, "iot_producer_acknowledged_total") == {"": kinds.total() - 10}
    assert of(found, "iot_producer_refused_total") == {"": 3}
    assert of(found, "iot_producer_in_flight_messages") == {"": 7}
    assert of(found, "iot_producer_waited_seconds_total") == {"": 1.5}
    assert len(newest) == len(SENSORS.classes)
    assert of(found, "iot_producer_last_event_timestamp_seconds") == {name: ts / 1000 for name, ts in newest.items()}
    assert of(found, "iot_producer_simulated_timestamp_seconds") == {"": START / 1000 + TICKS * 900}
    assert of(found, "iot_producer_target_ticks_per_second") == {"": 2}


def test_a_run_that_falls_behind_its_pace_shows_by_how_much() -> None:
    simulation, publisher = Simulation(SENSORS, 1, START, site_names(1)), FakePublisher(6, slow={3: 10.0})
    metrics = ProducerMetrics(simulation, publisher, 1.0)
    behind = []

    def report(progress: object) -> None:
        metrics.progress = progress  # type: ignore[assignment]
        behind.append(of(exposed(metrics), "iot_producer_behind_seconds")[""])

    run(simulation, publisher, ticks=6, ticks_per_second=1.0, marks={}, report=report, clock=publisher.clock)
    assert behind == [0, 0, 0, 10, 9, 8, 0]  # one second is caught up with each tick that need not wait


def test_full_speed_has_no_target() -> None:
    simulation = Simulation(SENSORS, 1, START, site_names(1))
    found = exposed(ProducerMetrics(simulation, FakePublisher(6), None))
    assert of(found, "iot_producer_target_ticks_per_second") == {"": inf}
