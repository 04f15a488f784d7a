"""The simulated houses: what each sensor measures, and when each reading is sent.

Nothing here knows Kafka. Time passes in ticks of 15 minutes: tick k is k × 15 min after the start, and what is sent
at tick k carries that instant as its record timestamp. The reading of any (seed, site, sensor, tick) is a hash of just
these four, so that it can be computed without the ones before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topics.catalogue import Catalogue, Sensor
from topics.names import DEFAULT_SITE

TICK_MS = 15 * 60 * 1000
TICKS_PER_DAY = 96
DECIMALS = 10
"""Values are multiples of one tenth."""

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Readings(NamedTuple):
    """Readings in the order in which they are sent, as columns of equal length.

    ``tick`` is when the reading is sent, ``ts`` when it was measured (epoch ms); ``site`` and ``sensor`` are indices
    into the simulation's sites and the catalogue; ``tenths`` is the value × 10.
    """

    tick: Ints
    site: Ints
    sensor: Ints
    ts: Ints
    tenths: Ints


def site_names(count: int) -> tuple[str, ...]:
    """Names of the first ``count`` sites: the default site, then site-0002, site-0003, …"""
    return (DEFAULT_SITE, *(f"site-{number:04}" for number in range(2, count + 1)))


def ticks_of(days: int) -> int:
    """How many ticks close ``days`` days: theirs, and the first two of the next day."""
    return days * TICKS_PER_DAY + 2


@dataclass(frozen=True)
class Simulation:
    """``seed`` and ``start`` (epoch ms, a midnight) and ``sites`` say which readings there are."""

    catalogue: Catalogue
    seed: int
    start: int
    sites: Sequence[str]

    @cached_property
    def identity(self) -> str:
        """Names the simulation; the header of each of its readings carries it."""
        return f"{self.seed}@{self.start}*{len(self.sites)}"

    def time(self, tick: int) -> int:
        """Instant of a tick, epoch ms."""
        return self.start + tick * TICK_MS

    def readings(self, first: int, end: int) -> Readings:
        """Everything that is sent at the ticks from ``first`` up to, not including, ``end``.

        Within a tick the sites come in order, in each the sensors in the order of the catalogue, and of a sensor
        first the reading of now, then those that come late.
        """
        ticks = np.arange(first, end, dtype=np.int64)
        parts = [
            part for index, sensor in enumerate(self.catalogue.values()) for part in self._sent(index, sensor, ticks)
        ]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        tick, site, sensor, ts, _ = columns
        order = np.lexsort((-ts, sensor, site, tick))
        return Readings(*(column[order] for column in columns))

    def tenths(self, sensor: Sensor, ticks: Ints) -> Ints:
        """Value × 10 of a sensor's readings measured at ``ticks``: an array of sites × ticks."""
        if sensor.cadence == "daily":
            day = ticks // TICKS_PER_DAY
            # Half the spread to each side of a straight line: from one day to the next that is at most the spread.
            half = round(sensor.spread * DECIMALS / 2)
            deviation = self._uniform(sensor, day, 2 * half + 1) - half
            return (day + 1) * round(sensor.per_day * DECIMALS) + deviation
        low, high = round(sensor.low * DECIMALS), round(sensor.high * DECIMALS)
        return low + self._uniform(sensor, ticks, high - low + 1)

    def _sent(self, index: int, sensor: Sensor, ticks: Ints) -> list[tuple[Ints, ...]]:
        if sensor.cadence == "daily":
            now = ticks[ticks % TICKS_PER_DAY == TICKS_PER_DAY - 1]
            return [self._columns(index, sensor, now, now)]
        if sensor.cadence == "random":
            return [self._random(index, sensor, ticks)]
        sent = [self._columns(index, sensor, on_time := ticks[~self._withheld(sensor, ticks)], on_time)]
        for late in sensor.late:
            now = ticks[(ticks + 1) % late.every == 0]
            sent.append(self._columns(index, sensor, now, now - late.delay))
        return sent

    @staticmethod
    def _withheld(sensor: Sensor, ticks: Ints) -> NDArray[np.bool_]:
        held = np.zeros(len(ticks), dtype=bool)
        for late in sensor.late:
            held |= (ticks + late.delay + 1) % late.every == 0
        return held

    def _columns(self, index: int, sensor: Sensor, sent: Ints, measured: Ints) -> tuple[Ints, ...]:
        sites = len(self.sites)
        return (
            np.tile(sent, sites),
            np.repeat(np.arange(sites, dtype=np.int64), len(sent)),
            np.full(sites * len(sent), index, dtype=np.int64),
            np.tile(self.start + measured * TICK_MS, sites),
            self.tenths(sensor, measured).ravel(),
        )

    def _random(self, index: int, sensor: Sensor, ticks: Ints) -> tuple[Ints, ...]:
        """At most one reading in the 15 minutes that end with a tick, at any second of them; none before the start."""
        chance = self._hash(sensor, ticks) >> np.uint64(11)
        site, column = np.nonzero((chance < np.uint64(int(sensor.chance * 2**53))) & (ticks > 0))
        sent = ticks[column]
        seconds = self._uniform(sensor, ticks, TICK_MS // 1000, stream=1)[site, column]
        return (
            sent,
            site.astype(np.int64),
            np.full(len(sent), index, dtype=np.int64),
            self.start + sent * TICK_MS - seconds * 1000,
            self.tenths(sensor, ticks)[site, column],
        )

    def _uniform(self, sensor: Sensor, ticks: Ints, count: int, stream: int = 0) -> Ints:
        # The high 32 bits scale to any count below 2^31 with a bias of less than 2^-32 × count.
        high = self._hash(sensor, ticks, stream + 2) >> np.uint64(32)
        return ((high * np.uint64(count)) >> np.uint64(32)).astype(np.int64)

    def _hash(self, sensor: Sensor, ticks: Ints, stream: int = 0) -> Hashes:
        """64 random bits for each site × tick."""
        sites = self._site_hashes[:, np.newaxis]
        series = _mix(sites + np.uint64(zlib.crc32(sensor.name.encode()) + (stream << 32)))
        return _mix(series + ticks.astype(np.uint64))

    @cached_property
    def _site_hashes(self) -> Hashes:
        seed = _mix(np.array([self.seed % 2**64], dtype=np.uint64))
        return _mix(seed + np.array([zlib.crc32(site.encode()) for site in self.sites], dtype=np.uint64))


def _mix(x: Hashes) -> Hashes:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators")."""
    x = x * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
