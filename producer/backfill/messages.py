"""Readings as messages, numbered within their partitions, so that a run can go on where another one stopped.

What is sent to each partition, and in which order, follows from the files and the catalogue alone. A partition that
holds n messages therefore holds the first n, and it takes no more than this number to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from producer.backfill.cells import Ints
from producer.backfill.verdicts import Accepted, Series
from producer.encoder import SIMULATION
from producer.resume import Held, ResumeError
from topics.encoding import Message, SeriesEncoder, encode_heartbeat, tail


class Messages:
    """Makes messages of readings, less those that the topic holds.

    ``total`` counts for each partition the messages so far, those left out as well; ``there`` all that were left out.
    """

    def __init__(
        self, identity: str, partition: Callable[[str, str], int], partitions: int, held: Mapping[int, Held]
    ) -> None:
        """``identity`` names the files; ``partition`` gives that of a site and sensor."""
        self.total = np.zeros(partitions, dtype=np.int64)
        self.there = 0
        self._series = SeriesEncoder(partition)
        self._headers = [(SIMULATION, identity.encode())]
        self._held = np.array([held[p].count if p in held else 0 for p in range(partitions)], dtype=np.int64)
        self._last = {p: partition.last for p, partition in held.items()}

    def of(self, readings: Accepted, series: Sequence[Series]) -> Iterator[Message]:
        """The messages of readings, in their order; the first one of each partition has the identity as a header.

        Raises ``ResumeError`` when the topic holds something else in their place.
        """
        self._series.add(series[len(self._series) :])
        partitions = self._series.partitions[readings.series]
        number = self._numbered(partitions)
        held = self._held[partitions]
        for index in np.flatnonzero(number == held - 1).tolist():
            own = slice(index, index + 1)
            _, key, value, _ = next(self._encoded(readings.at(own), number[own]))
            if self._last[int(partitions[index])] != (key, value):
                raise _another(int(partitions[index]))
        new = number >= held
        self.there += len(new) - int(np.count_nonzero(new))
        return self._encoded(readings.at(new), number[new])

    def heartbeats(self, ts: int) -> list[Message]:
        """A heartbeat for every partition, behind everything else. Raises ``ResumeError`` as ``of`` does."""
        new: list[Message] = []
        for partition, number in enumerate(self.total.tolist()):
            held = self._held[partition]
            if held > number + 1 or (held == number + 1 and self._last[partition][0] is not None):
                raise _another(partition)
            if held <= number:
                new.append((partition, None, encode_heartbeat(ts), self._headers if number == 0 else None))
        self.total += 1
        return new

    def _numbered(self, partitions: Ints) -> Ints:
        """The number of each message within its partition, the first being 0."""
        order = np.argsort(partitions, kind="stable")
        counts = np.bincount(partitions, minlength=len(self.total))
        number = np.empty(len(partitions), dtype=np.int64)
        number[order] = np.arange(len(partitions)) + np.repeat(self.total - (np.cumsum(counts) - counts), counts)
        self.total += counts
        return number

    def _encoded(self, readings: Accepted, number: Ints) -> Iterator[Message]:
        # Equal values, told apart by their bits, are written once.
        codes, bits = pd.factorize(readings.value.view(np.int64))
        tails = np.array([tail(value) for value in bits.view(np.float64).tolist()], dtype=object)
        return zip(
            self._series.partitions[readings.series].tolist(),
            self._series.keys[readings.series].tolist(),
            self._series.values(readings.series, readings.ts, tails[codes]).tolist(),
            [self._headers if first else None for first in (number == 0).tolist()],
            strict=True,
        )


def _another(partition: int) -> ResumeError:
    return ResumeError(
        f"partition {partition} holds other messages than these files give in their place: they were changed, or "
        "somebody else has sent to it. Nothing more was sent. Give another --into, or delete these topics."
    )
