"""Read and write stretches of a topic, without a consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from infrastructure.kafka.admin import partitions, when_it_has_passed
from infrastructure.kafka.client import PREFETCHING, kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, explain, fetch_metadata
from infrastructure.settings import Settings
from topics.errors import UserError

TIMEOUT = 30
"""Seconds without an answer after which Kafka counts as away."""
AT_ONCE = 5_000
"""Most records that come at once."""
POLL_SECONDS = 0.1
FIRST_STRETCH = 100


class LogError(UserError):
    """The topic is not there, or Kafka does not answer."""


def consumer(settings: Settings) -> Consumer:
    """A consumer that belongs to no group's work: it commits nothing, and says where a partition ends."""
    return Consumer(
        {
            **kafka_options(settings),
            **PREFETCHING,
            "group.id": "reader",
            "enable.auto.commit": False,
            # Where retention has overtaken the reader it goes on with the oldest record, not behind the newest.
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )


@when_it_has_passed
def watermarks(client: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The offset of a partition's oldest record, and the one that its next record will get.

    Raises ``KafkaException`` when Kafka does not answer.
    """
    low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT)
    return low, high


class TopicReader:
    """Reads one topic from its beginning to its end, and later on from there; each partition in order.

    It is in no group: nothing is committed. Every method raises ``KafkaException`` or ``LogError`` when Kafka does not
    answer.
    """

    def __init__(self, settings: Settings, topic: str, start: Mapping[int, int] | None = None) -> None:
        """``start``: where to begin, by partition. Raises ``LogError`` when there is no such topic."""
        self._topic = topic
        try:
            self._partitions = range(partitions(settings)[topic])
        except KeyError:
            raise LogError(f"there is no topic {topic}: `python -m topics create` makes it") from None
        self._consumer = consumer(settings)
        self._next: dict[int, int] = dict(start or {})

    def waiting(self) -> int:
        """Records between here and the end. (Compaction makes them fewer.)"""
        return sum(end - self._next[partition] for partition, end in self._ends().items())

    def read_on(self) -> Iterator[list[Message]]:
        """The records up to the end that the topic has when the first one is asked for."""
        missing = self._ends()
        self._consumer.assign([TopicPartition(self._topic, p, self._next[p]) for p in missing])
        heard = time.monotonic()
        while missing:
            found = []
            for message in self._consumer.consume(AT_ONCE, POLL_SECONDS):
                partition, error = message.partition(), message.error()
                if partition not in missing:
                    continue
                if error is None:
                    # Compaction, or the marker of a transaction, may have left nothing at the last offsets.
                    self._next[partition] = min(message.offset() + 1, missing[partition])
                    if message.offset() < missing[partition]:
                        found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                    self._next[partition] = missing[partition]
                if self._next[partition] >= missing[partition]:
                    del missing[partition]
            if found:
                yield found
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT:
                raise _silent(self._topic)
        self._consumer.unassign()

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _ends(self) -> dict[int, int]:
        """The end of each partition that is not read to its end; what has never been read begins at its beginning."""
        ends = {}
        for partition in self._partitions:
            first, end = watermarks(self._consumer, self._topic, partition)
            if self._next.setdefault(partition, first) < end:
                ends[partition] = end
        return ends


def read(settings: Settings, topic: str, start: Mapping[int, int] | None = None) -> Iterator[Message]:
    """Every record of a topic, each partition in order, up to its ends of now. Raises as ``TopicReader`` does.

    ``start``: offsets to begin at, by partition; without it the beginning of each.
    """
    reader = TopicReader(settings, topic, start)
    try:
        for messages in reader.read_on():
            yield from messages
    finally:
        reader.close()


class Record(NamedTuple):
    """A record to be written. ``partition`` -1 is Kafka's own choice; ``timestamp`` is in epoch ms, 0 is now."""

    topic: str
    key: bytes | str
    value: bytes | None
    partition: int = -1
    timestamp: int = 0
    headers: dict[str, str] | None = None


def write(settings: Settings, records: Iterable[Record]) -> int:
    """Write records to topics that exist, all of them acknowledged when this returns; returns how many.

    Raises ``LogError`` when one is not.
    """
    failed: list[str] = []
    heard = Diagnostics()
    producer = Producer({**kafka_options(settings), "enable.idempotence": True, "log_level": 0, "error_cb": heard})
    # A message for a partition that librdkafka does not know of yet fails, so ask first.
    fetch_metadata(producer, heard, settings)

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(explain(error))

    written = 0
    for topic, key, value, partition, timestamp, headers in records:
        while True:
            try:
                producer.produce(topic, value, key, partition, delivered, None, timestamp, headers)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        written += 1
    if producer.flush() or failed:
        raise LogError(f"{len(failed):,} records were not acknowledged ({failed[:1]}): run it again")
    return written


def backwards(client: Consumer, topic: str, partition: int, end: int | None = None) -> Iterator[list[Message]]:
    """A partition from ``end`` (None: its end of now) to its beginning, in stretches that grow, the newest one first.

    Raises ``LogError`` when Kafka does not answer.
    """
    low, high = watermarks(client, topic, partition)
    end = high if end is None else min(end, high)
    span = FIRST_STRETCH
    while end > low:
        begin = max(low, end - span)
        yield between(client, TopicPartition(topic, partition, begin), end)
        end, span = begin, span * 4


def between(client: Consumer, begin: TopicPartition, end: int) -> list[Message]:
    """The records of a partition from ``begin`` up to ``end``. Raises ``LogError`` when Kafka does not answer."""
    client.assign([begin])
    messages = list[Message]()
    while True:
        message = client.poll(TIMEOUT)
        if message is None:
            raise _silent(begin.topic)
        if message.error() is not None or message.offset() >= end:  # the end of the partition, or of the stretch
            return messages
        messages.append(message)
        if message.offset() == end - 1:
            return messages


def _silent(topic: str) -> LogError:
    return LogError(f"Kafka stopped answering while {topic} was read: is it up (`make status`)?")
