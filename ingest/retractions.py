"""Retractions wait for the value that replaces them, so that a reader never sees a gap.

Flink corrects an aggregate by a tombstone, which retracts the old value, and a new value: they can arrive in different
polls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from ingest.records import Point
from topics.series import Series

PointKey = tuple[Series, int]
"""Names a point: its series and its ts."""


class _Held(NamedTuple):
    deadline: float
    partition: tuple[str, int]
    offset: int


class Retractions:
    """Retractions that wait, oldest first. Not more than ``capacity``: beyond it the oldest one waits no longer."""

    def __init__(self, settle_seconds: float, capacity: int = 100_000) -> None:
        self._settle = settle_seconds
        self._capacity = capacity
        self._held: OrderedDict[PointKey, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, point: PointKey, partition: tuple[str, int], offset: int, now: float) -> None:
        """A tombstone was read from ``offset`` of a partition (topic, number)."""
        self._held.setdefault(point, _Held(now + self._settle, partition, offset))

    def replaced(self, points: Iterable[PointKey]) -> None:
        """Values have come for these points: they are retracted no more."""
        if self._held:
            for point in points:
                self._held.pop(point, None)

    def due(self, now: float) -> list[Point]:
        """The points to delete by now; call ``replaced`` with them when they are."""
        surplus = len(self._held) - self._capacity
        return [
            Point(series, ts, None)
            for number, ((series, ts), held) in enumerate(self._held.items())
            if held.deadline <= now or number < surplus
        ]

    def first_offset(self, partition: tuple[str, int]) -> int | None:
        """The oldest offset of a partition that still waits, and so must not be committed yet."""
        return min((held.offset for held in self._held.values() if held.partition == partition), default=None)

    def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """These partitions are another consumer's now, which reads their tombstones again."""
        gone = set(partitions)
        for point in [point for point, held in self._held.items() if held.partition in gone]:
            del self._held[point]
