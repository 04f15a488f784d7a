"""The kinds of time series: one table, which catalogue, job, bridge, dashboards, export and oracle read.

A kind is added here; what emits it stands in the SQL of its job, what it must be in scripts/oracle.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from topics.names import AGGREGATES, DEFAULT_SITE, READINGS, REJECTED

Aggregate = Literal["mean", "sum", "difference"]
"""What a day of a sensor's readings becomes."""


@dataclass(frozen=True)
class Kind:
    """A kind of series.

    ``name`` is its label in Redis and stands before the sensor's name in the key (not of ``RAW``). Its points come from
    the topic ``topic``. Sensors with one of ``aggregates`` have one; with ``rest``, only meters that have consumers.
    ``daily``: a point stands at the start of the day that it describes, else at the instant of a reading.
    ``first``: of two points of one instant the first one counts, else the last one does.
    """

    name: str
    what: str
    topic: str
    aggregates: tuple[Aggregate, ...]
    daily: bool = True
    rest: bool = False
    first: bool = False


RAW = "raw"
AGG_DAY = "AggDay"
AGG_DAY_COUNT = "AggDayCount"
AGG_DAY_DIFF = "AggDayDiff"
AGG_DAY_REST = "AggDayRest"
LATE_REJECTED = "LateRej"

_ALL: tuple[Aggregate, ...] = ("mean", "sum", "difference")

KINDS = (
    Kind(RAW, "readings", READINGS, _ALL, daily=False, first=True),
    Kind(AGG_DAY, "mean or sum of a day", AGGREGATES, ("mean", "sum")),
    Kind(AGG_DAY_COUNT, "readings counted in a day", AGGREGATES, _ALL),
    Kind(AGG_DAY_DIFF, "a meter's difference to the day before", AGGREGATES, ("difference",)),
    Kind(AGG_DAY_REST, "a meter's difference less its consumers", AGGREGATES, ("difference",), rest=True),
    Kind(LATE_REJECTED, "readings that came too late", REJECTED, _ALL, daily=False),
)
OF_NAME = {kind.name: kind for kind in KINDS}
DERIVED = tuple(kind.name for kind in KINDS if kind.topic == AGGREGATES)
"""Kinds that the job emits to flinkAggr."""


class Series(NamedTuple):
    """One time series: the name of its kind, and whose it is."""

    kind: str
    site: str
    sensor: str

    def key(self, prefix: str = "") -> str:
        """Its key in Redis: ``AggDayTH1`` for the default site, ``<site>:AggDayTH1`` for another."""
        name = self.sensor if self.kind == RAW else self.kind + self.sensor
        return f"{prefix}{name}" if self.site == DEFAULT_SITE else f"{prefix}{self.site}:{name}"

    def labels(self, unit: str, prefix: str = "") -> dict[str, str]:
        """Its labels in Redis. Only series with a prefix carry it, so that ``prefix=`` selects the live ones."""
        labels = {"site": self.site, "sensor": self.sensor, "series": self.kind, "unit": unit}
        return {**labels, "prefix": prefix} if prefix else labels
