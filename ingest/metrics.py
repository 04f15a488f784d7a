"""What the bridge has done, counted by the batch, and shown as Prometheus metrics when somebody asks.

docs/operations/operation.md has the table of the metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from confluent_kafka import KafkaException, Message
from prometheus_client import Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure.kafka.lag import LagReader, Partition
from infrastructure.settings import Settings
from ingest.records import Point
from topics import produced_at
from topics.catalogue import Catalogue
from topics.names import SERIES_TOPICS
from topics.reading import REASONS
from topics.series import DERIVED, OF_NAME, RAW

SAMPLED = 100
"""Of so many records at the head of a batch the delay is told: on all of them it would take 3 % of the speed."""

VERDICTS = ("too_late", "window_purged")
SERVICES = ("Redis", "Kafka")

disable_created_metrics()  # type: ignore[no-untyped-call]


class _Rejected(msgspec.Struct):
    reason: str = ""


_reason = msgspec.json.Decoder(_Rejected).decode


class Counts:
    """What a bridge has done since it started. Written by the bridge alone, and read by any thread."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.read = Counter[str](dict.fromkeys(self._names(settings), 0))
        """Records by topic, prefix included."""
        self.written = Counter[str](dict.fromkeys(OF_NAME, 0))
        """Points by kind of series."""
        self.letters = Counter[str](dict.fromkeys(REASONS, 0))
        """Dead letters by reason."""
        self.rejected = Counter[str](dict.fromkeys(VERDICTS, 0))
        """Rejected readings by verdict."""
        self.retracted = 0
        self.waiting: str | None = None
        """Which service is waited for, of ``SERVICES``."""
        self.errors: dict[str, str] = {}
        """The words of the last error of each service, whether it is over or not."""
        self.retries = Counter[str](dict.fromkeys(SERVICES, 0))
        self.assigned = frozenset[Partition]()
        """The partitions that are assigned to this bridge."""
        self.idle_since = 0.0
        """Since when there are none, where there are none; by the bridge's clock, seconds."""
        self.newest: dict[str, int] = {}
        """Largest ts of the readings of each sensor, epoch ms."""
        self.days: dict[str, int] = {}
        """Start of the newest day of each kind of derived series, epoch ms."""
        self.batch_records = Histogram(
            "iot_ingest_batch_records",
            "Records of one batch.",
            registry=None,
            buckets=(1, 10, 50, 100, 500, 1000, 2500, 5000, 10_000, 100_000),
        )
        self.batch_seconds = Histogram(
            "iot_ingest_batch_seconds",
            "From a batch being read to its being on Redis' disk, dead letters acknowledged.",
            registry=None,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.delay = Histogram(
            "iot_ingest_delay_seconds",
            "From a reading being produced, or a result being emitted, to its being on Redis' disk, by the wall clock.",
            ("topic",),
            registry=None,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600),
        )
        self._readings, _, self._aggregates, self._rejections = self._names(settings)
        self._classes = {sensor.name: sensor.partition_class for sensor in catalogue.values()}
        for topic in (self._readings, self._aggregates, self._rejections):
            self.delay.labels(topic)

    @staticmethod
    def _names(settings: Settings) -> tuple[str, ...]:
        return tuple(settings.prefix + topic for topic in SERIES_TOPICS)

    @property
    def records(self) -> int:
        """Records read, of all topics."""
        return self.read.total()

    @property
    def points(self) -> int:
        """Points stored, of all kinds."""
        return self.written.total()

    @property
    def dead_letters(self) -> int:
        """Dead letters, for all reasons."""
        return self.letters.total()

    def stored_readings(self, points: Collection[Point]) -> None:
        """These points of raw series are stored."""
        newest = self.newest
        for point in points:
            sensor = point.series.sensor
            if point.ts > newest.get(sensor, -1):
                newest[sensor] = point.ts
        self.written[RAW] += len(points)

    def stored_results(self, points: Iterable[Point]) -> None:
        """These points of derived series are stored."""
        for point in points:
            kind = point.series.kind
            self.written[kind] += 1
            if kind in DERIVED and point.ts > self.days.get(kind, -1):
                self.days[kind] = point.ts

    def rejection(self, value: bytes | None) -> None:
        """A record of lateRej was read; null takes a rejection back."""
        if value is not None:
            try:
                reason = _reason(value).reason
            except msgspec.DecodeError:
                return  # a dead letter
            self.rejected[reason if reason in VERDICTS else "other"] += 1

    def produced(self, messages: Iterable[Message]) -> list[tuple[str, float]]:
        """Topic and time of being produced (epoch seconds) of those messages that tell it and are to be stored."""
        found = []
        for message in messages:
            topic = message.topic()
            if topic == self._readings:
                at = produced_at.told_by(message.headers())
            elif topic in (self._aggregates, self._rejections) and message.value() is not None:
                at = message.timestamp()[1] / 1000  # Flink stamps its results with the wall clock
            else:
                continue
            if at is not None and at > 0:
                found.append((topic, at))
        return found

    def stored(self, produced: Iterable[tuple[str, float]], now: float) -> None:
        """What was sent at these times is stored ``now``, epoch seconds."""
        for topic, at in produced:
            self.delay.labels(topic).observe(max(0.0, now - at))

    def newest_by_class(self) -> Mapping[str, float]:
        """Largest ts of each class of sensors, epoch seconds."""
        found: dict[str, float] = {}
        for sensor, ts in list(self.newest.items()):
            name = self._classes[sensor]
            found[name] = max(found.get(name, 0.0), ts / 1000)
        return found


class BridgeMetrics(Collector):
    """The metrics of one bridge. Asks Kafka for the lag when it is asked itself."""

    def __init__(self, settings: Settings, counts: Counts) -> None:
        self._counts = counts
        self._lag = LagReader(settings, settings.ingest.group)

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        c = self._counts
        yield _counter("iot_ingest_records", "Records read.", "topic", c.read)
        yield _counter("iot_ingest_points", "Points stored.", "series", c.written)
        retracted = CounterMetricFamily("iot_ingest_retracted_points", "Points deleted, since the job retracted them.")
        retracted.add_metric((), c.retracted)
        yield retracted
        yield _counter("iot_ingest_rejected", "Readings that the job rejected as late.", "reason", c.rejected)
        yield _counter("iot_ingest_dead_letters", "Records put aside into deadLetter.", "reason", c.letters)
        yield from c.batch_records.collect()
        yield from c.batch_seconds.collect()
        yield from c.delay.collect()
        yield _counter("iot_ingest_retries", "Attempts that failed and are made again.", "service", c.retries)
        waiting = {service: float(c.waiting == service) for service in SERVICES}
        yield _gauge("iot_ingest_waiting", "1 while the bridge waits for a service.", "service", waiting)
        lag = self._lags()
        yield _gauge("iot_ingest_lag_records", "Records of its partitions that are not stored yet.", "topic", lag)
        yield _gauge(
            "iot_ingest_last_event_timestamp_seconds",
            "Largest ts of the readings stored, epoch seconds.",
            "class",
            c.newest_by_class(),
        )
        days = {kind: day / 1000 for kind, day in list(c.days.items())}
        yield _gauge(
            "iot_ingest_last_day_timestamp_seconds", "Start of the newest day stored, epoch seconds.", "series", days
        )

    def _lags(self) -> Mapping[str, float]:
        try:
            lag = self._lag.lag(self._counts.assigned)
        except KafkaException:
            self._lag.forget()
            return {}  # no number is better than an old one
        return dict(lag)


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in list(values.items()):
        family.add_metric((value,), count)
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in list(values.items()):
        family.add_metric((value,), number)
    return family
