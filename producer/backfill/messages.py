"""Readings as messages, numbered within their partitions, so that a run can go on where another one stopped.

What is sent to each partition, and in which order, follows from the files and the catalogue alone. A partition that
holds n messages therefore holds the first n, and it takes no more than this number to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from producer.backfill.cells import Ints
from producer.backfill.verdicts import Accepted, Series
from producer.resume import Held, ResumeError
from producer.run import Message
from topics.catalogue import Catalogue
from topics.names import partition, sensor_key
from topics.reading import heartbeat

EARLIEST_TIMESTAMP = 1
"""librdkafka stamps a message of time 0 with the present."""


class Messages:
    """Makes messages of readings, less those that the topic holds.

    ``total`` counts for each partition the messages so far, those left out as well; ``there`` all that were left out.
    """

    def __init__(self, catalogue: Catalogue, partitions: int, held: Mapping[int, Held]) -> None:
        self.total = np.zeros(partitions, dtype=np.int64)
        self.there = 0
        self._catalogue = catalogue
        self._held = np.array([held[p].count if p in held else 0 for p in range(partitions)], dtype=np.int64)
        self._last = {p: partition.last for p, partition in held.items()}
        self._keys = np.zeros(0, dtype=object)
        self._heads = np.zeros(0, dtype=object)
        self._partitions = np.zeros(0, dtype=np.int64)

    def of(self, readings: Accepted, series: Sequence[Series]) -> Iterator[Message]:
        """The messages of readings, in their order, as plain tuples; the record timestamp is the reading's own.

        A reading that is stamped with its own time is never of the future, however old the file. The first message of
        each partition is marked. Raises ``ResumeError`` when the topic holds something else in their place.
        """
        self._know(series)
        places = self._partitions[readings.series]
        number = self._numbered(places)
        held = self._held[places]
        for index in np.flatnonzero(number == held - 1).tolist():
            own = slice(index, index + 1)
            _, key, value, _, _ = next(self._encoded(readings.at(own), number[own]))
            if self._last[int(places[index])] != (key, value):
                raise _another(int(places[index]))
        new = number >= held
        self.there += len(new) - int(np.count_nonzero(new))
        return self._encoded(readings.at(new), number[new])

    def heartbeats(self, ts: int) -> list[Message]:
        """A heartbeat for every partition, behind everything else. Raises ``ResumeError`` as ``of`` does."""
        new = []
        for place, number in enumerate(self.total.tolist()):
            if self._held[place] > number + 1 or (self._held[place] == number + 1 and self._last[place][0] is not None):
                raise _another(place)
            if self._held[place] <= number:
                new.append(Message(place, None, heartbeat(ts), ts, number == 0))
        self.total += 1
        return new

    def _numbered(self, places: Ints) -> Ints:
        """The number of each message within its partition, the first being 0."""
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places, minlength=len(self.total))
        number = np.empty(len(places), dtype=np.int64)
        number[order] = np.arange(len(places)) + np.repeat(self.total - (np.cumsum(counts) - counts), counts)
        self.total += counts
        return number

    def _encoded(self, readings: Accepted, number: Ints) -> Iterator[Message]:
        # The shortest text that gives the same double again; equal values, told apart by their bits, are written once.
        codes, bits = pd.factorize(readings.value.view(np.int64))
        values = np.array([f',"value":{value!r}}}'.encode() for value in bits.view(np.float64).tolist()], dtype=object)
        bodies = self._heads[readings.series] + readings.ts.astype("S20").astype(object) + values[codes]
        return zip(  # type: ignore[return-value]
            self._partitions[readings.series].tolist(),
            self._keys[readings.series].tolist(),
            bodies.tolist(),
            np.maximum(readings.ts, EARLIEST_TIMESTAMP).tolist(),
            (number == 0).tolist(),
            strict=True,
        )

    def _know(self, series: Sequence[Series]) -> None:
        new = series[len(self._keys) :]
        if not new:
            return
        keys = [sensor_key(*name) for name in new]
        heads = [f'{{"site":"{site}","sensor":"{sensor}","ts":'.encode() for site, sensor in new]
        places = [
            partition(key, self._catalogue[sensor].partition_class, self._catalogue, len(self.total))
            for key, (_, sensor) in zip(keys, new, strict=True)
        ]
        self._keys = np.append(self._keys, np.array([key.encode() for key in keys], dtype=object))
        self._heads = np.append(self._heads, np.array(heads, dtype=object))
        self._partitions = np.append(self._partitions, np.array(places, dtype=np.int64))


def _another(place: int) -> ResumeError:
    return ResumeError(
        f"partition {place} holds other messages than these files give in its place: they were changed, or somebody "
        "else has sent to it. Nothing more was sent. Give another --into, or delete these topics."
    )
