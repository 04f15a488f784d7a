"""Which instants a series has had already: exact, and small for a regular series.

A set of Python integers takes some 60 bytes an instant. Here a regular stretch of any length is three numbers, and
elsewhere an instant takes four bytes and a share of its stretch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

REGULAR = 64
"""Fewest equal steps that are kept as a run."""
LONGEST_RUN = 65_536
LONGEST_LIST = 4_096
"""Most instants of a stretch: those who come later in between have a whole stretch unpacked."""


class Run:
    """Instants at equal distances."""

    __slots__ = ("count", "first", "step")

    def __init__(self, first: int, step: int, count: int) -> None:
        self.first, self.step, self.count = first, step, count

    def instants(self) -> Ints:
        """All of them, ascending, epoch ms."""
        return self.first + self.step * np.arange(self.count, dtype=np.int64)

    def has(self, ts: Ints) -> NDArray[np.bool_]:
        """Which of ``ts``, none of them before ``first``, are there."""
        steps, rest = np.divmod(ts - self.first, self.step)
        found: NDArray[np.bool_] = (rest == 0) & (steps < self.count)
        return found


class List:
    """Instants as they come, ascending: how many milliseconds each one is after the first."""

    __slots__ = ("first", "offsets")

    def __init__(self, ts: Ints) -> None:
        self.first = int(ts[0])
        self.offsets = (ts - ts[0]).astype(np.uint32)

    def instants(self) -> Ints:
        """All of them, ascending, epoch ms."""
        found: Ints = self.offsets.astype(np.int64) + self.first
        return found

    def has(self, ts: Ints) -> NDArray[np.bool_]:
        """Which of ``ts``, none of them before ``first``, are there."""
        own = self.instants()
        found: NDArray[np.bool_] = own[np.minimum(np.searchsorted(own, ts), len(own) - 1)] == ts
        return found


_first = attrgetter("first")


class Instants:
    """The instants of one series, epoch ms from 0 on, as stretches that follow each other."""

    __slots__ = ("_stretches", "newest")

    def __init__(self) -> None:
        self._stretches: list[Run | List] = []
        self.newest = -1

    def has(self, ts: Ints) -> NDArray[np.bool_]:
        """Which of ``ts``, ascending, are there."""
        found = np.zeros(len(ts), dtype=bool)
        for place, begin, end in self._touched(ts):
            if place >= 0:
                found[begin:end] = self._stretches[place].has(ts[begin:end])
        return found

    def append(self, ts: Ints) -> None:
        """Add instants, ascending, all of them newer than the newest."""
        if not len(ts):
            return
        self.newest = int(ts[-1])
        if self._stretches:
            last = self._stretches[-1]
            if isinstance(last, Run):
                going_on = last.first + last.step * np.arange(last.count, last.count + len(ts), dtype=np.int64)
                same = int(np.argmin(np.append(ts == going_on, False)))
                same = min(same, LONGEST_RUN - last.count)
                last.count += same
                ts = ts[same:]
            else:
                ts = np.concatenate([last.instants(), ts])
                self._stretches.pop()
        self._stretches.extend(_stretches(ts))

    def insert(self, ts: Ints) -> None:
        """Add instants, ascending, none of them there yet, anywhere."""
        older = int(np.searchsorted(ts, self.newest, "right"))
        # From the back, so that the places of those before stay as they are.
        for place, begin, end in reversed(list(self._touched(ts[:older]))):
            at = max(place, 0)
            together = np.concatenate([self._stretches[at].instants(), ts[begin:end]])
            together.sort()
            self._stretches[at : at + 1] = _stretches(together)
        self.append(ts[older:])

    def _touched(self, ts: Ints) -> Iterator[tuple[int, int, int]]:
        """Ascending instants by the stretch that they belong to, -1 before all: (stretch, begin, end) in ``ts``."""
        begin = 0
        while begin < len(ts):
            place = bisect_right(self._stretches, int(ts[begin]), key=_first) - 1
            end = len(ts)
            if place + 1 < len(self._stretches):
                end = int(np.searchsorted(ts, self._stretches[place + 1].first))
            yield place, begin, end
            begin = end


def _stretches(ts: Ints) -> list[Run | List]:
    """Ascending instants as runs where they are regular, and as lists where not."""
    if len(ts) <= REGULAR:
        return _lists(ts)
    steps = np.diff(ts)
    edges = np.flatnonzero(steps[1:] != steps[:-1]) + 1
    begins = np.append(0, edges)
    lengths = np.diff(np.append(begins, len(steps)))
    found: list[Run | List] = []
    done = 0
    for begin, length in zip(begins[lengths >= REGULAR].tolist(), lengths[lengths >= REGULAR].tolist(), strict=True):
        # Two runs that follow each other share the instant between them: it is the first one's.
        first = max(begin, done)
        found += _lists(ts[done:first])
        done = begin + length + 1
        step = int(steps[begin])
        found += [
            Run(int(ts[start]), step, min(LONGEST_RUN, done - start)) for start in range(first, done, LONGEST_RUN)
        ]
    return found + _lists(ts[done:])


def _lists(ts: Ints) -> list[Run | List]:
    """Ascending instants as lists that are short enough, none of them spanning more than 32 bits."""
    if not len(ts):
        return []
    spans = (ts - ts[0]) >> 32
    found: list[Run | List] = []
    for piece in np.split(ts, np.flatnonzero(np.diff(spans)) + 1) if spans[-1] else [ts]:
        # Halves: a list that is full and a short one would leave a short one each time that something is inserted.
        found += [List(part) for part in np.array_split(piece, -(-len(piece) // LONGEST_LIST))]
    return found
