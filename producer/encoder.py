"""The simulation's readings as messages of dailyAggr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from producer.simulation import DECIMALS, TICK_MS, Simulation
from topics.encoding import Message, SeriesEncoder, encode_heartbeat, tail

SIMULATION, TICK = "sim", "tick"
"""Headers of the first message of each tick in each partition: which simulation it is, and the instant of the tick
(epoch ms, in decimal digits). On every message they would take a third of the speed."""


class Ticked(NamedTuple):
    """A message, and the instant of the tick at which it is sent, epoch ms."""

    tick: int
    message: Message


@dataclass
class Encoder:
    """Turns a simulation's readings into messages for a topic of ``partitions`` partitions.

    ``partition`` gives that of a site and sensor.
    """

    simulation: Simulation
    partitions: int
    partition: Callable[[str, str], int]

    def __post_init__(self) -> None:
        catalogue = self.simulation.catalogue
        self._series = SeriesEncoder(self.partition)
        self._series.add([(site, name) for site in self.simulation.sites for name in catalogue])
        self._classes = [sensor.partition_class for sensor in catalogue.values()]
        self._newest = np.full(len(catalogue), -1, dtype=np.int64)
        self._identity = (SIMULATION, self.simulation.identity.encode())

    def messages(self, first: int, end: int) -> Iterator[Message]:
        """What is sent at the ticks from ``first`` up to, not including, ``end``, in order.

        That is one message a reading, and at the end of each tick a heartbeat for each partition that got no reading
        of this very instant.
        """
        _, *columns = self._columns(first, end)
        return zip(*columns, strict=True)

    def ticked(self, first: int, end: int) -> Iterator[Ticked]:
        """The same, each with its tick."""
        ticks, *columns = self._columns(first, end)
        return map(Ticked, ticks, zip(*columns, strict=True))

    def newest(self) -> dict[str, int]:
        """Largest ts (epoch ms) of each class of sensors in what was encoded so far."""
        found: dict[str, int] = {}
        for name, ts in zip(self._classes, self._newest.tolist(), strict=True):
            if ts >= 0:
                found[name] = max(found.get(name, 0), ts)
        return found

    def _columns(self, first: int, end: int) -> tuple[list[int], list[int], list[object], list[object], list[object]]:
        """Ticks, partitions, keys, values and headers."""
        readings = self.simulation.readings(first, end)
        np.maximum.at(self._newest, readings.sensor, readings.ts)
        series = readings.site * len(self.simulation.catalogue) + readings.sensor
        partitions = self._series.partitions[series]
        # Few values differ, and formatting is the dearest step.
        unique, inverse = np.unique(readings.tenths, return_inverse=True)
        tails = np.array([tail(number / DECIMALS) for number in unique.tolist()], dtype=object)
        cell = (readings.tick - first) * self.partitions + partitions
        now = self.simulation.start + readings.tick * TICK_MS
        silent = np.setdiff1d(np.arange((end - first) * self.partitions), cell[readings.ts == now])
        silent_tick, silent_partition = np.divmod(silent, self.partitions)
        now = np.concatenate([now, self.simulation.start + (silent_tick + first) * TICK_MS])
        headers = np.full(len(now), None)
        for index in np.unique(np.concatenate([cell, silent]), return_index=True)[1].tolist():
            headers[index] = [self._identity, (TICK, b"%d" % now[index])]
        # Stable: within a tick the heartbeats come behind the readings.
        order = np.argsort(np.concatenate([readings.tick - first, silent_tick]), kind="stable")
        values = self._series.values(series, readings.ts, tails[inverse])
        beats = np.array([encode_heartbeat(ts) for ts in now[len(series) :].tolist()], dtype=object)
        return (
            now[order].tolist(),
            np.concatenate([partitions, silent_partition])[order].tolist(),
            np.concatenate([self._series.keys[series], np.full(len(silent), None)])[order].tolist(),
            np.concatenate([values, beats])[order].tolist(),
            headers[order].tolist(),
        )
