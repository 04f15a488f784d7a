"""Which reading of a name was the first one."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field

from ingest.records import Point
from topics.series import Series


@dataclass(slots=True)
class _Readings:
    """The first readings of one series: those newer than all before them, in order, and the late ones."""

    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    late: dict[int, float] = field(default_factory=dict)


class FirstReadings:
    """The first reading of every name (site, sensor, ts), in the order in which they were added.

    Takes 16 bytes for a reading that is newer than those before it, and about 150 for a late one.
    """

    def __init__(self) -> None:
        self._series: dict[Series, _Readings] = {}

    def add(self, point: Point) -> Point | None:
        """Add a reading; returns the first one of the same name when there was one."""
        ts, value = point.ts, point.value
        there = self._series.get(point.series)
        if there is None:
            there = self._series[point.series] = _Readings()
        if not there.times or ts > there.times[-1]:
            there.times.append(ts)
            there.values.append(value)  # type: ignore[arg-type]
            return None
        if (first := self.first(point)) is None:
            there.late[ts] = value  # type: ignore[assignment]
        return first

    def first(self, point: Point) -> Point | None:
        """The reading of the same name that was added, None when there was none."""
        ts = point.ts
        there = self._series.get(point.series)
        if there is None:
            return None
        index = bisect_left(there.times, ts)
        value = there.values[index] if index < len(there.times) and there.times[index] == ts else there.late.get(ts)
        return None if value is None else Point(point.series, ts, value)
