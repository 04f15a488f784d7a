"""Readings that every contender gets: the same bytes, in one topic, and what must come of them.

They are those of the simulation, by the contract: keys, partitions, heartbeats, and readings of W1 that come too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from commands.simulate_session import simulation_of
from infrastructure.kafka import admin
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings, milliseconds
from producer.encoder import Encoder
from producer.simulation import TICKS_PER_DAY, Simulation, ticks_of
from scripts import oracle
from scripts.oracle import DAY
from topics.encoding import Message
from topics.names import READINGS, sensor_key
from topics.partitions import first_partitions

CHUNK = 20_000
"""Readings that are encoded at once, about."""
SITES_AT_ONCE = 25
"""Houses whose readings are held in memory while results are computed: those of one do not depend on another."""


class Daily(NamedTuple):
    """What a peer is to compute: of each sensor and day the number of readings that count, and their mean.

    ``windows``: by sensor key and start of the day (epoch ms). ``rejected``: sensor key and ts of the readings that
    come too late.
    """

    windows: dict[tuple[str, int], tuple[int, float]]
    rejected: set[tuple[str, int]]


@dataclass(frozen=True)
class Dataset:
    """``sites`` houses for ``days`` days, in topics of their own; ``stack`` are the settings without their prefix."""

    stack: Settings
    name: str
    sites: int
    days: int

    @cached_property
    def settings(self) -> Settings:
        """The settings with the dataset's prefix."""
        return self.stack.replace(prefix=f"{self.name}.")

    @cached_property
    def simulation(self) -> Simulation:
        """Where the readings come from."""
        return simulation_of(self.stack, sites=self.sites)

    @property
    def topic(self) -> str:
        """Name of the topic that holds the readings."""
        return self.settings.prefix + READINGS

    @property
    def sensors(self) -> int:
        """How many sensors there are."""
        return self.sites * len(self.simulation.catalogue)

    @property
    def ticks(self) -> int:
        """Ticks that are sent: the days', and two more."""
        return ticks_of(self.days)

    @property
    def last_day(self) -> int:
        """Start of the last day that is closed, epoch ms."""
        return self.simulation.time((self.days - 1) * TICKS_PER_DAY)

    @cached_property
    def readings(self) -> int:
        """Readings in the topic, without heartbeats."""
        return sum(len(frame) for frame in self._frames())

    def messages(self) -> Iterator[Message]:
        """Every record, in the order of sending."""
        encoder = Encoder(
            self.simulation,
            self.settings.partitions,
            first_partitions(self.simulation.catalogue, self.settings.partitions),
        )
        step = max(1, CHUNK // self.sensors)
        for first in range(0, self.ticks, step):
            yield from encoder.messages(first, min(first + step, self.ticks))

    def expected(self) -> dict[str, oracle.Points]:
        """Points of every derived and rejected series, by key without the prefix."""
        plain = self.stack.replace(prefix="")
        watermark = self.simulation.time(self.ticks - 1) - milliseconds(plain.time.watermark_delay)
        found: dict[str, oracle.Points] = {}
        for frame in self._frames():
            found |= oracle.results(frame, self.simulation.catalogue, watermark, plain, raw=False)
        return found

    def daily(self) -> Daily:
        """What a peer's daily window must hold, for the days that stay closed: L + B after their ends has passed."""
        settled = self.settled_day
        windows: dict[tuple[str, int], tuple[int, float]] = {}
        rejected: set[tuple[str, int]] = set()
        for frame in self._frames():
            late = oracle.too_late(frame, self.stack)
            rejected |= {(sensor_key(site, sensor), ts) for site, sensor, ts in _names(frame[late], "ts")}
            days = frame[~late & (frame.day <= settled)].groupby(["site", "sensor", "day"], observed=True).value
            table = days.agg(["count", "mean"]).reset_index()
            keys = ((sensor_key(site, sensor), day) for site, sensor, day in _names(table, "day"))
            values = zip(table["count"].tolist(), table["mean"].tolist(), strict=True)
            windows |= dict(zip(keys, values, strict=True))
        return Daily(windows, rejected)

    @property
    def settled_day(self) -> int:
        """Start of the last day that no reading can change any more, epoch ms."""
        over = milliseconds(self.stack.time.allowed_lateness + self.stack.time.watermark_delay)
        # A day's last reading may be withheld; by the next one every sensor's clock has passed.
        return (self.simulation.time(self.ticks - 1) - over) // DAY * DAY - 2 * DAY

    def fill(self, said: Callable[[str], None] = lambda _: None) -> int:
        """Send everything into an empty topic; returns the number of records, heartbeats included."""
        admin.delete(self.settings)
        admin.create(self.settings)
        publisher = Publisher(self.settings, self.simulation.catalogue)
        said(f"{self.name}: sending {self.days} days of {self.sensors:,} sensors")
        publisher.send(self.messages())
        publisher.finish()
        return publisher.sent

    def _frames(self) -> Iterator[pd.DataFrame]:
        """The readings of all houses, some houses at once, each in the order of sending."""
        whole = self.simulation
        for first in range(0, self.sites, SITES_AT_ONCE):
            some = whole.sites[first : first + SITES_AT_ONCE]
            yield oracle.readings(replace(whole, sites=some), self.ticks)


def _names(frame: pd.DataFrame, last: str) -> Iterator[tuple[str, str, int]]:
    columns = (frame["site"].astype(str).tolist(), frame["sensor"].astype(str).tolist(), frame[last].tolist())
    return zip(*columns, strict=True)


class Verdict(NamedTuple):
    """How a peer's windows differ: readings counted too many or too few, windows with another mean, rejections."""

    readings: int
    windows: int
    rejected: int
    right: int

    def __str__(self) -> str:
        """In words."""
        late = f"{self.right:,} of the too-late found"
        if surplus := self.rejected - self.right:
            late += f", {surplus:,} others rejected"
        return f"{self.readings:,} readings, {self.windows:,} windows; {late}"


def judge(
    wanted: Daily, settled_day: int, windows: dict[tuple[str, int], tuple[int, float]], rejected: set[tuple[str, int]]
) -> Verdict:
    """Compare a peer's windows, up to the settled day, and what it has told to be too late."""
    readings = wrong = 0
    for name in wanted.windows.keys() | {name for name in windows if name[1] <= settled_day}:
        count, mean = wanted.windows.get(name, (0, 0.0))
        found, found_mean = windows.get(name, (0, 0.0))
        readings += abs(found - count)
        wrong += found != count or abs(found_mean - mean) > oracle.TOLERANCE * max(1.0, abs(mean))
    return Verdict(readings, wrong, len(rejected), len(rejected & wanted.rejected))
