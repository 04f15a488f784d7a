"""What the system must hold in the end, computed by pandas from the simulation alone.

This shares with the pipeline the readings and the names of the series, and nothing that decides: the lateness rule,
the windows and the aggregates are written here a second time, from docs/time.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pandas as pd

import connections
from producer.simulation import DECIMALS, Simulation
from settings import Settings
from topics.names import AGG_DAY, AGG_DAY_COUNT, AGG_DAY_DIFF, AGG_DAY_REST, DERIVED, LATE_REJECTED, RAW, Series

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
    allowed = settings.allowed_lateness / timedelta(milliseconds=1)
    delay = settings.watermark_delay / timedelta(milliseconds=1)
    clock = frame.groupby(["site", "sensor"], observed=True).ts.cummax()
    return frame.day + DAY + allowed <= clock - delay


def repeated(frame: pd.DataFrame, settings: Settings) -> pd.Series[bool]:
    """For each reading, in the order of sending: was it there before, and is its day still remembered?

    A day is remembered until its sensor's clock has passed its end by L + C + B.
    """
    memory = (settings.allowed_lateness + settings.catch_up) / timedelta(milliseconds=1)
    delay = settings.watermark_delay / timedelta(milliseconds=1)
    clock = frame.groupby(["site", "sensor"], observed=True).ts.cummax()
    return frame.duplicated(["site", "sensor", "ts"]) & (frame.day + DAY + memory > clock - delay)


def expected(simulation: Simulation, ticks: int, settings: Settings) -> dict[str, Points]:
    """The points of every series after ``ticks`` ticks, by key in Redis. For windows of one and two days."""
    if settings.window != timedelta(days=1) or settings.sliding_window != timedelta(days=2):
        raise ValueError("the oracle knows windows of one and two days only")
    frame = readings(simulation, ticks)
    first = ~repeated(frame, settings)
    late = first & too_late(frame, settings)
    watermark = simulation.time(ticks - 1) - settings.watermark_delay / timedelta(milliseconds=1)

    by_day = frame[first & ~late].groupby(["site", "sensor", "day"], observed=True).value
    daily = by_day.agg(["sum", "mean", "count", "min", "max"]).reset_index()
    closed = daily[daily.day + DAY - 1 <= watermark]
    kind = closed.sensor.astype(str).map({s.name: s.aggregate for s in simulation.catalogue.values()})

    series: dict[Series, Points] = {}
    _collect(series, RAW, frame.drop_duplicates(["site", "sensor", "ts"]), "ts", "value")
    _collect(series, LATE_REJECTED, frame[late], "ts", "value")
    _collect(series, AGG_DAY_COUNT, closed, "day", "count")
    _collect(series, AGG_DAY, closed[kind == "mean"], "day", "mean")
    _collect(series, AGG_DAY, closed[kind == "sum"], "day", "sum")

    meters = closed[kind == "difference"]
    both = meters.merge(meters.assign(day=meters.day + DAY), on=["site", "sensor", "day"], suffixes=("", "_before"))
    both = both.assign(difference=both[["max", "max_before"]].max(axis=1) - both[["min", "min_before"]].min(axis=1))
    _collect(series, AGG_DAY_DIFF, both, "day", "difference")
    for meter, parts in simulation.catalogue.meters.items():
        for site in simulation.sites:
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


def stored(settings: Settings, sites: Sequence[str] = ()) -> dict[str, Points]:
    """The points of every series in Redis, by key; with ``sites`` of these alone."""
    with connections.redis(settings, "viewer") as client:
        kinds = ",".join((RAW, LATE_REJECTED, *DERIVED))
        of = [f"site=({','.join(sites)})"] if sites else []
        found = client.execute_command(
            "TS.MRANGE", "-", "+", "FILTER", f"series=({kinds})", f"prefix={settings.prefix}", *of
        )
    return {key.decode(): {int(ts): float(value) for ts, value in points} for key, _, points in found if points}


@dataclass
class Comparison:
    """How what is stored differs from what is expected: lines that name the series and the point."""

    points: int = 0
    missing: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """All of them; empty when every point is as it should be."""
        return self.missing + self.surplus + self.wrong


def compare(found: Mapping[str, Points], wanted: Mapping[str, Points]) -> Comparison:
    """Compare point by point, values to 1e-9 of their size (or of 1 where they are smaller)."""
    result = Comparison()
    for key in sorted(found.keys() | wanted.keys()):
        there, right = found.get(key, {}), wanted.get(key, {})
        for ts in sorted(there.keys() | right.keys()):
            name = f"{key} at {pd.Timestamp(ts, unit='ms'):%Y-%m-%d %H:%M:%S}"
            if ts not in there:
                result.missing.append(f"{name}: missing, should be {right[ts]}")
            elif ts not in right:
                result.surplus.append(f"{name}: is {there[ts]}, should not be there")
            elif abs(there[ts] - right[ts]) > TOLERANCE * max(1.0, abs(right[ts])):
                result.wrong.append(f"{name}: is {there[ts]}, should be {right[ts]}")
            else:
                result.points += 1
    return result


def _collect(series: dict[Series, Points], kind: str, rows: pd.DataFrame, ts: str, value: str) -> None:
    for (site, sensor), group in rows.groupby(["site", "sensor"], observed=True):
        series[Series(kind, str(site), str(sensor))] = dict(zip(group[ts].tolist(), group[value].tolist(), strict=True))
