"""Write everything that Kafka holds into RedisTimeSeries again, while the live bridge goes on or stands still.

Nothing is committed and nothing put aside: the bridge has its offsets and its dead letters, and keeps them. What is
there may be written twice, so that an interrupted rebuild is simply run again.

The bridge may write at the same time, and must not be undone. What it writes was read later than what a rebuild
remembers, in one of two ways.

**Aggregates and rejections**: the newest record of a point counts. A rebuild reads a topic to its end, keeps the newest
state of each point, and writes that. If the bridge meanwhile wrote a correction, or deleted what was retracted, the
older state would stand over it. Such a record came behind the end that was asked for, so the rebuild asks again when
it has written, and writes those of the points it has just written for which a newer record is there now, a value or a
tombstone. That may undo a still newer one, so it asks again, until there is none. A record that comes later than the
last question comes later than the last write, and the bridge writes it behind both. Points that a rebuild has not
written cannot have been undone: they are the bridge's, now or when it goes on. So each pass writes a part of what the
one before it wrote. (Where the end of a topic falls between a tombstone and the value that replaces it, a reader may
find the point missing until the next pass.)

**Raw readings**: the first record of a name counts, and the series' policy FIRST keeps what was written first, which is
the wrong one if the bridge wrote a duplicate before the rebuild wrote what it is a duplicate of. Writing every reading
with TS.ADD and ON_DUPLICATE LAST would put that right at a quarter of the speed of TS.MADD. Instead a rebuild remembers
the first readings, and when it meets a duplicate it writes the first one again, over what is there. Having written all,
it reads on once: a duplicate that was there before the last first reading was written is met by then, and a later one
is kept out by FIRST.

dailyAggr is read before history, so that a live reading counts before a merged one of the same name. That is the one
thing which may change: in the bridge, the one that came first did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis
from confluent_kafka import KafkaException, Message

from infrastructure.kafka import admin
from infrastructure.kafka.diagnostics import explain
from infrastructure.kafka.reader import TopicReader
from infrastructure.redis.diagnostics import redis_unavailable
from infrastructure.settings import Settings
from ingest.records import Point, Records
from ingest.retractions import PointKey
from ingest.series_writer import SeriesWriteError, SeriesWriter
from operations.first_readings import FirstReadings
from topics.catalogue import Catalogue
from topics.errors import UnavailableError, UserError
from topics.names import AGGREGATES, HISTORY, READINGS, REJECTED, SERIES_TOPICS
from topics.reading import Invalid
from topics.series import RAW, Series

AGAIN = "Nothing is lost by that: run it again."


@dataclass
class Counts:
    """What a rebuild has done.

    ``points`` counts the points of each kind of series that are now as Kafka has them; ``retracted`` those that must
    not be there; ``repeated`` the records that are a duplicate of a raw reading; ``invalid`` the records that hold no
    valid reading or point; ``passes`` how often the aggregates and rejections were read up to their end.
    """

    records: int = 0
    points: Counter[str] = field(default_factory=Counter)
    series: set[Series] = field(default_factory=set)
    retracted: int = 0
    repeated: int = 0
    invalid: int = 0
    passes: int = 0

    @property
    def written(self) -> int:
        """Points of every kind."""
        return self.points.total()


class Rebuild:
    """One rebuild. ``report`` is called after each batch with the counts so far and the records still to be read."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, report: Callable[[Counts, int], None] = lambda *_: None
    ) -> None:
        self.counts = Counts()
        self._settings = settings
        self._writer = SeriesWriter(settings, catalogue)
        self._records = Records.of(settings, catalogue)
        self._report = report
        self._left = 0
        self._first = FirstReadings()

    def run(self, *, replace: bool = False) -> Counts:
        """Write everything; it is on Redis' disk when this returns. Idempotent.

        ``replace``: delete every series of the prefix first.
        Raises ``UserError`` when Kafka or Redis is away, or refuses.
        """
        readers: dict[str, TopicReader] = {}
        with _told(self._settings):
            try:
                self._writer.ping()
                there = admin.existing(self._settings)
                for topic in SERIES_TOPICS:
                    name = self._settings.prefix + topic
                    if topic in (AGGREGATES, REJECTED) or name in there:  # a replay has results alone
                        readers[topic] = TopicReader(self._settings.kafka, name)
                self._left = sum(reader.waiting() for reader in readers.values())
                if replace:
                    self._writer.clear()
                self._raw([readers[topic] for topic in (READINGS, HISTORY) if topic in readers])
                self._derived(readers[AGGREGATES], readers[REJECTED])
                self._writer.wait_durable()
            finally:
                for reader in readers.values():
                    reader.close()
                self._writer.close()
        return self.counts

    def _raw(self, readers: list[TopicReader]) -> None:
        for reader in readers:
            for messages in self._batches(reader):
                points, repeated = list[Point](), list[Point]()
                for point in self._readings(messages):
                    if (first := self._first.add(point)) is None:
                        points.append(point)
                    else:
                        repeated.append(first)
                self._writer.write(points)
                self._writer.overwrite(repeated)
                self.counts.points[RAW] += len(points)
                self.counts.series.update({point.series for point in points})
                self.counts.repeated += len(repeated)
        for reader in readers:
            for messages in self._batches(reader):
                known = [first for point in self._readings(messages) if (first := self._first.first(point)) is not None]
                self._writer.overwrite(known)
                self.counts.repeated += len(known)

    def _readings(self, messages: list[Message]) -> list[Point]:
        points = []
        for message in messages:
            wrong = False
            found = self._records.reading(message.value(), message.timestamp()[1])
            for item in (found,) if isinstance(found, Point) else found:
                if isinstance(item, Invalid):
                    wrong = True
                else:
                    points.append(item)
            self.counts.invalid += wrong
        return points

    def _derived(self, aggregates: TopicReader, rejected: TopicReader) -> None:
        written: dict[PointKey, float | None] | None = None
        states: dict[PointKey, float | None] = {}
        while True:
            newest = {
                **self._newest(aggregates, self._records.aggregate),
                **self._newest(rejected, self._records.rejected),
            }
            self.counts.passes += 1
            if written is not None:
                newest = {key: value for key, value in newest.items() if key in written}
            if not newest:
                break
            self._write(newest)
            states |= newest
            written = newest
        for (series, _), value in states.items():
            if value is None:
                self.counts.retracted += 1
            else:
                self.counts.points[series.kind] += 1
                self.counts.series.add(series)

    def _newest(
        self, reader: TopicReader, decode: Callable[[bytes | None, bytes | None], Point | Invalid]
    ) -> dict[PointKey, float | None]:
        """The newest state of each point of which the topic has a record from here to its end; None is retracted."""
        states: dict[PointKey, float | None] = {}
        for messages in self._batches(reader):
            for message in messages:
                point = decode(message.key(), message.value())
                if isinstance(point, Invalid):
                    self.counts.invalid += 1
                else:
                    states[point.series, point.ts] = point.value
        return states

    def _write(self, states: dict[PointKey, float | None]) -> None:
        points = [Point(series, ts, value) for (series, ts), value in states.items()]
        for start in range(0, len(points), self._settings.ingest.batch):
            some = points[start : start + self._settings.ingest.batch]
            self._writer.write([point for point in some if point.value is not None])
            self._writer.delete([point for point in some if point.value is None])

    def _batches(self, reader: TopicReader) -> Iterator[list[Message]]:
        for messages in reader.read_on():
            yield messages
            self.counts.records += len(messages)
            self._left = max(0, self._left - len(messages))
            self._report(self.counts, self._left)


@contextmanager
def _told(settings: Settings) -> Iterator[None]:
    """What goes wrong with Kafka or Redis, as something that the user can mend."""
    try:
        yield
    except KafkaException as error:
        raise UserError(f"Kafka does not go on at {settings.kafka.servers}: {explain(error)}. {AGAIN}") from error
    except redis.RedisError as error:
        raise UnavailableError(f"{redis_unavailable(settings, settings.redis.ingest_user, error)}. {AGAIN}") from error
    except SeriesWriteError as error:
        raise UserError(f"Redis refuses: {error}") from error
