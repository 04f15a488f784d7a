"""What topics, keys and series are called."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_SITE = "home"

READINGS = "dailyAggr"
HISTORY = "history"
"""Readings that were merged from a backfill: the bridge stores them, the live job does not read them."""
AGGREGATES = "flinkAggr"
REJECTED = "lateRej"
DEAD_LETTERS = "deadLetter"
SENSOR_CLASSES = "sensorClasses"
"""What decides to which partition a sensor's readings go (topics/partitions.py)."""
TOPICS = (READINGS, HISTORY, AGGREGATES, REJECTED, DEAD_LETTERS, SENSOR_CLASSES)

AGG_DAY = "AggDay"
AGG_DAY_COUNT = "AggDayCount"
AGG_DAY_DIFF = "AggDayDiff"
AGG_DAY_REST = "AggDayRest"
LATE_REJECTED = "LateRej"
RAW = "raw"
DERIVED = (AGG_DAY, AGG_DAY_COUNT, AGG_DAY_DIFF, AGG_DAY_REST)
"""Kinds of series that the job emits to flinkAggr."""


class Series(NamedTuple):
    """One time series: what kind it is, and whose.

    ``kind`` is ``raw``, ``LateRej`` or one of ``DERIVED``.
    """

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


def sensor_key(site: str, sensor: str) -> str:
    """Kafka key of a sensor's readings: ``TH1`` for the default site, ``<site>/TH1`` for another."""
    return sensor if site == DEFAULT_SITE else f"{site}/{sensor}"
