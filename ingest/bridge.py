"""The bridge from Kafka to RedisTimeSeries: read a batch, write it, make it durable, and only then commit."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from infrastructure import logs
from infrastructure.kafka.client import PREFETCHING, kafka_options
from infrastructure.kafka.diagnostics import explain
from infrastructure.kafka.watchdog import Watchdog, Watched
from infrastructure.redis.diagnostics import explain as explain_redis
from infrastructure.settings import Settings
from ingest.dead_letters import DeadLetter, DeadLetters
from ingest.metrics import SAMPLED, Counts
from ingest.records import Point, Records
from ingest.retractions import PointKey, Retractions
from ingest.series_writer import SeriesWriteError, SeriesWriter
from topics.catalogue import Catalogue
from topics.errors import UserError
from topics.names import SERIES_TOPICS
from topics.reading import Invalid

log = logs.get(__name__)

POLL_SECONDS = 0.02
REPORT_SECONDS = 10
MAX_BACKOFF_SECONDS = 5
CLOSE_SECONDS = 5
SWITCH_SECONDS = 0.0005
"""After so long the thread that classifies lets the one in that has an answer from Redis."""
GC_BATCHES = 20
"""Garbage in cycles is looked for when the objects of so many batches have piled up. What a batch is made of has no
cycles and goes without, but would be searched several times each: a quarter of all time."""
COMMIT_AGAIN_SECONDS = 1
RETRYING = {service: f"{service} write failed, retrying" for service in ("Redis", "Kafka")}


class StoppingError(Exception):
    """The bridge was asked to stop while it waited for Redis or Kafka; nothing was committed."""


@dataclass
class _Batch:
    """What is to be done for the records of one poll; ``records`` counts them by topic.

    ``began``: when they had been read (monotonic clock); ``due``: points whose retraction waits no longer.
    """

    began: float
    points: list[Point] = field(default_factory=list)
    derived: dict[PointKey, Point] = field(default_factory=dict)
    due: list[Point] = field(default_factory=list)
    rejections: list[bytes | None] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    next_offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)
    produced: list[tuple[str, float]] = field(default_factory=list)


class Bridge:
    """One consumer of the group; start as many as there are partitions to share."""

    def __init__(self, settings: Settings, catalogue: Catalogue, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = Counts(settings, catalogue)
        self._settings = settings
        self._clock = clock
        self.counts.idle_since = clock()
        self._stop = threading.Event()
        self._writer = SeriesWriter(settings, catalogue)
        self._retractions = Retractions(settings.ingest.settle.total_seconds())
        self._dead_letters = DeadLetters(settings)
        self._read: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._commit_again = 0.0
        self._in_flight: tuple[_Batch, Future[None]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._records = Records.of(settings, catalogue)
        self._readings, self._history, self._aggregates, self._rejected = (
            settings.prefix + topic for topic in SERIES_TOPICS
        )
        self._consumer = Consumer(
            {
                **kafka_options(settings.kafka),
                **PREFETCHING,
                "group.id": settings.prefix + settings.ingest.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # While Redis is away nothing is polled; only after that long is the work given to another bridge.
                "max.poll.interval.ms": 600_000,
                "session.timeout.ms": 10_000,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 32_768,
                "topic.metadata.refresh.interval.ms": 10_000,
                "error_cb": self._kafka_error,
                "on_commit": self._commit_answered,
                "log_level": 0,
            }
        )
        self._watchdog = Watchdog(settings.kafka, self._readings, Watched(self._consumer, lambda: self.counts.records))

    def stop(self) -> None:
        """Finish the batch under way, commit it, and return from ``run``. May be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Process batches until ``stop``. Waits for Kafka and Redis for as long as they are away.

        Raises ``UserError`` when Kafka refuses for good, or answers others only; what was not committed is read again
        at the next start.
        """
        reported = self._clock()
        switch_interval, gc_threshold = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(max(gc_threshold[0], GC_BATCHES * self._settings.ingest.batch), *gc_threshold[1:])
        try:
            self._patiently("Redis", self._writer.ping)
            self._consumer.subscribe(
                [self._readings, self._history, self._aggregates, self._rejected],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._revoked,
            )
            while not self._stop.is_set():
                self._watchdog.check()
                self._process(self._consumer.consume(self._settings.ingest.batch, POLL_SECONDS))
                if self._clock() - reported > REPORT_SECONDS:
                    reported = self._clock()
                    self._report()
            self._complete()
        except StoppingError:
            pass
        except KafkaException as error:
            raise UserError(f"Kafka refuses to go on: {explain(error)}. What was not stored is read again.") from error
        finally:
            self._stop.set()  # the writer waits for nobody any more
            self._pool.shutdown()
            self._in_flight = None
            sys.setswitchinterval(switch_interval)
            gc.set_threshold(*gc_threshold)
            self._report()
            self._leave()
            self._dead_letters.close()
            self._writer.close()

    def _process(self, messages: Sequence[Message]) -> None:
        """Classify a poll's records while the batch before is written, and have them written next."""
        batch = self._classified(messages)
        self._complete()
        batch.due = self._retractions.due(self._clock())
        if batch.next_offsets or batch.due:
            # From here on nothing is committed before these are deleted.
            self._retractions.replaced((point.series, point.ts) for point in batch.due)
            self._in_flight = batch, self._pool.submit(self._write, batch)
        elif self._clock() >= self._commit_again:
            self._commit()  # one that was refused

    def _write(self, batch: _Batch) -> None:
        """Write a batch until it is on disk, and its dead letters until acknowledged. In a thread of its own."""
        points = batch.points + list(batch.derived.values())

        def write() -> None:
            self._writer.write(points)
            self._writer.delete(batch.due)
            self._writer.wait_durable()

        self._patiently("Redis", write)
        if batch.letters:
            self._patiently("Kafka", lambda: self._dead_letters.put(batch.letters))
        self.counts.stored(batch.produced, time.time())
        self.counts.batch_seconds.observe(time.monotonic() - batch.began)

    def _complete(self) -> None:
        """Wait until the batch in flight is on disk, and commit it."""
        if self._in_flight is None:
            return
        (batch, written), self._in_flight = self._in_flight, None
        written.result()
        self._count(batch)
        self._read |= batch.next_offsets
        self._commit()

    def _count(self, batch: _Batch) -> None:
        counts = self.counts
        counts.read.update(batch.records)
        counts.stored_readings(batch.points)
        counts.stored_results(batch.derived.values())
        for value in batch.rejections:
            counts.rejection(value)
        counts.retracted += len(batch.due)
        counts.letters.update(letter.why.reason for letter in batch.letters)
        counts.batch_records.observe(batch.records.total())

    def _classified(self, messages: Sequence[Message]) -> _Batch:
        batch = _Batch(time.monotonic())
        raw, reading, add = (self._readings, self._history), self._records.reading, batch.points.append
        last: dict[tuple[str, int], Message] = {}
        records = [message for message in messages if not self._is_error(message)]
        for message in records:
            topic = message.topic()
            last[topic, message.partition()] = message
            if topic not in raw:
                self._classify_result(message, topic, batch)
                continue
            found = reading(message.value(), message.timestamp()[1])
            if isinstance(found, Point):
                add(found)
            else:
                self._classify_items(message, found, batch)
        batch.records.update(message.topic() for message in records)
        batch.next_offsets = {partition: message.offset() + 1 for partition, message in last.items()}
        batch.produced = self.counts.produced(records[:SAMPLED])
        return batch

    def _is_error(self, message: Message) -> bool:
        if (error := message.error()) is None:
            return False
        self._kafka_error(error)
        return True

    @staticmethod
    def _classify_items(message: Message, items: Iterable[Point | Invalid], batch: _Batch) -> None:
        wrong = None
        for item in items:
            if not isinstance(item, Invalid):
                batch.points.append(item)
            elif wrong is None:  # one letter a record
                wrong = item
        if wrong is not None:
            batch.letters.append(DeadLetter(message, wrong))

    def _classify_result(self, message: Message, topic: str, batch: _Batch) -> None:
        if topic == self._aggregates:
            point = self._records.aggregate(message.key(), message.value())
        else:
            point = self._records.rejected(message.key(), message.value())
            batch.rejections.append(message.value())
        if isinstance(point, Invalid):
            batch.letters.append(DeadLetter(message, point))
            return
        key = (point.series, point.ts)
        if point.value is None:
            batch.derived.pop(key, None)
            self._retractions.hold(key, (topic, message.partition()), message.offset(), self._clock())
        else:
            batch.derived[key] = point
            self._retractions.replaced([key])

    def _commit(self) -> None:
        offsets = []
        for partition, offset in self._read.items():
            waiting = self._retractions.first_offset(partition)
            done = offset if waiting is None else min(offset, waiting)
            if self._committed.get(partition) != done:
                offsets.append(TopicPartition(*partition, done))
        self._committed |= {(tp.topic, tp.partition): tp.offset for tp in offsets}
        if offsets:
            # Not waited for: one that fails is made again, and what is read again changes nothing.
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def _patiently(self, what: str, act: Callable[[], None]) -> None:
        """Do it; while Redis or Kafka is away, say so, wait longer and longer, and try again."""

        def waiting(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            words = explain(error) if isinstance(error, KafkaException) else explain_redis(error)
            log.warning(
                RETRYING[what],
                service=what,
                error=words,
                seconds=round(state.upcoming_sleep, 1),
            )
            self.counts.errors[what] = words
            self.counts.waiting = what
            self.counts.retries[what] += 1

        def sleep(seconds: float) -> None:
            if self._stop.wait(seconds):
                raise StoppingError

        Retrying(
            retry=retry_if_exception_type((redis.RedisError, SeriesWriteError, KafkaException)),
            wait=wait_exponential(multiplier=0.1, max=MAX_BACKOFF_SECONDS),
            before_sleep=waiting,
            sleep=sleep,
        )(act)
        self.counts.waiting = None

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.counts.assigned |= {(tp.topic, tp.partition) for tp in partitions}

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._complete()  # whoever gets them goes on behind it
        gone = {(tp.topic, tp.partition) for tp in partitions}
        self.counts.assigned -= gone
        self.counts.idle_since = self._clock()
        self._retractions.forget(gone)
        for offsets in (self._read, self._committed):
            for partition in gone & offsets.keys():
                del offsets[partition]

    def _commit_answered(self, error: KafkaError | None, _partitions: list[TopicPartition]) -> None:
        if error is not None:
            log.warning(
                "Kafka commit failed, committing again; what is read twice meanwhile changes nothing",
                error=error.str(),
                seconds=COMMIT_AGAIN_SECONDS,
            )
            self._committed.clear()
            self._commit_again = self._clock() + COMMIT_AGAIN_SECONDS

    def _kafka_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            log.warning("topic missing, waiting; `iot topics create` makes it")
        else:
            if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the client's public name
                self.counts.errors["Kafka"] = explain(error)
            log.warning("Kafka does not answer, waiting", error=explain(error))

    def _leave(self) -> None:
        """Leave the group, unless Kafka is away: that would be waited for without an end."""
        leaving = threading.Thread(target=self._consumer.close, name="leaving the group", daemon=True)
        leaving.start()
        leaving.join(CLOSE_SECONDS)

    def _report(self) -> None:
        c = self.counts
        log.info(
            "bridge progress", records=c.records, points=c.points, retracted=c.retracted, dead_letters=c.dead_letters
        )
