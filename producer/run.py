"""Send a simulation to Kafka, at its pace or as fast as the broker takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from producer.delivery import Delivery
from producer.resume import Mark
from producer.simulation import DECIMALS, TICK_MS, Simulation
from topics.names import partition, sensor_key
from topics.reading import heartbeat

CHUNK = 20_000
"""Readings that are computed at once, about; never less than a tick."""
WAKE_SECONDS = 1.0
"""Time between the first tick of a run at full speed and the rest: idle partitions wake up."""


class Message(NamedTuple):
    """One record of dailyAggr; ``timestamp`` is when it is sent, epoch ms; a heartbeat has no key.

    ``marked``: it is the first one of its tick in its partition, and carries the simulation's header.
    """

    partition: int
    key: bytes | None
    value: bytes
    timestamp: int
    marked: bool


@dataclass
class Encoder:
    """Turns readings into messages for a topic of ``partitions`` partitions."""

    simulation: Simulation
    partitions: int

    def __post_init__(self) -> None:
        catalogue = self.simulation.catalogue
        keys = [
            (site, sensor, sensor_key(site, sensor.name))
            for site in self.simulation.sites
            for sensor in catalogue.values()
        ]
        self._keys = np.array([key.encode() for _, _, key in keys], dtype=object)
        self._classes = [sensor.partition_class for sensor in catalogue.values()]
        self._newest = np.full(len(catalogue), -1, dtype=np.int64)
        self._heads = np.array(
            [f'{{"site":"{site}","sensor":"{sensor.name}","ts":'.encode() for site, sensor, _ in keys], dtype=object
        )
        self._partitions = np.array(
            [partition(key, sensor.partition_class, catalogue, self.partitions) for _, sensor, key in keys],
            dtype=np.int64,
        )

    def messages(self, first: int, end: int) -> Iterator[Message]:
        """What is sent at the ticks from ``first`` up to, not including, ``end``, in order.

        That is one message a reading, and at the end of each tick a heartbeat for each partition that got no reading
        of this very instant.
        They come as plain tuples: at 250,000 a second, naming them would cost a tenth of the time.
        """
        readings = self.simulation.readings(first, end)
        np.maximum.at(self._newest, readings.sensor, readings.ts)
        series = readings.site * len(self.simulation.catalogue) + readings.sensor
        partitions = self._partitions[series]
        # Few values differ, and formatting is the dearest step.
        unique, inverse = np.unique(readings.tenths, return_inverse=True)
        values = np.array([f',"value":{number / DECIMALS:.1f}}}'.encode() for number in unique.tolist()], dtype=object)
        place = (readings.tick - first) * self.partitions + partitions
        now = self.simulation.start + readings.tick * TICK_MS
        silent = np.setdiff1d(np.arange((end - first) * self.partitions), place[readings.ts == now])
        silent_tick, silent_partition = np.divmod(silent, self.partitions)
        now = np.concatenate([now, self.simulation.start + (silent_tick + first) * TICK_MS])
        marked = np.zeros(len(now), dtype=bool)
        marked[np.unique(np.concatenate([place, silent]), return_index=True)[1]] = True
        # Stable: within a tick the heartbeats come behind the readings.
        order = np.argsort(np.concatenate([readings.tick - first, silent_tick]), kind="stable")
        bodies = self._heads[series] + readings.ts.astype("S20").astype(object) + values[inverse]
        beats = np.array([heartbeat(ts) for ts in now[len(series) :].tolist()], dtype=object)
        return zip(  # type: ignore[return-value]
            np.concatenate([partitions, silent_partition])[order].tolist(),
            np.concatenate([self._keys[series], np.full(len(silent), None)])[order].tolist(),
            np.concatenate([bodies, beats])[order].tolist(),
            now[order].tolist(),
            marked[order].tolist(),
            strict=True,
        )

    def newest(self) -> dict[str, int]:
        """Largest ts (epoch ms) of each class of sensors in what ``messages`` has given so far."""
        found: dict[str, int] = {}
        for name, ts in zip(self._classes, self._newest.tolist(), strict=True):
            if ts >= 0:
                found[name] = max(found.get(name, 0), ts)
        return found


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``tick`` is the next one to be sent; ``sent`` and ``acknowledged`` count heartbeats as well.

    ``newest``: largest ts sent (epoch ms) by class of sensors; ``behind``: seconds that the run lags behind its pace.
    """

    tick: int
    sent: int
    heartbeats: int
    acknowledged: int
    newest: Mapping[str, int] = field(default_factory=dict, compare=False)
    behind: float = field(default=0.0, compare=False)


def remaining(messages: Iterator[Message], marks: dict[int, Mark]) -> Iterator[Message]:
    """Leave out what an earlier run has sent: in each partition everything up to and including its mark.

    Messages must start at or before the oldest mark.
    """
    for message in messages:
        partition, key, value, timestamp, _ = message
        mark = marks.get(partition)
        if mark is None or timestamp > mark.sent or (timestamp == mark.sent and (key, value) not in mark.seen):
            yield message


def first_tick(simulation: Simulation, partitions: int, marks: dict[int, Mark]) -> int:
    """The tick from which messages must be computed again; 0 when a partition has none yet."""
    if len(marks) < partitions:
        return 0
    return (min(mark.sent for mark in marks.values()) - simulation.start) // TICK_MS


def run(
    simulation: Simulation,
    delivery: Delivery,
    *,
    ticks: int | None,
    ticks_per_second: float | None,
    marks: dict[int, Mark],
    report: Callable[[Progress], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send ticks 0 up to ``ticks`` (None: for ever), less what ``marks`` say was sent before.

    ``ticks_per_second`` None is as fast as the broker takes it. Ends early, in order, after ``delivery.stop()``.
    Raises ``DeliveryError`` when a reading is refused.
    """
    encoder = Encoder(simulation, delivery.partitions)
    tick = first_tick(simulation, delivery.partitions, marks)
    resumed = (max(mark.sent for mark in marks.values()) - simulation.start) // TICK_MS if marks else 0
    chunk = 1 if ticks_per_second else max(1, CHUNK // (len(simulation.sites) * len(simulation.catalogue)))
    began = clock()
    due = began
    awake = ticks_per_second is not None
    while (ticks is None or tick < ticks) and not delivery.stopped():
        # What was sent before is only computed, so it may be computed by the chunk.
        step = max(chunk, min(1000, resumed - tick)) if tick < resumed else chunk if awake else 1
        end = tick + step if ticks is None else min(tick + step, ticks)
        if ticks_per_second and tick > resumed:
            due = began + (tick - resumed) / ticks_per_second
        while (wait := due - clock()) > 0 and not delivery.stopped():
            delivery.poll(min(wait, 0.1))
        if delivery.stopped():
            break
        messages = encoder.messages(tick, end)
        delivery.send(remaining(messages, marks) if tick <= resumed else messages)
        if not awake and tick > resumed:
            # Partitions that were silent for long count as idle, and the first to speak would drag the watermark
            # along alone. One tick wakes them all before the flood.
            delivery.finish()
            awake, due = True, clock() + WAKE_SECONDS
        delivery.check()
        tick = end
        behind = max(0.0, clock() - due) if ticks_per_second else 0.0
        counts = (delivery.sent, delivery.heartbeats, delivery.acknowledged)
        report(Progress(tick, *counts, newest=encoder.newest(), behind=behind))
    delivery.finish()
    report(Progress(tick, delivery.sent, delivery.heartbeats, delivery.acknowledged, newest=encoder.newest()))
