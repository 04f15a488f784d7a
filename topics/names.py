"""What topics and keys are called."""

from __future__ import annotations

from collections.abc import Iterable

DEFAULT_SITE = "home"

READINGS = "dailyAggr"
HISTORY = "history"
"""Readings that were merged from a backfill: the bridge stores them, the live job does not read them."""
AGGREGATES = "flinkAggr"
REJECTED = "lateRej"
DEAD_LETTERS = "deadLetter"
SENSOR_CLASSES = "sensorClasses"
"""What decides to which partition a sensor's readings go (topics/partitions.py)."""
SERIES_TOPICS = (READINGS, HISTORY, AGGREGATES, REJECTED)
"""The topics whose records become points of series."""

TOPICS = (*SERIES_TOPICS, DEAD_LETTERS, SENSOR_CLASSES)


def sensor_key(site: str, sensor: str) -> str:
    """Kafka key of a sensor's readings: ``TH1`` for the default site, ``<site>/TH1`` for another."""
    return sensor if site == DEFAULT_SITE else f"{site}/{sensor}"


def prefixes_of(topics: Iterable[str]) -> set[str]:
    """The prefixes under which the system has some of these topics: a name is the prefix and one of ``TOPICS``.

    Somebody else may call a topic history: by that alone a prefix is none of ours.
    """
    return {prefix for prefix, topic in map(_parts, topics) if topic not in (None, HISTORY)}


def prefix_of(topic: str) -> str:
    """The prefix of one of the system's topics."""
    return _parts(topic)[0]


def _parts(name: str) -> tuple[str, str | None]:
    """Prefix and topic; without a topic when it is none of the system's."""
    topic = next((topic for topic in TOPICS if name.endswith(topic)), None)
    return name.removesuffix(topic or ""), topic
