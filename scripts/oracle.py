"""What the system must hold in the end, computed by pandas from the simulation alone.

This shares with the pipeline the readings and the names of the series, and nothing that decides: the lateness rule,
the windows and the aggregates are written here a second time, from docs/explanation/time.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import pandas as pd

from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings, milliseconds
from operations import results as results_in_topics
from producer.simulation import DECIMALS, Simulation
from topics.catalogue import Catalogue
from topics.series import (
    AGG_DAY,
    AGG_DAY_COUNT,
    AGG_DAY_DIFF,
    AGG_DAY_REST,
    LATE_REJECTED,
    OF_NAME,
    RAW,
    Series,
)

KINDS = tuple(OF_NAME)
"""Kinds of series."""
TOLERANCE = 1e-9
Points = dict[int, float]
"""Values of one series by ts (epoch ms)."""

DAY = 86_400_000


def readings(simulation: Simulation, ticks: int) -> pd.DataFrame:
    """Every reading of the first ``ticks`` ticks in the order of sending: site, sensor, ts (ms), value, day (ms)."""
    sent = simulation.readings(0, ticks)
    sensors = list(simulation.catalogue)
    frame = pd.DataFrame(
        {
            "site": pd.Categorical.from_codes(sent.site.tolist(), pd.Index(simulation.sites)),
            "sensor": pd.Categorical.from_codes(sent.sensor.tolist(), pd.Index(sensors)),
            "ts": sent.ts,
            "value": sent.tenths / DECIMALS,
        }
    )
    frame["day"] = frame.ts // DAY * DAY
    return frame


def too_late(frame: pd.DataFrame, settings: Settings) -> pd.Series[bool]:
    """For each reading, in the order of sending: has its sensor's clock passed the end of its day by L + B?"""
    allowed = settings.time.allowed_lateness / timedelta(milliseconds=1)
    delay = settings.time.watermark_delay / timedelta(milliseconds=1)
    clock = frame.groupby(["site", "sensor"], observed=True).ts.cummax()
    return frame.day + DAY + allowed <= clock - delay


def repeated(frame: pd.DataFrame, settings: Settings) -> pd.Series[bool]:
    """For each reading, in the order of sending: was it there before, and is its day still remembered?

    A day is remembered until its sensor's clock has passed its end by L + C + B.
    """
    memory = (settings.time.allowed_lateness + settings.time.catch_up) / timedelta(milliseconds=1)
    delay = settings.time.watermark_delay / timedelta(milliseconds=1)
    clock = frame.groupby(["site", "sensor"], observed=True).ts.cummax()
    return frame.duplicated(["site", "sensor", "ts"]) & (frame.day + DAY + memory > clock - delay)


def expected(simulation: Simulation, ticks: int, settings: Settings) -> dict[str, Points]:
    """The points of every series after ``ticks`` ticks, by key in Redis."""
    watermark = simulation.time(ticks - 1) - milliseconds(settings.time.watermark_delay)
    return results(readings(simulation, ticks), simulation.catalogue, watermark, settings)


def results(
    frame: pd.DataFrame, sensors: Catalogue, watermark: int, settings: Settings, *, raw: bool = True
) -> dict[str, Points]:
    """The points of every series that readings give, by key in Redis; ``watermark`` (ms) says how far the stream is.

    ``frame`` has them in the order of sending, with the columns of ``readings``; without ``raw`` their own series are
    left out.
    """
    first = ~repeated(frame, settings)
    late = first & too_late(frame, settings)

    by_day = frame[first & ~late].groupby(["site", "sensor", "day"], observed=True).value
    daily = by_day.agg(["sum", "mean", "count", "min", "max"]).reset_index()
    closed = daily[daily.day + DAY - 1 <= watermark]
    kind = closed.sensor.astype(str).map({s.name: s.aggregate for s in sensors.values()})

    series: dict[Series, Points] = {}
    if raw:
        _collect(series, RAW, frame.drop_duplicates(["site", "sensor", "ts"]), "ts", "value")
    _collect(series, LATE_REJECTED, frame[late], "ts", "value")
    _collect(series, AGG_DAY_COUNT, closed, "day", "count")
    _collect(series, AGG_DAY, closed[kind == "mean"], "day", "mean")
    _collect(series, AGG_DAY, closed[kind == "sum"], "day", "sum")

    meters = closed[kind == "difference"]
    both = meters.merge(meters.assign(day=meters.day + DAY), on=["site", "sensor", "day"], suffixes=("", "_before"))
    both = both.assign(difference=both[["max", "max_before"]].max(axis=1) - both[["min", "min_before"]].min(axis=1))
    _collect(series, AGG_DAY_DIFF, both, "day", "difference")
    for meter, parts in sensors.meters.items():
        for site in frame.site.unique():
            rest = series.get(Series(AGG_DAY_DIFF, site, meter), {})
            consumers = [series.get(Series(AGG_DAY, site, part), {}) for part in parts]
            points = {
                day: difference - sum(consumer[day] for consumer in consumers)
                for day, difference in rest.items()
                if all(day in consumer for consumer in consumers)
            }
            if points:
                series[Series(AGG_DAY_REST, site, meter)] = points
    return {name.key(settings.prefix): points for name, points in series.items()}


def stored(settings: Settings, sites: Sequence[str] = (), kinds: Sequence[str] = KINDS) -> dict[str, Points]:
    """The points of every series of these kinds in Redis, by key; with ``sites`` of these alone."""
    with redis_client(settings.redis, "viewer") as client:
        of = [f"site=({','.join(sites)})"] if sites else []
        wanted = (f"series=({','.join(kinds)})", f"prefix={settings.prefix}", *of)
        found = client.execute_command("TS.MRANGE", "-", "+", "FILTER", *wanted)
    return {key.decode(): {int(ts): float(value) for ts, value in points} for key, _, points in found if points}


def published(settings: Settings) -> dict[str, Points]:
    """The points that the job's topics hold, by key without the prefix."""
    points: dict[str, Points] = {}
    for result in results_in_topics.read(settings).found.values():
        series, site, sensor, _, ts = result.point
        points.setdefault(Series(series, site, sensor).key(), {})[ts] = result.value
    return points


class Difference(NamedTuple):
    """A point that is not as expected: ``found`` is None when it is missing, ``wanted`` when it should not be there."""

    key: str
    ts: int
    found: float | None
    wanted: float | None

    def __str__(self) -> str:
        """What it is, and what it should be."""
        name = f"{self.key} at {pd.Timestamp(self.ts, unit='ms'):%Y-%m-%d %H:%M:%S}"
        if self.found is None:
            return f"{name}: missing, should be {self.wanted}"
        if self.wanted is None:
            return f"{name}: is {self.found}, should not be there"
        return f"{name}: is {self.found}, should be {self.wanted}"


@dataclass
class Comparison:
    """How what is stored differs from what is expected. ``points`` are as they should be."""

    points: int = 0
    missing: list[Difference] = field(default_factory=list)
    surplus: list[Difference] = field(default_factory=list)
    wrong: list[Difference] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """Lines that name the series and the point; none when every point is as it should be."""
        return [str(difference) for difference in self.missing + self.surplus + self.wrong]


def compare(found: Mapping[str, Points], wanted: Mapping[str, Points]) -> Comparison:
    """Compare point by point, values to 1e-9 of their size (or of 1 where they are smaller)."""
    result = Comparison()
    for key in sorted(found.keys() | wanted.keys()):
        there, right = found.get(key, {}), wanted.get(key, {})
        for ts in sorted(there.keys() | right.keys()):
            difference = Difference(key, ts, there.get(ts), right.get(ts))
            if difference.found is None:
                result.missing.append(difference)
            elif difference.wanted is None:
                result.surplus.append(difference)
            elif abs(difference.found - difference.wanted) > TOLERANCE * max(1.0, abs(difference.wanted)):
                result.wrong.append(difference)
            else:
                result.points += 1
    return result


def _collect(series: dict[Series, Points], kind: str, rows: pd.DataFrame, ts: str, value: str) -> None:
    for (site, sensor), group in rows.groupby(["site", "sensor"], observed=True):
        series[Series(kind, str(site), str(sensor))] = dict(zip(group[ts].tolist(), group[value].tolist(), strict=True))
