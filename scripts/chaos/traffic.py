"""What is sent meanwhile: the simulation, by a producer that is supervised like the rest; records that are invalid;
and single readings that show whether the system works again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from infrastructure.kafka import offsets
from infrastructure.kafka.client import kafka_options
from producer.resume import marks
from producer.simulation import TICK_MS, TICKS_PER_DAY, Simulation, ticks_of
from scripts.chaos.faults import PRODUCER
from scripts.stack.processes import Process
from scripts.stack.supervision import Stack
from topics.encoding import encode
from topics.errors import UserError
from topics.names import READINGS, sensor_key
from topics.origin import Origin
from topics.partitions import first_partitions
from topics.reading import Reading

PROBES = "probe"
"""The site of the readings that show whether the system works again."""
ACKNOWLEDGED_SECONDS = 120

INVALID = (
    b"no reading %d",
    b'{"site":"home","sensor":"unknown","ts":1577836800000,"value":%d}',
    b'{"site":"home","sensor":"TH1","ts":253402300799999,"value":%d}',
    b'{"site":"home","sensor":"TH1","ts":1577836800000,"value":1e999,"number":%d}',
)
"""Not JSON, a sensor that nobody knows, a time to come, a value beyond the doubles; each with its number."""


class Probe(NamedTuple):
    """A reading that was sent, and where it stands."""

    reading: Reading
    origin: Origin


@dataclass
class Traffic:
    """Sends to dailyAggr. ``pace``: ticks a second of the simulation where it does not run at full speed."""

    stack: Stack
    simulation: Simulation
    pace: float
    invalid: set[Origin] = field(default_factory=set)
    """Where the invalid records stand that the broker has acknowledged."""
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.stack.settings
        self._topic = settings.prefix + READINGS
        self._partition = first_partitions(self.simulation.catalogue, settings.partitions)
        self._programs = count(1)
        self._numbers = count(1)
        self._failures: list[str] = []
        self._running = ""
        self._rushing = False
        self._before = 0
        self._own = 0
        self._producer = Producer(
            {
                **kafka_options(settings.kafka),
                "enable.idempotence": True,
                "message.timeout.ms": 0,  # it waits for Kafka for as long as that is away
                "log_level": 0,
            }
        )
        self._producer.list_topics(self._topic, timeout=30)  # it refuses a partition that it has not heard of

    @property
    def process(self) -> str:
        """Supervisor's name of the producer."""
        return self._running

    def stroll(self) -> None:
        """Let the simulation run at its pace, until it is told otherwise; nothing changes when it does."""
        if self._rushing or not self._running:
            self._start("--speed", str(self.pace))
            self._rushing = False

    def rush(self, days: int) -> int:
        """Send ``days`` days more, to the end of a day, at full speed; returns the ticks that are sent then in all."""
        self.end()
        ticks = ticks_of((self.reached() - self.simulation.start) // TICK_MS // TICKS_PER_DAY + days)
        self._start("--speed", "max", "--days", str(ticks // TICKS_PER_DAY))
        self._rushing = True
        return ticks

    def begun(self) -> bool:
        """Whether what was started last sends already."""
        return self.ended() or self.sent() > self._before

    def ended(self) -> bool:
        """Whether a simulation at full speed has sent everything."""
        return self._rushing and self.stack.ended(self._running)

    def end(self) -> None:
        """Stop the simulation; it sends what is under way."""
        if self._running:
            self.stack.stop(self._running)
            self.stack.remove(self._running)
            self._running = ""

    def reached(self) -> int:
        """Instant of the newest tick, epoch ms. Raises ``KafkaException`` or ``UserError`` while Kafka is away."""
        found = marks(self.stack.settings, self._topic, self.simulation.identity)
        return max((mark.tick for mark in found.values()), default=self.simulation.start)

    def sent(self) -> int:
        """Records that the simulation has sent. Raises as ``reached``."""
        return sum(offsets.end_offsets(self.stack.settings.kafka, self._topic).values()) - self._own

    def spoil(self) -> None:
        """Send one invalid record of each kind, to partitions in turn. Does not wait for Kafka."""
        for number, form in zip(self._numbers, INVALID, strict=False):
            self._producer.produce(
                self._topic,
                form % number,
                partition=number % self.stack.settings.partitions,
                on_delivery=self._delivered,
            )
        self._producer.poll(0)

    def probe(self, ts: int) -> Probe:
        """Send a reading of the site ``PROBES``, measured at ``ts``; returns when it is acknowledged."""
        sensor = next(iter(self.simulation.catalogue.values()))
        ts = max(ts, self.probes[-1].reading.ts + 1) if self.probes else ts
        reading = Reading(PROBES, sensor.name, ts, float(len(self.probes)))
        found = list[Origin]()
        self._producer.produce(
            self._topic,
            encode(reading),
            sensor_key(PROBES, sensor.name),
            self._partition(PROBES, sensor.name),
            on_delivery=lambda error, message: self._delivered(error, message, found),
        )
        self.flush()
        self.probes.append(probe := Probe(reading, found[0]))
        return probe

    def flush(self) -> None:
        """Return when everything that was sent here is acknowledged. Raises ``UserError`` when that cannot be."""
        if self._producer.flush(ACKNOWLEDGED_SECONDS) or self._failures:
            raise UserError(f"Kafka has not taken everything: {', '.join(self._failures) or 'it does not answer'}")

    def _start(self, *options: str) -> None:
        self.end()
        settings = self.stack.settings
        self._running = f"{PRODUCER}-{next(self._programs)}"
        whose = ("--seed", str(self.simulation.seed), "--sites", str(len(self.simulation.sites)))
        self._before = self.sent()
        self.stack.add(
            Process(
                name=self._running,
                command=[sys.executable, "-m", "producer", *whose, *options],
                environment=settings.environment(),
                ready=lambda: True,
                memory=512,
                ends=True,
            )
        )

    def _delivered(self, error: KafkaError | None, message: Message, into: list[Origin] | None = None) -> None:
        if error is not None:
            self._failures.append(error.str())
            return
        self._own += 1
        if into is None:
            self.invalid.add(Origin.of(message))
        else:
            into.append(Origin.of(message))
