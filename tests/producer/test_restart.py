"""A producer that is killed and started again leaves neither a gap nor a double, on the real broker."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from infrastructure.home import ROOT
from infrastructure.kafka import offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings
from producer.encoder import Encoder
from producer.simulation import Simulation, site_names, ticks_of
from tests.running import wait_for
from topics import catalogue
from topics.days import DAY_MS
from topics.encoding import Message
from topics.names import READINGS
from topics.partitions import first_partitions
from topics.reading import Reading

DAYS, SITES, SEED = 3, 200, 4
START = 1577836800000
COMMAND = [sys.executable, "-m", "producer", "--speed", "max", "--sites", str(SITES), "--seed", str(SEED)]


def start(settings: Settings, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **settings.environment()}
    return subprocess.Popen([*COMMAND, *more], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def arrived(settings: Settings) -> int:
    return sum(offsets.end_offsets(settings.kafka, settings.prefix + READINGS).values())


def records(settings: Settings, partition: int, number: int) -> Iterator[tuple[bytes | None, bytes]]:
    """Everything in a partition: key, value, timestamp."""
    consumer = Consumer({**kafka_options(settings.kafka), "group.id": "test", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition(settings.prefix + READINGS, partition, 0)])
    try:
        while number:
            for message in consumer.consume(min(number, 10_000), 5):
                assert message.error() is None
                number -= 1
                yield message.key(), message.value()
    finally:
        consumer.close()


def encoder(simulation: Simulation, settings: Settings) -> Encoder:
    return Encoder(simulation, settings.partitions, first_partitions(simulation.catalogue, settings.partitions))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_stopped_and_started_again_it_leaves_neither_gap_nor_double(settings: Settings, number: signal.Signals) -> None:
    simulation = Simulation(catalogue.read(settings.sensors), SEED, START, site_names(SITES))
    wanted: dict[int, list[tuple[bytes | None, bytes]]] = {p: [] for p in range(settings.partitions)}
    for partition, key, value, _ in encoder(simulation, settings).messages(0, ticks_of(DAYS)):
        wanted[partition].append((key, value))
    total = sum(map(len, wanted.values()))
    draw = random.Random(2)
    for share in (0.001, 0.2, 0.5, 0.7):
        if (before := arrived(settings)) == total:
            break
        producer = start(settings, "--days", str(DAYS))
        goal = max(before + 1, share * total)  # it has begun to send
        wait_for(lambda goal=goal: arrived(settings) >= goal, "the producer to send")  # type: ignore[misc]
        for _ in range(draw.randrange(3)):  # not always right behind a look at the offsets
            arrived(settings)
        producer.send_signal(number)
        said = producer.communicate()[1]
        assert "Traceback" not in said
        if number != signal.SIGKILL:
            assert "all acknowledged" in said
            # A signal that comes when everything is said and done finds Python without handlers.
            assert producer.returncode in (0, -number), said
    last = start(settings, "--days", str(DAYS))
    said = last.communicate()[1]
    assert last.returncode == 0, said
    assert "going on after" in said
    assert offsets.end_offsets(settings.kafka, settings.prefix + READINGS) == {p: len(log) for p, log in wanted.items()}
    for partition, log in wanted.items():
        assert list(records(settings, partition, len(log))) == log


def test_told_to_stop_while_it_hands_readings_over_it_counts_those_that_it_has(settings: Settings) -> None:
    publisher = Publisher(settings, catalogue.read(settings.sensors))

    def endless() -> Iterator[Message]:
        for number in count():
            if number == 5000:
                publisher.stop()
            yield number % settings.partitions, b"TH1", b"%d" % number, None

    publisher.send(endless())
    publisher.finish()
    assert 5000 <= publisher.sent == publisher.acknowledged == arrived(settings)


BLIND_AT_FIRST = """
import os
import sys
from pathlib import Path

from commands import terminal
from confluent_kafka import KafkaError, KafkaException
from infrastructure.kafka import publisher
from producer.__main__ import app
from infrastructure.kafka import watchdog

first = Path(sys.argv.pop(1))

class Blind(publisher.Producer):
    produced = 0

    def produce(self, *given):
        super().produce(*given)
        self.produced += 1

    def list_topics(self, *given, **named):
        if self.produced - len(self) > 100:  # so many are acknowledged
            first.touch()
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker"))
        return super().list_topics(*given, **named)

if not first.exists():
    watchdog.PATIENCE = watchdog.EVERY = 0
    publisher.Producer = Blind
terminal.run(app, "iot simulate")
"""
"""A producer whose first client gets stuck, which others see; its first argument is a file to be made."""


def test_what_kafka_answers_no_more_starts_itself_again_and_leaves_neither_gap_nor_double(
    settings: Settings, tmp_path: Path
) -> None:
    simulation = Simulation(catalogue.read(settings.sensors), SEED, START, site_names(1))
    wanted: dict[int, int] = dict.fromkeys(range(settings.partitions), 0)
    for partition, *_ in encoder(simulation, settings).messages(0, ticks_of(1)):
        wanted[partition] += 1
    once = tmp_path / "blind"
    command = [sys.executable, "-c", BLIND_AT_FIRST, str(once), "--days", "1", "--speed", "50", "--seed", str(SEED)]
    environment = {**os.environ, **settings.environment()}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert once.exists()
    assert "restarting this process" in said
    assert "going on after" in said
    assert "all acknowledged" in said
    assert offsets.end_offsets(settings.kafka, settings.prefix + READINGS) == wanted


@pytest.mark.parametrize("other", [["--seed", "5"], ["--sites", "7"], ["--start", "2021-01-01"]])
def test_another_simulation_in_the_same_topic_is_refused(settings: Settings, other: list[str]) -> None:
    first = start(settings, "--days", "1")
    first.communicate()
    assert first.returncode == 0
    before = arrived(settings)
    second = start(settings, "--days", "1", *other)
    said = second.communicate()[1]
    assert second.returncode == 1
    assert f"another simulation (--seed {SEED} " in said
    assert "Traceback" not in said
    assert arrived(settings) == before


def test_a_simulation_of_days_that_the_stream_has_left_behind_is_refused(settings: Settings) -> None:
    sensors = catalogue.read(settings.sensors)
    with Publisher(settings, sensors) as publisher:
        publisher.publish(Reading("home", "TH1", 1_577_836_800_000 + 30 * DAY_MS, 22.5))
        publisher.heartbeat(1_577_836_800_000 + 30 * DAY_MS)
    before = arrived(settings)
    producer = start(settings, "--days", "1")
    said = producer.communicate()[1]
    assert producer.returncode == 1
    said = " ".join(said.split())
    assert "has readings of 2020-01-30 23:59 UTC, and the simulation would begin at 2020-01-01 00:00 UTC" in said
    assert "`iot reset`" in said
    assert arrived(settings) == before


def test_a_missing_topic_is_an_error_that_says_what_to_do(settings: Settings) -> None:
    producer = start(settings.replace(prefix="nowhere."), "--days", "1")
    said = producer.communicate()[1]
    assert producer.returncode == 1
    assert "there is no topic nowhere.dailyAggr: `iot topics create` makes it" in said
    assert "Traceback" not in said
