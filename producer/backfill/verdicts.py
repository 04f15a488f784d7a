"""Which readings of the files are sent: the contract, and each one once."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producer.backfill.block import Block, Rejection
from producer.backfill.cells import Floats, Ints, not_finite, out_of_range
from producer.backfill.instants import Instants
from producer.backfill.unknown import Unknown
from topics import wording
from topics.catalogue import Catalogue
from topics.reading import LATEST_TS, SITE, Invalid

Series = tuple[str, str]
"""Site and sensor."""


class Accepted(NamedTuple):
    """Readings to be sent, in order. ``series`` is an index into the judge's series; ``ts`` is in epoch ms."""

    series: Ints
    ts: Ints
    value: Floats

    def at(self, which: slice | NDArray[np.bool_]) -> Accepted:
        """Some of them."""
        return Accepted(self.series[which], self.ts[which], self.value[which])


@dataclass
class Judge:
    """Judges blocks in the order of the files, and remembers what it has accepted.

    A reading that is more than ``tolerance`` ms ahead of ``now`` (epoch ms) is of the future. ``out_of_order`` counts
    accepted readings that are older than one of their series before them; ``oldest`` and ``newest`` are the ends of
    all that is accepted, epoch ms.
    """

    catalogue: Catalogue
    now: int
    tolerance: int
    series: list[Series] = field(default_factory=list)
    unknown: Unknown = field(default_factory=Unknown)
    out_of_order: int = 0
    oldest: int = LATEST_TS
    newest: int = -1

    def __post_init__(self) -> None:
        self._numbers: dict[Series, int] = {}
        self._instants: list[Instants] = []

    def judge(self, block: Block) -> tuple[Accepted, list[Rejection]]:
        """The readings of a block that count, and in the order of the lines everything in it that does not."""
        verdicts: dict[int, Invalid] = {}
        self._judge_sites(block, verdicts)
        self._judge_sensors(block, verdicts)
        for position in np.flatnonzero(~np.isfinite(block.value)).tolist():
            verdicts.setdefault(position, not_finite(block.value[position]))
        for position in np.flatnonzero((block.ts < 0) | (block.ts > LATEST_TS)).tolist():
            if (verdict := out_of_range(int(block.ts[position]))) is not None:
                verdicts.setdefault(position, verdict)
        for position in np.flatnonzero(block.ts > self.now + self.tolerance).tolist():
            detail = f"ts is {wording.from_now(int(block.ts[position]), self.now)}"
            verdicts.setdefault(position, Invalid("future_ts", detail))
        good = np.ones(len(block.ts), dtype=bool)
        good[list(verdicts)] = False
        places = np.flatnonzero(good)
        series, ts = self._series(block, places), block.ts[places]
        repeated = self._repeated(series, ts)
        for index in np.flatnonzero(repeated).tolist():
            site, sensor = self.series[series[index]]
            detail = f"a reading of {site}, {sensor} at {wording.instant(int(ts[index]))} was there before"
            verdicts[int(places[index])] = Invalid("duplicate", detail)
        kept = ~repeated
        accepted = Accepted(series[kept], ts[kept], block.value[places[kept]])
        if len(accepted.ts):
            self.oldest = min(self.oldest, int(accepted.ts.min()))
            self.newest = max(self.newest, int(accepted.ts.max()))
        lines = block.line.tolist() if verdicts else []
        rejections = block.rejections + [Rejection(lines[p], verdict) for p, verdict in sorted(verdicts.items())]
        return accepted, sorted(rejections, key=lambda rejection: rejection.line)

    @staticmethod
    def _judge_sites(block: Block, verdicts: dict[int, Invalid]) -> None:
        for number, site in enumerate(block.sites):
            if not SITE.fullmatch(site):
                verdict = Invalid("malformed_site", f"site {site[:80]!r} does not match {SITE.pattern}")
                for position in np.flatnonzero(block.site == number).tolist():
                    verdicts.setdefault(position, verdict)

    def _judge_sensors(self, block: Block, verdicts: dict[int, Invalid]) -> None:
        for number, sensor in enumerate(block.sensors):
            if sensor not in self.catalogue:
                verdict = Invalid("unknown_sensor", f"sensor {sensor[:80]!r} is not in the catalogue")
                positions = np.flatnonzero(block.sensor == number)
                if not len(positions):  # named by rows alone that are rejected for something else
                    continue
                self.unknown.add(sensor, block.ts[positions], block.value[positions])
                for position in positions.tolist():
                    verdicts.setdefault(position, verdict)

    def _series(self, block: Block, places: Ints) -> Ints:
        """Number of each reading's series; new ones get the next."""
        pairs, inverse = np.unique(block.site[places] * len(block.sensors) + block.sensor[places], return_inverse=True)
        numbers = np.empty(len(pairs), dtype=np.int64)
        for index, pair in enumerate(pairs.tolist()):
            site, sensor = divmod(pair, len(block.sensors))
            name = (block.sites[site], block.sensors[sensor])
            number = self._numbers.setdefault(name, len(self.series))
            if number == len(self.series):
                self.series.append(name)
                self._instants.append(Instants())
            numbers[index] = number
        return numbers[inverse]

    def _repeated(self, series: Ints, ts: Ints) -> NDArray[np.bool_]:
        """Which readings were there before. What was not is remembered."""
        repeated = np.zeros(len(ts), dtype=bool)
        order = np.argsort(series, kind="stable")
        sorted_series = series[order]
        edges = np.flatnonzero(np.diff(sorted_series)) + 1
        for begin, end in pairwise([0, *edges.tolist(), len(ts)] if len(ts) else []):
            places = order[begin:end]
            own, instants = ts[places], self._instants[sorted_series[begin]]
            # What is newer than everything before it cannot be there already.
            if own[0] > instants.newest and (np.diff(own) > 0).all():
                instants.append(own)
                continue
            different, first = np.unique(own, return_index=True)
            there = instants.has(different)
            again = np.ones(len(own), dtype=bool)
            again[first[~there]] = False
            repeated[places] = again
            before = np.maximum.accumulate(np.append(instants.newest, own[:-1]))
            self.out_of_order += int(np.count_nonzero(~again & (own < before)))
            instants.insert(different[~there])
        return repeated
